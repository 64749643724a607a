//! What waits to be sent: answers first, then the shells' messages, one shell after another.
//!
//! The queues outlive every link. A shell of a plain link asks for room *before* it reads its pty,
//! and gets none while the link is down. Requests for room are served in the order they were made;
//! that is what makes the shells take turns.

use std::task::ready;

use bytes::Bytes;
use futures_util::future::poll_fn;
use longwire_protocol::{Message, Receiver, encode};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::PollSender;

/// Messages of shells that may wait at a time; each is at most one pty read. With a second place
/// in the queue whoever comes first would get two turns in a row.
const SHELL_QUEUE: usize = 1;
/// Answers that may wait at a time; they are small.
const ANSWER_QUEUE: usize = 64;

/// What kind of link there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// None: nothing can be sent.
    Down,
    /// The protocol of every Mender server: what is lost with the link stays lost.
    Plain,
    /// The stream that goes on after a lost link. Its sessions send through the shared end; those of
    /// plain links have no place on it.
    Longwire,
}

/// Nothing will be sent any more: the agent is ending, or the server has come to speak another
/// protocol than that of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing is sent any more")]
pub(crate) struct Closed;

/// A shell's way to the server.
#[derive(Debug)]
pub(crate) struct ShellOutbox {
    queue: PollSender<Message>,
    link: watch::Receiver<LinkState>,
}

impl ShellOutbox {
    /// Waits for the link to be up and for a turn. Cancel safe: a turn once waited for is kept.
    pub(crate) async fn room(&mut self) -> Result<(), Closed> {
        let is_there = |link: &LinkState| *link != LinkState::Down;
        let link = *self.link.wait_for(is_there).await.map_err(|_| Closed)?;
        if link == LinkState::Longwire {
            return Err(Closed);
        }
        poll_fn(|cx| self.queue.poll_reserve(cx))
            .await
            .map_err(|_| Closed)
    }

    /// Sends a message; [`Self::room`] must have been waited for.
    pub(crate) fn send(&mut self, message: Message) -> Result<(), Closed> {
        self.queue.send_item(message).map_err(|_| Closed)
    }

    /// Gives an unused turn back.
    pub(crate) fn give_up_turn(&mut self) {
        self.queue.abort_send();
    }

    /// Waits for a turn and sends a message.
    pub(crate) async fn deliver(&mut self, message: Message) -> Result<(), Closed> {
        self.room().await?;
        self.send(message)
    }

    /// Follows the state of the link.
    pub(crate) fn link(&self) -> watch::Receiver<LinkState> {
        self.link.clone()
    }
}

/// The way of answers and of the link's own pings.
#[derive(Debug, Clone)]
pub(crate) struct Answers(mpsc::Sender<Outgoing>);

impl Answers {
    /// Queues an answer, waiting for room: a peer that sends without reading waits for itself.
    pub(crate) async fn send(&self, message: Message) {
        // Closed only when the agent ends.
        let _ = self.0.send(Outgoing::Message(message)).await;
    }

    /// Queues a websocket ping. Behind a full queue it would be no sign of life anyway.
    pub(crate) fn ping(&self, payload: &'static [u8]) {
        let _ = self.0.try_send(Outgoing::Ping(Bytes::from_static(payload)));
    }
}

/// What the link has to write next.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A message of the protocol.
    Message(Message),
    /// A websocket ping.
    Ping(Bytes),
}

impl Outgoing {
    /// The websocket message, in the form that every server understands.
    pub(crate) fn into_frame(self) -> tokio_tungstenite::tungstenite::Message {
        match self {
            Self::Message(message) => {
                tokio_tungstenite::tungstenite::Message::Binary(encode(&message, Receiver::Server))
            }
            Self::Ping(payload) => tokio_tungstenite::tungstenite::Message::Ping(payload),
        }
    }
}

/// The sending ends, from which shells and answers get theirs.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    shells: mpsc::Sender<Message>,
    link: watch::Receiver<LinkState>,
}

impl Outbox {
    /// Follows the state of the link.
    pub(crate) fn link(&self) -> watch::Receiver<LinkState> {
        self.link.clone()
    }

    /// Returns the way of one shell.
    pub(crate) fn for_shell(&self) -> ShellOutbox {
        ShellOutbox {
            queue: PollSender::new(self.shells.clone()),
            link: self.link.clone(),
        }
    }
}

/// The receiving end, drained by the link of the moment.
#[derive(Debug)]
pub(crate) struct Queues {
    answers: mpsc::Receiver<Outgoing>,
    shells: mpsc::Receiver<Message>,
}

