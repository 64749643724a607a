//! Somebody who looks and types.

use std::collections::BTreeMap;
use std::time::Duration;

use longwire_link::{Hello, ToUserEnd, UserEnd};
use longwire_protocol::Props;
use longwire_protocol::shell::Winsize;

use super::Rng;
use super::truth::{Typed, is_output};

pub struct Viewer {
    pub end: UserEnd,
    pub sid: String,
    /// Output seen up to here.
    pub seen: u64,
    /// The epoch in which this viewer was last in control.
    pub controlled: Option<u64>,
    pub has_started: bool,
    /// The session is over for this viewer.
    pub is_over: bool,
    /// Whether the end was seen, not just the loss.
    pub has_seen_end: bool,
    pub screens: u64,
    pub lost_input: u64,
}

impl Viewer {
    /// Opens a session of its own.
    pub fn opening(id: usize, sid: &str) -> Self {
        let mut viewer = Viewer::new(id, sid);
        let size = Winsize::new(24, 80);
        viewer.end.open(sid, 1, size, Props::new()).unwrap();
        viewer
    }

    /// Attaches to a session that may exist.
    pub fn attaching(id: usize, sid: &str) -> Self {
        let mut viewer = Viewer::new(id, sid);
        viewer.end.resume(sid, None, 0, None, Props::new()).unwrap();
        viewer
    }

    fn new(id: usize, sid: &str) -> Self {
        Viewer {
            end: UserEnd::for_viewer(Hello::new(&format!("viewer-{id}"), 512 * 1024)),
            sid: sid.to_owned(),
            seen: 0,
            controlled: None,
            has_started: false,
            is_over: false,
            has_seen_end: false,
            screens: 0,
            lost_input: 0,
        }
    }

    /// Takes the events. `restored` says that a server may have forgotten whose epoch was when.
    pub fn attend(&mut self, typed: &mut BTreeMap<String, Typed>, restored: bool) {
        while let Some(event) = self.end.event() {
            match event {
                ToUserEnd::Output { offset, bytes, .. } => {
                    assert_eq!(offset, self.seen, "{}: not the next byte", self.sid);
                    assert!(is_output(&self.sid, offset, &bytes));
                    self.seen = offset + bytes.len() as u64;
                }
                ToUserEnd::Screen { offset, .. } => {
                    self.screens += 1;
                    self.seen = offset;
                }
                ToUserEnd::Started { .. } => {
                    assert!(!self.has_started);
                    self.has_started = true;
                }
                ToUserEnd::Epoch {
                    epoch,
                    offset,
                    control,
                    unarrived,
                    ..
                } => {
                    self.lost_input += unarrived;
                    let ended = self
                        .controlled
                        .and_then(|epoch| typed[&self.sid].epoch_ended(epoch));
                    if let Some(ended) = ended
                        && !restored
                    {
                        assert_eq!(ended, offset, "{}: told a wrong end of input", self.sid);
                    }
                    self.controlled = control.then_some(epoch);
                }
                ToUserEnd::Applied {
                    offset, dropped, ..
                } => {
                    let typed = &typed[&self.sid];
                    assert!(offset <= typed.fate.len() as u64, "applied before it was");
                    assert!(dropped <= typed.dropped);
                }
                ToUserEnd::Ended { .. } => {
                    self.is_over = true;
                    self.has_seen_end = true;
                    self.end.end_recorded(&self.sid).unwrap();
                }
                ToUserEnd::Lost { .. } | ToUserEnd::Refused { .. } => self.is_over = true,
                ToUserEnd::Hello(_)
                | ToUserEnd::Resumed { .. }
                | ToUserEnd::Resized { .. }
                | ToUserEnd::PeerError(_)
                | ToUserEnd::Other(_) => {}
                ToUserEnd::Gap { .. }
                | ToUserEnd::InputHeld { .. }
                | ToUserEnd::Stranger { .. } => panic!("no business of a viewer: {event:?}"),
            }
        }
    }

    /// Types something, shows what has come, wants control or another size.
    pub fn act(
        &mut self,
        rng: &mut Rng,
        now: Duration,
        typed: &mut BTreeMap<String, Typed>,
        calm: bool,
    ) {
        let sid = self.sid.clone();
        let _ = self.end.recorded(&sid, self.seen);
        if calm {
            return;
        }
        if rng.once_in(3) {
            let burst = if rng.once_in(10) { 40_000 } else { 10 };
            let mut bytes = vec![0; 1 + rng.below(burst) as usize];
            for byte in &mut bytes {
                *byte = b'a' + rng.below(26) as u8;
            }
            if rng.once_in(4) {
                *bytes.last_mut().unwrap() = 3;
            }
            let before = self.end.input_position(&sid);
            if self.end.input(&sid, &bytes, now).is_ok() {
                let before = before.unwrap();
                self.controlled = Some(before.epoch);
                typed
                    .get_mut(&sid)
                    .unwrap()
                    .typed(before.epoch, before.end, &bytes);
            }
        }
        if rng.once_in(200) {
            let _ = self.end.want_control(&sid);
        }
        if rng.once_in(50) {
            let size = Winsize::new(1 + rng.below(80) as u16, 1 + rng.below(200) as u16);
            let _ = self.end.resize(&sid, size.unwrap());
        }
        if rng.once_in(3000) {
            let _ = self.end.stop(&sid, None);
        }
    }
}
