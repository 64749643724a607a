//! Recordings in mender-cli's file format: gzip around a fixed header and a stream of Go's gob
//! encoding. It holds output only, without times.

mod gob;
mod player;
mod recorder;

pub(crate) use player::play;
pub(crate) use recorder::Recorder;

use std::io;

/// The header before the blocks, 109 bytes, little-endian, packed.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Header {
    device: String,
    terminal: String,
    cols: i16,
    rows: i16,
    /// Seconds since 1970.
    recorded_at: i64,
}

const VERSION: u8 = 1;
const DEVICE_LEN: usize = 64;
const TERMINAL_LEN: usize = 32;
const HEADER_LEN: usize = 1 + DEVICE_LEN + TERMINAL_LEN + 2 + 2 + 8;

impl Header {
    /// The header mender-cli writes; it always claims this terminal and size.
    fn new(device: &str, recorded_at: i64) -> Self {
        Header {
            device: device.to_owned(),
            terminal: "xterm-256color".to_owned(),
            cols: 80,
            rows: 40,
            recorded_at,
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.push(VERSION);
        for (text, len) in [(&self.device, DEVICE_LEN), (&self.terminal, TERMINAL_LEN)] {
            bytes.extend(text.bytes().chain(std::iter::repeat(0)).take(len));
        }
        bytes.extend_from_slice(&self.cols.to_le_bytes());
        bytes.extend_from_slice(&self.rows.to_le_bytes());
        bytes.extend_from_slice(&self.recorded_at.to_le_bytes());
        bytes
    }

    fn read(input: &mut impl io::Read) -> io::Result<Self> {
        let mut version = [0; 1];
        let mut device = [0; DEVICE_LEN];
        let mut terminal = [0; TERMINAL_LEN];
        let (mut cols, mut rows, mut recorded_at) = ([0; 2], [0; 2], [0; 8]);
        input.read_exact(&mut version)?;
        if version != [VERSION] {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "unknown version",
            ));
        }
        input.read_exact(&mut device)?;
        input.read_exact(&mut terminal)?;
        input.read_exact(&mut cols)?;
        input.read_exact(&mut rows)?;
        input.read_exact(&mut recorded_at)?;
        Ok(Header {
            device: padded_text(&device),
            terminal: padded_text(&terminal),
            cols: i16::from_le_bytes(cols),
            rows: i16::from_le_bytes(rows),
            recorded_at: i64::from_le_bytes(recorded_at),
        })
    }
}

fn padded_text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
