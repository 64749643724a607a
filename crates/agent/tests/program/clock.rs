//! A device whose clock starts in 1970.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use longwire_agent::identity::builtin::{HttpAuthService, OwnIdentity};
use longwire_agent::identity::{Authorization, Source, channel};
use longwire_agent::server_url::{PlainHttp, ServerUrl};
use longwire_agent::tls;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio_util::sync::CancellationToken;

use crate::server::{Server, data, soon};

/// Shows a set time, and counts how often somebody has looked.
#[derive(Debug)]
struct Clock {
    seconds: AtomicU64,
    looks: tokio::sync::watch::Sender<usize>,
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        self.looks.send_modify(|looks| *looks += 1);
        let time = Duration::from_secs(self.seconds.load(Ordering::Relaxed));
        Some(UnixTime::since_unix_epoch(time))
    }
}

#[tokio::test]
async fn a_device_without_a_clock_keeps_trying_until_its_time_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(true).await;
    server.accept("token");
    let clock = Arc::new(Clock {
        seconds: AtomicU64::new(60),
        looks: tokio::sync::watch::Sender::new(0),
    });
    let tls = tls::client_config_by_clock(Some(&data("ca.pem")), clock.clone()).unwrap();
    let url = format!("https://localhost:{}", server.port);
    let url = ServerUrl::parse(&url, PlainHttp::ToThisMachine).unwrap();
    let service = HttpAuthService {
        server: url.clone(),
        tls,
    };
    let own = OwnIdentity::open(folder.path(), url, service).unwrap();
    let (publisher, mut identity) = channel();
    let shutdown = CancellationToken::new();
    let _end = shutdown.clone().drop_guard();
    tokio::spawn(own.run(publisher, shutdown));

    // More looks than one handshake takes, and each fails since no certificate is valid yet:
    // nothing is asked, nothing is denied.
    let mut looks = clock.looks.subscribe();
    soon("further tries", looks.wait_for(|looks| *looks >= 3))
        .await
        .unwrap();
    assert_eq!(server.count("/"), 0);
    assert_eq!(*identity.authorization.borrow(), Authorization::Unknown);

    clock.seconds.store(1_800_000_000, Ordering::Relaxed);
    let granted = identity
        .authorization
        .wait_for(|now| matches!(now, Authorization::Granted(_)));
    soon("the device to be accepted", granted).await.unwrap();
}
