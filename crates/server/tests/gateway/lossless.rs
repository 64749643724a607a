//! Sessions whose links are cut: not a byte is missing.

use longwire_protocol::shell::Ended;
use uuid::Uuid;

use crate::agent::{Agent, output};
use crate::lab::{Gadget, Lab, Operator};
use crate::viewer::Viewer;

const MIB: u64 = 1024 * 1024;

/// A device and an operator with a shell on it.
pub struct Pair {
    pub gadget: Gadget,
    pub operator: Operator,
    pub agent: Agent,
    pub viewer: Viewer,
    pub sid: String,
}

impl Pair {
    pub async fn start(lab: &Lab) -> Self {
        let (gadget, operator) = (lab.gadget().await, lab.operator().await);
        let agent = Agent::start();
        agent.connect(lab.address(), &gadget.token);
        lab.until_connected(gadget.id, true).await;
        let mut viewer = Viewer::new("viewer-1", gadget.id, &operator.token);
        viewer.connect(lab.address()).await;
        let sid = Uuid::new_v4().to_string();
        viewer.open(&sid);
        viewer.until("started", |seen| seen.started).await;
        viewer.until_in_control(&sid).await;
        Self {
            gadget,
            operator,
            agent,
            viewer,
            sid,
        }
    }

    /// Lets the shell end after so much output, and checks that the operator has seen all of it.
    pub async fn finish(&mut self, size: u64) {
        self.agent.write_to(size);
        self.agent.end_shells();
        self.viewer
            .until("at the end", |seen| seen.ended.is_some())
            .await;
        let seen = &self.viewer.seen;
        assert_eq!((seen.from, seen.end()), (0, size));
        assert!(seen.output == output(0, size), "output differs");
        let stop = seen.ended.as_ref().unwrap();
        assert_eq!(
            (stop.reason, stop.exit_status),
            (Some(Ended::Exited), Some(7))
        );
    }
}

#[tokio::test]
async fn output_and_input_go_through() {
    let lab = Lab::start().await;
    let mut pair = Pair::start(&lab).await;
    let sid = pair.sid.clone();
    pair.viewer.type_in(&sid, b"ls\r");
    pair.agent.write_to(1000);
    let all = |seen: &crate::viewer::Seen| seen.end() == 1000 && seen.applied == 3;
    pair.viewer.until("with the output", all).await;
    let shells = pair
        .agent
        .until(|shells| shells[&sid].typed.len() == 3)
        .await;
    assert_eq!(shells[&sid].typed, b"ls\r");
    pair.finish(2000).await;
    for event in ["SessionOpened", "SessionEnded"] {
        let events = lab.audited(event, 1).await;
        assert_eq!(events[0].detail["session_id"], sid.as_str());
        assert_eq!(events[0].object_id, Some(pair.gadget.id.to_string()));
    }
    assert_eq!(
        lab.audited("SessionEnded", 1).await[0].detail["exit_status"],
        7
    );
}

#[tokio::test]
async fn a_device_whose_link_is_cut_in_a_flood_loses_nothing() {
    let lab = Lab::start().await;
    let mut pair = Pair::start(&lab).await;
    pair.agent.write_to(4 * MIB);
    let (sid, mut typed) = (pair.sid.clone(), Vec::new());
    for mib in 1..4 {
        pair.viewer.until("on", |seen| seen.end() > mib * MIB).await;
        pair.agent.cut();
        let line = format!("line {mib}\r");
        pair.viewer.type_in(&sid, line.as_bytes());
        typed.extend_from_slice(line.as_bytes());
        pair.viewer.send().await;
        lab.until_connected(pair.gadget.id, false).await;
        pair.agent.connect(lab.address(), &pair.gadget.token);
    }
    let applied = typed.len() as u64;
    let arrived = |seen: &crate::viewer::Seen| seen.applied == applied;
    pair.viewer.until("with all input applied", arrived).await;
    assert_eq!(pair.agent.shells()[&sid].typed, typed);
    assert!(pair.viewer.seen.last("device").is_some());
    pair.finish(4 * MIB).await;
}

