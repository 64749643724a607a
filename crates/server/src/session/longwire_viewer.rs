//! Viewers that speak longwire.v1.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use longwire_link::{Generation, ShellConfig, ShellEnd, wire};
use longwire_protocol::shell::{Winsize, status, typ};
use longwire_protocol::{Message, Value, prop, proto};

use super::device::DeviceSessions;
use super::effect::ToViewer;
use super::input::ReadBack;
use super::live::Session;
use super::notice::word;
use super::tail::{Next, Sized};
use crate::session::ViewerId;

/// Sessions on one viewer's link.
const SESSIONS_MAX: usize = 8;

/// Unacknowledged output that is kept for one viewer, of all its sessions.
const RINGS: usize = 2 * 1024 * 1024;

/// Notices that wait for one viewer to take them; of more the oldest are lost.
const NOTICES_MAX: usize = 16;

/// How a viewer wants a session.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// What it has of the output; `None`: it wants the screen.
    pub(super) have: Option<u64>,
    /// The epoch it knows.
    pub(super) epoch: u64,
    pub(super) size: Option<Winsize>,
    /// It wants no control.
    pub(super) watch: bool,
    /// It is a program: it is never skipped ahead, and its input never grows stale.
    pub(super) is_script: bool,
    /// It wants control although its own epoch may be over; or it is a request anew without one.
    pub(super) claims: bool,
}

impl Request {
    pub(super) fn new(
        have: Option<u64>,
        epoch: u64,
        size: Option<Winsize>,
        more: &longwire_protocol::Props,
    ) -> Self {
        let is = |name| more.get(name) == Some(&Value::Bool(true));
        Self {
            have,
            epoch,
            size,
            watch: is(word::WATCH),
            is_script: is(word::ALL_OUTPUT) || more.get(prop::NOTICES) == Some(&Value::Bool(false)),
            claims: false,
        }
    }
}

/// A viewer's view of one session.
#[derive(Debug)]
pub(super) struct Attachment {
    /// Output before this was given to the link.
    fed: u64,
    /// The last size that was.
    sized: Option<Sized>,
    /// The end was.
    is_over: bool,
    /// The viewer has said `new` and waits for the answer.
    pub(super) is_opening: bool,
    pub(super) is_script: bool,
    pub(super) size: Option<Winsize>,
    /// The state was sent.
    is_stated: bool,
    /// What is to be said beside the stream.
    pub(super) presence: bool,
    pub(super) device: bool,
    pub(super) notices: VecDeque<Message>,
    /// The journal was asked.
    is_reading: bool,
    /// It had nothing yet.
    pub(super) is_starved: bool,
    /// Output up to here was there before the viewer.
    pub(super) live_from: Option<u64>,
    /// Where its own input began, for the one who had control before.
    pub(super) has_control: bool,
}

impl Attachment {
    pub(super) fn new(request: &Request, fed: u64) -> Self {
        Self {
            fed,
            sized: None,
            is_over: false,
            is_opening: false,
            is_script: request.is_script,
            size: request.size,
            is_stated: false,
            presence: true,
            device: true,
            notices: VecDeque::new(),
            is_reading: false,
            is_starved: false,
            live_from: None,
            has_control: false,
        }
    }

