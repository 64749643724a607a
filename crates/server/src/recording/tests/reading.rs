//! What was recorded is read back as it was.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::recording::compress::compress;

fn line(number: u64) -> Vec<u8> {
    format!("{number:015}\n").into_bytes()
}

/// Output in lines of 16 bytes, with a keyframe (and so a segment) every `every` lines.
fn lines(count: u64, every: u64) -> Vec<Entry> {
    let mut entries = Vec::new();
    for number in 0..count {
        if number > 0 && number % every == 0 {
            entries.push(keyframe(number * 16));
        }
        entries.push(output(number * 16, &line(number)));
    }
    entries
}

#[tokio::test]
async fn every_kind_of_entry_comes_back_whole_and_compressed() {
    let mut lab = Lab::new();
    let opening = opening(SID);
    let entries = one_of_each();
    let journal = lab.record(&opening, &entries).await;
    assert_eq!(lab.entries(&opening), entries);
    assert_eq!(journal.progress().borrow().trouble.len(), 0);

    let folder = lab.path(&opening);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("000002.seg")), 0o600);

    journal.close(SID);
    lab.start();
    for number in [1, 2] {
        compress(
            &lab.recorder().folder(SID, opening.started_at).unwrap(),
            number,
        )
        .unwrap();
    }
    assert_eq!(names(&folder), ["000001.segz", "000002.segz"]);
    assert_eq!(mode(&folder.join("000002.segz")), 0o600);
    assert_eq!(lab.entries(&opening), entries);
}

#[tokio::test]
async fn each_segment_names_the_one_before() {
    let lab = Lab::new();
    let opening = opening(SID);
    lab.record(&opening, &lines(100, 10)).await;
    let folder = lab.recorder().folder(SID, opening.started_at).unwrap();
    let mut previous = None;
    for number in 1..=10 {
        if number == 5 {
            compress(&folder, number).unwrap();
        }
        let (mut reader, header) = segment::SegmentReader::open(&folder, number, true)
            .unwrap()
            .unwrap();
        assert_eq!(header.previous, previous);
        assert_eq!(header.opening, opening);
        assert_eq!(header.keyframe, number > 1);
        while reader.next().unwrap().is_some() {}
        let hash = reader.hash().unwrap();
        previous = Some(hash.iter().map(|byte| format!("{byte:02x}")).collect());
    }
}

#[tokio::test]
async fn output_is_found_by_its_offset() {
    let lab = Lab::new();
    let opening = opening(SID);
    let mut entries = lines(1000, 7);
    let end = 16_000;
    entries.push(Entry::Gap {
        offset: end,
        time_ms: end,
        to: Some(end + 100),
    });
    entries.push(output(end + 100, b"after"));
    let journal = lab.record(&opening, &entries).await;
    let whole = shown(&entries);
    let compressed = lab.recorder().folder(SID, opening.started_at).unwrap();
    for number in (1..100).step_by(3) {
        compress(&compressed, number).unwrap();
    }
    let mut reader = lab.recorder().output(SID, opening.started_at).unwrap();
    let mut seed = 7_u64;
    for _ in 0..200 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let from = usize::try_from(seed >> 33).unwrap() % 16_000;
        let max = 1 + usize::try_from(seed >> 20).unwrap() % 40;
        let ReadBack::Bytes(bytes) = reader.read(from as u64, max).unwrap() else {
            panic!("a gap at {from}");
        };
        assert!(!bytes.is_empty() && bytes.len() <= max);
        assert_eq!(bytes, whole[from..from + bytes.len()]);
    }
    // From the beginning to the end, as a viewer does who is behind.
    let mut at = 0;
    let mut found = Vec::new();
    loop {
        match reader.read(at, 100).unwrap() {
            ReadBack::Bytes(bytes) if bytes.is_empty() => break,
            ReadBack::Bytes(bytes) => {
                at += bytes.len() as u64;
                found.extend_from_slice(&bytes);
            }
            ReadBack::Gap { to } => {
                assert_eq!((at, to), (end, end + 100));
                at = to;
            }
        }
    }
    assert_eq!(found, whole);
    // And further, when there is more; whatever segment that is in.
    let more = [
        output(end + 105, b"more"),
        keyframe(end + 109),
        output(end + 109, b"!"),
    ];
    append(&journal, SID, 5000, &more).await;
    let mut found = Vec::new();
    while found.len() < 5 {
        let ReadBack::Bytes(bytes) = reader.read(at, 100).unwrap() else {
            panic!("a gap at {at}");
        };
        at += bytes.len() as u64;
        found.extend_from_slice(&bytes);
    }
    assert_eq!(found, b"more!");
    assert_eq!(reader.read(at, 100).unwrap(), ReadBack::Bytes(Bytes::new()));
}

