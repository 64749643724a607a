//! Ends that the server makes.

use longwire_protocol::shell::{Ended, FromDevice, FromUser};

use crate::lab::{Lab, start_shell};
use crate::peer::Event;

fn stop(text: &str) -> FromUser {
    FromUser::Stop {
        error: Some(text.to_owned()),
    }
}

fn assert_stopped(heard: FromDevice, reason: Ended) {
    match heard {
        FromDevice::Stop(stop) => assert_eq!(stop.reason, Some(reason)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn item_31_rejecting_or_removing_a_device_closes_its_sockets_and_its_terminals() {
    let lab = Lab::start().await;
    let operator = lab.operator().await;
    for remove in [false, true] {
        let gadget = lab.gadget().await;
        let mut device = lab.device(&gadget).await;
        let mut user = lab.user(&gadget, &operator).await;
        start_shell(&mut user, &mut device).await;
        let path = format!("/api/management/v2/devauth/devices/{}", gadget.id);
        let (code, body) = if remove {
            lab.ask("DELETE", &path, &operator, "").await
        } else {
            let path = format!("{path}/auth/{}/status", gadget.set);
            lab.ask("PUT", &path, &operator, r#"{"status":"rejected"}"#)
                .await
        };
        assert_eq!(code, 204, "{body}");
        let reason = "the device is no longer accepted";
        assert_eq!(device.told().await, stop(reason));
        let closed = Event::Closed(1008, reason.to_owned());
        assert_eq!(device.end().await, closed);
        assert_stopped(user.hear().await, Ended::Refused);
        assert_eq!(user.end().await, closed);
        let again = lab.dial_device(&gadget.token).await.unwrap_err();
        assert_eq!(again.status, 401);
    }
}

#[tokio::test]
async fn signing_out_closes_the_terminals_of_that_login() {
    let lab = Lab::start().await;
    let (gadget, operator, other) = (
        lab.gadget().await,
        lab.operator().await,
        lab.operator().await,
    );
    let mut device = lab.device(&gadget).await;
    let mut user = lab.user(&gadget, &operator).await;
    start_shell(&mut user, &mut device).await;
    let mut stays = lab.user(&gadget, &other).await;
    let path = "/api/management/v1/useradm/auth/logout";
    let (code, body) = lab.ask("POST", path, &operator, "").await;
    assert!((200..300).contains(&code), "{code} {body}");
    assert_stopped(user.hear().await, Ended::Refused);
    assert_eq!(
        user.end().await,
        Event::Closed(1008, "no longer allowed".to_owned())
    );
    assert_eq!(device.told().await, stop("no longer allowed"));
    start_shell(&mut stays, &mut device).await;
}

#[tokio::test]
async fn item_43_a_server_that_ends_says_so_to_everybody_and_ends_no_shell() {
    let lab = Lab::start().await;
    let mut terminal = lab.terminal().await;
    let gadget = lab.gadget().await;
    let mut idle = lab.device(&gadget).await;
    let text = "the server is shutting down".to_owned();
    let watch = async {
        // Everybody spreads their return over some time after this code.
        let closed = Event::Closed(1012, text.clone());
        assert_eq!(terminal.device.event().await, closed);
        assert_eq!(idle.end().await, closed);
        // Some ends wait for a stop for ever.
        assert_stopped(terminal.user.hear().await, Ended::Stopped);
        assert_eq!(terminal.user.end().await, closed);
    };
    tokio::join!(lab.server.stop(), watch);
}
