//! Events into lines.

use std::time::Duration;

use crate::header::{Header, Version};
use crate::json::push_string;
use crate::utf8::Carry;

/// Writes a cast, line by line, into whatever bytes it is given.
///
/// Times are since the recording's beginning and do not step back: an earlier one counts as the latest.
#[derive(Debug)]
pub struct Writer {
    version: Version,
    /// The latest event's time, in microseconds.
    latest: u128,
    output: Carry,
    input: Carry,
}

impl Writer {
    /// Begins a cast with its first line.
    pub fn new(version: Version, header: &Header, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(header.to_json(version).as_bytes());
        out.push(b'\n');
        Writer {
            version,
            latest: 0,
            output: Carry::default(),
            input: Carry::default(),
        }
    }

    /// The terminal was given these bytes.
    pub fn output(&mut self, at: Duration, bytes: &[u8], out: &mut Vec<u8>) {
        let mut text = String::new();
        self.output.decode(bytes, &mut text);
        if !text.is_empty() {
            self.line(at, 'o', &text, out);
        }
    }

    /// Somebody typed these bytes.
    pub fn input(&mut self, at: Duration, bytes: &[u8], out: &mut Vec<u8>) {
        let mut text = String::new();
        self.input.decode(bytes, &mut text);
        if !text.is_empty() {
            self.line(at, 'i', &text, out);
        }
    }

    /// The terminal got another size.
    pub fn resize(&mut self, at: Duration, cols: u16, rows: u16, out: &mut Vec<u8>) {
        self.line(at, 'r', &format!("{cols}x{rows}"), out);
    }

    /// A place that a player can go to, with its name; empty for one without.
    pub fn marker(&mut self, at: Duration, label: &str, out: &mut Vec<u8>) {
        self.line(at, 'm', label, out);
    }

    /// The end, with the status of what was run. Version 2 has no such event; there it only writes what is
    /// left of a cut character, as [`Writer::finish`] does.
    pub fn exit(mut self, at: Duration, status: i32, out: &mut Vec<u8>) {
        self.flush(at, out);
        if self.version == Version::V3 {
            self.line(at, 'x', &status.to_string(), out);
        }
    }

    /// The end, if no status is known.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.flush(Duration::ZERO, out);
    }

    fn flush(&mut self, at: Duration, out: &mut Vec<u8>) {
        for (code, mut carry) in [
            ('o', std::mem::take(&mut self.output)),
            ('i', std::mem::take(&mut self.input)),
        ] {
            let mut text = String::new();
            carry.finish(&mut text);
            if !text.is_empty() {
                self.line(at, code, &text, out);
            }
        }
    }

    fn line(&mut self, at: Duration, code: char, text: &str, out: &mut Vec<u8>) {
        let at = at.as_micros().max(self.latest);
        let said = match self.version {
            Version::V2 => at,
            Version::V3 => at - self.latest,
        };
        self.latest = at;
        let (seconds, micros) = (said / 1_000_000, said % 1_000_000);
        out.extend_from_slice(format!("[{seconds}.{micros:06},\"{code}\",").as_bytes());
        push_string(text, out);
        out.extend_from_slice(b"]\n");
    }
}
