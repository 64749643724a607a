//! Reactions to an authentication service on a real message bus.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failure here is a failed test"
)]

mod bus;

use bus::{Bus, Service, signal, soon};
use longwire_agent::identity::dbus::DbusIdentity;
use longwire_agent::identity::{self, Authorization, Credentials, Identity, Source, Token};
use longwire_agent::server_url::{PlainHttp, ServerUrl};
use tokio_util::sync::{CancellationToken, DropGuard};

const URL: &str = "http://127.0.0.1:4000";

/// Starts the source; it ends when the returned guard is dropped.
async fn follow(bus: &Bus) -> (Identity, DropGuard) {
    let source = DbusIdentity::connect(bus.address(), PlainHttp::ToThisMachine)
        .await
        .unwrap();
    let (publisher, identity) = identity::channel();
    let shutdown = CancellationToken::new();
    tokio::spawn(source.run(publisher, shutdown.clone()));
    (identity, shutdown.drop_guard())
}

fn granted(token: &str, url: &str) -> Authorization {
    Authorization::Granted(Credentials {
        token: Token::new(token).unwrap(),
        server: ServerUrl::parse(url, PlainHttp::Anywhere).unwrap(),
    })
}

async fn becomes(identity: &Identity, wanted: Authorization) {
    let mut follower = identity.authorization.clone();
    let waited = follower.wait_for(|now| *now == wanted);
    soon(&format!("{wanted:?}"), waited).await.unwrap();
}

#[tokio::test]
async fn item_44_token_and_address_come_from_the_service_and_follow_its_changes() {
    let bus = Bus::start().await;
    let service = Service::start(&bus, "first", URL).await;
    let (identity, _end) = follow(&bus).await;
    becomes(&identity, granted("first", URL)).await;

    let other = "http://127.0.0.1:4001";
    service.set("second", other);
    service.signal(None, "second", other).await;
    becomes(&identity, granted("second", other)).await;

    service.set("", "");
    service.signal(None, "", "").await;
    becomes(&identity, Authorization::Denied).await;
}

#[tokio::test]
async fn a_signals_contents_do_not_count() {
    let bus = Bus::start().await;
    let service = Service::start(&bus, "first", URL).await;
    let (identity, _end) = follow(&bus).await;
    becomes(&identity, granted("first", URL)).await;
    service.set("second", URL);
    service
        .signal(None, "lie", "https://evil.example.com")
        .await;
    becomes(&identity, granted("second", URL)).await;
}

#[tokio::test]
async fn a_signal_from_somebody_else_is_not_even_a_hint() {
    let bus = Bus::start().await;
    let service = Service::start(&bus, "first", URL).await;
    let (identity, _end) = follow(&bus).await;
    becomes(&identity, granted("first", URL)).await;
    let agent = service.until_asked(1).await;

    let stranger = zbus::connection::Builder::address(bus.address().as_str());
    let stranger = stranger.build().await.unwrap();
    for to in [None, Some(agent.as_str())] {
        signal(&stranger, to, "evil", "https://evil.example.com").await;
    }
    // Messages of one sender keep their order, and so do these two on their way through the bus:
    // once the service has heard the stranger's ping, the signals before it have been passed on.
    stranger
        .call_method(
            Some(bus::NAME),
            bus::PATH,
            Some("org.freedesktop.DBus.Peer"),
            "Ping",
            &(),
        )
        .await
        .unwrap();
    service.set("second", URL);
    service.signal(None, "", "").await;
    becomes(&identity, granted("second", URL)).await;
    assert_eq!(service.asked(), 2);
}

#[tokio::test]
async fn item_44_a_service_that_restarts_is_followed_without_a_denial() {
    let bus = Bus::start().await;
    let service = Service::start(&bus, "first", URL).await;
    let (identity, _end) = follow(&bus).await;
    becomes(&identity, granted("first", URL)).await;
    service.leave().await;
    becomes(&identity, Authorization::Unknown).await;

    // It starts without a token, as mender-client does, and says later that it has one.
    let service = Service::start(&bus, "", "").await;
    service.until_asked(1).await;
    assert_eq!(*identity.authorization.borrow(), Authorization::Unknown);
    service.set("second", URL);
    service.signal(None, "second", URL).await;
    becomes(&identity, granted("second", URL)).await;
}

#[tokio::test]
async fn a_service_that_comes_later_is_found() {
    let bus = Bus::start().await;
    let (identity, _end) = follow(&bus).await;
    let _service = Service::start(&bus, "first", URL).await;
    becomes(&identity, granted("first", URL)).await;
}

#[tokio::test]
async fn a_bus_that_restarts_is_found_again() {
    let mut bus = Bus::start().await;
    let service = Service::start(&bus, "first", URL).await;
    let (identity, _end) = follow(&bus).await;
    becomes(&identity, granted("first", URL)).await;
    bus.stop().await;
    becomes(&identity, Authorization::Unknown).await;
    drop(service);
    bus.restart().await;
    let _service = Service::start(&bus, "second", URL).await;
    becomes(&identity, granted("second", URL)).await;
}

#[tokio::test]
async fn a_refused_token_makes_the_service_fetch_a_new_one() {
    let bus = Bus::start().await;
    let service = Service::start(&bus, "first", URL).await;
    let (identity, _end) = follow(&bus).await;
    becomes(&identity, granted("first", URL)).await;
    identity.report_refused(&Token::new("first").unwrap());
    service.until_fetched(1).await;
    assert_eq!(service.asked(), 2);
}

#[tokio::test]
async fn an_unprotected_address_elsewhere_is_not_taken() {
    let bus = Bus::start().await;
    let service = Service::start(&bus, "first", URL).await;
    let (identity, _end) = follow(&bus).await;
    becomes(&identity, granted("first", URL)).await;
    service.set("second", "http://192.0.2.1:4000");
    service.signal(None, "", "").await;
    becomes(&identity, Authorization::Denied).await;
    service.set("third", "https://192.0.2.1");
    service.signal(None, "", "").await;
    becomes(&identity, granted("third", "https://192.0.2.1")).await;
}

#[tokio::test]
async fn a_bus_that_is_not_there_is_an_error() {
    let error = DbusIdentity::connect(
        "unix:path=/nonexistent/bus".into(),
        PlainHttp::ToThisMachine,
    )
    .await
    .err()
    .unwrap();
    assert_eq!(
        error.to_string(),
        "cannot connect to the system bus at unix:path=/nonexistent/bus: No such file or \
         directory (os error 2); without an authentication service there, use --server"
    );
}
