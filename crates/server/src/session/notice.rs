//! What viewers are told beside the stream: who is there, whether the device is, and what happens.

use std::time::Instant;

use longwire_protocol::{Message, Props, Value, prop, proto};

use super::device::DeviceSessions;
use super::live::Session;
use super::viewer::{End, Viewer};
use crate::session::ViewerId;

/// Types of messages that only viewers' links know.
pub(super) mod typ {
    /// To the viewer: who looks at the session.
    pub(in crate::session) const PRESENCE: &str = "presence";
    /// To the viewer: whether the device is there.
    pub(in crate::session) const DEVICE: &str = "device";
    /// To the viewer: something for people to know.
    pub(in crate::session) const NOTICE: &str = "notice";
    /// From the controller: input that was held is still meant.
    pub(in crate::session) const RELEASE: &str = "release";
    /// From the controller: somebody else who is there is to be in control.
    pub(in crate::session) const HAND_OVER: &str = "hand_over";
}

/// Properties of these.
pub(super) mod word {
    pub(in crate::session) const VIEWERS: &str = "viewers";
    pub(in crate::session) const ID: &str = "id";
    pub(in crate::session) const NAME: &str = "name";
    pub(in crate::session) const CONTROL: &str = "control";
    pub(in crate::session) const SELF: &str = "self";
    pub(in crate::session) const SINCE: &str = "since";
    pub(in crate::session) const CONNECTED: &str = "connected";
    pub(in crate::session) const LOSSLESS: &str = "lossless";
    pub(in crate::session) const KIND: &str = "kind";
    pub(in crate::session) const FROM: &str = "from";
    pub(in crate::session) const TO: &str = "to";
    pub(in crate::session) const BY: &str = "by";
    pub(in crate::session) const BYTES: &str = "bytes";
    pub(in crate::session) const PAUSED: &str = "paused";
    pub(in crate::session) const WATCH: &str = "watch";
    pub(in crate::session) const ALL_OUTPUT: &str = "all_output";
    pub(in crate::session) const DETACHED: &str = "detached";
}

/// A message of the shell protocol beside the stream.
fn message(typ: &str, sid: &str, props: Props) -> Message {
    Message {
        proto: proto::SHELL,
        typ: typ.to_owned(),
        sid: sid.to_owned(),
        props,
        ..Message::default()
    }
}

/// A notice of a kind, in words for people.
fn notice(sid: &str, kind: &str, props: Props, words: &str) -> Message {
    Message {
        body: bytes::Bytes::copy_from_slice(words.as_bytes()),
        ..message(typ::NOTICE, sid, props.with(word::KIND, kind))
    }
}

impl DeviceSessions {
    /// Who looks at the session, for one of them.
    pub(super) fn presence_message(
        &self,
        _now: Instant,
        sid: &str,
        to: ViewerId,
    ) -> Option<Message> {
        let session = self.sessions.get(sid)?;
        let viewers = session.viewers.iter().filter_map(|present| {
            let viewer = self.viewers.get(&present.viewer)?;
            let entry = [
                (word::ID, Value::from(present.viewer.0)),
                (word::NAME, Value::from(viewer.person.email())),
                (
                    word::CONTROL,
                    Value::from(session.in_control == Some(present.viewer)),
                ),
                (word::SELF, Value::from(present.viewer == to)),
                (word::SINCE, Value::from(present.since.millis())),
            ];
            let entry = entry
                .into_iter()
                .map(|(name, value)| (Value::from(name), value));
            Some(Value::Map(entry.collect()))
        });
        let props = Props::new().with(word::VIEWERS, Value::Array(viewers.collect()));
        Some(message(typ::PRESENCE, sid, props))
    }

    /// Whether the session's device is there.
    pub(super) fn device_message(&self, sid: &str, live_from: Option<u64>) -> Option<Message> {
        let session = self.sessions.get(sid)?;
        let mut props = Props::new()
            .with(word::CONNECTED, self.is_home(session))
            .with(word::SINCE, self.link_since.millis())
            .with(word::LOSSLESS, session.is_longwire());
        if let Some(offset) = live_from {
            props.set(prop::OFFSET, offset);
        }
        Some(message(typ::DEVICE, sid, props))
    }

