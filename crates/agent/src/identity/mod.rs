//! Who this device is to the server: a token and where to use it, from one of two sources.
//!
//! A source publishes an [`Authorization`] each time it changes; the connection follows it and
//! tells the source when the server does not take a token.

pub mod builtin;
pub mod dbus;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::server_url::ServerUrl;

/// Where an identity comes from.
pub trait Source {
    /// Publishes every change until `shutdown`.
    fn run(self, publisher: Publisher, shutdown: CancellationToken) -> impl Future<Output = ()>;
}

/// Whether, where and as whom the agent may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// Nobody can say right now: nothing is dialled, but a link that is up stays, and so do
    /// shells. The state at start, and while the auth service restarts.
    Unknown,
    /// The device is not (or no longer) accepted: the link is closed, shells of plain links end.
    Denied,
    /// Connect with these; when they change, the link is replaced and shells live on.
    Granted(Credentials),
}

/// What it takes to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Sent as bearer token, and never to another server than [`Self::server`].
    pub token: Token,
    /// Where it is valid; already checked to be https or this machine.
    pub server: ServerUrl,
}

/// A device token. Cheap to clone; its debug form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Arc<str>);

impl Token {
    /// A token from the outside. None when it is empty or cannot stand in a header.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let sendable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        sendable.then(|| Self(text.into()))
    }

    /// The token itself, for an `Authorization: Bearer` header and the cache file.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The connection's side: follow `authorization`, report a token that was not taken.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The state now and its changes.
    pub authorization: watch::Receiver<Authorization>,
    refusals: mpsc::Sender<Token>,
}

impl Identity {
    /// Reports that the server answered 401 or 403 to `token`, so that a new one is sought. A
    /// hint: it never blocks and may be lost among others like it.
    pub fn report_refused(&self, token: &Token) {
        let _ = self.refusals.try_send(token.clone());
    }
}

/// The source's side.
#[derive(Debug)]
pub struct Publisher {
    authorization: watch::Sender<Authorization>,
    refusals: mpsc::Receiver<Token>,
}

impl Publisher {
    /// Makes `new` known, unless it is what is already known.
    pub fn publish(&self, new: Authorization) {
        self.authorization.send_if_modified(|known| {
            let changed = *known != new;
            if changed {
                *known = new;
            }
            changed
        });
    }

    /// What was published last.
    #[must_use]
    pub fn current(&self) -> Authorization {
        self.authorization.borrow().clone()
    }

    /// Waits until the server refuses the token that is current; refusals of older ones are
    /// dropped. Pending for ever once nobody can report any more.
    pub async fn refused(&mut self) {
        while let Some(token) = self.refusals.recv().await {
            if matches!(&*self.authorization.borrow(), Authorization::Granted(c) if c.token == token)
            {
                return;
            }
        }
        std::future::pending().await
    }
}

/// Connects a source with the connection. Starts as [`Authorization::Unknown`].
#[must_use]
pub fn channel() -> (Publisher, Identity) {
    let (authorization, follower) = watch::channel(Authorization::Unknown);
    let (refusals, refused) = mpsc::channel(1);
    (
        Publisher {
            authorization,
            refusals: refused,
        },
        Identity {
            authorization: follower,
            refusals,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server_url::PlainHttp;

    fn granted(token: &str) -> Authorization {
        Authorization::Granted(Credentials {
            token: Token::new(token).unwrap(),
            server: ServerUrl::parse("https://h", PlainHttp::ToThisMachine).unwrap(),
        })
    }

    #[tokio::test]
    async fn the_same_authorization_is_published_once() {
        let (publisher, mut identity) = channel();
        publisher.publish(granted("a"));
        assert!(identity.authorization.has_changed().unwrap());
        identity.authorization.mark_unchanged();
        publisher.publish(granted("a"));
        assert!(!identity.authorization.has_changed().unwrap());
    }

    #[tokio::test]
    async fn only_a_refusal_of_the_current_token_counts() {
        let (mut publisher, identity) = channel();
        publisher.publish(granted("new"));
        identity.report_refused(&Token::new("old").unwrap());
        let waiting =
            tokio::time::timeout(std::time::Duration::from_millis(20), publisher.refused());
        assert!(waiting.await.is_err());
        identity.report_refused(&Token::new("new").unwrap());
        publisher.refused().await;
    }

    #[test]
    fn a_token_is_sendable_and_never_shown() {
        assert!(Token::new("").is_none());
        assert!(Token::new("a\r\nX-Evil: 1").is_none());
        assert_eq!(
            format!("{:?}", granted("secret")).matches("secret").count(),
            0
        );
    }
}