    pub(super) fn notice(&mut self, notice: Message) {
        if self.notices.len() == NOTICES_MAX {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }
}

#[derive(Debug)]
pub(super) struct LongwireViewer {
    pub(super) end: ShellEnd,
    pub(super) generation: Generation,
    pub(super) instance: String,
    pub(super) attachments: BTreeMap<String, Attachment>,
    /// The last word on a link that is given up.
    pub(super) farewell: Option<Message>,
    /// Refused because these hold the place.
    pub(super) held_by: BTreeMap<String, Vec<String>>,
}

impl LongwireViewer {
    pub(super) fn new(instance: &str, now: Duration) -> Self {
        let config = ShellConfig {
            rings: RINGS,
            max_sessions: SESSIONS_MAX,
            ..ShellConfig::for_viewer(instance)
        };
        let mut end = ShellEnd::new(config);
        let generation = end.connected(now);
        Self {
            end,
            generation,
            instance: String::new(),
            attachments: BTreeMap::new(),
            farewell: None,
            held_by: BTreeMap::new(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.attachments.len() >= SESSIONS_MAX
    }

    pub(super) fn read_back(&mut self, sid: &str, from: u64, found: ReadBack) {
        let Some(attachment) = self.attachments.get_mut(sid) else {
            return;
        };
        if !std::mem::take(&mut attachment.is_reading) || attachment.fed != from {
            return;
        }
        match found {
            ReadBack::Bytes(bytes) if bytes.is_empty() => attachment.is_starved = true,
            ReadBack::Bytes(bytes) => {
                // As much as there was room for was asked for, and nobody else gives it anything.
                let room = self.end.room(sid).min(bytes.len());
                let piece = bytes.get(..room).unwrap_or_default();
                if self.end.output(sid, piece, 0).is_ok() {
                    attachment.fed += room as u64;
                }
            }
            ReadBack::Gap { to } => attachment.skip(&mut self.end, sid, to),
            // What comes now is all there is.
            ReadBack::Failed => attachment.is_script = false,
        }
    }

    /// The session is over for its viewers, whatever the device still says.
    pub(super) fn release(&mut self, sid: &str, stop: &longwire_protocol::shell::Stop) {
        if let Some(attachment) = self.attachments.get_mut(sid)
            && !std::mem::replace(&mut attachment.is_over, true)
        {
            let _ = self.end.ended(sid, stop.clone());
        }
    }

    /// Gives the link what it has room for. The result is where the journal is to be read, if it is.
    fn feed(&mut self, session: &Session) -> Option<(u64, usize)> {
        let sid = session.sid.as_str();
        let attachment = self.attachments.get_mut(sid)?;
        if attachment.is_over || attachment.is_opening {
            return None;
        }
        loop {
            let room = self.end.room(sid);
            match session.tail.next(attachment.fed, attachment.sized, room) {
                Next::Output { bytes, time_ms } => {
                    if self.end.output(sid, bytes, time_ms).is_err() {
                        return None;
                    }
                    attachment.fed += bytes.len() as u64;
                }
                Next::Size { size, time_ms } => {
                    attachment.sized = Some(size);
                    let _ = self.end.resized(sid, size.1, time_ms);
                }
                Next::End => {
                    if attachment.fed == session.tail.end()
                        && let Some(over) = &session.over
                    {
                        attachment.is_over = true;
                        let _ = self.end.ended(sid, over.stop.clone());
                    }
                    return None;
                }
                // It has more than this run of the server: that may still come.
                Next::Missing if attachment.fed > session.tail.end() && !session.is_over() => {
                    return None;
                }
                Next::Missing if attachment.is_script && attachment.fed < session.tail.end() => {
                    if attachment.is_reading || attachment.is_starved || room == 0 {
                        return None;
                    }
                    attachment.is_reading = true;
                    return Some((attachment.fed, room));
                }
                Next::Missing => attachment.show(&mut self.end, session),
            }
        }
    }
}

impl Attachment {
    /// Goes on at the present, with the screen in place of what comes before.
    pub(super) fn show(&mut self, end: &mut ShellEnd, session: &Session) {
        let offset = session.tail.end();
        let screen = Bytes::from(session.screen.snapshot());
        let size = session.screen.size();
        let _ = end.show(&session.sid, offset, Some(size), screen);
        self.fed = offset;
        self.sized = session.size.map(|size| (offset, size));
    }

    /// Goes on after a gap, with nothing in its place.
    fn skip(&mut self, end: &mut ShellEnd, sid: &str, to: u64) {
        let _ = end.show(sid, to, None, Bytes::new());
        self.fed = to;
    }
}

impl DeviceSessions {
    pub(super) fn longwire_viewer(&mut self, id: ViewerId) -> Option<&mut LongwireViewer> {
        self.viewers.get_mut(&id)?.longwire()
    }

    pub(super) fn attachment(&mut self, id: ViewerId, sid: &str) -> Option<&mut Attachment> {
        self.longwire_viewer(id)?.attachments.get_mut(sid)
    }

    pub(super) fn say_unknown(&mut self, id: ViewerId, sid: &str) {
        if let Some(viewer) = self.viewers.get_mut(&id) {
            viewer.is_ready = true;
            if let Some(longwire) = viewer.longwire() {
                longwire.attachments.remove(sid);
                longwire.end.unknown(sid);
            }
        }
    }

    /// What is next for a longwire viewer.
    pub(super) fn next_for_longwire(&mut self, now: Instant, id: ViewerId) -> Option<ToViewer> {
        let since = self.since(now);
        let closing = self.viewers.get(&id)?.closing;
        if closing.is_none() {
            self.feed(id);
        }
        if let Some(message) = self.beside_the_stream(now, id) {
            return Some(ToViewer::Message(message));
        }
        let longwire = self.longwire_viewer(id)?;
        if let Some(farewell) = longwire.farewell.take() {
            return Some(ToViewer::Message(farewell));
        }
        let Some(mut message) = longwire.end.transmit(since) else {
            return closing.map(ToViewer::Close);
        };
        if message.proto == proto::SHELL {
            if message.typ == wire::typ::STATE
                && let Some(attachment) = longwire.attachments.get_mut(&message.sid)
            {
                attachment.is_stated = true;
            }
            if message.typ == typ::NEW
                && message.props.get_int(prop::STATUS) == Some(status::ERROR)
                && let Some(held_by) = longwire.held_by.remove(&message.sid)
            {
                let sids = held_by.into_iter().map(Value::from).collect();
                message.props.set(word::DETACHED, Value::Array(sids));
            }
        }
        Some(ToViewer::Message(message))
    }

    fn feed(&mut self, id: ViewerId) {
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        let Some(longwire) = viewer.longwire() else {
            return;
        };
        let sids: Vec<_> = longwire.attachments.keys().cloned().collect();
        for sid in sids {
            let Some(session) = self.sessions.get(&sid) else {
                continue;
            };
            let Some(longwire) = self.viewers.get_mut(&id).and_then(|v| v.longwire()) else {
                return;
            };
            if let Some((from, max)) = longwire.feed(session) {
                self.ask_read_back(id, &sid, from, max);
            }
        }
    }

    /// Presence, the device's state and notices: once the session is known to the viewer.
    fn beside_the_stream(&mut self, now: Instant, id: ViewerId) -> Option<Message> {
        let longwire = self.longwire_viewer(id)?;
        let (sid, attachment) = longwire.attachments.iter_mut().find(|(_, attachment)| {
            attachment.is_stated
                && (attachment.presence || attachment.device || !attachment.notices.is_empty())
        })?;
        let sid = sid.clone();
        if std::mem::take(&mut attachment.device) {
            let live_from = attachment.live_from.take();
            return self.device_message(&sid, live_from);
        }
        if std::mem::take(&mut attachment.presence) {
            return self.presence_message(now, &sid, id);
        }
        attachment.notices.pop_front()
    }
}

/// The longest time input may have waited for the device before a person is asked whether it is still
/// meant.
pub(super) const HOLD_INPUT_AFTER: Duration = Duration::from_secs(60);
