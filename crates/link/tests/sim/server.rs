//! The server: what it keeps on disk, and one run of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use longwire_link::{
    Attachment, Hello, ShellConfig, ShellEnd, ToShellEnd, ToUserEnd, UserEnd, limits,
};
use longwire_protocol::Props;
use longwire_protocol::shell::{Stop, Winsize};

use super::Rng;
use super::faults::Counts;
use super::truth::{is_output, output};

/// What survives a kill.
#[derive(Clone, Default)]
pub struct Disk {
    pub sessions: BTreeMap<String, Kept>,
}

#[derive(Clone, Default)]
pub struct Kept {
    pub epoch: u64,
    pub controller: usize,
    pub is_started: bool,
    pub recorded: u64,
    pub gaps: Vec<(u64, u64)>,
    pub end: Option<Stop>,
    pub is_lost: bool,
    pub is_to_stop: bool,
    /// This comes from a backup: another run may have given out the same epochs to others.
    pub is_restored: bool,
    /// Where the input of former epochs ended.
    pub epoch_ends: BTreeMap<u64, u64>,
}

/// One run of the server.
pub struct Server {
    pub disk: Disk,
    pub device: UserEnd,
    pub viewers: BTreeMap<usize, Attached>,
    /// Ends and gaps that are known and not on disk yet.
    ends: BTreeMap<String, Stop>,
    gaps: BTreeMap<String, Vec<(u64, u64)>>,
    held: BTreeSet<String>,
    /// The size each terminal is known to have.
    pub sizes: BTreeMap<String, Winsize>,
    pub counts: Counts,
}

/// One viewer's link.
pub struct Attached {
    pub end: ShellEnd,
    sid: Option<String>,
    /// Output before this was given to the viewer's link.
    fed: u64,
    is_over: bool,
}

