//! A session that runs: keys go in, output and words about it come out.

use bytes::Bytes;
use longwire_client::session::{
    DeviceLink, Event, Events, NoticeKind, Position, Present, Refusal, Session,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::keyboard::Keyboard;
use super::notices;
use super::outcome::Outcome;
use super::questions::Questions;
use super::screen::{Piece, Receipt, Screen};
use super::typist::{self, Wire};
use crate::say::is_terminal;
use crate::signals::{Signal, Signals};
use crate::tty;

/// How a running session is over for us.
pub(super) enum Ended {
    /// The shell has ended.
    Shell(Outcome),
    /// Anything else: the shell may run on.
    Otherwise(Outcome),
}

/// A running session and what is known of it.
pub(super) struct Running<'a> {
    session: &'a Session,
    screen: &'a Screen,
    /// Whether nothing is to be typed.
    watches: bool,
    is_person: bool,
    control: bool,
    /// Control was asked for at the start, and the answer has not come.
    awaits_control: bool,
    /// Whether input waits for a yes or no.
    is_held: bool,
    /// Whether there is no connection.
    is_lost: bool,
    device: Option<DeviceLink>,
    others: Vec<String>,
    taken_by: Option<String>,
    questions: Questions,
    tell_shown: Option<mpsc::Sender<()>>,
}

impl<'a> Running<'a> {
    pub(super) fn new(
        session: &'a Session,
        screen: &'a Screen,
        is_person: bool,
        watches: bool,
        awaits_control: bool,
    ) -> Self {
        Running {
            session,
            screen,
            watches,
            is_person,
            control: !watches,
            awaits_control,
            is_held: false,
            is_lost: false,
            device: None,
            others: Vec::new(),
            taken_by: None,
            questions: Questions::default(),
            tell_shown: None,
        }
    }

    pub(super) async fn until_end(
        &mut self,
        early: Vec<Event>,
        events: &mut Events,
        signals: &mut Signals,
        keyboard: &mut Keyboard,
        raw: Option<&tty::Changed>,
    ) -> Ended {
        for event in early {
            if let Some(ended) = self.happened(event).await {
                return ended;
            }
        }
        // Ends with this function.
        let mut tasks = JoinSet::new();
        if !self.is_person {
            let (tell_shown, shown) = mpsc::channel(1);
            self.tell_shown = Some(tell_shown);
            let (_, nothing) = mpsc::channel(1);
            let input = std::mem::replace(&mut keyboard.input, nothing);
            let wire = Wire::Session(self.session.clone());
            tasks.spawn(typist::run(input, shown, false, wire));
        }
        let mut typed: Option<Bytes> = None;
        loop {
            let waiting = typed.clone().unwrap_or_default();
            tokio::select! {
                biased;
                Some(()) = keyboard.leave.recv() => return Ended::Otherwise(Outcome::left()),
                signal = signals.next() => {
                    if let Some(outcome) = self.signal(signal, raw) {
                        return Ended::Otherwise(outcome);
                    }
                }
                taken = self.session.input(waiting), if typed.is_some() => {
                    typed = None;
                    if taken.is_err() {
                        // Its end is the next event.
                    }
                }
                keys = keyboard.input.recv(), if self.is_person && typed.is_none() => match keys {
                    Some(keys) => match self.keys(keys).await {
                        Keys::Typed(keys) => typed = Some(keys),
                        Keys::Done => {}
                        Keys::Leave => return Ended::Otherwise(Outcome::left()),
                    },
                    // Nobody can type any more, so nobody can leave.
                    None => return Ended::Otherwise(Outcome::otherwise("the terminal is gone")),
                },
                event = events.next() => match event {
                    Some(event) => {
                        if let Some(ended) = self.happened(event).await {
                            return ended;
                        }
                    }
                    None => return Ended::Otherwise(Outcome::otherwise("the session is gone")),
                },
            }
        }
    }

    fn signal(&self, signal: Signal, raw: Option<&tty::Changed>) -> Option<Outcome> {
        match signal {
            Signal::Resized => {
                if let Some(size) = tty::size() {
                    // Where the session is gone, its end is the next event.
                    let _ = self.session.resize(size);
                }
                None
            }
            Signal::Continued => {
                let again = raw.map_or(Ok(()), tty::Changed::again);
                again
                    .err()
                    .map(|error| Outcome::otherwise(error.to_string()))
            }
            Signal::End(name) => Some(Outcome::otherwise(format!("ended by {name}"))),
        }
    }

    /// Somebody typed: for the device, or for us.
    async fn keys(&mut self, keys: Bytes) -> Keys {
        let key = keys.first().copied().unwrap_or_default();
        if self.is_held {
            let answered = match key {
                b'y' | b'Y' => self.session.release_input().await,
                b'n' | b'N' => self.session.drop_input().await,
                _ => return Keys::Done,
            };
            // Where the session is gone, its end is the next event.
            let _ = answered;
            self.is_held = false;
            return Keys::Done;
        }
        if self.control {
            return Keys::Typed(keys);
        }
        match key {
            b'q' | b'Q' => return Keys::Leave,
            b't' | b'T' => {
                // Where the session is gone, its end is the next event.
                let _ = self.session.take_control().await;
            }
            _ => {
                self.say("you look on: t takes control, q or Ctrl-] leaves")
                    .await
            }
        }
        Keys::Done
    }

    /// A line of our own.
    async fn say(&self, line: &str) {
        if let Some(room) = self.screen.room().await {
            room.send(Piece::Notice(line.to_owned()));
        }
    }

