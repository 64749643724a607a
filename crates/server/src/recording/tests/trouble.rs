//! What cannot be written is said, and harms nobody else.

use super::*;

fn trouble(journal: &DeviceJournal, sid: &str) -> Option<Trouble> {
    journal.progress().borrow().trouble.get(sid).copied()
}

#[tokio::test]
async fn a_session_that_cannot_be_written_holds_up_no_other() {
    let lab = Lab::new();
    let (good, bad) = (opening("good"), opening("bad"));
    // Where its folder would be is a file.
    fs::create_dir_all(lab.path(&bad).parent().unwrap()).unwrap();
    fs::write(lab.path(&bad), "").unwrap();
    let journal = lab.recorder().device();
    journal.open(good.clone(), None);
    journal.open(bad.clone(), None);
    journal.append(1, "good", output(0, b"one"));
    journal.append(2, "bad", output(0, b"lost"));
    append(&journal, "good", 3, &[output(3, b"two")]).await;
    assert_eq!(shown(&lab.entries(&good)), b"onetwo");
    assert_eq!(trouble(&journal, "good"), None);
    let bad = trouble(&journal, "bad").unwrap();
    assert!(bad.given_up && bad.from <= 2);
    assert_eq!(bad.kind, TroubleKind::Failed);
    journal.close("bad");
    let mut progress = journal.progress();
    progress
        .wait_for(|progress| progress.trouble.is_empty())
        .await
        .unwrap();
}

#[tokio::test]
async fn what_could_not_be_written_is_written_when_it_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let config = RecorderConfig {
        folder: folder.path().to_path_buf(),
        power_loss: true,
    };
    let recorder = Recorder::open(config).unwrap();
    let opening = opening(SID);
    let day = opening.started_at.to_string();
    let obstacle = folder.path().join(&day[..10]);
    fs::write(&obstacle, "").unwrap();
    let journal = recorder.device();
    journal.open(opening.clone(), None);
    append(&journal, SID, 1, &[output(0, b"one")]).await;
    let failing = trouble(&journal, SID).unwrap();
    assert!(!failing.given_up && failing.from <= 1);
    journal.append(2, SID, output(3, b"two"));
    fs::remove_file(&obstacle).unwrap();
    let mut progress = journal.progress();
    progress
        .wait_for(|progress| progress.trouble.is_empty() && progress.committed == 2)
        .await
        .unwrap();
    let read = recorder.read(SID, opening.started_at).unwrap();
    let read: Vec<Entry> = read.collect::<Result<_, _>>().unwrap();
    assert_eq!(read, [output(0, b"one"), output(3, b"two")]);
}

#[test]
fn a_full_disk_leaves_the_recording_as_it_was_and_it_goes_on_afterwards() {
    let lab = Lab::new();
    let opening = opening(SID);
    let folder = lab.recorder().folder(SID, opening.started_at).unwrap();
    let start = log::Start {
        opening: opening.clone(),
        newest: 0,
        previous: None,
        position: Position::default(),
    };
    let mut log = log::Log::new(folder.clone(), start, false, std::time::Instant::now());
    let mut frames = log::Frames::default();
    let mut append = |log: &mut log::Log, entries: &[Entry]| {
        let (done, result) = log.append(entries.iter(), &mut frames, |_, _| {});
        (done, result.map_err(|error| TroubleKind::of(&error)))
    };
    let entries = [
        output(0, b"one"),
        output(3, &[b'2'; 10_000]),
        output(10_003, b"three"),
    ];
    assert_eq!(append(&mut log, &entries[..1]), (1, Ok(())));
    log.rest();
    // The file's place is taken by one that has no room.
    let path = folder.segment(1);
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).unwrap();
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let mut kind = TroubleKind::Full;
    for _ in 0..3 {
        let (done, result) = append(&mut log, &entries[1..]);
        assert_eq!((done, result), (0, Err(kind)));
        // That device cannot be cut either.
        kind = TroubleKind::Failed;
    }
    fs::remove_file(&path).unwrap();
    // Half of what failed is still there, since it could not be cut off.
    let mut torn = fs::read(&aside).unwrap();
    torn.extend_from_slice(b"half a frame");
    fs::write(&path, torn).unwrap();
    assert_eq!(append(&mut log, &entries[1..]), (2, Ok(())));
    assert_eq!(lab.entries(&opening), entries);
    drop(log);
    assert_eq!(lab.recover(&opening).unwrap().cut, 0);
}

#[tokio::test]
async fn a_session_nobody_opened_is_refused() {
    let lab = Lab::new();
    let journal = lab.recorder().device();
    append(&journal, SID, 4, &[output(0, b"x")]).await;
    let known = trouble(&journal, SID).unwrap();
    assert_eq!((known.from, known.kind), (4, TroubleKind::Unknown));
    for (seq, sid) in (5..).zip(["", "..", "a/b", "a\0", &"x".repeat(65)]) {
        let bad = opening(sid);
        journal.open(bad.clone(), None);
        append(&journal, sid, seq, &[output(0, b"x")]).await;
        assert_eq!(trouble(&journal, sid).unwrap().kind, TroubleKind::Unknown);
        let read = lab.recorder().read(sid, bad.started_at);
        assert!(matches!(read.err(), Some(RecordingError::Name)));
    }
}

#[tokio::test]
async fn more_than_may_wait_is_not_kept() {
    // No writer takes anything from this queue, as with a disk that does not answer.
    let journal = DeviceJournal::new(Arc::default());
    let chunk = vec![0; 1024 * 1024];
    for seq in 1..=64 {
        journal.append(seq, "flood", output((seq - 1) << 20, &chunk));
    }
    let known = trouble(&journal, "flood").unwrap();
    assert_eq!((known.kind, known.given_up), (TroubleKind::Overrun, true));
    assert_eq!(known.from, (WAITING_MAX >> 20) as u64);
    // What is small would find room, but not behind a hole; others find it.
    journal.append(65, "flood", output(64 << 20, b"x"));
    journal.append(66, "other", output(0, b"x"));
    assert_eq!(trouble(&journal, "other"), None);
}
