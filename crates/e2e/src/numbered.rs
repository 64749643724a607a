//! A stream of bytes each of which is known from its offset.
//!
//! It consists of lines of [`LINE`] bytes: a number for whoever looks at it, bytes of any value, and
//! a line feed. So a byte that is lost, doubled, changed or out of place is found where it is.

use anyhow::{Result, bail};

use crate::faults::Dice;

/// Length of a line, line feed included.
pub const LINE: usize = 64;

/// Bytes of the line's number.
const NUMBER: usize = 12;

/// The line of this number, counted from 0.
#[must_use]
pub fn line(number: u64) -> [u8; LINE] {
    let mut dice = Dice::new(number);
    let number = format!("{number:0NUMBER$x} ").into_bytes();
    let mut anything = std::iter::repeat_with(|| dice.roll().to_le_bytes()).flatten();
    let mut line = [b'\n'; LINE];
    for (at, byte) in line.iter_mut().take(LINE - 1).enumerate() {
        *byte = match number.get(at) {
            Some(digit) => *digit,
            None => anything.next().unwrap_or_default(),
        };
    }
    line
}

/// `size` bytes of the stream from `offset` on.
#[must_use]
pub fn bytes(offset: u64, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + LINE);
    let skip = (offset % LINE as u64) as usize;
    let mut number = offset / LINE as u64;
    while bytes.len() < size + skip {
        bytes.extend_from_slice(&line(number));
        number += 1;
    }
    bytes.drain(..skip);
    bytes.truncate(size);
    bytes
}

/// Whoever reads the stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Bytes that have come and were right.
    pub offset: u64,
}

impl Reader {
    /// The next bytes have come.
    ///
    /// # Errors
    /// When they are not the stream's; the error names the first offset that is wrong.
    pub fn read(&mut self, got: &[u8]) -> Result<()> {
        let wanted = bytes(self.offset, got.len());
        if got == wanted {
            self.offset += got.len() as u64;
            return Ok(());
        }
        let right = got
            .iter()
            .zip(&wanted)
            .take_while(|(got, wanted)| got == wanted);
        let right = right.count();
        let show = |bytes: &[u8]| {
            let part = bytes.get(right..).unwrap_or_default();
            let part = part.get(..2 * LINE).unwrap_or(part);
            part.escape_ascii().to_string()
        };
        bail!(
            "at {} came “{}” instead of “{}”",
            self.offset + right as u64,
            show(got),
            show(&wanted)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE, Reader, bytes, line};

    #[test]
    fn every_part_is_the_same_whatever_it_is_cut_from() {
        let whole = bytes(0, 1000);
        for from in 0..200 {
            assert_eq!(bytes(from, 300), whole[from as usize..from as usize + 300]);
        }
        assert_ne!(line(1), line(2));
        assert!(line(0x1f).starts_with(b"00000000001f "));
    }

    #[test]
    fn all_values_of_a_byte_occur() {
        let mut seen = [false; 256];
        for byte in bytes(0, 200 * LINE) {
            seen[usize::from(byte)] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
    }

    #[test]
    fn a_lost_a_doubled_and_a_changed_byte_are_found_where_they_are() {
        let mut reader = Reader::default();
        reader.read(&bytes(0, 100)).unwrap();
        let lost = reader.clone().read(&bytes(101, 10)).unwrap_err();
        assert!(lost.to_string().starts_with("at 100 "), "{lost}");
        let doubled = reader.clone().read(&bytes(99, 10)).unwrap_err();
        assert!(doubled.to_string().starts_with("at 100 "), "{doubled}");
        let mut changed = bytes(100, 10);
        changed[7] ^= 1;
        let changed = reader.read(&changed).unwrap_err();
        assert!(changed.to_string().starts_with("at 107 "), "{changed}");
        assert_eq!(reader.offset, 100);
    }
}
