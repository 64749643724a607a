//! Whatever bytes arrive: no panic, bounded memory, bounded depth.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use longwire_protocol::control::Control;
use longwire_protocol::limits::{MAX_VALUES, SERVER_READ_LIMIT};
use longwire_protocol::shell::{FromDevice, FromUser};
use longwire_protocol::{DecodeError, Receiver, decode, encode, file_transfer, port_forward};
use proptest::prelude::*;

/// Counts what each thread allocates on top of what it had, so that tests can run side by side.
struct Counting;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that is going away has nothing more to measure.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now.get())));
    });
}

#[allow(
    unsafe_code,
    reason = "an allocator can only be measured by standing in its place"
)]
// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What `run` had allocated at most, in bytes.
fn peak(run: impl FnOnce()) -> usize {
    let before = NOW.get();
    PEAK.set(before);
    run();
    usize::try_from(PEAK.get() - before).unwrap_or(0)
}

/// Room for the values that a message may hold, however they nest, beside its own size.
const VALUES_ROOM: usize = 256 * MAX_VALUES;

/// Reads `bytes` in every way there is and returns the peak of memory.
fn read_in_every_way(bytes: &Bytes) -> usize {
    peak(|| {
        let body = bytes.clone();
        let _ = file_transfer::FileInfo::from_body(&body);
        let _ = file_transfer::PutFile::from_body(&body);
        let _ = file_transfer::Path::from_body(&body);
        let _ = file_transfer::Error::from_body(&body);
        let _ = port_forward::New::from_body(&body);
        let Ok(message) = decode(bytes.clone()) else {
            return;
        };
        let _ = FromUser::try_from(&message);
        let _ = FromDevice::try_from(&message);
        let _ = Control::try_from(&message);
        for receiver in [Receiver::Device, Receiver::Server, Receiver::User] {
            let written = encode(&message, receiver);
            let again = decode(written).expect("what we wrote is readable");
            assert_eq!(again.body, message.body);
            assert_eq!(again.typ, message.typ);
        }
    })
}

fn golden() -> Vec<Bytes> {
    let files = [
        include_str!("golden/shell.json"),
        include_str!("golden/others.json"),
        include_str!("golden/tolerated.json"),
        include_str!("golden/rejected.json"),
    ];
    let mut messages = Vec::new();
    for file in files {
        let entries: Vec<serde_json::Value> = serde_json::from_str(file).expect("golden messages");
        for entry in entries {
            let hex = entry["hex"].as_str().expect("hex");
            let bytes: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
                .collect();
            messages.push(Bytes::from(bytes));
        }
    }
    messages
}

#[test]
fn every_golden_message_is_a_seed_of_the_fuzzer() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/decode");
    let mut seeds: Vec<Bytes> = std::fs::read_dir(folder)
        .expect("the seeds")
        .map(|entry| {
            std::fs::read(entry.expect("a seed").path())
                .expect("a seed")
                .into()
        })
        .collect();
    let mut messages = golden();
    seeds.sort();
    messages.sort();
    assert!(
        seeds == messages,
        "{} seeds, {} golden messages",
        seeds.len(),
        messages.len()
    );
}

