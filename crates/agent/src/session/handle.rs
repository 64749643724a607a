//! A running shell as seen from outside.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use longwire_protocol::limits::OUR_READ_LIMIT;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::ending::StopOrder;
use super::wire::{Input, Order};

/// What a waiting message costs beside its bytes.
const INPUT_OVERHEAD: usize = 256;
/// Bytes of input that may wait for one shell of a plain link to take them. The largest message fits.
const INPUT_BUFFER: usize = OUR_READ_LIMIT + INPUT_OVERHEAD;
/// How long a message may wait for a shell that is slow to take its input. The plain protocol has
/// no way to slow down one session, so while this lasts the whole link waits.
const INPUT_PATIENCE: Duration = Duration::from_millis(250);

/// The way to a running shell.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) user: String,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) input: InputWay,
    /// Taken by the first who asks the shell to stop.
    pub(super) stop: Option<oneshot::Sender<StopOrder>>,
}

/// How input comes to a shell.
#[derive(Debug)]
pub(super) enum InputWay {
    /// Message by message.
    Plain(PlainInput),
    /// It waits in the shared end, and the shell is woken.
    Streamed(Arc<Notify>),
}

/// The bound of what waits for a shell of a plain link.
#[derive(Debug)]
pub(super) struct PlainInput {
    space: Arc<Semaphore>,
    /// Its input buffer was full for longer than the link may wait, and is not half empty yet.
    is_stalled: bool,
}

/// Why input was not taken.
pub(super) enum Untaken {
    /// The shell has ended.
    Gone,
    /// Too much waits already.
    Full,
}

impl PlainInput {
    pub(super) fn new() -> Self {
        Self {
            space: Arc::new(Semaphore::new(INPUT_BUFFER)),
            is_stalled: false,
        }
    }

    async fn send(&mut self, orders: &mpsc::Sender<Order>, bytes: Bytes) -> Result<(), Untaken> {
        let share = (bytes.len() + INPUT_OVERHEAD).min(INPUT_BUFFER);
        let share = u32::try_from(share).unwrap_or(u32::MAX);
        if self.is_stalled && self.space.available_permits() < INPUT_BUFFER / 2 {
            return Err(Untaken::Full);
        }
        self.is_stalled = false;
        let queued = timeout(INPUT_PATIENCE, async {
            let space = Arc::clone(&self.space);
            let share = space
                .acquire_many_owned(share)
                .await
                .map_err(|_| Untaken::Gone)?;
            let input = Order::Input(Input {
                bytes,
                _share: share,
            });
            orders.send(input).await.map_err(|_| Untaken::Gone)
        });
        match queued.await {
            Ok(result) => result,
            Err(_) => {
                self.is_stalled = true;
                Err(Untaken::Full)
            }
        }
    }
}

impl Handle {
    /// Whether the shell has ended (its last messages may still have to be sent).
    pub(super) fn is_over(&self) -> bool {
        self.orders.is_closed()
    }

    /// Whether its session lives on the stream.
    pub(super) fn is_streamed(&self) -> bool {
        matches!(self.input, InputWay::Streamed(_))
    }

    /// Asks the shell to stop; false if it has been asked before.
    pub(super) fn stop(&mut self, order: StopOrder) -> bool {
        // Not taken means that it has just ended by itself; it says so.
        self.stop.take().map(|stop| stop.send(order)).is_some()
    }

    /// Gives an order that may be lost only behind a thousand others.
    pub(super) fn tell(&self, order: Order) {
        if self.orders.try_send(order).is_err() {
            log::debug!("a shell that takes no orders was given one");
        }
    }

    /// On a plain link: types bytes.
    pub(super) async fn input(&mut self, bytes: Bytes) -> Result<(), Untaken> {
        match &mut self.input {
            InputWay::Plain(way) => way.send(&self.orders, bytes).await,
            InputWay::Streamed(_) => Err(Untaken::Gone),
        }
    }
}
