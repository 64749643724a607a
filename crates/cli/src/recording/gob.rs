//! The part of Go's gob encoding that recordings use: a stream of
//! `struct TerminalRecordingData { Type int8; Data []byte }`, where `Type` 0 is output.
//!
//! Each gob message is its length, a type id and a value. A negative id announces a definition. A
//! struct is a list of fields, each preceded by how many fields further it is, up to a 0; fields
//! that are zero are left out.

use std::io::{self, ErrorKind, Read};

/// The definition of the struct, as Go writes it before the first value.
pub(super) const DEFINITION: &[u8] = b"\x35\xff\x81\x03\x01\x01\x15TerminalRecordingData\x01\xff\
    \x82\x00\x01\x02\x01\x04Type\x01\x04\x00\x01\x04Data\x01\x0a\x00\x00\x00";

/// The id that [`DEFINITION`] gives the struct, 65, as gob writes it.
const TYPE_ID: &[u8] = b"\xff\x82";

/// The largest block we take into memory.
const BLOCK_MAX: u64 = 16 * 1024 * 1024;

/// One value of the stream.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Block {
    pub(super) kind: i64,
    pub(super) data: Vec<u8>,
}

/// The message that holds `data` as output.
pub(super) fn output(data: &[u8]) -> Vec<u8> {
    let mut value = TYPE_ID.to_vec();
    if !data.is_empty() {
        value.push(2);
        uint(&mut value, data.len() as u64);
        value.extend_from_slice(data);
    }
    value.push(0);
    let mut message = Vec::with_capacity(value.len() + 9);
    uint(&mut message, value.len() as u64);
    message.extend_from_slice(&value);
    message
}

fn uint(out: &mut Vec<u8>, value: u64) {
    match u8::try_from(value) {
        Ok(byte) if byte < 0x80 => out.push(byte),
        _ => {
            let bytes = value.to_be_bytes();
            let significant = bytes.len() - value.leading_zeros() as usize / 8;
            // One byte says how many follow, negated.
            out.push((significant as u8).wrapping_neg());
            out.extend(bytes.iter().skip(bytes.len() - significant));
        }
    }
}

/// The next value, `None` where the stream ends between two. Definitions are passed over.
pub(super) fn next(input: &mut impl Read) -> io::Result<Option<Block>> {
    loop {
        let Some(len) = read_uint(input)? else {
            return Ok(None);
        };
        if len > BLOCK_MAX {
            return Err(invalid("block too large"));
        }
        let mut message = Vec::new();
        input.by_ref().take(len).read_to_end(&mut message)?;
        if message.len() as u64 != len {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut value = message.as_slice();
        if expect_int(&mut value)? >= 0 {
            return block(&mut value).map(Some);
        }
    }
}

fn block(value: &mut &[u8]) -> io::Result<Block> {
    let mut block = Block {
        kind: 0,
        data: Vec::new(),
    };
    let mut field = 0_u64;
    loop {
        let step = expect_uint(value)?;
        if step == 0 {
            return Ok(block);
        }
        field = field.saturating_add(step);
        match field {
            1 => block.kind = expect_int(value)?,
            2 => {
                let len = usize::try_from(expect_uint(value)?).unwrap_or(usize::MAX);
                let (data, rest) = value
                    .split_at_checked(len)
                    .ok_or_else(|| invalid("data longer than its block"))?;
                block.data = data.to_vec();
                *value = rest;
            }
            _ => return Err(invalid("unknown field")),
        }
    }
}

/// `None` at the very end of the input.
fn read_uint(input: &mut impl Read) -> io::Result<Option<u64>> {
    let mut first = [0; 1];
    loop {
        match input.read(&mut first) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let [first] = first;
    if first < 0x80 {
        return Ok(Some(first.into()));
    }
    let significant = usize::from(first.wrapping_neg());
    let mut bytes = [0; 8];
    let start = bytes
        .len()
        .checked_sub(significant)
        .ok_or_else(|| invalid("number too large"))?;
    let (_, tail) = bytes.split_at_mut(start);
    input.read_exact(tail)?;
    Ok(Some(u64::from_be_bytes(bytes)))
}

fn expect_uint(value: &mut &[u8]) -> io::Result<u64> {
    read_uint(value)?.ok_or_else(|| ErrorKind::UnexpectedEof.into())
}

fn expect_int(value: &mut &[u8]) -> io::Result<i64> {
    let coded = expect_uint(value)?;
    // The lowest bit says that the rest is complemented.
    let magnitude = i64::try_from(coded >> 1).map_err(|_| invalid("number too large"))?;
    Ok(if coded & 1 == 1 {
        !magnitude
    } else {
        magnitude
    })
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_written_as_go_writes_it() {
        assert_eq!(
            output(b"$ hello\r\n"),
            b"\x0e\xff\x82\x02\x09$ hello\r\n\x00"
        );
        let large = output(&[b'x'; 300]);
        assert_eq!(&large[..9], b"\xfe\x01\x33\xff\x82\x02\xfe\x01\x2c");
        assert_eq!(output(b""), b"\x03\xff\x82\x00");
    }

    #[test]
    fn blocks_are_read_back_whatever_their_size() {
        for size in [0, 1, 127, 128, 255, 256, 65_535, 65_536, 200_000] {
            let data = vec![b'x'; size];
            let mut stream = DEFINITION.to_vec();
            stream.extend(output(&data));
            let mut stream = stream.as_slice();
            assert_eq!(next(&mut stream).unwrap(), Some(Block { kind: 0, data }));
            assert_eq!(next(&mut stream).unwrap(), None);
        }
    }

    #[test]
    fn other_kinds_are_read_too() {
        let mut stream = b"\x08\xff\x82\x01\x04\x01\x01x\x00".as_slice();
        assert_eq!(
            next(&mut stream).unwrap(),
            Some(Block {
                kind: 2,
                data: b"x".to_vec()
            })
        );
    }

    #[test]
    fn damage_is_an_error() {
        for stream in [
            b"\x0e\xff\x82\x02\x09$ hel".as_slice(),
            b"\x05\xff\x82\x02\x09x",
            b"\xf0\x01",
            b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x04\xff\x82\x07\x00",
            b"\x00",
            b"\x02\xff\x82",
            b"\xfe\x01",
        ] {
            assert!(next(&mut { stream }).is_err(), "{stream:?}");
        }
    }
}
