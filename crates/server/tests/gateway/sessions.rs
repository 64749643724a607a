//! Sessions as the API shows them.

use longwire_protocol::shell::{FromDevice, FromUser, Stop};
use longwire_server::access::Role;
use serde_json::Value;

use crate::lab::{Lab, start_shell};
use crate::peer::within;

const SESSIONS: &str = "/api/management/v1/longwire/sessions";

async fn list(lab: &Lab, query: &str, who: &crate::lab::Operator) -> Vec<Value> {
    let (status, body) = lab.ask("GET", &format!("{SESSIONS}{query}"), who, "").await;
    assert_eq!(status, 200, "{body}");
    let list: Value = serde_json::from_str(&body).unwrap();
    list.as_array().unwrap().clone()
}

#[tokio::test]
async fn a_session_is_shown_to_those_who_may_see_it() {
    let lab = Lab::start().await;
    let (gadget, alice) = (
        lab.gadget().await,
        lab.operator_with(&[Role::Terminal]).await,
    );
    let (bob, eve) = (
        lab.operator().await,
        lab.operator_with(&[Role::Observer]).await,
    );
    assert_eq!(list(&lab, "", &bob).await, [] as [Value; 0]);
    let mut changes = lab.app().bus.session_changes();
    let mut device = lab.device(&gadget).await;
    let mut user = lab.user(&gadget, &alice).await;
    let sid = start_shell(&mut user, &mut device).await;
    for query in [
        "",
        "?mine=true",
        "?state=attached",
        &format!("?device_id={}", gadget.id),
    ] {
        let sessions = list(&lab, query, &alice).await;
        assert_eq!(sessions.len(), 1, "{query}");
        let session = &sessions[0];
        assert_eq!(session["id"], sid.as_str());
        assert_eq!(session["device_id"], gadget.id.to_string());
        assert_eq!(session["device_name"], gadget.id.to_string());
        assert_eq!(session["owner"]["id"], alice.id.to_string());
        assert_eq!(session["state"], "attached");
        assert_eq!(session["device_connected"], true);
        assert_eq!(session["lossless"], false);
        assert_eq!(session["viewers"][0]["control"], true);
    }
    assert_eq!(list(&lab, "", &bob).await.len(), 1);
    assert_eq!(list(&lab, "?mine=true", &bob).await.len(), 0);
    assert_eq!(list(&lab, "?state=detached", &bob).await.len(), 0);
    assert_eq!(list(&lab, "?page=2&per_page=1", &bob).await.len(), 0);
    // Nothing live for an observer, not even that there is something.
    assert_eq!(list(&lab, "", &eve).await.len(), 0);
    let one = format!("{SESSIONS}/{sid}");
    assert_eq!(lab.ask("GET", &one, &bob, "").await.0, 200);
    assert_eq!(lab.ask("GET", &one, &eve, "").await.0, 404);
    assert_eq!(
        lab.ask("GET", &format!("{SESSIONS}/x"), &bob, "").await.0,
        404
    );
    for bad in ["?state=gone", "?mine=1", "?device_id=x", "?page=0"] {
        let (status, _) = lab.ask("GET", &format!("{SESSIONS}{bad}"), &bob, "").await;
        assert_eq!(status, 400, "{bad}");
    }
    drop(user);
    assert!(matches!(device.told().await, FromUser::Stop { .. }));
    // It is to end, which the device has not said yet.
    assert_eq!(list(&lab, "?state=ending", &bob).await.len(), 1);
    device.say(&FromDevice::Stop(Stop::default()), &sid).await;
    within(async { while !changes.recv().await.unwrap().is_over {} }).await;
    assert_eq!(list(&lab, "", &bob).await, [] as [Value; 0]);
}
