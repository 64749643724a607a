//! Reads msgpack from bytes that nobody has checked yet.

use bytes::{Buf, Bytes};

use crate::decode::DecodeError;
use crate::limits::{MAX_DEPTH, MAX_VALUES};
use crate::value::{Props, Value};

/// One msgpack element; lists and maps only say how much follows.
pub(crate) enum Token {
    Nil,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Str(Bytes),
    Bin(Bytes),
    Array(u32),
    Map(u32),
    Ext(i8, Bytes),
}

/// Takes elements off the front of a message. Strings and bytes are slices of the message; what a
/// length promises is never allocated before it is there.
pub(crate) struct Reader {
    rest: Bytes,
    /// How many more values may be kept.
    values: usize,
}

impl Reader {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Reader {
            rest: bytes,
            values: MAX_VALUES,
        }
    }

    /// The next element. `undefined` (extension type 0) is read as nil.
    pub(crate) fn token(&mut self) -> Result<Token, DecodeError> {
        let code = self.rest.try_get_u8()?;
        Ok(match code {
            0x00..=0x7f => Token::Int(code.into()),
            0x80..=0x8f => Token::Map((code & 0x0f).into()),
            0x90..=0x9f => Token::Array((code & 0x0f).into()),
            0xa0..=0xbf => Token::Str(self.take((code & 0x1f).into())?),
            0xc0 => Token::Nil,
            0xc1 => return Err(DecodeError::Reserved),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4 => Token::Bin(self.take8()?),
            0xc5 => Token::Bin(self.take16()?),
            0xc6 => Token::Bin(self.take32()?),
            0xc7 => {
                let len = self.rest.try_get_u8()?;
                self.ext(len.into())?
            }
            0xc8 => {
                let len = self.rest.try_get_u16()?;
                self.ext(len.into())?
            }
            0xc9 => {
                let len = self.rest.try_get_u32()?;
                self.ext(len)?
            }
            0xca => Token::Float(self.rest.try_get_f32()?.into()),
            0xcb => Token::Float(self.rest.try_get_f64()?),
            0xcc => Token::Int(self.rest.try_get_u8()?.into()),
            0xcd => Token::Int(self.rest.try_get_u16()?.into()),
            0xce => Token::Int(self.rest.try_get_u32()?.into()),
            0xcf => {
                let value = self.rest.try_get_u64()?;
                i64::try_from(value).map_or(Token::UInt(value), Token::Int)
            }
            0xd0 => Token::Int(self.rest.try_get_i8()?.into()),
            0xd1 => Token::Int(self.rest.try_get_i16()?.into()),
            0xd2 => Token::Int(self.rest.try_get_i32()?.into()),
            0xd3 => Token::Int(self.rest.try_get_i64()?),
            0xd4 => self.ext(1)?,
            0xd5 => self.ext(2)?,
            0xd6 => self.ext(4)?,
            0xd7 => self.ext(8)?,
            0xd8 => self.ext(16)?,
            0xd9 => Token::Str(self.take8()?),
            0xda => Token::Str(self.take16()?),
            0xdb => Token::Str(self.take32()?),
            0xdc => Token::Array(self.rest.try_get_u16()?.into()),
            0xdd => Token::Array(self.rest.try_get_u32()?),
            0xde => Token::Map(self.rest.try_get_u16()?.into()),
            0xdf => Token::Map(self.rest.try_get_u32()?),
            0xe0..=0xff => Token::Int(i8::from_be_bytes([code]).into()),
        })
    }

    /// Passes over one value with everything in it. Nothing is kept, so neither depth nor number
    /// needs a bound: every element costs the sender at least a byte.
    pub(crate) fn skip(&mut self) -> Result<(), DecodeError> {
        let token = self.token()?;
        self.skip_rest_of(&token)
    }

    /// Passes over what belongs to a list or map whose head has been read.
    pub(crate) fn skip_rest_of(&mut self, token: &Token) -> Result<(), DecodeError> {
        let mut pending = elements(token);
        while pending > 0 {
            let token = self.token()?;
            pending = (pending - 1).saturating_add(elements(&token));
        }
        Ok(())
    }

    /// The next value, whole.
    pub(crate) fn value(&mut self) -> Result<Value, DecodeError> {
        self.value_at(0)
    }

    fn value_at(&mut self, depth: usize) -> Result<Value, DecodeError> {
        self.values = self
            .values
            .checked_sub(1)
            .ok_or(DecodeError::TooManyValues)?;
        Ok(match self.token()? {
            Token::Nil => Value::Nil,
            Token::Bool(value) => Value::Bool(value),
            Token::Int(value) => Value::Int(value),
            Token::UInt(value) => Value::UInt(value),
            Token::Float(value) => Value::Float(value),
            Token::Str(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => Value::Str(text.to_owned()),
                Err(_) => Value::Bin(bytes),
            },
            Token::Bin(bytes) => Value::Bin(bytes),
            Token::Ext(kind, data) => Value::Ext(kind, data),
            Token::Array(len) => {
                let depth = deeper(depth)?;
                let mut values = Vec::new();
                for _ in 0..len {
                    values.push(self.value_at(depth)?);
                }
                Value::Array(values)
            }
            Token::Map(len) => {
                let depth = deeper(depth)?;
                let mut entries = Vec::new();
                for _ in 0..len {
                    let key = self.value_at(depth)?;
                    entries.push((key, self.value_at(depth)?));
                }
                Value::Map(entries)
            }
        })
    }

    /// The entries of a map whose head has been read. Keys that are no text are passed over.
    pub(crate) fn props(&mut self, len: u32) -> Result<Props, DecodeError> {
        let mut props = Props::new();
        for _ in 0..len {
            match self.key()? {
                Some(name) => {
                    let value = self.value()?;
                    props.set(&name, value);
                }
                None => self.skip()?,
            }
        }
        Ok(props)
    }

    /// A map's key; `None` if it is no text, which no peer of ours ever means.
    pub(crate) fn key(&mut self) -> Result<Option<String>, DecodeError> {
        match self.token()? {
            Token::Str(bytes) | Token::Bin(bytes) => {
                Ok(std::str::from_utf8(&bytes).ok().map(str::to_owned))
            }
            other @ (Token::Nil
            | Token::Bool(_)
            | Token::Int(_)
            | Token::UInt(_)
            | Token::Float(_)
            | Token::Array(_)
            | Token::Map(_)
            | Token::Ext(..)) => {
                self.skip_rest_of(&other)?;
                Ok(None)
            }
        }
    }

    fn take(&mut self, len: u32) -> Result<Bytes, DecodeError> {
        let len = usize::try_from(len).map_err(|_| DecodeError::Truncated)?;
        if len > self.rest.len() {
            return Err(DecodeError::Truncated);
        }
        Ok(self.rest.split_to(len))
    }

    fn take8(&mut self) -> Result<Bytes, DecodeError> {
        let len = self.rest.try_get_u8()?;
        self.take(len.into())
    }

    fn take16(&mut self) -> Result<Bytes, DecodeError> {
        let len = self.rest.try_get_u16()?;
        self.take(len.into())
    }

    fn take32(&mut self) -> Result<Bytes, DecodeError> {
        let len = self.rest.try_get_u32()?;
        self.take(len)
    }

    fn ext(&mut self, len: u32) -> Result<Token, DecodeError> {
        let kind = self.rest.try_get_i8()?;
        let data = self.take(len)?;
        Ok(if kind == 0 {
            Token::Nil
        } else {
            Token::Ext(kind, data)
        })
    }
}

fn deeper(depth: usize) -> Result<usize, DecodeError> {
    if depth + 1 > MAX_DEPTH {
        Err(DecodeError::TooDeep)
    } else {
        Ok(depth + 1)
    }
}

/// How many elements follow a head.
fn elements(token: &Token) -> u64 {
    match token {
        Token::Array(len) => (*len).into(),
        Token::Map(len) => 2 * u64::from(*len),
        Token::Nil
        | Token::Bool(_)
        | Token::Int(_)
        | Token::UInt(_)
        | Token::Float(_)
        | Token::Str(_)
        | Token::Bin(_)
        | Token::Ext(..) => 0,
    }
}

impl From<bytes::TryGetError> for DecodeError {
    fn from(_: bytes::TryGetError) -> Self {
        DecodeError::Truncated
    }
}