impl Queues {
    /// Waits for the next thing to write; cancel safe.
    pub(crate) async fn next(&mut self) -> Outgoing {
        poll_fn(|cx| {
            // Never `None`: the connection holds a sender of each for as long as it runs.
            if let std::task::Poll::Ready(Some(answer)) = self.answers.poll_recv(cx) {
                return std::task::Poll::Ready(answer);
            }
            match ready!(self.shells.poll_recv(cx)) {
                Some(message) => std::task::Poll::Ready(Outgoing::Message(message)),
                None => std::task::Poll::Pending,
            }
        })
        .await
    }

    /// Waits for the next answer to write; cancel safe.
    pub(crate) async fn answer(&mut self) -> Outgoing {
        match self.answers.recv().await {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    /// Returns the next answer to write, if one waits.
    pub(crate) fn try_answer(&mut self) -> Option<Outgoing> {
        self.answers.try_recv().ok()
    }

    /// Returns the next thing to write, if one waits.
    pub(crate) fn try_next(&mut self) -> Option<Outgoing> {
        let answer = self.answers.try_recv().ok();
        answer.or_else(|| self.shells.try_recv().ok().map(Outgoing::Message))
    }
}

/// Tells the shells what kind of link there is.
#[derive(Debug)]
pub(crate) struct LinkSwitch(watch::Sender<LinkState>);

impl LinkSwitch {
    /// Says what kind of link there is now.
    pub(crate) fn set(&self, state: LinkState) {
        self.0.send_replace(state);
    }

    /// What kind of link there is, now and from now on.
    pub(crate) fn follow(&self) -> watch::Receiver<LinkState> {
        self.0.subscribe()
    }
}

/// Makes the queues. The link starts as down.
pub(crate) fn queues() -> (Outbox, Answers, Queues, LinkSwitch) {
    let (shells, shell_queue) = mpsc::channel(SHELL_QUEUE);
    let (answers, answer_queue) = mpsc::channel(ANSWER_QUEUE);
    let (link, link_state) = watch::channel(LinkState::Down);
    (
        Outbox {
            shells,
            link: link_state,
        },
        Answers(answers),
        Queues {
            answers: answer_queue,
            shells: shell_queue,
        },
        LinkSwitch(link),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sid: &str) -> Message {
        Message {
            sid: sid.to_owned(),
            ..Message::default()
        }
    }

    fn sid(outgoing: Outgoing) -> String {
        match outgoing {
            Outgoing::Message(message) => message.sid,
            Outgoing::Ping(_) => "ping".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_shell_gets_no_turn_while_the_link_is_down() {
        let (outbox, _answers, _queues, link) = queues();
        let mut shell = outbox.for_shell();
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(20), shell.room());
        assert!(waiting.await.is_err());
        link.set(LinkState::Plain);
        shell.room().await.unwrap();
    }

    #[tokio::test]
    async fn flooding_shells_take_turns() {
        let (outbox, _answers, mut queues, link) = queues();
        link.set(LinkState::Plain);
        for name in ["a", "b", "c"] {
            let mut shell = outbox.for_shell();
            tokio::spawn(async move { while shell.deliver(message(name)).await.is_ok() {} });
        }
        tokio::task::yield_now().await;
        // The queue was filled by whoever came first; from then on they take turns.
        for _ in 0..SHELL_QUEUE {
            queues.next().await;
        }
        let mut counts = std::collections::HashMap::<String, usize>::new();
        for _ in 0..300 {
            *counts.entry(sid(queues.next().await)).or_default() += 1;
        }
        for name in ["a", "b", "c"] {
            assert_eq!(counts[name], 100, "{counts:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_passes_waiting_output() {
        let (outbox, answers, mut queues, link) = queues();
        link.set(LinkState::Plain);
        let mut shell = outbox.for_shell();
        shell.deliver(message("shell")).await.unwrap();
        answers.send(message("answer")).await;
        answers.ping(b"60");
        assert_eq!(sid(queues.next().await), "answer");
        assert_eq!(sid(queues.next().await), "ping");
        assert_eq!(sid(queues.next().await), "shell");
        assert!(queues.try_next().is_none());
    }

    #[tokio::test]
    async fn a_turn_given_up_goes_to_the_next() {
        let (outbox, _answers, mut queues, link) = queues();
        link.set(LinkState::Plain);
        let mut idle: Vec<_> = (0..SHELL_QUEUE).map(|_| outbox.for_shell()).collect();
        for shell in &mut idle {
            shell.room().await.unwrap();
        }
        idle.iter_mut().for_each(ShellOutbox::give_up_turn);
        outbox.for_shell().deliver(message("x")).await.unwrap();
        assert_eq!(sid(queues.next().await), "x");
    }
}
