//! A terminal over one connection, with whose end it ends: where a server knows no sessions.

use std::time::Duration;

use bytes::Bytes;
use longwire_client::terminal::{Event, Events, Terminal};
use longwire_protocol::shell::{FromDevice, text};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::keyboard::Keyboard;
use super::outcome::{Outcome, not_started};
use super::screen::{Piece, Screen};
use super::typist::{self, Wire};
use super::{START_TIMEOUT, finish, size};
use crate::failure::Failure;
use crate::recording::Recorder;
use crate::say::{is_terminal, say, say_failure};
use crate::signals::{Signal, Signals};
use crate::tty;

/// What is said when the link's own words are missing.
const LOST: &str = "connection to the server lost";

/// How long the end of the link is waited for after saying good-bye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs a terminal over an open link until it ends, and returns the program's exit code.
pub(crate) async fn run_plain(
    terminal: Terminal,
    mut events: Events,
    recorder: Option<Recorder>,
) -> Result<u8, Failure> {
    let mut signals = Signals::new()?;
    let size = size();
    let asked = if is_terminal() {
        terminal.start(Some(size)).await
    } else {
        terminal.start_quiet(Some(size)).await
    };
    asked.map_err(|gone| Failure::plain(gone.to_string()))?;
    let started = tokio::select! {
        started = timeout(START_TIMEOUT, started(&mut events)) => started.unwrap_or_else(|_| {
            Err(Failure::plain("Unable to start the shell: the device does not answer"))
        }),
        signal = signals.end() => Err(Failure::plain(format!("ended by {signal}"))),
    };
    let early = match started {
        Ok(early) => early,
        Err(failure) => {
            leave(terminal, events).await;
            return Err(failure);
        }
    };

    if let Some(now) = tty::size()
        && now != size
    {
        // It changed while nobody listened. Where there is no link any more, its end is next.
        let _ = terminal.resize(now);
    }
    let typed = tty::is_typed();
    if typed && is_terminal() {
        say("Press CTRL+] to quit the session");
    }
    let raw = if typed {
        Some(tty::Changed::raw()?)
    } else {
        None
    };
    let screen = Screen::start(recorder)?;
    if !early.is_empty()
        && let Some(room) = screen.room().await
    {
        room.send(Piece::plain(early));
    }
    let mut keyboard = Keyboard::start(typed)?;
    let running = Running {
        terminal: &terminal,
        events: &mut events,
        screen: &screen,
        signals: &mut signals,
        leave: &mut keyboard.leave,
        raw: raw.as_ref(),
    };
    let outcome = running.until_end(keyboard.input, typed).await;
    leave(terminal, events).await;
    finish(screen, &mut signals, &mut keyboard.leave).await;
    drop(raw);
    if let Some(words) = outcome.words {
        say_failure(&Failure::plain(words));
    }
    Ok(outcome.code)
}

/// Waits until the shell runs and returns output that came before the news.
async fn started(events: &mut Events) -> Result<Bytes, Failure> {
    loop {
        match events.next().await {
            Some(Event::Device(said)) => match said {
                FromDevice::Started => return Ok(Bytes::new()),
                FromDevice::Output(early) => return Ok(early),
                FromDevice::Refused(why)
                | FromDevice::InputFailed(why)
                | FromDevice::Failed { text: why, .. } => {
                    return Err(Failure::plain(format!("Unable to start the shell: {why}")));
                }
                FromDevice::Stop(stop) => return Err(not_started(&stop)),
                FromDevice::Ping { .. } | FromDevice::Delay { .. } | FromDevice::Resize(_) => {}
            },
            Some(Event::Lost(lost)) => return Err(Failure::plain(lost.to_string())),
            Some(Event::Silent(_) | Event::HeardAgain) => {}
            None => return Err(Failure::plain(LOST)),
        }
    }
}

