//! A server sees that its database or its recordings were put back.

use super::*;
use crate::store::Store;

#[tokio::test]
async fn an_older_copy_of_either_is_noticed_and_of_neither_is_not() {
    let mut lab = Lab::new();
    let store = Store::open(&lab.folder.path().join("db")).await.unwrap();
    let run = lab.folder.path().join("recordings/run");
    let mut runs = Vec::new();
    let mut words = Vec::new();
    for _ in 0..3 {
        lab.start();
        let started = begin_run(&store, lab.recorder()).await.unwrap();
        assert!(!started.restored);
        runs.push(started.run);
        words.push(fs::read(&run).unwrap());
    }
    runs.dedup();
    assert_eq!(runs.len(), 3);
    fs::write(&run, &words[1]).unwrap();
    let older = begin_run(&store, lab.recorder()).await.unwrap();
    assert!(older.restored);
    let next = begin_run(&store, lab.recorder()).await.unwrap();
    assert!(!next.restored);
    fs::remove_file(&run).unwrap();
    let gone = begin_run(&store, lab.recorder()).await.unwrap();
    assert!(gone.restored);
}