#[tokio::test]
async fn a_viewer_whose_link_is_cut_in_a_flood_loses_nothing() {
    let lab = Lab::start().await;
    let mut pair = Pair::start(&lab).await;
    pair.agent.write_to(4 * MIB);
    for mib in 1..4 {
        pair.viewer.until("on", |seen| seen.end() > mib * MIB).await;
        pair.viewer.cut();
        pair.viewer.connect(lab.address()).await;
    }
    // It still has control, and what it typed while it was away arrives.
    pair.viewer.cut();
    pair.viewer.type_in(&pair.sid.clone(), b"exit\r");
    pair.viewer.connect(lab.address()).await;
    pair.viewer.until("applied", |seen| seen.applied == 5).await;
    pair.finish(4 * MIB).await;
    lab.audited("SessionAttached", 1).await;
}

#[tokio::test]
async fn a_restarted_server_goes_on_with_its_sessions() {
    let mut lab = Lab::start().await;
    let mut pair = Pair::start(&lab).await;
    pair.agent.write_to(3 * MIB);
    for mib in 1..3 {
        pair.viewer.until("on", |seen| seen.end() > mib * MIB).await;
        let (restarted, ()) = tokio::join!(lab.restart(), async {
            pair.viewer
                .until("closed", |seen| seen.closed.is_some())
                .await;
        });
        lab = restarted;
        let text = "the server is shutting down".to_owned();
        assert_eq!(pair.viewer.seen.closed, Some(Some((1012, text.clone()))));
        // Whose it is and what it is called it has kept; the device is not back yet.
        let sessions = lab.app().links.sessions();
        assert_eq!(sessions.len(), 1);
        assert_eq!(sessions[0].view.sid, pair.sid);
        assert_eq!(sessions[0].view.owner, pair.operator.id);
        assert_eq!(sessions[0].device, pair.gadget.id);
        pair.agent.connect(lab.address(), &pair.gadget.token);
        pair.viewer.connect(lab.address()).await;
        assert_eq!(*pair.agent.closed.lock().unwrap(), Some((1012, text)));
    }
    let sid = pair.sid.clone();
    pair.viewer.until_in_control(&sid).await;
    pair.viewer.type_in(&sid, b"still here\r");
    pair.viewer
        .until("applied", |seen| seen.applied == 11)
        .await;
    pair.finish(3 * MIB).await;
    assert!(lab.audited("SessionOpened", 1).await.len() == 1);
}

#[tokio::test]
async fn a_session_that_is_ended_while_its_device_is_away_is_over_when_it_comes_back() {
    let lab = Lab::start().await;
    let mut pair = Pair::start(&lab).await;
    pair.agent.cut();
    lab.until_connected(pair.gadget.id, false).await;
    let path = format!("/api/management/v1/longwire/sessions/{}", pair.sid);
    assert_eq!(lab.ask("DELETE", &path, &pair.operator, "").await.0, 204);
    lab.audited("SessionStopped", 1).await;
    // Nobody attaches to it any more, also after a restart.
    let (lab, ()) = tokio::join!(lab.restart(), async {
        pair.viewer
            .until("closed", |seen| seen.closed.is_some())
            .await;
    });
    let mut late = Viewer::new("viewer-2", pair.gadget.id, &pair.operator.token);
    late.connect(lab.address()).await;
    late.watch(&pair.sid);
    late.until("lost", |seen| seen.lost).await;
    let sid = pair.sid.clone();
    pair.agent.connect(lab.address(), &pair.gadget.token);
    let shells = pair.agent.until(|shells| shells[&sid].stopped).await;
    assert_eq!(shells.len(), 1);
    lab.audited("SessionEnded", 1).await;
    assert_eq!(lab.ask("GET", &path, &pair.operator, "").await.0, 404);
}