    async fn show(&mut self, bytes: Bytes, upto: Position) -> Option<Ended> {
        let session = self.session.clone();
        let receipt: Receipt = Box::new(move || {
            // Where the session is gone nobody waits for it.
            let _ = session.shown(upto);
        });
        let Some(room) = self.screen.room().await else {
            return Some(Ended::Otherwise(Outcome::otherwise(
                "output cannot be written",
            )));
        };
        room.send(Piece::Output(bytes, Some(receipt)));
        if let Some(tell) = &self.tell_shown {
            // Full means that it has been said already.
            let _ = tell.try_send(());
        }
        None
    }

    async fn happened(&mut self, event: Event) -> Option<Ended> {
        match event {
            Event::Output {
                bytes,
                is_live,
                upto,
            } => {
                let bytes = if is_terminal() {
                    self.questions.without(bytes, is_live)
                } else {
                    bytes
                };
                return self.show(bytes, upto).await;
            }
            Event::Screen { bytes, upto, .. } => {
                self.questions = Questions::default();
                return self.show(bytes, upto).await;
            }
            Event::Ended(stop) => return Some(Ended::Shell(Outcome::stopped(&stop))),
            Event::Unknown => {
                let words = "the server does not have the session any more";
                return Some(Ended::Shell(Outcome::otherwise(words)));
            }
            Event::Closed(closed) => {
                let outcome = Outcome::otherwise(notices::closed(&closed));
                return Some(Ended::Otherwise(outcome));
            }
            Event::Refused { why, .. } => return Some(Ended::Shell(Outcome::otherwise(why))),
            Event::Control { ours, unarrived } => return self.control(ours, unarrived).await,
            Event::Reconnecting { why, attempt, .. } => {
                self.is_lost = true;
                let how = if self.is_person {
                    "; Ctrl-] leaves"
                } else {
                    ""
                };
                if attempt == 1 {
                    let line = format!("{why}; the shell runs on, connecting again{how}");
                    self.say(&line).await;
                } else if attempt >= 4 && attempt.is_power_of_two() {
                    self.say(&format!("still not connected: {why}{how}")).await;
                }
            }
            Event::Connected => {
                if std::mem::take(&mut self.is_lost) {
                    self.say("connected again").await;
                }
            }
            Event::Device(device) => {
                if let Some(words) = notices::device(self.device.replace(device), device) {
                    self.say(&words).await;
                }
            }
            Event::Presence(present) => self.present(&present).await,
            Event::Notice(notice) => {
                if let NoticeKind::TakenOver(by) = &notice.kind {
                    self.taken_by.clone_from(by);
                }
                if notice.kind == NoticeKind::Refused {
                    self.awaits_control = false;
                }
                if let Some(words) = notices::notice(&notice) {
                    self.say(&words).await;
                }
            }
            Event::Refusal(Refusal::DeviceAway) => {
                if let Some(room) = self.screen.room().await {
                    let line = "the device is away: what you type is not taken";
                    room.send(Piece::Alarm(line.to_owned()));
                }
            }
            Event::InputHeld(bytes) if self.is_person => {
                self.is_held = true;
                let words = format!(
                    "{bytes} bytes you typed more than a minute ago were not delivered: \
                     y sends them now, n drops them"
                );
                self.say(&words).await;
            }
            Event::InputHeld(_) => {
                // A script means what it says for ever; where it is gone, nobody says it.
                let _ = self.session.release_input().await;
            }
            Event::Interrupted(bytes) => {
                self.say(&format!("{bytes} bytes of input were dropped for it"))
                    .await;
            }
            Event::Resized(size) => {
                if !self.control
                    && is_terminal()
                    && let Some(ours) = tty::size()
                    && ours != size
                {
                    let words = format!(
                        "the session is {}×{}, your window {}×{}: make it the same to see it right",
                        size.cols, size.rows, ours.cols, ours.rows
                    );
                    self.say(&words).await;
                }
            }
            Event::Started | Event::Refusal(Refusal::NotInControl) => {}
        }
        None
    }

    /// Says who else is there, when somebody comes or goes.
    async fn present(&mut self, present: &[Present]) {
        let others: Vec<String> = present
            .iter()
            .filter(|viewer| !viewer.is_self)
            .map(|viewer| viewer.name.clone())
            .collect();
        if others != self.others {
            let words = notices::others(present);
            self.say(words.as_deref().unwrap_or("nobody else is here any more"))
                .await;
            self.others = others;
        }
    }

    async fn control(&mut self, ours: bool, unarrived: u64) -> Option<Ended> {
        let had = std::mem::replace(&mut self.control, ours);
        if ours {
            if unarrived > 0 {
                self.say(&format!("{unarrived} bytes of input were dropped"))
                    .await;
            }
            if !had {
                if !std::mem::take(&mut self.awaits_control) {
                    self.say("you are in control").await;
                }
                if let Some(size) = tty::size() {
                    // Where the session is gone, its end is the next event.
                    let _ = self.session.resize(size);
                }
            }
            return None;
        }
        self.is_held = false;
        let who = self
            .taken_by
            .take()
            .unwrap_or_else(|| "somebody else".to_owned());
        let lost = if unarrived > 0 {
            format!("; {unarrived} bytes of your input did not arrive")
        } else {
            String::new()
        };
        if !self.is_person {
            let words = format!("the session was taken over by {who}{lost}");
            return Some(Ended::Otherwise(Outcome::otherwise(words)));
        }
        if !self.watches && !self.awaits_control {
            let words = format!(
                "{who} is in control{lost}; you look on: t takes control, q or Ctrl-] leaves"
            );
            self.say(&words).await;
        }
        None
    }
}

/// What becomes of keys.
enum Keys {
    Typed(Bytes),
    Done,
    Leave,
}