/// What a running terminal listens to.
struct Running<'a> {
    terminal: &'a Terminal,
    events: &'a mut Events,
    screen: &'a Screen,
    signals: &'a mut Signals,
    leave: &'a mut mpsc::Receiver<()>,
    raw: Option<&'a tty::Changed>,
}

impl Running<'_> {
    async fn until_end(self, input: mpsc::Receiver<Bytes>, typed: bool) -> Outcome {
        let (tell_shown, shown) = mpsc::channel(1);
        // Ends with this function.
        let mut tasks = JoinSet::new();
        tasks.spawn(typist::run(
            input,
            shown,
            typed,
            Wire::Plain(self.terminal.clone()),
        ));
        loop {
            tokio::select! {
                biased;
                Some(()) = self.leave.recv() => return Outcome::left(),
                signal = self.signals.next() => {
                    if let Some(outcome) = self.signal(signal) {
                        return outcome;
                    }
                }
                // Nobody can type any more, so nobody can leave; a file's end is no such end.
                Some(Ok(Ok(()))) = tasks.join_next() => {
                    return Outcome::otherwise("the terminal is gone");
                }
                // Nothing is taken off the link before there is room for it.
                (room, event) = async { (self.screen.room().await, self.events.next().await) } => {
                    let Some(room) = room else {
                        return Outcome::otherwise("output cannot be written");
                    };
                    let Some(event) = event else {
                        return Outcome::otherwise(LOST);
                    };
                    if let Event::Device(FromDevice::Output(bytes)) = event {
                        room.send(Piece::plain(bytes));
                        // Full means that it has been said already.
                        let _ = tell_shown.try_send(());
                    } else if let Some(outcome) = happened(event, room) {
                        return outcome;
                    }
                }
            }
        }
    }

    fn signal(&self, signal: Signal) -> Option<Outcome> {
        match signal {
            Signal::Resized => {
                if let Some(size) = tty::size() {
                    // Where there is no link any more, its end is the next event.
                    let _ = self.terminal.resize(size);
                }
                None
            }
            Signal::Continued => {
                let again = self.raw.map_or(Ok(()), tty::Changed::again);
                again
                    .err()
                    .map(|error| Outcome::otherwise(error.to_string()))
            }
            Signal::End(name) => Some(Outcome::otherwise(format!("ended by {name}"))),
        }
    }
}

/// Anything but output: an end, or something to tell.
fn happened(event: Event, room: mpsc::Permit<'_, Piece>) -> Option<Outcome> {
    let notice = |line: &str| room.send(Piece::Notice(line.to_owned()));
    match event {
        Event::Device(said) => match said {
            FromDevice::Stop(stop) => return Some(Outcome::stopped(&stop)),
            // There is no shell any more, and nothing will come from it.
            FromDevice::InputFailed(why) if why == text::SESSION_NOT_FOUND => {
                return Some(Outcome::otherwise(why));
            }
            FromDevice::InputFailed(why) => notice(&format!("input was not delivered: {why}")),
            FromDevice::Refused(why) | FromDevice::Failed { text: why, .. } => notice(&why),
            FromDevice::Started
            | FromDevice::Output(_)
            | FromDevice::Ping { .. }
            | FromDevice::Delay { .. }
            | FromDevice::Resize(_) => {}
        },
        Event::Silent(silence) => notice(&format!(
            "no answer from the server for {} s; Ctrl-] leaves",
            silence.as_secs()
        )),
        Event::HeardAgain => notice("the server answers again"),
        Event::Lost(lost) => return Some(Outcome::lost(&lost)),
    }
    None
}

/// Says good-bye: real agents keep a shell's place until they are told to stop it, even when it has
/// ended by itself.
async fn leave(terminal: Terminal, mut events: Events) {
    let goodbye = async {
        // Where the link is gone there is nobody to tell.
        let _ = terminal.stop().await;
        drop(terminal);
        while events.next().await.is_some() {}
    };
    // A link that does not even take this has had its chance.
    let _ = timeout(GOODBYE_TIMEOUT, goodbye).await;
}