#[tokio::test]
async fn a_session_that_the_server_does_not_know_is_ended_and_never_adopted() {
    let (lab, other) = (Lab::start().await, Lab::start().await);
    let mut pair = Pair::start(&lab).await;
    let gadget = other.gadget().await;
    pair.agent.connect(other.address(), &gadget.token);
    let sid = pair.sid.clone();
    pair.agent.until(|shells| shells[&sid].stopped).await;
    assert!(other.app().links.sessions().is_empty());
    let events = other.audited("SessionUnknown", 1).await;
    assert_eq!(events[0].detail["session_id"], sid.as_str());
}

#[tokio::test]
async fn rejecting_a_device_that_is_away_ends_its_sessions_for_good() {
    let lab = Lab::start().await;
    let mut pair = Pair::start(&lab).await;
    pair.agent.cut();
    lab.until_connected(pair.gadget.id, false).await;
    let gadget = &pair.gadget;
    let path = format!(
        "/api/management/v2/devauth/devices/{}/auth/{}/status",
        gadget.id, gadget.set
    );
    let (code, body) = lab
        .ask("PUT", &path, &pair.operator, r#"{"status":"rejected"}"#)
        .await;
    assert_eq!(code, 204, "{body}");
    pair.viewer
        .until("ended", |seen| {
            seen.ended.is_some() || seen.closed.is_some()
        })
        .await;
    lab.audited("SessionStopped", 1).await;
    lab.audited("SessionEnded", 1).await;
    assert!(lab.app().links.sessions().is_empty());
}

#[tokio::test]
async fn whoever_signs_out_leaves_their_session_detached() {
    let lab = Lab::start().await;
    let mut pair = Pair::start(&lab).await;
    let path = "/api/management/v1/useradm/auth/logout";
    let (code, _) = lab.ask("POST", path, &pair.operator, "").await;
    assert!((200..300).contains(&code));
    pair.viewer
        .until("closed", |seen| seen.closed.is_some())
        .await;
    let closed = pair.viewer.seen.closed.take().unwrap();
    assert_eq!(closed, Some((1008, "no longer allowed".to_owned())));
    lab.audited("SessionDetached", 1).await;
    assert!(!pair.agent.shells()[&pair.sid].stopped);
}

#[tokio::test]
async fn the_sessions_of_a_removed_account_end() {
    let lab = Lab::start().await;
    let mut pair = Pair::start(&lab).await;
    pair.viewer.cut();
    lab.audited("SessionDetached", 1).await;
    let mut change = lab.app().store.change().await.unwrap();
    change.remove_user(pair.operator.id).await.unwrap();
    let event = longwire_server::audit::AuditEvent::new(
        longwire_server::audit::Action::UserRemoved,
        longwire_server::audit::Actor::System,
        longwire_server::audit::Object::User(pair.operator.id),
    );
    change.commit(&event).await.unwrap();
    lab.app().links.rights_changed();
    let sid = pair.sid.clone();
    pair.agent.until(|shells| shells[&sid].stopped).await;
    lab.audited("SessionEnded", 1).await;
}

#[tokio::test]
async fn a_recording_that_cannot_be_read_costs_its_session_and_not_the_server() {
    let lab = Lab::start().await;
    let mut pair = Pair::start(&lab).await;
    pair.agent.write_to(MIB);
    pair.viewer
        .until("with output", |seen| seen.end() == MIB)
        .await;
    let data = lab.stop().await;
    for day in std::fs::read_dir(data.path().join("data/recordings")).unwrap() {
        let folder = day.unwrap().path().join(&pair.sid);
        if !folder.is_dir() {
            continue;
        }
        for segment in std::fs::read_dir(folder).unwrap() {
            // A folder in its place cannot even be opened for reading.
            let segment = segment.unwrap().path();
            std::fs::remove_file(&segment).unwrap();
            std::fs::create_dir(&segment).unwrap();
        }
    }
    let lab = Lab::on(data).await;
    pair.agent.connect(lab.address(), &pair.gadget.token);
    let sid = pair.sid.clone();
    pair.agent.until(|shells| shells[&sid].stopped).await;
    let ended = lab.audited("SessionEnded", 1).await;
    assert_eq!(ended[0].detail["session_id"], sid.as_str());
}
