//! Protocol 2: files to and from a device.

use bytes::Bytes;

use crate::decode::body_fields;
use crate::message::NotUnderstood;
use crate::value::{Props, Value};
use crate::write::Writer;

/// Message types of the file transfer protocol.
pub mod typ {
    /// What is at this path? Body: [`super::Path`].
    pub const STAT: &str = "stat";
    /// The answer. Body: [`super::FileInfo`].
    pub const FILE_INFO: &str = "file_info";
    /// Send me the file. Body: [`super::Path`].
    pub const GET_FILE: &str = "get_file";
    /// I will send you a file. Body: [`super::PutFile`].
    pub const PUT_FILE: &str = "put_file";
    /// A piece of the file at property `offset`; without body, the end.
    pub const FILE_CHUNK: &str = "file_chunk";
    /// Received, property `offset`.
    pub const ACK: &str = "ack";
    /// Something went wrong. Body: [`super::Error`].
    pub const ERROR: &str = "error";
}

/// The words of real agents.
pub mod text {
    /// A second transfer in one session.
    pub const IN_PROGRESS: &str = "another file transfer is in progress";
    /// A chunk or acknowledgement out of the blue.
    pub const NOT_IN_PROGRESS: &str = "no file transfer in progress";
    /// A request without a path.
    pub const NO_PATH: &str = "invalid request parameters: path: cannot be blank.";

    /// A message type that is not known.
    pub fn not_supported(typ: &str) -> String {
        format!("session: filetransfer message type '{typ}' not supported")
    }
}

/// Body of `stat` and `get_file`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// Absolute path on the device.
    pub path: String,
}

/// Body of `file_info`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileInfo {
    /// Absolute path on the device.
    pub path: String,
    /// Bytes.
    pub size: i64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Mode as Go counts it: the low nine bits are permissions, the kind is in high bits.
    pub mode: u32,
    /// Time of the last change.
    pub modtime: Timestamp,
}

/// Body of `put_file`; what is absent, the device decides.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PutFile {
    /// Absolute path on the device: a file, or a folder to put `src_path` into.
    pub path: String,
    /// The file's name where it comes from.
    pub src_path: Option<String>,
    /// Bytes.
    pub size: Option<i64>,
    /// Owner to give it.
    pub uid: Option<u32>,
    /// Group to give it.
    pub gid: Option<u32>,
    /// Permissions to give it.
    pub mode: Option<u32>,
    /// Time of the last change to give it.
    pub modtime: Option<Timestamp>,
}

/// Body of `error`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Error {
    /// For people.
    pub err: String,
    /// Type of the message that was at fault.
    pub msgtype: Option<String>,
    /// `props.msgid` of the message that was at fault.
    pub msgid: Option<String>,
}

/// A moment, as msgpack's extension -1 has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Timestamp {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds within the second, below 1 000 000 000.
    pub nanoseconds: u32,
}

/// The type number of the timestamp extension.
const TIMESTAMP: i8 = -1;

impl Path {
    /// The body.
    pub fn to_body(&self) -> Bytes {
        let mut out = Writer::with_capacity(16 + self.path.len());
        out.map(1);
        out.str("path");
        out.str(&self.path);
        Bytes::from(out.finish())
    }

    /// Reads a body.
    pub fn from_body(body: &Bytes) -> Result<Self, NotUnderstood> {
        Ok(Path {
            path: text(&body_fields(body)?, "path")?,
        })
    }
}

impl FileInfo {
    /// The body.
    pub fn to_body(&self) -> Bytes {
        let mut out = Writer::with_capacity(80 + self.path.len());
        out.map(6);
        out.str("path");
        out.str(&self.path);
        out.str("size");
        out.i64_fixed(self.size);
        out.str("uid");
        out.u32_fixed(self.uid);
        out.str("gid");
        out.u32_fixed(self.gid);
        out.str("mode");
        out.u32_fixed(self.mode);
        out.str("modtime");
        self.modtime.write(&mut out);
        Bytes::from(out.finish())
    }

    /// Reads a body.
    pub fn from_body(body: &Bytes) -> Result<Self, NotUnderstood> {
        let fields = body_fields(body)?;
        let number = |name| unsigned(&fields, name).ok_or(NotUnderstood::Field(name));
        Ok(FileInfo {
            path: text(&fields, "path")?,
            size: fields.get_int("size").ok_or(NotUnderstood::Field("size"))?,
            uid: number("uid")?,
            gid: number("gid")?,
            mode: number("mode")?,
            modtime: Timestamp::read(fields.get("modtime"))
                .ok_or(NotUnderstood::Field("modtime"))?,
        })
    }
}

