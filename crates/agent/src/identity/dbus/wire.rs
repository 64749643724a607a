//! The D-Bus messages this agent exchanges, as bytes: calls whose arguments are strings, and the
//! replies and signals that answer them. No IO.
//!
//! Written here because the general library costs the agent more than everything else in it that
//! is not TLS (figures in `docs/agent-footprint.md`), for two methods and two signals.
//! Source: the D-Bus specification, sections "Marshaling" and "Message Protocol".

/// Bytes of a message before its variable part.
pub(super) const FIXED_HEADER: usize = 16;
/// A larger message is skipped: a token and an address need a fraction of it.
pub(super) const MAX_MESSAGE: u64 = 64 * 1024;

/// Why bytes are not a message. The stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum WireError {
    /// It ends before its own lengths say so.
    #[error("message is cut short")]
    Truncated,
    /// Neither little nor big endian, or of another protocol version.
    #[error("not a D-Bus message")]
    NotDBus,
    /// Text that is not UTF-8 or not terminated.
    #[error("malformed string")]
    BadString,
    /// A header field of a type that no header field has.
    #[error("header field of unknown type")]
    UnknownType,
    /// The body holds something else than was asked for.
    #[error("body does not consist of {0} strings")]
    NotStrings(usize),
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Call,
    Return,
    Error,
    Signal,
    /// Of a later version of the protocol; to be ignored.
    Other,
}

/// A received message.
#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub(super) kind: Kind,
    pub(super) reply_serial: Option<u32>,
    pub(super) interface: String,
    pub(super) member: String,
    pub(super) error_name: String,
    /// Unique name of the sender, filled in by the bus and not by the sender.
    pub(super) sender: String,
    signature: String,
    body: Vec<u8>,
    big_endian: bool,
}

/// A method to call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    pub(super) arguments: &'a [&'a str],
}

/// The call as bytes. `serial` must not be 0.
pub(super) fn encode(call: &Call<'_>, serial: u32) -> Vec<u8> {
    let mut body = Writer::default();
    for argument in call.arguments {
        body.string(argument);
    }
    let mut out = Writer::default();
    out.0.extend_from_slice(&[b'l', 1, 0, 1]);
    out.u32(length(body.0.len()));
    out.u32(serial);
    let array_length_at = out.0.len();
    out.u32(0);
    let array_start = out.0.len();
    for (field, kind, value) in [
        (1, b'o', call.path),
        (2, b's', call.interface),
        (3, b's', call.member),
        (6, b's', call.destination),
    ] {
        out.field(field, kind);
        out.string(value);
    }
    if !call.arguments.is_empty() {
        out.field(8, b'g');
        out.signature(&"s".repeat(call.arguments.len()));
    }
    let array_length = length(out.0.len() - array_start).to_le_bytes();
    for (slot, byte) in out.0.iter_mut().skip(array_length_at).zip(array_length) {
        *slot = byte;
    }
    out.align(8);
    out.0.append(&mut body.0);
    out.0
}

/// How many bytes the message takes that begins with `header`.
pub(super) fn total_length(header: &[u8; FIXED_HEADER]) -> Result<u64, WireError> {
    let mut reader = Reader::new(header)?;
    reader.skip(4)?;
    let body = u64::from(reader.u32()?);
    reader.skip(4)?;
    let fields = u64::from(reader.u32()?);
    Ok((FIXED_HEADER as u64 + fields).next_multiple_of(8) + body)
}

/// Reads a whole message, of the length [`total_length`] gives.
pub(super) fn decode(bytes: &[u8]) -> Result<Message, WireError> {
    let mut reader = Reader::new(bytes)?;
    reader.skip(1)?;
    let kind = match reader.u8()? {
        1 => Kind::Call,
        2 => Kind::Return,
        3 => Kind::Error,
        4 => Kind::Signal,
        _ => Kind::Other,
    };
    reader.skip(1)?;
    if reader.u8()? != 1 {
        return Err(WireError::NotDBus);
    }
    let body_length = reader.u32()? as usize;
    reader.skip(4)?;
    let fields_end = reader.u32()? as usize + FIXED_HEADER;
    let mut message = Message {
        kind,
        reply_serial: None,
        interface: String::new(),
        member: String::new(),
        error_name: String::new(),
        sender: String::new(),
        signature: String::new(),
        body: Vec::new(),
        big_endian: reader.big_endian,
    };
    while reader.at < fields_end {
        reader.align(8)?;
        let field = reader.u8()?;
        let value = reader.variant()?;
        match (field, value) {
            (2, Value::Text(text)) => text.clone_into(&mut message.interface),
            (3, Value::Text(text)) => text.clone_into(&mut message.member),
            (4, Value::Text(text)) => text.clone_into(&mut message.error_name),
            (5, Value::Number(serial)) => message.reply_serial = Some(serial),
            (7, Value::Text(text)) => text.clone_into(&mut message.sender),
            (8, Value::Text(text)) => text.clone_into(&mut message.signature),
            _ => {}
        }
    }
    reader.align(8)?;
    message.body = reader.take(body_length)?.to_vec();
    Ok(message)
}

