//! A server that is killed at any moment loses nothing that was said to be durable.

use super::*;

/// The bytes of a recording's newest segment.
fn newest(lab: &Lab, opening: &Opening) -> (PathBuf, Vec<u8>) {
    let folder = lab
        .recorder()
        .folder(&opening.sid, opening.started_at)
        .unwrap();
    let path = folder.segment(folder.newest().unwrap());
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

#[tokio::test]
async fn a_frame_cut_at_any_byte_leaves_what_came_before_and_goes_on() {
    let mut lab = Lab::new();
    let opening = opening(SID);
    let entries = [
        marker(0, Marker::LinkLost),
        output(0, b"first"),
        output(5, b"the last one, of which not all was written"),
    ];
    lab.record(&opening, &entries[..2]).await;
    lab.start();
    let (path, before) = newest(&lab, &opening);
    fs::remove_file(&path).unwrap();
    lab.record(&opening, &entries).await;
    lab.start();
    let (_, whole) = newest(&lab, &opening);
    assert!(whole.starts_with(&before));
    for length in before.len()..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let lost = if length == whole.len() { 0 } else { 1 };
        let kept = &entries[..3 - lost];
        let recovered = lab.recover(&opening).unwrap();
        assert_eq!(
            recovered.cut,
            if lost == 0 {
                0
            } else {
                (length - before.len()) as u64
            }
        );
        assert_eq!(recovered.position.offset, kept.last().unwrap().end());
        assert_eq!(recovered.position.size, Some(size(24)));
        assert!(!recovered.ended);
        assert_eq!(lab.entries(&opening), kept);

        let journal = lab.recorder().device();
        journal.resume(&recovered);
        let more = [
            marker(5, Marker::Restarted),
            output(recovered.position.offset, b"more"),
        ];
        append(&journal, SID, 1, &more).await;
        let all: Vec<Entry> = kept.iter().chain(&more).cloned().collect();
        assert_eq!(lab.entries(&opening), all, "cut at {length}");
        lab.start();
        assert_eq!(lab.entries(&opening), all);
        let again = lab.recover(&opening).unwrap();
        assert_eq!(
            (again.cut, again.position.offset),
            (0, all.last().unwrap().end())
        );
        for name in names(&lab.path(&opening)) {
            fs::remove_file(lab.path(&opening).join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn a_segment_that_did_not_get_its_header_is_as_if_it_was_never_begun() {
    let mut lab = Lab::new();
    let opening = opening(SID);
    let entries = [output(0, b"first"), keyframe(5)];
    lab.record(&opening, &entries).await;
    lab.start();
    let (path, whole) = newest(&lab, &opening);
    let header = whole.len() - (format::FRAME_HEAD + 20 + "screen at 5".len());
    for length in 0..header {
        fs::write(&path, &whole[..length]).unwrap();
        let recovered = lab.recover(&opening).unwrap();
        assert_eq!(recovered.cut, length as u64);
        assert_eq!(recovered.position.offset, 5);
        assert_eq!(lab.entries(&opening), entries[..1]);
    }
    let recovered = lab.recover(&opening).unwrap();
    let journal = lab.recorder().device();
    journal.resume(&recovered);
    append(&journal, SID, 1, &entries[1..]).await;
    assert_eq!(lab.entries(&opening), entries);
}

#[tokio::test]
async fn what_was_begun_and_never_written_is_nothing() {
    let lab = Lab::new();
    let opening = opening(SID);
    assert!(lab.recover(&opening).is_none());
    fs::create_dir_all(lab.path(&opening)).unwrap();
    fs::write(lab.path(&opening).join("000001.seg"), "LWR").unwrap();
    assert!(lab.recover(&opening).is_none());
    // And it can be opened anew.
    let entries = [output(0, b"first")];
    lab.record(&opening, &entries).await;
    assert_eq!(lab.entries(&opening), entries);
}

#[tokio::test]
async fn a_damaged_frame_is_found_and_nothing_after_it_is_believed() {
    let mut lab = Lab::new();
    let opening = opening(SID);
    let entries = [
        output(0, b"first"),
        output(5, b"second"),
        output(11, b"third"),
    ];
    lab.record(&opening, &entries).await;
    lab.start();
    let (path, whole) = newest(&lab, &opening);
    let at = whole
        .windows(6)
        .position(|bytes| bytes == b"second")
        .unwrap();
    let mut altered = whole.clone();
    altered[at] ^= 1;
    fs::write(&path, &altered).unwrap();
    let mut read = lab.recorder().read(SID, opening.started_at).unwrap();
    assert_eq!(read.next().unwrap().unwrap(), entries[0]);
    assert!(matches!(
        read.next(),
        Some(Err(RecordingError::Damaged {
            segment: 1,
            what: FormatError::Check,
            ..
        }))
    ));
    assert!(read.next().is_none());

    let recovered = lab.recover(&opening).unwrap();
    assert_eq!(recovered.position.offset, 5);
    let cut = fs::read(lab.path(&opening).join("000001.cut")).unwrap();
    assert!(altered.ends_with(&cut));
    assert_eq!(cut.len() as u64, recovered.cut);
    assert_eq!(lab.entries(&opening), entries[..1]);
}

#[tokio::test]
async fn a_segment_that_is_missing_its_end_is_found_when_it_is_not_the_newest() {
    let mut lab = Lab::new();
    let opening = opening(SID);
    let entries = [output(0, b"first"), keyframe(5), output(5, b"second")];
    lab.record(&opening, &entries).await;
    lab.start();
    let path = lab.path(&opening).join("000001.seg");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let read = lab.recorder().read(SID, opening.started_at).unwrap();
    let read: Vec<_> = read.collect();
    assert!(matches!(
        read.as_slice(),
        [Err(RecordingError::Damaged { segment: 1, .. })]
    ));
}

#[tokio::test]
async fn a_recording_of_another_run_is_not_written_over() {
    let mut lab = Lab::new();
    let opening = opening(SID);
    let entries = [output(0, b"first")];
    lab.record(&opening, &entries).await;
    lab.start();
    let journal = lab.record(&opening, &[output(0, b"other")]).await;
    let trouble = journal.progress().borrow().trouble.get(SID).copied();
    assert_eq!(trouble.map(|trouble| trouble.given_up), Some(true));
    assert_eq!(lab.entries(&opening), entries);
}

#[tokio::test]
async fn an_end_is_still_known_after_a_restart() {
    let mut lab = Lab::new();
    let opening = opening(SID);
    lab.record(&opening, &one_of_each()).await;
    lab.start_as(true, false);
    let recovered = lab.recover(&opening).unwrap();
    assert!(recovered.ended);
    assert_eq!(recovered.opening, opening);
    assert_eq!(
        recovered.position,
        Position {
            offset: 10,
            time_ms: 20,
            size: Some(size(24)),
        }
    );
}
