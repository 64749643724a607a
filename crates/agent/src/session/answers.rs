//! Orders that come over a plain link, and their answers.

use std::time::Duration;

use bytes::Bytes;
use longwire_protocol::shell::{FromDevice, Stop, Winsize, text};

use super::ending::StopOrder;
use super::handle::{InputWay, PlainInput, Untaken};
use super::plain::PlainWire;
use super::wire::{Order, Wire};
use super::{Handle, PLAIN_HELD, Sessions, UNDELIVERED};

/// How long input may cross the news that its shell has ended.
const CROSSING: Duration = Duration::from_secs(10);

impl Sessions {
    /// Starts a shell for a session. The shell says itself that it has started; what is returned
    /// is the refusal, if there is one.
    pub(crate) fn open(
        &mut self,
        sid: &str,
        user: &str,
        size: Option<Winsize>,
    ) -> Option<FromDevice> {
        self.tidy();
        if self.running(sid).is_some() {
            return Some(FromDevice::Refused(text::ALREADY_RUNNING.to_owned()));
        }
        if self.tasks.len() >= self.config.max_shells + UNDELIVERED {
            return Some(FromDevice::Refused(text::TOO_MANY_SHELLS.to_owned()));
        }
        let most_held = PLAIN_HELD / self.config.max_shells.max(1);
        let outbox = self.outbox.for_shell();
        let wire = |_| Wire::Plain(PlainWire::new(sid, outbox, most_held));
        let way = InputWay::Plain(PlainInput::new());
        let started = self.start(sid, user, size, way, wire);
        started.err().map(FromDevice::Refused)
    }

    /// Notes that there is another link. The last words of shells may have been lost with the one
    /// before: they are said again to whoever still believes that such a shell runs.
    pub(crate) fn new_link(&mut self) {
        self.tidy();
        for ended in &mut self.ended {
            ended.perhaps_lost = true;
        }
    }

    /// Types bytes into a shell. Returns the complaint, if there is one.
    pub(crate) async fn input(&mut self, sid: &str, bytes: Bytes) -> Option<FromDevice> {
        let plain = self.running_mut(sid).filter(|handle| !handle.is_streamed());
        let Some(handle) = plain else {
            // What was typed while the shell ended crosses the news of its end; a complaint could
            // overtake it.
            if self.has_news(sid) {
                return None;
            }
            let complaint = Some(FromDevice::InputFailed(text::SESSION_NOT_FOUND.to_owned()));
            let Some(ended) = self.ended.iter_mut().find(|ended| ended.sid == sid) else {
                return complaint;
            };
            if std::mem::take(&mut ended.perhaps_lost) {
                return Some(FromDevice::Stop(ended.news.clone()));
            }
            return complaint.filter(|_| ended.at.elapsed() >= CROSSING);
        };
        match handle.input(bytes).await {
            // It has ended meanwhile, and says so.
            Ok(()) | Err(Untaken::Gone) => None,
            Err(Untaken::Full) => Some(FromDevice::InputFailed(text::command_failed(
                sid,
                "its input buffer is full",
            ))),
        }
    }

    /// Notes the answer to a shell's ping; a late one does no harm.
    pub(crate) fn pong(&mut self, sid: &str) {
        if let Some(handle) = self.running(sid) {
            handle.tell(Order::Pong);
        }
    }

    /// Stops one shell, or without session id all shells of a user. Each shell answers when it has
    /// ended; what is returned is the answer when there is none to wait for.
    pub(crate) fn stop(&mut self, sid: &str, user: &str) -> Option<FromDevice> {
        if sid.is_empty() {
            return self.stop_user(user);
        }
        let stopped = Some(FromDevice::Stop(Stop::default()));
        if let Some(handle) = self.running_mut(sid) {
            // A second request while the first is being worked on is answered at once.
            return if handle.stop(StopOrder::Requested) {
                None
            } else {
                stopped
            };
        }
        if self.has_news(sid) {
            return None;
        }
        if self.ended.iter().any(|ended| ended.sid == sid) {
            return stopped;
        }
        Some(stop_failed(text::stop_session_not_found(sid)))
    }

    fn stop_user(&mut self, user: &str) -> Option<FromDevice> {
        if user.is_empty() {
            return Some(stop_failed(text::STOP_WITHOUT_SESSION.to_owned()));
        }
        let mut found = false;
        for handle in self.shells.values_mut() {
            if handle.user == user && !handle.is_over() {
                found |= handle.stop(StopOrder::Requested);
            }
        }
        if found {
            None
        } else {
            Some(stop_failed(text::SESSION_NOT_FOUND.to_owned()))
        }
    }

    /// Whether the shell has ended and its last message is still to come.
    fn has_news(&mut self, sid: &str) -> bool {
        self.tidy();
        self.shells.get(sid).is_some_and(Handle::is_over)
    }
}

fn stop_failed(text: String) -> FromDevice {
    FromDevice::Stop(Stop {
        error: true,
        text,
        ..Stop::default()
    })
}