impl Message {
    /// The body, when it consists of `N` strings.
    pub(super) fn strings<const N: usize>(&self) -> Result<[&str; N], WireError> {
        if self.signature.len() != N || self.signature.bytes().any(|kind| kind != b's') {
            return Err(WireError::NotStrings(N));
        }
        let mut reader = Reader {
            bytes: &self.body,
            at: 0,
            big_endian: self.big_endian,
        };
        let mut strings = [""; N];
        for string in &mut strings {
            *string = reader.string()?;
        }
        Ok(strings)
    }

    /// An error's text for people: its first argument, or its name.
    pub(super) fn error_text(&self) -> &str {
        let mut reader = Reader {
            bytes: &self.body,
            at: 0,
            big_endian: self.big_endian,
        };
        match self.signature.starts_with('s').then(|| reader.string()) {
            Some(Ok(text)) => text,
            _ => &self.error_name,
        }
    }
}

/// Lengths here are those of our own calls: some hundred bytes.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn u32(&mut self, value: u32) {
        self.align(4);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn string(&mut self, text: &str) {
        self.u32(length(text.len()));
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
    }

    /// Starts a header field: its number and the signature of its variant.
    fn field(&mut self, number: u8, kind: u8) {
        self.align(8);
        self.0.extend_from_slice(&[number, 1, kind, 0]);
    }
}

