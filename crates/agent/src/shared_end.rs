//! The one end of the `longwire.v1` stream that the agent has for all its life, shared by the link of
//! the moment and by the shells.
//!
//! Everybody runs on one thread and nobody waits while they hold the lock.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use longwire_link::{Generation, LinkError, SessionError, ShellConfig, ShellEnd, ToShellEnd};
use longwire_protocol::Message;
use longwire_protocol::limits::OUTPUT_READ;
use longwire_protocol::shell::{Stop, Winsize};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Notify;

use crate::clock::since_boot;
use crate::heap;
use crate::pty::{Pty, Read};

/// Room that a running shell leaves for what the kernel holds of its output when it ends. A Linux
/// terminal holds up to 8 KiB on its way to the reader and 4 KiB beyond, and rounds up a little.
pub(crate) const LAST_WORDS: usize = 16 * 1024;
/// A terminal is read again when so much of it may be kept; it gives about as much at once.
const WORTHWHILE: usize = 4096;
/// After it was so much, the memory of the end is worth giving back when little is left of it.
const MUCH: usize = 1024 * 1024;
/// Less than this is little.
const LITTLE: usize = 128 * 1024;
/// Sessions the end may list at the start of a link, less what it keeps of ended ones.
const MOST_SHELLS: usize = 160;

/// The end, and whom to wake.
#[derive(Debug, Clone)]
pub(crate) struct SharedEnd(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// There may be something to send.
    outgoing: Notify,
    /// There may be room for output, or nothing left to wait for.
    progress: Notify,
}

#[derive(Debug)]
struct State {
    end: ShellEnd,
    /// What terminals are read into.
    buffer: Vec<u8>,
    /// Whether the end has held much since memory was last given back.
    has_held_much: bool,
}

