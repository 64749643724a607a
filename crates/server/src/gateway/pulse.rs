//! Signs of life of a websocket, for whoever wants to know right now.

use std::time::Duration;

use tokio::sync::Notify;

/// How long an answer to a ping may take when somebody waits for it.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Shared by a websocket's task and those who ask about it.
#[derive(Default)]
pub(super) struct Pulse {
    ask: Notify,
    heard: Notify,
}

impl Pulse {
    /// Something came from the peer.
    pub(super) fn heard(&self) {
        self.heard.notify_waiters();
    }

    /// Waits until somebody wants to know; a ping is to be sent then.
    pub(super) async fn asked(&self) {
        self.ask.notified().await;
    }

    /// Whether the peer is there now.
    pub(super) async fn is_alive(&self) -> bool {
        let heard = self.heard.notified();
        tokio::pin!(heard);
        heard.as_mut().enable();
        self.ask.notify_one();
        tokio::time::timeout(ANSWER_MAX, heard).await.is_ok()
    }
}