impl Server {
    pub fn start(disk: Disk, run: u64) -> Self {
        let hello = Hello::new(&format!("server-{run}"), limits::OUTPUT_WINDOW);
        let mut device = UserEnd::new(hello);
        for (sid, kept) in &disk.sessions {
            if kept.end.is_some() || kept.is_lost {
                continue;
            }
            if kept.is_started {
                let have = Some(kept.recorded);
                device
                    .resume(sid, have, kept.epoch, None, Props::new())
                    .unwrap();
            } else {
                device.open(sid, kept.epoch, None, Props::new()).unwrap();
            }
            device
                .hold_input_after(sid, Some(Duration::from_secs(60)))
                .unwrap();
            if kept.is_to_stop {
                device.stop(sid, None).unwrap();
            }
        }
        Server {
            disk,
            device,
            viewers: BTreeMap::new(),
            ends: BTreeMap::new(),
            gaps: BTreeMap::new(),
            held: BTreeSet::new(),
            sizes: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    pub fn viewer_connected(&mut self, id: usize) {
        let config = ShellConfig::for_viewer("server");
        let attached = Attached {
            end: ShellEnd::new(config),
            sid: None,
            fed: 0,
            is_over: false,
        };
        self.viewers.insert(id, attached);
    }

    /// How far the output of a session has come.
    fn received(&self, sid: &str) -> u64 {
        self.device.output_position(sid).map_or_else(
            || self.disk.sessions[sid].recorded,
            |(position, _)| position,
        )
    }

    /// Takes the events of the device's stream.
    pub fn attend_device(&mut self) {
        while let Some(event) = self.device.event() {
            match event {
                ToUserEnd::Output {
                    sid, offset, bytes, ..
                } => assert!(
                    is_output(&sid, offset, &bytes),
                    "{sid}: wrong output at {offset}"
                ),
                ToUserEnd::Gap { sid, from, to } => {
                    assert!(from < to);
                    self.counts.add("gaps", 1);
                    self.gaps.entry(sid).or_default().push((from, to));
                }
                ToUserEnd::Started { sid } => self.kept(&sid).is_started = true,
                ToUserEnd::Ended { sid, stop, .. } => {
                    self.ends.insert(sid, stop);
                }
                ToUserEnd::Lost { sid } => self.lost(&sid),
                ToUserEnd::Refused { sid, why } => panic!("{sid}: {why}"),
                ToUserEnd::Applied {
                    sid,
                    offset,
                    dropped,
                } => self.applied(&sid, offset, dropped),
                ToUserEnd::Epoch {
                    sid,
                    epoch,
                    offset,
                    control,
                    ..
                } => {
                    assert!(control);
                    self.epoch(&sid, epoch, offset);
                }
                ToUserEnd::InputHeld { sid, .. } => {
                    self.counts.add("held", 1);
                    self.held.insert(sid);
                }
                ToUserEnd::Stranger { sid } => {
                    // One that is over and whose last acknowledgement was lost is none.
                    let is_over = |kept: &Kept| kept.end.is_some() || kept.is_lost;
                    if !self.disk.sessions.get(&sid).is_some_and(is_over) {
                        self.counts.add("strangers", 1);
                    }
                }
                ToUserEnd::Resized {
                    sid, offset, size, ..
                } => {
                    assert!(offset <= self.received(&sid));
                    self.sizes.insert(sid, size);
                }
                ToUserEnd::Hello(_) | ToUserEnd::Resumed { .. } => {}
                ToUserEnd::Screen { .. } | ToUserEnd::PeerError(_) | ToUserEnd::Other(_) => {
                    panic!("no business of a server: {event:?}")
                }
            }
        }
    }

    /// Final, unless it is an impostor that does not have the session.
    fn lost(&mut self, sid: &str) {
        let peer = self.device.peer().unwrap();
        if peer.instance.starts_with("device") {
            self.kept(sid).is_lost = true;
            self.device.leave(sid);
        }
    }

    pub fn kept(&mut self, sid: &str) -> &mut Kept {
        self.disk.sessions.get_mut(sid).unwrap()
    }

    fn applied(&mut self, sid: &str, offset: u64, dropped: u64) {
        let kept = &self.disk.sessions[sid];
        if let Some(viewer) = self.viewers.get_mut(&kept.controller)
            && viewer.sid.as_deref() == Some(sid)
        {
            viewer.end.applied(sid, offset, dropped).unwrap();
        }
    }

    /// The device has begun an epoch, or says for the first time in this run where it stands.
    fn epoch(&mut self, sid: &str, epoch: u64, offset: u64) {
        let kept = self.disk.sessions.get_mut(sid).unwrap();
        if epoch > kept.epoch || kept.is_restored {
            // There may have been changes of control that we do not remember.
            kept.is_restored = false;
            kept.epoch = epoch + 1;
            self.device.begin_epoch(sid, epoch + 1).unwrap();
            return;
        }
        for before in 1..epoch {
            kept.epoch_ends.entry(before).or_insert(offset);
        }
        let controller = kept.controller;
        for (id, viewer) in &mut self.viewers {
            if viewer.sid.as_deref() == Some(sid) && !viewer.is_over {
                let control = *id == controller;
                // Refused if the viewer's word about its epoch is beyond ours: it gets no control.
                let _ = viewer.end.set_control(sid, epoch, offset, control);
            }
        }
    }

    /// Writes to disk what has come of one session, and only then acknowledges it.
    pub fn commit(&mut self, rng: &mut Rng) {
        if self.disk.sessions.is_empty() {
            return;
        }
        let index = rng.below(self.disk.sessions.len() as u64) as usize;
        let sid = self.disk.sessions.keys().nth(index).unwrap().clone();
        let Some((position, _)) = self.device.output_position(&sid) else {
            return;
        };
        let kept = self.disk.sessions.get_mut(&sid).unwrap();
        kept.recorded = position;
        kept.gaps.extend(self.gaps.remove(&sid).unwrap_or_default());
        self.device.recorded(&sid, position).unwrap();
        if let Some(stop) = self.ends.remove(&sid) {
            kept.end = Some(stop);
            self.device.end_recorded(&sid).unwrap();
        }
        if self.held.remove(&sid) {
            self.decide_held(&sid, rng);
        }
    }

    /// The operator is asked about input that waited long.
    fn decide_held(&mut self, sid: &str, rng: &mut Rng) {
        if rng.once_in(2) {
            let _ = self.device.release_input(sid);
        } else {
            let controller = self.disk.sessions[sid].controller;
            self.take_control(sid, controller);
        }
    }

    pub fn stop(&mut self, sid: &str) {
        self.kept(sid).is_to_stop = true;
        let _ = self.device.stop(sid, None);
    }

    fn take_control(&mut self, sid: &str, id: usize) {
        // What this run does not know of the device's epochs it must not number.
        if self.device.input_position(sid).is_none() {
            return;
        }
        let kept = self.disk.sessions.get_mut(sid).unwrap();
        kept.epoch += 1;
        kept.controller = id;
        self.counts.add("take-overs", 1);
        self.device.begin_epoch(sid, kept.epoch).unwrap();
        self.held.remove(sid);
    }

    /// Takes the events of one viewer's stream and passes things on.
    pub fn attend_viewer(&mut self, id: usize, now: Duration, rng: &mut Rng) {
        while let Some(event) = self.viewers.get_mut(&id).unwrap().end.event() {
            match event {
                ToShellEnd::Open { sid, size, .. } => self.open(id, &sid, size),
                ToShellEnd::Attach {
                    sid, have, epoch, ..
                } => self.attach(id, &sid, have, epoch),
                ToShellEnd::ControlWanted { sid } => self.take_control(&sid, id),
                ToShellEnd::Interrupt { sid, byte, offset } => {
                    let epoch = self.disk.sessions[&sid].epoch;
                    let _ = self.device.relay_interrupt(&sid, epoch, offset, byte);
                }
                ToShellEnd::Resize { sid, size } => {
                    if self.disk.sessions[&sid].controller == id {
                        let _ = self.device.resize(&sid, size);
                    }
                }
                ToShellEnd::Stop { sid, .. } => self.stop(&sid),
                ToShellEnd::Forgotten { .. } => {
                    self.viewers.get_mut(&id).unwrap().sid = None;
                }
                ToShellEnd::Hello(_)
                | ToShellEnd::Input { .. }
                | ToShellEnd::Acknowledged { .. } => {}
                ToShellEnd::Epoch { .. }
                | ToShellEnd::InputSkipped { .. }
                | ToShellEnd::PeerError(_)
                | ToShellEnd::Other(_) => panic!("no business of a viewer: {event:?}"),
            }
        }
        self.feed(id, rng);
        self.relay_input(id, now);
    }

    fn open(&mut self, id: usize, sid: &str, size: Option<Winsize>) {
        if !self.disk.sessions.contains_key(sid) {
            let kept = Kept {
                epoch: 1,
                controller: id,
                ..Kept::default()
            };
            self.disk.sessions.insert(sid.to_owned(), kept);
            self.device.open(sid, 1, size, Props::new()).unwrap();
        }
        let viewer = self.viewers.get_mut(&id).unwrap();
        viewer.sid = Some(sid.to_owned());
        viewer.end.started(sid).unwrap();
        // Control begins when the device says so.
        let kept = &self.disk.sessions[sid];
        let position = self.device.input_position(sid);
        let ours = kept.controller == id && kept.end.is_none();
        let known = position.filter(|position| position.epoch == kept.epoch);
        let (epoch, offset) = known.map_or((1, 0), |known| (known.epoch, known.applied));
        viewer
            .end
            .set_control(sid, epoch, offset, ours && known.is_some())
            .unwrap();
    }

    fn attach(&mut self, id: usize, sid: &str, have: Option<u64>, epoch: u64) {
        let Some(kept) = self.disk.sessions.get(sid) else {
            self.viewers.get_mut(&id).unwrap().end.unknown(sid);
            return;
        };
        let received = self.received(sid);
        let position = self.device.input_position(sid);
        let known = position.filter(|position| position.epoch == kept.epoch);
        let ours = kept.controller == id && kept.epoch == epoch && kept.end.is_none();
        let over = kept.epoch_ends.get(&epoch);
        // Whoever lost control hears it once it is known where the input ended.
        let (epoch, input, control) = match (known, over) {
            (Some(known), _) if ours || epoch == 0 => (kept.epoch, known.applied, ours),
            (_, Some(end)) if kept.epoch > epoch => (kept.epoch, *end, false),
            _ => (epoch.max(1), 0, false),
        };
        let is_settled = kept.end.is_some() || kept.is_lost;
        let from = have.filter(|have| *have <= received || !is_settled);
        let attachment = Attachment {
            output: from.unwrap_or(received),
            input,
            dropped: known.map_or(0, |known| known.dropped),
            epoch,
            control,
        };
        let viewer = self.viewers.get_mut(&id).unwrap();
        viewer.end.attach(sid, attachment).unwrap();
        viewer.sid = Some(sid.to_owned());
        viewer.fed = attachment.output;
        if from.is_none() {
            viewer
                .end
                .show(sid, received, None, Bytes::from_static(b"screen"))
                .unwrap();
        }
    }

    /// Gives a viewer what it has room for: from the record, or the screen.
    fn feed(&mut self, id: usize, rng: &mut Rng) {
        let Some(sid) = self.viewers[&id].sid.clone() else {
            return;
        };
        let received = self.received(&sid);
        let kept = &self.disk.sessions[&sid];
        let mut gaps = kept.gaps.clone();
        gaps.extend(self.gaps.get(&sid).into_iter().flatten());
        let viewer = self.viewers.get_mut(&id).unwrap();
        if viewer.is_over {
            return;
        }
        let behind = received.saturating_sub(viewer.fed);
        let gap = gaps.iter().find(|(_, to)| viewer.fed < *to);
        let over = kept.end.is_some() || kept.is_lost;
        let show = match gap {
            Some((from, to)) if viewer.fed >= *from => Some(*to),
            _ if behind > 300_000 && rng.once_in(4) => Some(received),
            _ if over && viewer.fed > received => Some(received),
            _ => None,
        };
        if let Some(offset) = show {
            viewer
                .end
                .show(&sid, offset, None, Bytes::from_static(b"screen"))
                .unwrap();
            viewer.fed = offset;
            return;
        }
        let until = gap.map_or(received, |(from, _)| received.min(*from));
        let count = until
            .saturating_sub(viewer.fed)
            .min(viewer.end.room(&sid) as u64)
            .min(100_000);
        let bytes = output(&sid, viewer.fed, count);
        viewer.end.output(&sid, bytes, 0).unwrap();
        viewer.fed += count;
        if over && viewer.fed == received {
            viewer.is_over = true;
            let stop = kept.end.clone().unwrap_or_default();
            viewer.end.ended(&sid, stop).unwrap();
        }
    }

    fn relay_input(&mut self, id: usize, now: Duration) {
        let viewer = self.viewers.get_mut(&id).unwrap();
        let Some(sid) = viewer.sid.clone() else {
            return;
        };
        let kept = &self.disk.sessions[&sid];
        if kept.controller != id {
            return;
        }
        let Some(position) = self.device.input_position(&sid) else {
            return;
        };
        if position.epoch != kept.epoch {
            return;
        }
        let room = self.device.input_room(&sid);
        if let Some((offset, bytes)) = viewer.end.take_input(&sid, room) {
            let relayed = self
                .device
                .relay_input(&sid, kept.epoch, offset, &bytes, now);
            assert!(
                relayed.is_ok() || kept.end.is_some() || self.ends.contains_key(&sid),
                "{sid}: {relayed:?}"
            );
        }
    }
}
