//! The network that breaks on purpose does what it says, and the same for the same seed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test; what cannot happen fails it"
)]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::Duration;

use longwire_e2e::faults::{Cut, Fault, Leg, Proxy, Storm, Way, What};
use longwire_e2e::until::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// What must not arrive has not arrived by then; what must is waited for without an end.
const A_WHILE: Duration = Duration::from_millis(150);

/// Both ends of one connection through a proxy.
struct Connection {
    proxy: Proxy,
    client: TcpStream,
    server: TcpStream,
}

async fn connection() -> Connection {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).await.unwrap();
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    Connection {
        proxy,
        client,
        server,
    }
}

async fn arrives(stream: &mut TcpStream, wanted: &[u8]) {
    let mut got = vec![0; wanted.len()];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(got, wanted);
}

async fn silent(stream: &mut TcpStream) {
    let mut byte = [0];
    let read = timeout(A_WHILE, stream.read(&mut byte)).await;
    assert!(read.is_err(), "{read:?} {byte:?}");
}

#[tokio::test]
async fn fair_weather_passes_everything_on_and_each_end_in_its_direction() {
    let mut it = connection().await;
    it.client.write_all(b"there").await.unwrap();
    arrives(&mut it.server, b"there").await;
    it.client.shutdown().await.unwrap();
    let mut rest = Vec::new();
    it.server.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    it.server.write_all(b"and back").await.unwrap();
    arrives(&mut it.client, b"and back").await;
    drop(it.server);
    assert_eq!(it.client.read(&mut [0]).await.unwrap(), 0);
    until("no connection", async || {
        Ok((it.proxy.open() == 0).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_megabyte_arrives_as_it_was_under_delay_and_stall() {
    let it = connection().await;
    let sent: Vec<u8> = (0..1 << 20_u32)
        .map(|at| (at * 31 + at / 251) as u8)
        .collect();
    it.proxy
        .weather(|weather| weather.delay = Duration::from_millis(5));
    let (mut client, mut server) = (it.client, it.server);
    let all = sent.clone();
    let writing = tokio::spawn(async move {
        client.write_all(&all).await.unwrap();
        client
    });
    let mut got = Vec::with_capacity(sent.len());
    while got.len() < 1 << 18 {
        server.read_buf(&mut got).await.unwrap();
    }
    it.proxy.weather(|weather| weather.stalled = true);
    // What was being written when it began may still come, the rest only afterwards.
    let stalled = timeout(A_WHILE, async {
        while got.len() < sent.len() {
            server.read_buf(&mut got).await.unwrap();
        }
    });
    assert!(stalled.await.is_err(), "everything passed a stall");
    it.proxy.weather(|weather| weather.stalled = false);
    while got.len() < sent.len() {
        server.read_buf(&mut got).await.unwrap();
    }
    assert!(got == sent, "other bytes arrived");
    drop(writing.await.unwrap());
}

#[tokio::test]
async fn a_cut_is_a_reset_or_an_end_at_both_sides() {
    let mut it = connection().await;
    assert_eq!(it.proxy.cut(Cut::Reset), 1);
    for side in [&mut it.client, &mut it.server] {
        let error = side.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    let mut it = connection().await;
    assert_eq!(it.proxy.cut(Cut::Finish), 1);
    for side in [&mut it.client, &mut it.server] {
        assert_eq!(side.read(&mut [0]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn after_a_cut_new_connections_work_unless_they_are_refused() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).await.unwrap();
    proxy.weather(|weather| weather.refusing = true);
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    let error = refused.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    proxy.weather(|weather| weather.refusing = false);
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"again").await.unwrap();
    arrives(&mut server, b"again").await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_reset() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).await.unwrap();
    drop(listener);
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let error = client.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn what_is_lost_one_way_stays_lost_and_the_other_way_goes_on() {
    let mut it = connection().await;
    it.proxy.weather(|weather| weather.loses_to_server = true);
    it.client.write_all(b"lost").await.unwrap();
    silent(&mut it.server).await;
    it.server.write_all(b"heard").await.unwrap();
    arrives(&mut it.client, b"heard").await;
    it.proxy.weather(|weather| weather.loses_to_server = false);
    it.client.write_all(b"lost as well").await.unwrap();
    silent(&mut it.server).await;
    assert_eq!(it.proxy.cut(Cut::Reset), 1);
    let error = it.server.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_half_open_connection_outlives_one_of_its_ends() {
    let mut it = connection().await;
    it.proxy.weather(|weather| {
        weather.loses_to_server = true;
        weather.loses_to_client = true;
    });
    it.client.write_all(b"lost").await.unwrap();
    it.server.write_all(b"lost").await.unwrap();
    silent(&mut it.client).await;
    drop(it.client);
    silent(&mut it.server).await;
    assert_eq!(it.proxy.cut(Cut::Finish), 1);
    assert_eq!(it.server.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn delay_and_limit_take_their_time() {
    let mut it = connection().await;
    it.proxy
        .weather(|weather| weather.delay = Duration::from_millis(200));
    let start = Instant::now();
    it.client.write_all(b"late").await.unwrap();
    arrives(&mut it.server, b"late").await;
    assert!(start.elapsed() >= Duration::from_millis(200));

    let mut it = connection().await;
    it.proxy.weather(|weather| weather.rate = Some(128 * 1024));
    let start = Instant::now();
    it.client.write_all(&[b'x'; 64 * 1024]).await.unwrap();
    arrives(&mut it.server, &[b'x'; 64 * 1024]).await;
    // The first block may have been read in one piece before the limit.
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_storm_is_the_same_for_the_same_seed_and_has_everything_in_it() {
    let storm = |seed| Storm::new(seed).take(600).collect::<Vec<_>>();
    assert_eq!(storm(7), storm(7));
    assert_ne!(storm(7), storm(8));
    let mut seen = BTreeSet::new();
    for step in storm(7) {
        match step.what {
            What::ServerKilled { .. } => seen.insert("killed".to_owned()),
            What::ServerUpgraded => seen.insert("upgraded".to_owned()),
            What::Network { leg, fault, .. } => seen.insert(match fault {
                Fault::Delay(_) => format!("{leg:?} delay"),
                Fault::Limit(_) => format!("{leg:?} limit"),
                other => format!("{leg:?} {other:?}"),
            }),
        };
    }
    for leg in [Leg::Device, Leg::Viewer] {
        for fault in [
            Fault::Cut(Cut::Reset),
            Fault::Cut(Cut::Finish),
            Fault::HalfOpen,
            Fault::Unreachable,
            Fault::Stall,
            Fault::Loss(Way::ToServer),
            Fault::Loss(Way::ToClient),
        ] {
            assert!(seen.contains(&format!("{leg:?} {fault:?}")), "{fault:?}");
        }
        for fault in ["delay", "limit"] {
            assert!(seen.contains(&format!("{leg:?} {fault}")), "{fault}");
        }
    }
    assert!(seen.contains("killed") && seen.contains("upgraded"));
}