impl SharedEnd {
    /// An end without sessions, of a run that nobody has seen before.
    pub(crate) fn new(max_shells: usize) -> Self {
        let config = ShellConfig {
            max_sessions: max_shells.min(MOST_SHELLS),
            ..ShellConfig::new(&instance())
        };
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                end: ShellEnd::new(config),
                buffer: Vec::new(),
                has_held_much: false,
            }),
            outgoing: Notify::new(),
            progress: Notify::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // One thread, and no step that could leave the end half changed.
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that may give the link something to send.
    fn change<T>(&self, change: impl FnOnce(&mut ShellEnd) -> T) -> T {
        let result = change(&mut self.state().end);
        self.0.outgoing.notify_one();
        result
    }

    // For the link.

    /// A link begins.
    pub(crate) fn connected(&self) -> Generation {
        self.change(|end| end.connected(since_boot()))
    }

    /// A link is gone.
    pub(crate) fn disconnected(&self, generation: Generation) {
        self.state().end.disconnected(generation);
    }

    /// A message has come; what it means is told by [`Self::event`].
    pub(crate) fn receive(&self, from: Generation, message: Message) -> Result<(), LinkError> {
        let mut state = self.state();
        // What is held grows between messages and shrinks with them.
        state.has_held_much |= state.end.memory() > MUCH;
        let result = state.end.receive(from, message, since_boot());
        if state.has_held_much && state.end.memory() < LITTLE {
            state.has_held_much = false;
            heap::give_back();
        }
        drop(state);
        self.0.outgoing.notify_one();
        self.0.progress.notify_waiters();
        result
    }

    /// When [`Self::tick`] is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let wait = self.state().end.deadline()?.saturating_sub(since_boot());
        Some(Instant::now() + wait)
    }

    /// Time has passed.
    pub(crate) fn tick(&self) -> Result<(), LinkError> {
        self.change(|end| end.tick(since_boot()))
    }

    /// What has happened, oldest first.
    pub(crate) fn event(&self) -> Option<ToShellEnd> {
        self.state().end.event()
    }

    /// The next message to send. Asked for when the socket can take one.
    pub(crate) fn transmit(&self) -> Option<Message> {
        self.state().end.transmit(since_boot())
    }

    /// Waits until there may be something to send; cancel safe.
    pub(crate) async fn outgoing(&self) {
        self.0.outgoing.notified().await;
    }

    /// Waits until the peer has everything of every session; cancel safe.
    pub(crate) async fn settled(&self) {
        loop {
            let progress = self.0.progress.notified();
            if self.state().end.sessions().next().is_none() {
                return;
            }
            progress.await;
        }
    }

    // For the shells.

    /// The shell of a session runs, in a terminal of this size.
    pub(crate) fn started(&self, sid: &str, size: Winsize) -> Result<(), SessionError> {
        self.change(|end| {
            end.started(sid)?;
            end.resized(sid, size, 0)
        })
    }

    /// The shell of a session could not be started.
    pub(crate) fn refused(&self, sid: &str, why: &str) {
        if let Err(error) = self.change(|end| end.refused(sid, why)) {
            log::debug!("refusing a shell: {error}");
        }
    }

    /// Waits until a running shell's output may be read; cancel safe.
    pub(crate) async fn room(&self, sid: &str) {
        loop {
            let progress = self.0.progress.notified();
            if self.state().end.room(sid) >= LAST_WORDS + WORTHWHILE {
                return;
            }
            progress.await;
        }
    }

    /// Takes what a terminal holds, as far as there is room for it. Returns how many bytes, and
    /// whether the terminal is still open.
    pub(crate) fn read(&self, sid: &str, pty: &Pty, time_ms: u64) -> (usize, bool) {
        let (count, read) = self.take(sid, LAST_WORDS, time_ms, |space| pty.read(space));
        (count, read != Read::Closed)
    }

    /// Takes what the terminal of an ended shell still holds. There is room for it.
    pub(crate) fn read_last(&self, sid: &str, pty: &Pty, time_ms: u64) {
        self.take(sid, 0, time_ms, |space| {
            let most = space.len().min(LAST_WORDS);
            pty.read_last(space.get_mut(..most).unwrap_or_default())
        });
    }

    /// Keeps what `read` puts into the space it is given; `spared` bytes of the room are not used.
    fn take(
        &self,
        sid: &str,
        spared: usize,
        time_ms: u64,
        read: impl FnOnce(&mut [u8]) -> (usize, Read),
    ) -> (usize, Read) {
        let mut state = self.state();
        let State { end, buffer, .. } = &mut *state;
        buffer.resize(OUTPUT_READ, 0);
        let most = end.room(sid).saturating_sub(spared).min(OUTPUT_READ);
        let (count, read) = read(buffer.get_mut(..most).unwrap_or_default());
        if count > 0 {
            let bytes = buffer.get(..count).unwrap_or_default();
            if let Err(error) = end.output(sid, bytes, time_ms) {
                // Never: there is room.
                log::error!("output of a shell is lost: {error}");
            }
            self.0.outgoing.notify_one();
        }
        (count, read)
    }

    /// Writes waiting input for as long as `write` takes some: it returns how much of what it is
    /// given, or `None` when the terminal takes nothing now. Returns how much was written, and
    /// whether the terminal is full.
    pub(crate) fn write(
        &self,
        sid: &str,
        mut write: impl FnMut(&[u8]) -> io::Result<Option<usize>>,
    ) -> (usize, bool) {
        let mut state = self.state();
        let mut written = 0;
        let is_full = loop {
            let input = state.end.input(sid);
            if input.is_empty() {
                break false;
            }
            let count = match write(input) {
                Ok(Some(count)) => count,
                Ok(None) => break true,
                // The terminal is gone, and soon the shell: nobody will read the rest.
                Err(_) => break false,
            };
            written += count;
            if state.end.wrote(sid, count).is_err() {
                break false;
            }
        };
        if written > 0 {
            self.0.outgoing.notify_one();
        }
        (written, is_full)
    }

    /// Where one of these characters waits in a session's input: the last one, and its offset.
    pub(crate) fn find_input(&self, sid: &str, wanted: &[u8]) -> Option<(u64, u8)> {
        let state = self.state();
        let find = |byte: &u8| Some((state.end.find_input(sid, &[*byte])?, *byte));
        wanted.iter().filter_map(find).max()
    }

    /// An interrupt character was carried out as a signal. Returns how many bytes of input before
    /// it are lost, `None` if it was written meanwhile.
    pub(crate) fn interrupted(&self, sid: &str, offset: u64) -> Option<u64> {
        self.change(|end| end.interrupted(sid, offset)).ok()
    }

    /// A session's terminal has another size.
    pub(crate) fn resized(&self, sid: &str, size: Winsize, time_ms: u64) {
        if let Err(error) = self.change(|end| end.resized(sid, size, time_ms)) {
            log::debug!("the size of a shell is not told: {error}");
        }
    }

    /// Says something beside the stream, now or not at all.
    pub(crate) fn say(&self, message: Message) {
        if let Err(error) = self.change(|end| end.send(message)) {
            log::debug!("a notice is not sent: {error}");
        }
    }

    /// A session's shell has ended; what is still to be sent of it is kept.
    pub(crate) fn ended(&self, sid: &str, stop: Stop) {
        if let Err(error) = self.change(|end| end.ended(sid, stop)) {
            log::debug!("the end of a shell is not told: {error}");
        }
        self.0.progress.notify_waiters();
    }
}

/// A name for this run of the agent.
fn instance() -> String {
    let mut bytes = [0; 16];
    // Without randomness the time of the start has to do.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        return format!("boot-{}", since_boot().as_nanos());
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
