//! A report for whoever looks after the device: one log line at each SIGUSR1.

use std::time::Instant;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::connection::outbox::LinkState;
use crate::identity::{Authorization, Identity};

/// What is reported.
pub(crate) struct Status {
    /// Whether and where the agent may connect.
    pub(crate) identity: Identity,
    /// Whether it is connected.
    pub(crate) link: watch::Receiver<LinkState>,
    /// How many shells there are.
    pub(crate) shells: watch::Receiver<usize>,
}

/// Reports at each SIGUSR1; never returns.
pub(crate) async fn report(status: Status) {
    let start = Instant::now();
    let mut asked = match signal(SignalKind::user_defined1()) {
        Ok(asked) => asked,
        Err(error) => {
            log::warn!("cannot catch SIGUSR1: {error}");
            return std::future::pending().await;
        }
    };
    while asked.recv().await.is_some() {
        log::info!("{}", line(&status, start.elapsed().as_secs()));
    }
    std::future::pending().await
}

fn line(status: &Status, seconds: u64) -> String {
    let identity = match &*status.identity.authorization.borrow() {
        Authorization::Unknown => "authorization not known".to_owned(),
        Authorization::Denied => "not authorized".to_owned(),
        Authorization::Granted(credentials) => format!("authorized for {}", credentials.server),
    };
    let link = match *status.link.borrow() {
        LinkState::Down => "not connected",
        LinkState::Plain | LinkState::Longwire => "connected",
    };
    let shells = *status.shells.borrow();
    format!("status: {identity}, {link}, shells: {shells}, running for {seconds} s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Credentials, Token, channel};
    use crate::server_url::{PlainHttp, ServerUrl};

    #[test]
    fn a_report_says_all_there_is_and_no_token() {
        let (publisher, identity) = channel();
        let (link_is, link) = watch::channel(LinkState::Down);
        let (shells_are, shells) = watch::channel(0);
        let status = Status {
            identity,
            link,
            shells,
        };
        assert_eq!(
            line(&status, 3),
            "status: authorization not known, not connected, shells: 0, running for 3 s"
        );
        publisher.publish(Authorization::Granted(Credentials {
            token: Token::new("secret").unwrap(),
            server: ServerUrl::parse("https://h", PlainHttp::ToThisMachine).unwrap(),
        }));
        link_is.send_replace(LinkState::Plain);
        shells_are.send_replace(2);
        assert_eq!(
            line(&status, 4),
            "status: authorized for https://h, connected, shells: 2, running for 4 s"
        );
    }
}
