//! Whatever is in the files, reading them ends, and never in a panic.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::recording::compress::compress;

/// Reads a recording in all ways there are. Nothing may hang or panic; what is said is of no matter.
fn read_all(recorder: &Recorder, opening: &Opening) {
    let (sid, at) = (opening.sid.as_str(), opening.started_at);
    let whole = recorder.read(sid, at).unwrap();
    let (entries, errors): (Vec<_>, Vec<_>) = whole.partition(Result::is_ok);
    assert!(errors.len() <= 1);
    let mut output = recorder.output(sid, at).unwrap();
    let mut from = 0;
    for _ in 0..entries.len() + 10 {
        match output.read(from, 100) {
            Ok(ReadBack::Bytes(bytes)) if bytes.is_empty() => break,
            Ok(ReadBack::Bytes(bytes)) => from += bytes.len() as u64,
            Ok(ReadBack::Gap { to }) => {
                assert!(to > from);
                from = to;
            }
            Err(_) => break,
        }
    }
    if let Ok(Some(recovered)) = recorder.recover(sid, at) {
        recorder
            .replay(&recovered, 1)
            .map(Iterator::count)
            .unwrap_or_default();
        // What was repaired is whole.
        let again = recorder.recover(sid, at).unwrap().unwrap();
        assert_eq!(again.position, recovered.position);
    }
}

#[derive(Clone, Debug)]
enum Harm {
    Change { at: usize, to: u8 },
    Cut { at: usize },
    Add { bytes: Vec<u8> },
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, to)| Harm::Change { at, to }),
        any::<usize>().prop_map(|at| Harm::Cut { at }),
        vec(any::<u8>(), 0..40).prop_map(|bytes| Harm::Add { bytes }),
    ]
}

impl Harm {
    fn to(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Change { at, to } if !bytes.is_empty() => {
                let at = at % bytes.len();
                bytes[at] = *to;
            }
            Self::Change { .. } => {}
            Self::Cut { at } => bytes.truncate(at % (bytes.len() + 1)),
            Self::Add { bytes: more } => bytes.extend_from_slice(more),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..200), compressed in any::<bool>()) {
        let lab = Lab::new();
        let opening = opening(SID);
        fs::create_dir_all(lab.path(&opening)).unwrap();
        let name = if compressed { "000001.segz" } else { "000001.seg" };
        fs::write(lab.path(&opening).join(name), bytes).unwrap();
        read_all(lab.recorder(), &opening);
    }

    #[test]
    fn harmed_files_are_read_without_a_panic(harms in vec((0_usize..3, harm()), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut lab = Lab::new();
        let opening = opening(SID);
        let mut entries = one_of_each();
        entries.push(keyframe(10));
        entries.push(output(10, &[b'x'; 1000]));
        runtime.block_on(lab.record(&opening, &entries));
        lab.start();
        let folder = lab.recorder().folder(SID, opening.started_at).unwrap();
        compress(&folder, 2).unwrap();
        let paths = [folder.segment(1), folder.compressed(2), folder.segment(3)];
        for (file, harm) in &harms {
            let mut bytes = fs::read(&paths[*file]).unwrap();
            harm.to(&mut bytes);
            fs::write(&paths[*file], bytes).unwrap();
        }
        read_all(lab.recorder(), &opening);
    }
}