/// Pieces of msgpack in any order: far more often nearly a message than random bytes are.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\x82\xa3hdr\x84\xa5proto\xcd\x00\x01\xa3typ\xa3new\xa3sid\xa1S\xa5props".to_vec()),
        Just(b"\x82\xa3hdr\x82\xa5proto\xcd\x00\x01\xa5props".to_vec()),
        Just(b"\xa4body".to_vec()),
        Just(b"\xa6status".to_vec()),
        Just(b"\xa6offset".to_vec()),
        Just(b"\x91".to_vec()),
        Just(b"\x81".to_vec()),
        Just(b"\xdd\xff\xff\xff\xff".to_vec()),
        Just(b"\xdf\xff\xff\xff\xff".to_vec()),
        Just(b"\xc6\xff\xff\xff\xff".to_vec()),
        Just(b"\xd4\x00\x00".to_vec()),
        any::<i64>().prop_map(|number| [&[0xd3], &number.to_be_bytes()[..]].concat()),
        any::<u64>().prop_map(|number| [&[0xcf], &number.to_be_bytes()[..]].concat()),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..64).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_read_without_panic_in_bounded_memory(
        bytes in prop::collection::vec(any::<u8>(), 0..4096)
    ) {
        let bytes = Bytes::from(bytes);
        prop_assert!(read_in_every_way(&bytes) <= 8 * bytes.len() + VALUES_ROOM);
    }

    #[test]
    fn near_messages_are_read_without_panic_in_bounded_memory(bytes in pieces()) {
        let bytes = Bytes::from(bytes);
        prop_assert!(read_in_every_way(&bytes) <= 8 * bytes.len() + VALUES_ROOM);
    }

    #[test]
    fn damaged_messages_are_read_without_panic(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let messages = golden();
        let mut bytes = messages[which.index(messages.len())].to_vec();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            read_in_every_way(&Bytes::from(bytes.clone()));
            bytes.truncate(cut.index(bytes.len()));
        }
        read_in_every_way(&Bytes::from(bytes));
    }
}

/// A message with `value` as its only property.
fn with_property(value: &[u8]) -> Bytes {
    let head = b"\x81\xa3hdr\x82\xa5proto\xcd\x00\x01\xa5props\x81\xa1p";
    Bytes::from([head, value].concat())
}

#[test]
fn a_large_list_costs_no_more_memory_than_its_bound() {
    // Eight million nils: as values they would take 256 MiB.
    let mut list = b"\xdd\x00\x7f\xff\x00".to_vec();
    list.resize(SERVER_READ_LIMIT - 64, 0xc0);
    let bytes = with_property(&list);
    let used = peak(|| {
        assert_eq!(decode(bytes.clone()), Err(DecodeError::TooManyValues));
    });
    assert!(used <= VALUES_ROOM, "{used} bytes");
}

#[test]
fn a_large_unknown_field_is_passed_over_without_memory() {
    let mut field = b"\x82\xa5later\xdd\x00\x7f\xff\x00".to_vec();
    field.resize(field.len() + 0x007f_ff00, 0xc0);
    field.extend_from_slice(b"\xa3hdr\x81\xa5proto\x01");
    let used = peak(|| {
        assert_eq!(
            decode(Bytes::from(field.clone())).map(|message| message.proto),
            Ok(1)
        );
    });
    // The clone above is the only large thing.
    assert!(used <= field.len() + 4096, "{used} bytes");
}

#[test]
fn deep_nesting_ends_in_an_error_not_in_the_stack() {
    let mut deep = vec![0x91; 1_000_000];
    deep.push(0xc0);
    assert_eq!(decode(with_property(&deep)), Err(DecodeError::TooDeep));
    // Where nothing is kept, depth costs nothing.
    let unknown = [
        b"\x82\xa5later".as_slice(),
        &deep,
        b"\xa3hdr\x81\xa5proto\x01",
    ]
    .concat();
    assert_eq!(
        decode(Bytes::from(unknown)).map(|message| message.proto),
        Ok(1)
    );
}

#[test]
fn sixteen_levels_are_fine() {
    let mut deep = vec![0x91; 16];
    deep.push(0x07);
    assert!(decode(with_property(&deep)).is_ok());
}

#[test]
fn what_is_larger_than_a_server_takes_is_not_looked_at() {
    let bytes = Bytes::from(vec![0xc0; SERVER_READ_LIMIT + 1]);
    assert_eq!(decode(bytes), Err(DecodeError::TooLarge));
}

#[test]
fn the_body_is_a_slice_of_the_message() {
    let mut bytes = b"\x82\xa3hdr\x81\xa5proto\x01\xa4body\xc6\x00\x10\x00\x00".to_vec();
    bytes.resize(bytes.len() + 0x0010_0000, b'x');
    let bytes = Bytes::from(bytes);
    let used = peak(|| {
        let message = decode(bytes.clone()).expect("a message");
        assert_eq!(message.body.len(), 0x0010_0000);
    });
    assert!(used < 4096, "{used} bytes");
}