/// A header field's value.
enum Value<'a> {
    Text(&'a str),
    Number(u32),
    Skipped,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    /// Of a message's start, whose first byte says in which order the others are.
    fn new(bytes: &'a [u8]) -> Result<Self, WireError> {
        let big_endian = match bytes.first() {
            Some(b'l') => false,
            Some(b'B') => true,
            Some(_) => return Err(WireError::NotDBus),
            None => return Err(WireError::Truncated),
        };
        Ok(Self {
            bytes,
            at: 0,
            big_endian,
        })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(count).ok_or(WireError::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(WireError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn skip(&mut self, count: usize) -> Result<(), WireError> {
        self.take(count).map(|_| ())
    }

    fn align(&mut self, to: usize) -> Result<(), WireError> {
        self.skip(self.at.next_multiple_of(to) - self.at)
    }

    fn u8(&mut self) -> Result<u8, WireError> {
        self.take(1)?.first().copied().ok_or(WireError::Truncated)
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        self.align(4)?;
        let bytes = self.take(4)?.try_into().map_err(|_| WireError::Truncated)?;
        Ok(if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }

    fn string(&mut self) -> Result<&'a str, WireError> {
        let length = self.u32()? as usize;
        self.text(length)
    }

    fn signature(&mut self) -> Result<&'a str, WireError> {
        let length = self.u8()?.into();
        self.text(length)
    }

    fn text(&mut self, length: usize) -> Result<&'a str, WireError> {
        let text = self.take(length)?;
        if self.u8()? != 0 {
            return Err(WireError::BadString);
        }
        std::str::from_utf8(text).map_err(|_| WireError::BadString)
    }

    /// A value with its type before it. Header fields have simple types, all known to the first
    /// version of the protocol.
    fn variant(&mut self) -> Result<Value<'a>, WireError> {
        match self.signature()? {
            "s" | "o" => self.string().map(Value::Text),
            "g" => self.signature().map(Value::Text),
            "u" => self.u32().map(Value::Number),
            "i" | "b" | "h" => self.u32().map(|_| Value::Skipped),
            "y" => self.u8().map(|_| Value::Skipped),
            _ => Err(WireError::UnknownType),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A message as a service would send it, in either byte order.
    pub(crate) fn received(
        kind: u8,
        fields: &[(u8, u8, &str)],
        reply_serial: Option<u32>,
        body: &[&str],
        big_endian: bool,
    ) -> Vec<u8> {
        let mut out = vec![if big_endian { b'B' } else { b'l' }, kind, 0, 1];
        let number = |value: usize| {
            let value = u32::try_from(value).unwrap();
            if big_endian {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            }
        };
        let pad = |out: &mut Vec<u8>, to: usize| out.resize(out.len().next_multiple_of(to), 0);
        let string = |out: &mut Vec<u8>, text: &str| {
            pad(out, 4);
            out.extend(number(text.len()));
            out.extend(text.bytes().chain([0]));
        };
        let mut body_bytes = Vec::new();
        body.iter().for_each(|text| string(&mut body_bytes, text));
        out.extend(number(body_bytes.len()));
        out.extend(number(7));
        out.extend([0; 4]);
        for (field, kind, value) in fields {
            pad(&mut out, 8);
            out.extend([*field, 1, *kind, 0]);
            string(&mut out, value);
        }
        if let Some(serial) = reply_serial {
            pad(&mut out, 8);
            out.extend([5, 1, b'u', 0]);
            out.extend(number(serial as usize));
        }
        if !body.is_empty() {
            pad(&mut out, 8);
            out.extend([8, 1, b'g', 0, u8::try_from(body.len()).unwrap()]);
            out.extend("s".repeat(body.len()).bytes().chain([0]));
        }
        let length = number(out.len() - FIXED_HEADER);
        out[12..16].copy_from_slice(&length);
        pad(&mut out, 8);
        out.extend(body_bytes);
        out
    }

    fn reply(big_endian: bool) -> Vec<u8> {
        received(
            2,
            &[(7, b's', ":1.4"), (6, b's', ":1.9")],
            Some(3),
            &["tok", "http://h"],
            big_endian,
        )
    }

    #[test]
    fn a_reply_is_read_in_both_byte_orders() {
        for big_endian in [false, true] {
            let bytes = reply(big_endian);
            let header = bytes[..16].try_into().unwrap();
            assert_eq!(total_length(header), Ok(bytes.len() as u64));
            let message = decode(&bytes).unwrap();
            assert_eq!(
                (message.kind, message.reply_serial),
                (Kind::Return, Some(3))
            );
            assert_eq!(message.sender, ":1.4");
            assert_eq!(message.strings::<2>(), Ok(["tok", "http://h"]));
            assert!(message.strings::<1>().is_err() && message.strings::<3>().is_err());
        }
    }

    #[test]
    fn a_call_is_what_the_specification_says() {
        let call = Call {
            destination: "a.b",
            path: "/p",
            interface: "a.i",
            member: "M",
            arguments: &["xy"],
        };
        let bytes = encode(&call, 0x0102);
        let expected = b"l\x01\0\x01\x07\0\0\0\x02\x01\0\0\x47\0\0\0\
            \x01\x01o\0\x02\0\0\0/p\0\0\0\0\0\0\
            \x02\x01s\0\x03\0\0\0a.i\0\0\0\0\0\
            \x03\x01s\0\x01\0\0\0M\0\0\0\0\0\0\0\
            \x06\x01s\0\x03\0\0\0a.b\0\0\0\0\0\
            \x08\x01g\0\x01s\0\0\x02\0\0\0xy\0";
        assert_eq!(
            bytes.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        let message = decode(&bytes).unwrap();
        assert_eq!((message.kind, message.member.as_str()), (Kind::Call, "M"));
        assert_eq!(message.strings::<1>(), Ok(["xy"]));
    }

    #[test]
    fn an_error_speaks_for_itself() {
        let named = [(4, b's', "org.x.Failed"), (7, b's', ":1.1")];
        let with_text = decode(&received(3, &named, Some(1), &["no luck"], false)).unwrap();
        assert_eq!(with_text.error_text(), "no luck");
        let without = decode(&received(3, &named, Some(1), &[], false)).unwrap();
        assert_eq!(without.error_text(), "org.x.Failed");
    }

    #[test]
    fn cut_or_damaged_messages_are_errors() {
        let whole = reply(false);
        for end in 0..whole.len() {
            assert!(decode(&whole[..end]).is_err(), "{end}");
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                // Must come back, with whatever result.
                let _ = decode(&damaged).map(|message| message.strings::<2>().is_ok());
            }
        }
        assert_eq!(decode(b"HTTP/1.1 200 OK\r\n\r\n"), Err(WireError::NotDBus));
    }
}
