//! What stands at the beginning of every segment.

use longwire_protocol::shell::Winsize;
use serde::{Deserialize, Serialize};

use super::format::{FormatError, HASH, RawFrame};
use crate::ids::{DeviceId, UserId};
use crate::session::Entry;
use crate::time::Timestamp;

/// The version of the format, said in every header.
const VERSION: u32 = 1;

/// What a session is recorded as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The session.
    pub sid: String,
    /// On which device.
    pub device_id: DeviceId,
    /// Whose it is.
    pub owner_id: UserId,
    /// Their e-mail address at that time.
    pub owner: String,
    /// When it was opened: where the recording's time line begins.
    #[serde(with = "millis")]
    pub started_at: Timestamp,
    /// Whether the device keeps what is not acknowledged.
    pub lossless: bool,
}

/// The first frame of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    version: u32,
    #[serde(flatten)]
    pub(super) opening: Opening,
    /// Its number, from 1.
    pub(super) segment: u32,
    /// SHA-256 of the segment before, as it was before it was compressed; hexadecimal.
    pub(super) previous: Option<String>,
    /// Where output goes on in it.
    pub(super) offset: u64,
    /// The time line's newest moment so far.
    pub(super) time_ms: u64,
    /// The terminal's size so far, as rows and columns.
    pub(super) size: Option<(u16, u16)>,
    /// Whether a keyframe comes next.
    pub(super) keyframe: bool,
}

mod millis {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::time::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(at.millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(from).map(Timestamp::from_millis)
    }
}

/// Where a recording stands at some point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Output recorded so far, gaps included.
    pub offset: u64,
    /// The newest moment on the time line.
    pub time_ms: u64,
    /// The terminal's size.
    pub size: Option<Winsize>,
}

impl Position {
    /// Moves on past an entry.
    pub(super) fn pass(&mut self, entry: &Entry) {
        self.offset = self.offset.max(entry.end());
        self.time_ms = self.time_ms.max(entry.time_ms());
        if let Entry::Resized { size, .. } | Entry::Keyframe { size, .. } = entry {
            self.size = Some(*size);
        }
    }
}

impl Header {
    pub(super) fn new(
        opening: &Opening,
        segment: u32,
        previous: Option<[u8; HASH]>,
        position: Position,
        keyframe: bool,
    ) -> Self {
        Self {
            version: VERSION,
            opening: opening.clone(),
            segment,
            previous: previous.map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect()),
            offset: position.offset,
            time_ms: position.time_ms,
            size: position.size.map(|size| (size.rows, size.cols)),
            keyframe,
        }
    }

    pub(super) fn position(&self) -> Position {
        Position {
            offset: self.offset,
            time_ms: self.time_ms,
            size: self.size.and_then(|(rows, cols)| Winsize::new(rows, cols)),
        }
    }

    /// The header's frame.
    pub(super) fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let payload = serde_json::to_vec(self).map_err(|_| FormatError::Header)?;
        RawFrame::header(payload.into()).encode()
    }

    pub(super) fn decode(frame: &RawFrame) -> Result<Self, FormatError> {
        let payload = frame.as_header().ok_or(FormatError::Header)?;
        let header: Self = serde_json::from_slice(payload).map_err(|_| FormatError::Header)?;
        if header.version == VERSION {
            Ok(header)
        } else {
            Err(FormatError::Header)
        }
    }
}