impl PutFile {
    /// The body.
    pub fn to_body(&self) -> Bytes {
        let optional = [
            self.src_path.is_some(),
            self.size.is_some(),
            self.uid.is_some(),
            self.gid.is_some(),
            self.mode.is_some(),
            self.modtime.is_some(),
        ];
        let mut out = Writer::with_capacity(96 + self.path.len());
        out.map(1 + optional.into_iter().filter(|present| *present).count());
        out.str("path");
        out.str(&self.path);
        if let Some(src_path) = &self.src_path {
            out.str("src_path");
            out.str(src_path);
        }
        if let Some(size) = self.size {
            out.str("size");
            out.i64_fixed(size);
        }
        for (name, value) in [("uid", self.uid), ("gid", self.gid), ("mode", self.mode)] {
            if let Some(value) = value {
                out.str(name);
                out.u32_fixed(value);
            }
        }
        if let Some(modtime) = self.modtime {
            out.str("modtime");
            modtime.write(&mut out);
        }
        Bytes::from(out.finish())
    }

    /// Reads a body.
    pub fn from_body(body: &Bytes) -> Result<Self, NotUnderstood> {
        let fields = body_fields(body)?;
        Ok(PutFile {
            path: text(&fields, "path")?,
            src_path: fields.get_str("src_path").map(str::to_owned),
            size: fields.get_int("size"),
            uid: unsigned(&fields, "uid"),
            gid: unsigned(&fields, "gid"),
            mode: unsigned(&fields, "mode"),
            modtime: Timestamp::read(fields.get("modtime")),
        })
    }
}

impl Error {
    /// The body.
    pub fn to_body(&self) -> Bytes {
        let mut out = Writer::with_capacity(32 + self.err.len());
        let optional = [("msgtype", &self.msgtype), ("msgid", &self.msgid)];
        out.map(1 + optional.iter().filter(|(_, value)| value.is_some()).count());
        out.str("err");
        out.str(&self.err);
        for (name, value) in optional {
            if let Some(value) = value {
                out.str(name);
                out.str(value);
            }
        }
        Bytes::from(out.finish())
    }

    /// Reads a body.
    pub fn from_body(body: &Bytes) -> Result<Self, NotUnderstood> {
        let fields = body_fields(body)?;
        Ok(Error {
            err: fields.get_str("err").unwrap_or_default().to_owned(),
            msgtype: fields.get_str("msgtype").map(str::to_owned),
            msgid: fields.get_str("msgid").map(str::to_owned),
        })
    }
}

impl Timestamp {
    /// In the shortest of the three forms.
    fn write(self, out: &mut Writer) {
        match (u32::try_from(self.seconds), u64::try_from(self.seconds)) {
            (Ok(seconds), _) if self.nanoseconds == 0 => {
                out.ext(TIMESTAMP, &seconds.to_be_bytes());
            }
            (_, Ok(seconds)) if seconds < 1 << 34 => {
                let packed = u64::from(self.nanoseconds) << 34 | seconds;
                out.ext(TIMESTAMP, &packed.to_be_bytes());
            }
            _ => {
                let mut data = [0; 12];
                let (nanoseconds, seconds) = data.split_at_mut(4);
                nanoseconds.copy_from_slice(&self.nanoseconds.to_be_bytes());
                seconds.copy_from_slice(&self.seconds.to_be_bytes());
                out.ext(TIMESTAMP, &data);
            }
        }
    }

    fn read(value: Option<&Value>) -> Option<Self> {
        let Some(Value::Ext(TIMESTAMP, data)) = value else {
            return None;
        };
        let stamp = match data.len() {
            4 => {
                let seconds = u32::from_be_bytes(data.as_ref().try_into().ok()?);
                Timestamp {
                    seconds: seconds.into(),
                    nanoseconds: 0,
                }
            }
            8 => {
                let packed = u64::from_be_bytes(data.as_ref().try_into().ok()?);
                Timestamp {
                    seconds: i64::try_from(packed & ((1 << 34) - 1)).ok()?,
                    nanoseconds: u32::try_from(packed >> 34).ok()?,
                }
            }
            12 => {
                let (nanoseconds, seconds) = data.split_at_checked(4)?;
                Timestamp {
                    seconds: i64::from_be_bytes(seconds.try_into().ok()?),
                    nanoseconds: u32::from_be_bytes(nanoseconds.try_into().ok()?),
                }
            }
            _ => return None,
        };
        (stamp.nanoseconds < 1_000_000_000).then_some(stamp)
    }
}

fn text(fields: &Props, name: &'static str) -> Result<String, NotUnderstood> {
    fields
        .get_str(name)
        .map(str::to_owned)
        .ok_or(NotUnderstood::Field(name))
}

fn unsigned(fields: &Props, name: &str) -> Option<u32> {
    u32::try_from(fields.get_int(name)?).ok()
}
