//! Several viewers of one session.

use longwire_server::access::Role;

use crate::lab::Lab;
use crate::lossless::Pair;
use crate::viewer::Viewer;

#[tokio::test]
async fn a_watcher_sees_everything_and_cannot_type() {
    let lab = Lab::start().await;
    let mut pair = Pair::start(&lab).await;
    pair.agent.write_to(100_000);
    pair.viewer
        .until("shown", |seen| seen.end() == 100_000)
        .await;
    let bob = lab.operator_with(&[Role::Terminal]).await;
    let mut watcher = Viewer::new("viewer-2", pair.gadget.id, &bob.token);
    watcher.connect(lab.address()).await;
    watcher.watch(&pair.sid);
    // The screen in one message, then what comes.
    watcher
        .until("shown", |seen| seen.screens == [100_000])
        .await;
    pair.agent.write_to(200_000);
    watcher.until("live", |seen| seen.end() == 200_000).await;
    pair.viewer
        .until("shown", |seen| seen.end() == 200_000)
        .await;
    assert!(
        watcher
            .end
            .input(&pair.sid, b"x", std::time::Duration::ZERO)
            .is_err()
    );
    let presence = |seen: &crate::viewer::Seen| seen.last("presence").is_some();
    pair.viewer.until("told who is there", presence).await;
    let sessions = lab.app().links.sessions();
    assert_eq!(sessions[0].view.viewers.len(), 2);
    // Who sends input all the same is not listened to.
    pair.viewer.type_in(&pair.sid.clone(), b"mine");
    pair.viewer.until("applied", |seen| seen.applied == 4).await;
    assert_eq!(pair.agent.shells()[&pair.sid].typed, b"mine");
}

#[tokio::test]
async fn control_is_taken_by_those_who_may() {
    let lab = Lab::start().await;
    let mut pair = Pair::start(&lab).await;
    let sid = pair.sid.clone();
    let bob = lab.operator_with(&[Role::Terminal]).await;
    let mut taker = Viewer::new("viewer-2", pair.gadget.id, &bob.token);
    taker.connect(lab.address()).await;
    taker.watch(&sid);
    taker.until("shown", |seen| !seen.screens.is_empty()).await;
    taker.end.want_control(&sid).unwrap();
    taker.until_in_control(&sid).await;
    pair.viewer
        .until("out of control", |seen| seen.epoch > 1)
        .await;
    assert!(!pair.viewer.is_in_control(&sid));
    taker.type_in(&sid, b"by bob");
    taker.until("applied", |seen| seen.applied == 6).await;
    assert_eq!(pair.agent.shells()[&sid].typed, b"by bob");
    assert_eq!(
        pair.agent.shells()[&sid].epochs.last(),
        Some(&taker.seen.epoch)
    );
    let events = lab.audited("SessionTakenOver", 1).await;
    assert_eq!(events[0].actor_id, Some(bob.id.to_string()));
    // Whoever lost it does not get it back by coming again.
    pair.viewer.cut();
    pair.viewer.connect(lab.address()).await;
    pair.agent.write_to(10);
    pair.viewer.until("back", |seen| seen.end() == 10).await;
    assert!(!pair.viewer.is_in_control(&sid));
}

#[tokio::test]
async fn rights_that_are_withdrawn_count_at_once() {
    let lab = Lab::start().await;
    let mut pair = Pair::start(&lab).await;
    let eve = lab.operator_with(&[Role::Observer]).await;
    // An observer may not even come.
    let path = crate::lab::terminal_path(pair.gadget.id);
    assert!(
        crate::wire::Wire::dial(lab.address(), &path, &eve.token)
            .await
            .is_none()
    );
    let bob = lab.operator_with(&[Role::Terminal]).await;
    let mut watcher = Viewer::new("viewer-2", pair.gadget.id, &bob.token);
    watcher.connect(lab.address()).await;
    watcher.watch(&pair.sid);
    watcher
        .until("shown", |seen| !seen.screens.is_empty())
        .await;
    let path = "/api/management/v1/useradm/auth/logout";
    let (code, _) = lab.ask("POST", path, &bob, "").await;
    assert!((200..300).contains(&code));
    watcher.until("closed", |seen| seen.closed.is_some()).await;
    pair.agent.write_to(10);
    pair.viewer.until("shown", |seen| seen.end() == 10).await;
}