#[tokio::test]
async fn the_screen_is_drawn_from_a_keyframe_far_enough_back() {
    let mut lab = Lab::new();
    let opening = opening(SID);
    let entries = lines(100, 10);
    lab.record(&opening, &entries).await;
    lab.start();
    let recovered = lab.recover(&opening).unwrap();
    assert_eq!(recovered.position.offset, 1600);
    for (back, begins) in [(0, 1440), (160, 1440), (161, 1280), (1440, 160)] {
        let replay = lab.recorder().replay(&recovered, back).unwrap();
        let replay: Vec<Entry> = replay.collect::<Result<_, _>>().unwrap();
        let begin = keyframe(begins);
        let at = entries.iter().position(|entry| *entry == begin).unwrap();
        assert_eq!(replay, entries[at..]);
    }
    let replay = lab.recorder().replay(&recovered, 1441).unwrap();
    assert_eq!(replay.collect::<Result<Vec<_>, _>>().unwrap(), entries);
}

#[tokio::test]
async fn a_segment_without_keyframes_ends_by_itself() {
    let lab = Lab::new();
    let opening = opening(SID);
    let chunk = vec![b'x'; 1024 * 1024];
    let entries: Vec<Entry> = (0..6).map(|n| output(n << 20, &chunk)).collect();
    lab.record(&opening, &entries).await;
    assert_eq!(lab.entries(&opening), entries);
    let folder = lab.recorder().folder(SID, opening.started_at).unwrap();
    assert_eq!(folder.newest().unwrap(), 2);
}

#[tokio::test]
async fn a_recording_is_removed_whole() {
    let mut lab = Lab::new();
    lab.start_as(false, true);
    let (kept, removed) = (opening("kept"), opening("removed"));
    lab.record(&kept, &lines(30, 10)).await;
    lab.record(&removed, &lines(30, 10)).await;
    lab.recorder().remove("removed", removed.started_at);
    lab.start();
    assert!(!lab.path(&removed).exists());
    assert!(lab.recover(&removed).is_none());
    assert_eq!(lab.entries(&kept), lines(30, 10));
}

#[tokio::test]
async fn whole_segments_are_compressed_while_the_session_goes_on() {
    let mut lab = Lab::new();
    lab.start_as(false, true);
    let opening = opening(SID);
    let entries = lines(2000, 1000);
    let journal = lab.record(&opening, &entries).await;
    let plain = lab.path(&opening).join("000001.seg");
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while plain.exists() && std::time::Instant::now() < deadline {
        thread::yield_now();
    }
    assert_eq!(names(&lab.path(&opening)), ["000001.segz", "000002.seg"]);
    assert_eq!(lab.entries(&opening), entries);
    // What a run leaves uncompressed the next one finds.
    drop(journal);
    lab.start_as(false, true);
    let recovered = lab.recover(&opening).unwrap();
    assert_eq!(recovered.position.offset, 32_000);
    let journal = lab.recorder().device();
    journal.resume(&recovered);
    append(&journal, SID, 1, &[output(32_000, b"more")]).await;
    journal.close(SID);
    let last = lab.path(&opening).join("000003.seg");
    while last.exists() && std::time::Instant::now() < deadline {
        thread::yield_now();
    }
    let compressed = ["000001.segz", "000002.segz", "000003.segz"];
    assert_eq!(names(&lab.path(&opening)), compressed);
    assert_eq!(lab.entries(&opening).len(), entries.len() + 1);
    let again = lab.recover(&opening).unwrap();
    assert_eq!(again.position.offset, 32_004);
}
