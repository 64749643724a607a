use super::*;
use crate::audit::{Action, Actor, AuditEvent, Object};
use crate::store::Store;

fn event(action: Action) -> AuditEvent {
    AuditEvent::new(action, Actor::System, Object::Server)
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn new(sid: &str, device_id: DeviceId, owner: &Person) -> NewSession {
    NewSession {
        sid: sid.to_owned(),
        device_id,
        owner: owner.clone(),
        controller_instance: "page".to_owned(),
        address: Some([192, 0, 2, 7].into()),
        plain_only: true,
        lossless: true,
        size: Winsize::new(24, 80),
        created_at: at(10),
    }
}

fn ending(millis: i64, reason: Ended) -> Ending {
    Ending {
        at: at(millis),
        reason: Some(reason),
        exit_status: None,
        text: "words".to_owned(),
    }
}

struct Lab {
    _folder: tempfile::TempDir,
    store: Store,
    device: DeviceId,
    owner: Person,
}

impl Lab {
    async fn new(sids: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lab = Self {
            store: Store::open(&folder.path().join("db")).await.unwrap(),
            _folder: folder,
            device: DeviceId::new(),
            owner: Person {
                id: UserId::new(),
                email: "operator@example.com".to_owned(),
            },
        };
        for sid in sids {
            let mut change = lab.store.change().await.unwrap();
            let row = new(sid, lab.device, &lab.owner);
            change.open_session(&row).await.unwrap();
            change.commit(&event(Action::SessionOpened)).await.unwrap();
        }
        lab
    }

    async fn row(&self, sid: &str) -> StoredSession {
        let mut reader = self.store.read().await.unwrap();
        reader.session(sid).await.unwrap().unwrap()
    }

    async fn live(&self) -> Vec<String> {
        let mut reader = self.store.read().await.unwrap();
        let live = reader.live_sessions(None).await.unwrap();
        live.into_iter().map(|session| session.sid).collect()
    }
}

#[tokio::test]
async fn a_session_s_life_is_kept() {
    let lab = Lab::new(&["one"]).await;
    let opened = lab.row("one").await;
    assert_eq!(
        opened,
        StoredSession {
            sid: "one".to_owned(),
            device_id: lab.device,
            owner: lab.owner.clone(),
            address: Some([192, 0, 2, 7].into()),
            plain_only: true,
            epoch: 1,
            restored: false,
            controller: Some(Controller {
                person: lab.owner.clone(),
                instance: "page".to_owned(),
            }),
            lossless: true,
            size: Winsize::new(24, 80),
            created_at: at(10),
            started_at: None,
            detached_at: None,
            to_stop: None,
            ended: None,
        }
    );

    let mut report = lab.store.report().await.unwrap();
    report.start_session("one", at(20)).await.unwrap();
    report.start_session("one", at(30)).await.unwrap();
    let size = Winsize::new(50, 100).unwrap();
    report.resize_session("one", size).await.unwrap();
    report.commit().await.unwrap();
    let other = Controller {
        person: Person {
            id: UserId::new(),
            email: "colleague@example.com".to_owned(),
        },
        instance: "other page".to_owned(),
    };
    let mut change = lab.store.change().await.unwrap();
    assert!(
        change
            .begin_session_epoch("one", 3, Some(&other))
            .await
            .unwrap()
    );
    assert!(!change.begin_session_epoch("one", 3, None).await.unwrap());
    assert!(!change.begin_session_epoch("one", 2, None).await.unwrap());
    change.detach_session("one", at(40)).await.unwrap();
    change
        .commit(&event(Action::SessionTakenOver))
        .await
        .unwrap();
    let taken_over = StoredSession {
        started_at: Some(at(20)),
        size: Some(size),
        epoch: 3,
        controller: Some(other),
        detached_at: Some(at(40)),
        ..opened
    };
    assert_eq!(lab.row("one").await, taken_over);

    let mut change = lab.store.change().await.unwrap();
    change.attach_session("one", false).await.unwrap();
    let first = ending(50, Ended::Stopped);
    assert!(change.stop_session("one", &first).await.unwrap());
    let later = ending(60, Ended::Idle);
    assert!(!change.stop_session("one", &later).await.unwrap());
    change.commit(&event(Action::SessionStopped)).await.unwrap();
    let stopped = StoredSession {
        plain_only: false,
        detached_at: None,
        to_stop: Some(first),
        ..taken_over
    };
    assert_eq!(lab.row("one").await, stopped);
    assert_eq!(lab.live().await, ["one"]);

    let mut change = lab.store.change().await.unwrap();
    let end = Ending {
        exit_status: Some(-1),
        ..ending(70, Ended::Exited)
    };
    assert!(change.end_session("one", &end).await.unwrap());
    let second = ending(80, Ended::DeviceGone);
    assert!(!change.end_session("one", &second).await.unwrap());
    assert!(!change.begin_session_epoch("one", 9, None).await.unwrap());
    change.commit(&event(Action::SessionEnded)).await.unwrap();
    let ended = StoredSession {
        ended: Some(end),
        ..stopped
    };
    assert_eq!(lab.row("one").await, ended);
    assert!(lab.live().await.is_empty());
}

#[tokio::test]
async fn the_live_sessions_of_a_device_or_a_person_are_stopped_together() {
    let lab = Lab::new(&["ended", "stopped", "live"]).await;
    let elsewhere = DeviceId::new();
    let mut change = lab.store.change().await.unwrap();
    let row = new("elsewhere", elsewhere, &lab.owner);
    change.open_session(&row).await.unwrap();
    let end = ending(20, Ended::Stopped);
    change.end_session("ended", &end).await.unwrap();
    change.stop_session("stopped", &end).await.unwrap();
    let refused = ending(30, Ended::Refused);
    let of_device = change
        .stop_sessions_of_device(lab.device, &refused)
        .await
        .unwrap();
    assert_eq!(of_device, ["live"]);
    let of_owner = change
        .stop_sessions_of_owner(lab.owner.id, &refused)
        .await
        .unwrap();
    assert_eq!(of_owner, [("elsewhere".to_owned(), elsewhere)]);
    change.commit(&event(Action::DeviceRejected)).await.unwrap();
    assert_eq!(lab.row("stopped").await.to_stop, Some(end));
    assert_eq!(lab.row("live").await.to_stop, Some(refused));
    assert_eq!(lab.row("ended").await.to_stop, None);
    let mut reader = lab.store.read().await.unwrap();
    let there = reader.live_sessions(Some(elsewhere)).await.unwrap();
    assert_eq!(there.len(), 1);
}

#[tokio::test]
async fn a_session_whose_event_is_not_written_was_never_opened() {
    let lab = Lab::new(&[]).await;
    let mut change = lab.store.change().await.unwrap();
    let row = new("one", lab.device, &lab.owner);
    change.open_session(&row).await.unwrap();
    drop(change);
    assert!(lab.live().await.is_empty());
    let mut reader = lab.store.read().await.unwrap();
    assert_eq!(reader.session("one").await.unwrap(), None);
}

#[tokio::test]
async fn a_session_of_a_restored_copy_is_known_as_one_until_its_next_epoch() {
    let lab = Lab::new(&["one", "two"]).await;
    let mut report = lab.store.report().await.unwrap();
    report.announce_run("run", true).await.unwrap();
    report.commit().await.unwrap();
    assert!(lab.row("one").await.restored);
    // Another start finds nothing wrong, and takes nothing back.
    let mut report = lab.store.report().await.unwrap();
    report.announce_run("next run", false).await.unwrap();
    report.commit().await.unwrap();
    let mut change = lab.store.change().await.unwrap();
    assert!(change.begin_session_epoch("one", 5, None).await.unwrap());
    change
        .commit(&event(Action::SessionTakenOver))
        .await
        .unwrap();
    assert!(!lab.row("one").await.restored);
    assert!(lab.row("two").await.restored);
}