    /// The device has come or gone, as far as these sessions know.
    pub(super) fn tell_of_device(&mut self, which: impl Fn(&Session) -> bool) {
        for session in self.sessions.values().filter(|session| which(session)) {
            for present in &session.viewers {
                if let Some(viewer) = self.viewers.get_mut(&present.viewer) {
                    viewer.is_ready = true;
                    if let Some(longwire) = viewer.longwire()
                        && let Some(attachment) = longwire.attachments.get_mut(&session.sid)
                    {
                        attachment.device = true;
                    }
                }
            }
        }
    }

    /// Somebody has come or gone, or control has changed hands.
    pub(super) fn tell_of_presence(&mut self, sid: &str) {
        self.out.seen += 1;
        self.for_each_viewer(sid, |_, viewer, sid| {
            if let Some(longwire) = viewer.longwire()
                && let Some(attachment) = longwire.attachments.get_mut(sid)
            {
                attachment.presence = true;
            }
        });
    }

    /// Tells viewers something: longwire ends by a notice, plain ends by a line among their output, unless
    /// they asked for none.
    pub(super) fn notice(
        &mut self,
        sid: &str,
        kind: &str,
        props: &Props,
        words: &str,
        to: impl Fn(ViewerId) -> bool,
    ) {
        let end = self.sessions.get(sid).map_or(0, |s| s.tail.end());
        self.for_each_viewer(sid, |id, viewer, sid| {
            if !to(id) {
                return;
            }
            match &mut viewer.end {
                End::Longwire(longwire) => {
                    if let Some(attachment) = longwire.attachments.get_mut(sid) {
                        attachment.notice(notice(sid, kind, props.clone(), words));
                    }
                }
                End::Plain(plain) => plain.notice(sid, end, words),
            }
        });
    }

    /// Does something with everybody who looks at a session.
    fn for_each_viewer(&mut self, sid: &str, mut what: impl FnMut(ViewerId, &mut Viewer, &str)) {
        let Some(session) = self.sessions.get(sid) else {
            return;
        };
        for present in &session.viewers {
            if let Some(viewer) = self.viewers.get_mut(&present.viewer) {
                viewer.is_ready = true;
                what(present.viewer, viewer, &session.sid);
            }
        }
    }

    pub(super) fn recording_notice(&mut self, sid: &str, is_paused: bool) {
        let words = if is_paused {
            "the recording cannot be written at present; the session waits"
        } else {
            "the recording goes on"
        };
        let props = Props::new().with(word::PAUSED, is_paused);
        self.notice(sid, "recording", &props, words, |_| true);
    }

    pub(super) fn gap_notice(&mut self, sid: &str, from: u64, to: Option<u64>) {
        let mut props = Props::new().with(word::FROM, from);
        if let Some(to) = to {
            props.set(word::TO, to);
        }
        let words = match to {
            Some(to) => format!("{} bytes of output are lost", to - from),
            None => "output may be lost: nobody knows how much".to_owned(),
        };
        let is_longwire = |viewer: &Viewer| matches!(viewer.end, End::Longwire(_));
        let longwire: Vec<_> = self
            .viewers
            .iter()
            .filter(|(_, viewer)| to.is_some() || is_longwire(viewer))
            .map(|(id, _)| *id)
            .collect();
        self.notice(sid, "gap", &props, &words, |id| longwire.contains(&id));
    }

    pub(super) fn bytes_notice(&mut self, sid: &str, kind: &str, bytes: u64, words: &str) {
        let controller = self.sessions.get(sid).and_then(|s| s.in_control);
        let props = Props::new().with(word::BYTES, bytes);
        self.notice(sid, kind, &props, words, |id| Some(id) == controller);
    }
}
