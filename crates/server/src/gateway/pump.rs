//! What the tasks of both kinds of websocket do: hand on what the peer says as far as there is room for it,
//! send what its session says, and ping.

use std::time::Duration;

use longwire_protocol::{Message, control, proto};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::pulse::Pulse;
use super::socket::{Ending, Incoming, Outgoing};
use crate::bus::{self, ToSocket};

/// Whoever deals with what the peer says, and decides what is said to it.
pub(super) trait Owner {
    /// The peer said something and has paid for it. False if nobody is interested any more; the reason
    /// comes by another road.
    async fn said(&self, message: Message, cost: u32) -> bool;

    /// A message has been written to the socket.
    async fn written(&self);
}

/// How a websocket is driven.
pub(super) struct Pump<'a, O> {
    pub(super) owner: O,
    /// What there is to send.
    pub(super) queue: mpsc::Receiver<ToSocket>,
    /// What the peer may say before its owner has dealt with it.
    pub(super) credits: u32,
    pub(super) ping_every: Duration,
    pub(super) pulse: &'a Pulse,
}

impl<O: Owner> Pump<'_, O> {
    /// Runs until the websocket is to end.
    pub(super) async fn run(mut self, incoming: &mut Incoming, outgoing: &mut Outgoing) -> Ending {
        let credits = Semaphore::new(self.credits as usize);
        let most = self.credits;
        let (owner, pulse) = (&self.owner, self.pulse);
        tokio::select! {
            ending = listen(incoming, owner, &credits, most, pulse) => ending,
            ending = talk(outgoing, owner, &credits, &mut self.queue, self.ping_every, pulse) => ending,
        }
    }
}

/// Hands on what the peer says, as far as it can pay for it.
async fn listen(
    incoming: &mut Incoming,
    owner: &impl Owner,
    credits: &Semaphore,
    most: u32,
    pulse: &Pulse,
) -> Ending {
    loop {
        let (message, size) = match incoming.next(pulse).await {
            Ok(next) => next,
            Err(ending) => return ending,
        };
        let cost = bus::cost(size, most);
        let Ok(paid) = credits.acquire_many(cost).await else {
            return Ending::Gone;
        };
        // They come back from the owner.
        paid.forget();
        if !owner.said(message, cost).await {
            return std::future::pending().await;
        }
    }
}

/// Sends what there is to send, and pings.
async fn talk(
    outgoing: &mut Outgoing,
    owner: &impl Owner,
    credits: &Semaphore,
    queue: &mut mpsc::Receiver<ToSocket>,
    ping_every: Duration,
    pulse: &Pulse,
) -> Ending {
    let mut pings = interval_at(Instant::now() + ping_every, ping_every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = tokio::select! {
            item = queue.recv() => match item {
                Some(ToSocket::Message(message)) => send(outgoing, owner, &message, &mut pings).await,
                Some(ToSocket::Credit(given)) => {
                    credits.add_permits(given as usize);
                    Ok(())
                }
                Some(ToSocket::Close(closing)) => Err(Ending::Close(closing)),
                // The reason comes by another road.
                None => std::future::pending().await,
            },
            _ = pings.tick() => outgoing.ping().await,
            () = pulse.asked() => outgoing.ping().await,
        };
        if let Err(ending) = sent {
            return ending;
        }
    }
}

async fn send(
    outgoing: &mut Outgoing,
    owner: &impl Owner,
    message: &Message,
    pings: &mut Interval,
) -> Result<(), Ending> {
    outgoing.feed(message).await?;
    if message.proto == proto::CONTROL && message.typ == control::typ::PING {
        // One wake-up of the peer for both.
        outgoing.feed_ping().await?;
        pings.reset();
    }
    // Nothing waits here for more of its kind: what is large comes in large messages.
    outgoing.flush().await?;
    owner.written().await;
    Ok(())
}
