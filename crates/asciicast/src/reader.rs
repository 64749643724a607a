//! Lines into events.

use std::time::Duration;

use serde_json::Value;

use crate::CastError;
use crate::header::{Header, Version};

/// Bytes of the longest line that is read.
pub const LINE_MAX: usize = 4 * 1024 * 1024;

/// Seconds before which every event lies; a hundred years.
const SECONDS_MAX: f64 = 3.2e9;

/// What one line says.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// The first one.
    Header(Version, Header),
    /// Every other one.
    Event(Event),
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, since the recording's beginning.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The terminal was given this.
    Output(String),
    /// Somebody typed this.
    Input(String),
    /// The terminal got another size.
    Resize {
        /// Columns.
        cols: u16,
        /// Lines.
        rows: u16,
    },
    /// A place to go to, with its name.
    Marker(String),
    /// What was run has ended.
    Exit {
        /// Its status.
        status: i32,
    },
    /// Something that is not known here; it may be passed over.
    Other {
        /// What kind.
        code: String,
        /// What it says.
        data: String,
    },
}

/// Reads a cast that comes in pieces.
#[derive(Debug, Default)]
pub struct Reader {
    /// The beginning of a line whose end has not come.
    held: Vec<u8>,
    /// The lines seen.
    line: u64,
    version: Option<Version>,
    latest: Duration,
}

impl Reader {
    /// A reader at the beginning of a cast.
    pub fn new() -> Self {
        Reader::default()
    }

    /// Takes bytes up to the end of a line off `input`, and says what that line says. `None` when `input`
    /// is used up. Blank lines and, in version 3, comments are passed over. After an error nothing else
    /// comes of this cast.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Item>, CastError> {
        loop {
            let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
                self.hold(input)?;
                *input = &[];
                return Ok(None);
            };
            let (line, rest) = input.split_at(end);
            *input = rest.get(1..).unwrap_or_default();
            self.hold(line)?;
            let line = std::mem::take(&mut self.held);
            if let Some(item) = self.read(&line)? {
                return Ok(Some(item));
            }
        }
    }

    /// There will be no more: the last line, if its end is missing.
    pub fn finish(&mut self) -> Result<Option<Item>, CastError> {
        let line = std::mem::take(&mut self.held);
        self.read(&line)
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), CastError> {
        if self.held.len() + bytes.len() > LINE_MAX {
            self.held = Vec::new();
            return Err(CastError::TooLong(self.line + 1));
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    fn read(&mut self, line: &[u8]) -> Result<Option<Item>, CastError> {
        self.line += 1;
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(None);
        }
        let Some(version) = self.version else {
            let (version, header) = Header::from_json(line)?;
            self.version = Some(version);
            return Ok(Some(Item::Header(version, header)));
        };
        if version == Version::V3 && line.starts_with(b"#") {
            return Ok(None);
        }
        let malformed = |why| CastError::Malformed {
            line: self.line,
            why,
        };
        let (seconds, code, data): (f64, String, Value) =
            serde_json::from_slice(line).map_err(|_| malformed("not an event"))?;
        // Writers count in microseconds; a fraction in binary is not exact.
        let said = if (0.0..SECONDS_MAX).contains(&seconds) {
            Duration::from_micros((seconds * 1e6).round() as u64)
        } else {
            return Err(malformed("not a time"));
        };
        let at = match version {
            Version::V2 => said,
            Version::V3 => self
                .latest
                .checked_add(said)
                .ok_or_else(|| malformed("not a time"))?,
        };
        // Some tools write the exit status as a number.
        let data = match data {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                return Err(malformed("no text"));
            }
        };
        let what = match code.as_str() {
            "o" => What::Output(data),
            "i" => What::Input(data),
            "m" => What::Marker(data),
            "r" => data
                .split_once('x')
                .and_then(|(cols, rows)| {
                    let (cols, rows) = (cols.parse().ok()?, rows.parse().ok()?);
                    Some(What::Resize { cols, rows })
                })
                .ok_or_else(|| malformed("not a size"))?,
            "x" => What::Exit {
                status: data.parse().map_err(|_| malformed("not a status"))?,
            },
            _ => What::Other { code, data },
        };
        self.latest = at;
        Ok(Some(Item::Event(Event { at, what })))
    }
}
