//! From the wire: lenient in form, strict in bounds.

use bytes::Bytes;

use crate::limits::{MAX_NAME, SERVER_READ_LIMIT};
use crate::message::Message;
use crate::read::{Reader, Token};
use crate::value::Props;

/// Why bytes are not a message. The connection they came from is of no more use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than [`SERVER_READ_LIMIT`].
    #[error("message larger than {SERVER_READ_LIMIT} bytes")]
    TooLarge,
    /// The bytes end before the message does.
    #[error("truncated message")]
    Truncated,
    /// Values nest deeper than [`crate::limits::MAX_DEPTH`].
    #[error("message nested too deeply")]
    TooDeep,
    /// More values than [`crate::limits::MAX_VALUES`].
    #[error("message with too many values")]
    TooManyValues,
    /// The byte that msgpack leaves unused.
    #[error("invalid msgpack")]
    Reserved,
    /// The message is not a map.
    #[error("message is not a map")]
    NotAMap,
    /// A field has a form that no peer gives it.
    #[error("malformed {0}")]
    Field(&'static str),
}

/// Reads one message.
///
/// Accepted beyond the canonical form, because some peer sends it: text or bytes for any string and
/// for the body, nil or `undefined` for anything, a map as a body (read as none), any integer
/// width, any order of keys, unknown keys at every level, and bytes after the message.
///
/// The body is a slice of `bytes`. Memory is bounded by the size of `bytes` and the limits of
/// [`crate::limits`].
pub fn decode(bytes: Bytes) -> Result<Message, DecodeError> {
    if bytes.len() > SERVER_READ_LIMIT {
        return Err(DecodeError::TooLarge);
    }
    let mut reader = Reader::new(bytes);
    let Token::Map(fields) = reader.token()? else {
        return Err(DecodeError::NotAMap);
    };
    let mut message = Message::default();
    for _ in 0..fields {
        match reader.key()?.as_deref() {
            Some("hdr") => header(&mut reader, &mut message)?,
            Some("body") => message.body = body(&mut reader)?,
            _ => reader.skip()?,
        }
    }
    Ok(message)
}

fn header(reader: &mut Reader, message: &mut Message) -> Result<(), DecodeError> {
    let fields = match map(reader, "header")? {
        Some(fields) => fields,
        None => return Ok(()),
    };
    for _ in 0..fields {
        match reader.key()?.as_deref() {
            Some("proto") => message.proto = proto(reader)?,
            Some("typ") => message.typ = name(reader, "message type")?,
            Some("sid") => message.sid = name(reader, "session id")?,
            Some("props") => {
                message.props = match map(reader, "properties")? {
                    Some(entries) => reader.props(entries)?,
                    None => Props::new(),
                }
            }
            _ => reader.skip()?,
        }
    }
    Ok(())
}

/// The head of a map, or `None` for nil.
fn map(reader: &mut Reader, field: &'static str) -> Result<Option<u32>, DecodeError> {
    let token = reader.token()?;
    if let Token::Map(entries) = token {
        Ok(Some(entries))
    } else if let Token::Nil = token {
        Ok(None)
    } else {
        Err(DecodeError::Field(field))
    }
}

fn proto(reader: &mut Reader) -> Result<u16, DecodeError> {
    let token = reader.token()?;
    if let Token::Int(value) = token {
        u16::try_from(value).map_err(|_| DecodeError::Field("protocol number"))
    } else if let Token::Nil = token {
        Ok(0)
    } else {
        Err(DecodeError::Field("protocol number"))
    }
}

fn name(reader: &mut Reader, field: &'static str) -> Result<String, DecodeError> {
    let token = reader.token()?;
    if let Token::Str(bytes) | Token::Bin(bytes) = token {
        if bytes.len() > MAX_NAME {
            return Err(DecodeError::Field(field));
        }
        std::str::from_utf8(&bytes)
            .map(str::to_owned)
            .map_err(|_| DecodeError::Field(field))
    } else if let Token::Nil = token {
        Ok(String::new())
    } else {
        Err(DecodeError::Field(field))
    }
}

/// Old web pages send an empty map where they mean no body.
fn body(reader: &mut Reader) -> Result<Bytes, DecodeError> {
    match reader.token()? {
        Token::Str(bytes) | Token::Bin(bytes) => Ok(bytes),
        Token::Nil => Ok(Bytes::new()),
        head @ Token::Map(_) => reader.skip_rest_of(&head).map(|()| Bytes::new()),
        Token::Bool(_)
        | Token::Int(_)
        | Token::UInt(_)
        | Token::Float(_)
        | Token::Array(_)
        | Token::Ext(..) => Err(DecodeError::Field("body")),
    }
}

/// Reads the map that some bodies are. An empty body is an empty map.
pub(crate) fn body_fields(body: &Bytes) -> Result<Props, DecodeError> {
    if body.is_empty() {
        return Ok(Props::new());
    }
    let mut reader = Reader::new(body.clone());
    let Token::Map(fields) = reader.token()? else {
        return Err(DecodeError::NotAMap);
    };
    reader.props(fields)
}
