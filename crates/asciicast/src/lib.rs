//! Casts: what a terminal showed and when, in the [asciicast](https://docs.asciinema.org/manual/asciicast/v3/)
//! formats 2 and 3, which asciinema and its player understand.
//!
//! A [`Writer`] turns a [`Header`] and [`Event`]s into lines, a [`Reader`] turns lines back into these.
//! Both hold one line at most, do no input or output themselves and know no clock: times are given, and
//! are since the recording's beginning.
//!
//! Casts are text. Terminal data is bytes and may be cut within a character, so a writer carries the
//! beginning of a character over to the next event of its kind; what is not UTF-8 becomes U+FFFD, here
//! and only here.
//!
//! ```
//! use std::time::Duration;
//! use longwire_asciicast::{Header, Version, Writer};
//!
//! let mut cast = Vec::new();
//! let mut writer = Writer::new(Version::V3, &Header::new(80, 24), &mut cast);
//! writer.output(Duration::from_millis(1500), b"gr\xc3", &mut cast);
//! writer.output(Duration::from_millis(1750), b"\xbcn\r\n", &mut cast);
//! writer.exit(Duration::from_secs(2), 0, &mut cast);
//! assert_eq!(
//!     String::from_utf8(cast).unwrap(),
//!     "{\"version\":3,\"term\":{\"cols\":80,\"rows\":24}}\n\
//!      [1.500000,\"o\",\"gr\"]\n[0.250000,\"o\",\"ün\\r\\n\"]\n[0.250000,\"x\",\"0\"]\n"
//! );
//! ```

mod error;
mod header;
mod json;
mod reader;
mod utf8;
mod writer;

pub use error::CastError;
pub use header::{Header, Version};
pub use reader::{Event, Item, LINE_MAX, Reader, What};
pub use writer::Writer;
