//! Writes msgpack. Lengths above what 32 bits count cannot occur: a message is far smaller.

use crate::value::Value;

/// Appends msgpack to a buffer; integers are minimal unless a function says otherwise.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Writer(Vec::with_capacity(capacity))
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn nil(&mut self) {
        self.0.push(0xc0);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.0.push(if value { 0xc3 } else { 0xc2 });
    }

    /// Always three bytes, as Go writes a `uint16`.
    pub(crate) fn u16_fixed(&mut self, value: u16) {
        self.coded(0xcd, &value.to_be_bytes());
    }

    /// Always five bytes, as Go writes a `uint32`.
    pub(crate) fn u32_fixed(&mut self, value: u32) {
        self.coded(0xce, &value.to_be_bytes());
    }

    /// Always nine bytes, as Go writes an `int64`.
    pub(crate) fn i64_fixed(&mut self, value: i64) {
        self.coded(0xd3, &value.to_be_bytes());
    }

    pub(crate) fn int(&mut self, value: i64) {
        if let Ok(value) = u64::try_from(value) {
            self.uint(value);
        } else if value >= -32 {
            // Lossless: the value is one byte's two's complement.
            self.0.push((value & 0xff) as u8);
        } else if let Ok(value) = i8::try_from(value) {
            self.coded(0xd0, &value.to_be_bytes());
        } else if let Ok(value) = i16::try_from(value) {
            self.coded(0xd1, &value.to_be_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.coded(0xd2, &value.to_be_bytes());
        } else {
            self.i64_fixed(value);
        }
    }

    pub(crate) fn uint(&mut self, value: u64) {
        if let Ok(value) = u8::try_from(value) {
            if value < 0x80 {
                self.0.push(value);
            } else {
                self.coded(0xcc, &[value]);
            }
        } else if let Ok(value) = u16::try_from(value) {
            self.u16_fixed(value);
        } else if let Ok(value) = u32::try_from(value) {
            self.u32_fixed(value);
        } else {
            self.coded(0xcf, &value.to_be_bytes());
        }
    }

    pub(crate) fn float(&mut self, value: f64) {
        self.coded(0xcb, &value.to_be_bytes());
    }

    pub(crate) fn str(&mut self, value: &str) {
        let len = value.len();
        if len < 32 {
            self.0.push(0xa0 | len as u8);
        } else {
            self.head(len, Some(0xd9), 0xda, 0xdb);
        }
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn bin(&mut self, value: &[u8]) {
        self.head(value.len(), Some(0xc4), 0xc5, 0xc6);
        self.0.extend_from_slice(value);
    }

    pub(crate) fn array(&mut self, len: usize) {
        if len < 16 {
            self.0.push(0x90 | len as u8);
        } else {
            self.head(len, None, 0xdc, 0xdd);
        }
    }

    pub(crate) fn map(&mut self, len: usize) {
        if len < 16 {
            self.0.push(0x80 | len as u8);
        } else {
            self.head(len, None, 0xde, 0xdf);
        }
    }

    pub(crate) fn ext(&mut self, kind: i8, data: &[u8]) {
        match data.len() {
            1 => self.0.push(0xd4),
            2 => self.0.push(0xd5),
            4 => self.0.push(0xd6),
            8 => self.0.push(0xd7),
            16 => self.0.push(0xd8),
            len => self.head(len, Some(0xc7), 0xc8, 0xc9),
        }
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(data);
    }

    pub(crate) fn value(&mut self, value: &Value) {
        match value {
            Value::Nil => self.nil(),
            Value::Bool(value) => self.bool(*value),
            Value::Int(value) => self.int(*value),
            Value::UInt(value) => self.uint(*value),
            Value::Float(value) => self.float(*value),
            Value::Str(value) => self.str(value),
            Value::Bin(value) => self.bin(value),
            Value::Array(values) => {
                self.array(values.len());
                for value in values {
                    self.value(value);
                }
            }
            Value::Map(entries) => {
                self.map(entries.len());
                for (key, value) in entries {
                    self.value(key);
                    self.value(value);
                }
            }
            Value::Ext(kind, data) => self.ext(*kind, data),
        }
    }

    fn coded(&mut self, code: u8, bytes: &[u8]) {
        self.0.push(code);
        self.0.extend_from_slice(bytes);
    }

    fn head(&mut self, len: usize, code8: Option<u8>, code16: u8, code32: u8) {
        match (code8, u8::try_from(len), u16::try_from(len)) {
            (Some(code), Ok(len), _) => self.coded(code, &[len]),
            (_, _, Ok(len)) => self.coded(code16, &len.to_be_bytes()),
            _ => self.coded(code32, &(len as u32).to_be_bytes()),
        }
    }
}
