//! All together, and what goes wrong.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use longwire_link::{LinkError, ShellConfig, ShellEnd, limits};
use longwire_protocol::{Message, Props, Receiver, proto};

use super::Rng;
use super::device::Device;
use super::faults::{Counts, Faults};
use super::server::{Disk, Server};
use super::truth::Fate;
use super::viewer::Viewer;
use super::wire::Wire;
use crate::ids::UserId;
use crate::session::live::Session;
use crate::session::{Input, LinkKind, ToViewer, ViewerKind};
use crate::session::{Owner, ViewerId};

/// Where each viewer stands.
struct Seat {
    viewer: Viewer,
    wire: Option<(ViewerId, Wire)>,
}

pub struct World {
    rng: Rng,
    base: Instant,
    now: Duration,
    faults: Faults,
    user: UserId,
    device: Device,
    server: Option<Server>,
    disk: Disk,
    backups: Vec<Disk>,
    runs: u64,
    wire: Option<Wire>,
    seats: BTreeMap<usize, Seat>,
    next_viewer: usize,
    next_end: u64,
    sids: Vec<String>,
    pub counts: Counts,
}

const VIEWERS: usize = 5;
const SESSIONS: usize = 6;

impl World {
    pub fn new(seed: u64, faults: Faults) -> Self {
        println!("seed {seed}");
        World {
            rng: Rng::new(seed),
            base: Instant::now(),
            now: Duration::from_secs(1000),
            faults,
            user: UserId::new(),
            device: Device::new(),
            server: None,
            disk: Disk::default(),
            backups: Vec::new(),
            runs: 0,
            wire: None,
            seats: BTreeMap::new(),
            next_viewer: 0,
            next_end: 0,
            sids: Vec::new(),
            counts: Counts::default(),
        }
    }

    pub fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            self.go_wrong();
            self.step(false);
        }
    }

    fn happens(&mut self, once_in: u64) -> bool {
        once_in > 0 && self.rng.once_in(once_in)
    }

    fn go_wrong(&mut self) {
        if self.happens(self.faults.cut) {
            self.cut_device();
        }
        if self.happens(self.faults.viewer_cut)
            && let Some(id) = self.any_seat()
        {
            self.drop_viewer_wire(id);
        }
        if self.happens(self.faults.server_kill) {
            self.kill_server();
        }
        if self.happens(self.faults.device_restart) {
            self.counts.add("device_restarts", 1);
            self.device.restart();
            self.drop_device_wire();
        }
        if self.happens(self.faults.restore) && !self.backups.is_empty() {
            self.restore();
        }
        if self.happens(self.faults.reload)
            && let Some(id) = self.any_seat()
        {
            self.leave(id);
        }
        if self.happens(self.faults.impostor) {
            self.displace_device();
        }
        // A device that stays away for long while another has its place is given up.
        let is_displaced = self
            .server
            .as_ref()
            .is_some_and(|server| server.core.sessions.values().any(|s| s.lost_at.is_some()));
        if self.happens(self.faults.outage) && !is_displaced {
            self.now += Duration::from_secs(self.rng.below(200));
        }
    }

    /// One thing happens; a little time passes.
    fn step(&mut self, calm: bool) {
        self.now += Duration::from_millis(self.rng.below(4));
        match self.rng.below(9) {
            0 => self.device.live(&mut self.rng, self.now, calm),
            1 => self.server_acts(calm),
            2 => self.connect_device(),
            3 => self.viewer_acts(calm),
            4..=6 => self.device_traffic(),
            _ => self.viewer_traffic(),
        }
        self.tick();
        self.check_bounds();
    }

    fn server_acts(&mut self, calm: bool) {
        if self.server.is_none() {
            self.runs += 1;
            let disk = std::mem::take(&mut self.disk);
            let server = Server::start(disk, self.runs, self.base, self.now, self.user);
            self.server = Some(server);
        }
        let Some(server) = &mut self.server else {
            return;
        };
        server.commit(self.now, 1 + self.rng.below(20));
        if self.rng.once_in(100) && !calm && self.faults.restore > 0 {
            self.backups.push(server.disk.clone());
        }
        self.obey();
    }

    /// What the server wants done about connections.
    fn obey(&mut self) {
        let Some(server) = &mut self.server else {
            return;
        };
        let cut = std::mem::take(&mut server.cut);
        if std::mem::take(&mut server.link_is_closed) {
            self.drop_device_wire();
        }
        for end in cut {
            let seat = self
                .seats
                .iter()
                .find(|(_, seat)| seat.wire.as_ref().is_some_and(|(id, _)| *id == end));
            if let Some(id) = seat.map(|(id, _)| *id) {
                self.drop_viewer_wire(id);
            }
        }
    }

    fn connect_device(&mut self) {
        let Some(server) = &mut self.server else {
            return;
        };
        if let Some(wire) = &self.wire
            && (!wire.is_half_open || !self.rng.once_in(20))
        {
            return;
        }
        let at_shell = self.device.end.connected(self.now);
        let kind = LinkKind::Longwire;
        server.handle(self.now, Input::LinkUp { kind });
        // The core numbers its own.
        self.wire = Some(Wire::new(at_shell, at_shell, Receiver::Server));
    }

    fn drop_device_wire(&mut self) {
        let Some(wire) = self.wire.take() else {
            return;
        };
        self.device.end.disconnected(wire.at_shell);
        if let Some(server) = &mut self.server {
            server.handle(self.now, Input::LinkDown);
        }
    }

    fn cut_device(&mut self) {
        self.counts.add("cuts", 1);
        let kind = self.rng.below(3);
        let Some(wire) = &mut self.wire else {
            return;
        };
        match kind {
            // Nobody is told; what was sent last is lost.
            0 => {
                wire.is_half_open = true;
                wire.to_user.lose();
                wire.to_shell.lose();
            }
            // One way delivers to the end, the other loses everything.
            1 => {
                wire.to_shell.lose();
                while self
                    .wire
                    .as_ref()
                    .is_some_and(|wire| !wire.to_user.is_empty())
                {
                    self.deliver_to_server();
                }
                self.drop_device_wire();
            }
            _ => self.drop_device_wire(),
        }
    }

    /// Another program with the device's name and key displaces it for a while. It has none of the
    /// device's sessions, and answers nothing.
    fn displace_device(&mut self) {
        let (Some(wire), Some(server)) = (self.wire.take(), &mut self.server) else {
            return;
        };
        self.device.end.disconnected(wire.at_shell);
        self.counts.add("impostors", 1);
        let mut impostor = ShellEnd::new(ShellConfig::new("impostor"));
        let at_shell = impostor.connected(self.now);
        let kind = LinkKind::Longwire;
        server.handle(self.now, Input::LinkUp { kind });
        for _ in 0..self.rng.below(20) {
            if let Some(message) = impostor.transmit(self.now) {
                server.handle(self.now, Input::FromDevice(message));
            }
            if let Some(message) = server.core.to_device(server.at(self.now)) {
                impostor.receive(at_shell, message, self.now).unwrap();
            }
        }
        if self.rng.once_in(2) {
            server.handle(self.now, Input::LinkDown);
        }
    }

    fn drop_viewer_wire(&mut self, id: usize) {
        let Some(seat) = self.seats.get_mut(&id) else {
            return;
        };
        if let Some((end, wire)) = seat.wire.take() {
            seat.viewer.end.disconnected(wire.at_user);
            if let Some(server) = &mut self.server {
                server.handle(self.now, Input::ViewerGone(end));
            }
        }
    }

    fn kill_server(&mut self) {
        let Some(server) = self.server.take() else {
            return;
        };
        self.counts.add("kills", 1);
        self.counts.add_all(&server.counts);
        self.disk = server.disk;
        if let Some(wire) = self.wire.take() {
            self.device.end.disconnected(wire.at_shell);
        }
        for seat in self.seats.values_mut() {
            if let Some((_, wire)) = seat.wire.take() {
                seat.viewer.end.disconnected(wire.at_user);
            }
        }
    }

    /// The server comes back with an older disk.
    fn restore(&mut self) {
        self.kill_server();
        self.counts.add("restores", 1);
        let index = self.rng.below(self.backups.len() as u64) as usize;
        self.disk = self.backups.swap_remove(index);
        for row in self.disk.rows.values_mut() {
            row.is_restored = true;
        }
    }

    fn any_seat(&mut self) -> Option<usize> {
        let count = self.seats.len() as u64;
        (count > 0).then(|| {
            let index = self.rng.below(count) as usize;
            *self.seats.keys().nth(index).unwrap()
        })
    }

    fn leave(&mut self, id: usize) {
        self.drop_viewer_wire(id);
        self.seats.remove(&id);
    }

    /// A new viewer sits down: with a session of its own, or with one that there is or was.
    fn sit_down(&mut self) {
        self.next_viewer += 1;
        let id = self.next_viewer;
        let open = self.device.shells.values().filter(|shell| !shell.has_ended);
        let is_there = self.server.is_some() && self.wire.is_some();
        let viewer = if self.sids.is_empty()
            || (open.count() < SESSIONS && is_there && self.rng.once_in(2))
        {
            let sid = super::super::stage::sid(self.sids.len() as u64 + 1);
            self.sids.push(sid.clone());
            Viewer::opening(id, &sid)
        } else {
            let recent = self.sids.len().min(SESSIONS + 2) as u64;
            let index = self.sids.len() - 1 - self.rng.below(recent) as usize;
            Viewer::attaching(id, &self.sids[index])
        };
        self.seats.insert(id, Seat { viewer, wire: None });
    }

    fn viewer_acts(&mut self, calm: bool) {
        if self.seats.len() < VIEWERS && !calm {
            self.sit_down();
        }
        let Some(id) = self.any_seat() else {
            return;
        };
        let seat = self.seats.get_mut(&id).unwrap();
        if seat.viewer.is_over && !calm {
            if self.rng.once_in(4) {
                self.leave(id);
            }
            return;
        }
        if seat.wire.is_none()
            && let Some(server) = &mut self.server
        {
            self.next_end += 1;
            let end = ViewerId(self.next_end);
            let attach = Input::Attach {
                viewer: end,
                person: Owner::for_test(self.user),
                kind: ViewerKind::Longwire,
            };
            server.handle(self.now, attach);
            let at_user = seat.viewer.end.connected(self.now);
            seat.wire = Some((end, Wire::new(at_user, at_user, Receiver::User)));
        }
        seat.viewer
            .act(&mut self.rng, self.now, &mut self.device.typed, calm);
    }

    fn device_traffic(&mut self) {
        for _ in 0..1 + self.rng.below(6) {
            let Some(wire) = &mut self.wire else {
                return;
            };
            match self.rng.below(4) {
                0 => {
                    if wire.to_user.takes()
                        && let Some(message) = self.device.end.transmit(self.now)
                        && !wire.is_half_open
                    {
                        wire.to_user.send(&message);
                    }
                }
                1 => {
                    if let Some(server) = &mut self.server
                        && wire.to_shell.takes()
                        && let Some(message) = server.core.to_device(server.at(self.now))
                        && !wire.is_half_open
                    {
                        wire.to_shell.send(&message);
                    }
                }
                2 => self.deliver_to_server(),
                _ => self.deliver_to_device(),
            }
        }
    }

    fn deliver_to_server(&mut self) {
        if let (Some(server), Some(wire)) = (&mut self.server, &mut self.wire)
            && let Some(message) = wire.to_user.deliver()
        {
            self.counts.add("delivered", 1);
            server.handle(self.now, Input::FromDevice(message));
        }
        self.obey();
    }

    fn deliver_to_device(&mut self) {
        if let Some(wire) = &mut self.wire
            && let Some(message) = wire.to_shell.deliver()
        {
            self.counts.add("delivered", 1);
            let end = &mut self.device.end;
            end.receive(wire.at_shell, message, self.now).unwrap();
        }
        self.device.attend(self.now);
    }

    fn viewer_traffic(&mut self) {
        let (Some(id), Some(server)) = (self.any_seat(), &mut self.server) else {
            return;
        };
        let restored = self.counts.of("restores") > 0;
        let seat = self.seats.get_mut(&id).unwrap();
        let Some((end, wire)) = &mut seat.wire else {
            return;
        };
        let mut is_closed = false;
        for _ in 0..1 + self.rng.below(6) {
            match self.rng.below(4) {
                0 if wire.to_user.takes() => match server.next_for(self.now, *end) {
                    Some(ToViewer::Message(message)) => wire.to_user.send(&message),
                    Some(ToViewer::Close(_)) => is_closed = true,
                    None => {}
                },
                1 if wire.to_shell.takes() => {
                    if let Some(message) = seat.viewer.end.transmit(self.now) {
                        wire.to_shell.send(&message);
                    }
                }
                2 => {
                    if let Some(message) = wire.to_user.deliver() {
                        self.counts.add("delivered", 1);
                        decide_held(&message, &mut seat.viewer, &mut self.rng, &mut self.counts);
                        let end = &mut seat.viewer.end;
                        end.receive(wire.at_user, message, self.now).unwrap();
                        seat.viewer.attend(&mut self.device.typed, restored);
                    }
                }
                _ => {
                    if let Some(message) = wire.to_shell.deliver() {
                        self.counts.add("delivered", 1);
                        let said = Input::FromViewer {
                            viewer: *end,
                            message,
                        };
                        server.handle(self.now, said);
                    }
                }
            }
        }
        if is_closed {
            self.drop_viewer_wire(id);
        }
    }

    fn tick(&mut self) {
        let now = self.now;
        let due = |deadline: Option<Duration>| deadline.is_some_and(|at| at <= now);
        if due(self.device.end.deadline())
            && self.device.end.tick(self.now) == Err(LinkError::Silent)
        {
            self.counts.add("silences", 1);
            self.drop_device_wire();
        }
        if let Some(server) = &mut self.server {
            server.tick(now);
        }
        self.obey();
        let mut silent = Vec::new();
        for (id, seat) in &mut self.seats {
            if due(seat.viewer.end.deadline()) && seat.viewer.end.tick(self.now).is_err() {
                silent.push(*id);
            }
        }
        for id in silent {
            self.drop_viewer_wire(id);
        }
    }

    fn check_bounds(&self) {
        let Some(server) = &self.server else {
            return;
        };
        for (sid, row) in &server.disk.rows {
            // Only what is on disk is acknowledged.
            if let Some((safe, _)) = self.device.end.output_position(sid)
                && self.counts.of("restores") == 0
            {
                assert!(safe <= row.recorded, "{sid}: let go of what is not on disk");
            }
        }
        let live = server.core.sessions.len();
        let each = 2 * crate::session::TAIL_BYTES_MAX
            + 2 * 1024 * 1024
            + limits::INPUT_KEPT
            + limits::INTERRUPT_RESERVE
            + 256 * 1024;
        let most = live * each + server.core.viewers() * (3 * 1024 * 1024);
        assert!(server.core.memory() <= most);
    }

    /// Nothing goes wrong any more and nobody says anything new: everything must arrive.
    pub fn calm_down(&mut self) {
        if self.wire.as_ref().is_some_and(|wire| wire.is_half_open) {
            self.drop_device_wire();
        }
        self.faults = Faults::NONE;
        for _ in 0..2_000 {
            for _ in 0..200 {
                self.step(true);
            }
            if self.has_settled() {
                return;
            }
        }
        self.explain();
        panic!("no progress: {:?}", self.counts);
    }

    fn session<'a>(&'a self, sid: &str) -> Option<&'a Session> {
        self.server.as_ref()?.core.sessions.get(sid)
    }

    /// Where everybody stands, for whoever looks for the reason.
    fn explain(&self) {
        for (sid, shell) in &self.device.shells {
            println!(
                "{sid}: produced {} ended {} stuck {} safe/end {:?}",
                shell.produced,
                shell.has_ended,
                shell.is_stuck,
                self.device.end.output_position(sid)
            );
        }
        let server = self.server.as_ref().unwrap();
        println!("idle {} wire {}", server.is_idle(), self.wire.is_some());
        for (sid, session) in &server.core.sessions {
            println!(
                "{sid}: {:?} tail {} recorded {} epoch {} controller {:?} here {:?} held {:?} \
                 changing {:?} next {:?} stop {:?} over {:?} size {:?}/{:?} input {:?}",
                session.phase,
                session.tail.end(),
                session.written.recorded,
                session.epoch,
                session.controller.as_ref().map(|c| &c.instance),
                session.in_control,
                session.held,
                session.changing,
                session.next,
                session.stop,
                session.over,
                session.size,
                session.asked_size,
                server.core.end.input_position(sid)
            );
        }
        for (id, seat) in &self.seats {
            println!(
                "viewer {id} of {}: end {:?} seen {} over {} controlled {:?} input {:?}",
                seat.viewer.sid,
                seat.wire.as_ref().map(|(end, _)| end),
                seat.viewer.seen,
                seat.viewer.is_over,
                seat.viewer.controlled,
                seat.viewer.end.input_position(&seat.viewer.sid)
            );
        }
    }

    /// Whether everything that was said has arrived where it belongs.
    fn has_settled(&self) -> bool {
        let Some(server) = &self.server else {
            return false;
        };
        let recorded = self.device.shells.iter().all(|(sid, shell)| {
            let Some(row) = server.disk.rows.get(sid) else {
                return true;
            };
            if let Some(session) = self.session(sid).filter(|session| !session.is_over()) {
                let same_size = session.size == shell.size;
                same_size && !shell.has_ended && row.recorded == shell.produced
            } else {
                row.ended.is_some()
            }
        });
        recorded
            && server.is_idle()
            && self.wire.is_some()
            && self.seats.values().all(|seat| {
                let viewer = &seat.viewer;
                let Some(session) = self.session(&viewer.sid) else {
                    return viewer.is_over;
                };
                if session.is_over() {
                    return viewer.is_over;
                }
                if session.stop.is_some() {
                    return false;
                }
                let end = seat.wire.as_ref().map(|(end, _)| *end);
                let position = viewer.end.input_position(&viewer.sid);
                let all_applied = session.in_control != end
                    || position.is_some_and(|at| at.applied == at.end && at.epoch == session.epoch);
                viewer.is_over || (viewer.seen == session.tail.end() && all_applied)
            })
    }

    /// What must hold when all is quiet.
    pub fn check_settled(&mut self) {
        self.counts.add_all(&self.server.as_ref().unwrap().counts);
        self.counts.add("sessions", self.sids.len() as u64);
        for (sid, typed) in &self.device.typed {
            let signalled = |fate: &&Fate| matches!(fate, Fate::Signalled { .. });
            let signals = typed.fate.iter().filter(signalled).count();
            self.counts.add("interrupts", signals as u64);
            self.counts.add("input", typed.fate.len() as u64);
            self.counts.add("input dropped", typed.dropped);
            if let Some(shell) = self.device.shells.get(sid) {
                self.counts.add("output", shell.produced);
            }
        }
        for seat in self.seats.values() {
            self.counts.add("screens", seat.viewer.screens);
            self.counts.add("input unarrived", seat.viewer.lost_input);
            let viewer = &seat.viewer;
            let Some(position) = viewer.end.input_position(&viewer.sid) else {
                continue;
            };
            let typed = &self.device.typed[&viewer.sid];
            let shell = self.device.shells.get(&viewer.sid);
            if viewer.controlled == Some(position.epoch)
                && let Some((epoch, end)) = typed.last()
                && epoch == position.epoch
                && shell.is_some_and(|shell| !shell.has_ended)
            {
                assert_eq!(typed.fate.len() as u64, end, "typed and never applied");
                assert_eq!(position.dropped, typed.dropped, "told another loss");
            }
        }
        if self.counts.of("restores") == 0 && self.counts.of("device_restarts") == 0 {
            assert_eq!(
                self.counts.of("gaps"),
                0,
                "a gap although nobody forgot anything"
            );
            assert_eq!(self.counts.of("strangers"), 0);
        }
    }
}

/// Whoever is asked whether input that waited is still meant says so, or asks for control anew.
fn decide_held(message: &Message, viewer: &mut Viewer, rng: &mut Rng, counts: &mut Counts) {
    let is_held = message.typ == "notice" && message.props.get_str("kind") == Some("held");
    if !is_held {
        return;
    }
    counts.add("held", 1);
    if rng.once_in(2) {
        let _ = viewer.end.send(Message {
            proto: proto::SHELL,
            typ: "release".to_owned(),
            sid: message.sid.clone(),
            props: Props::new(),
            ..Message::default()
        });
    } else {
        let _ = viewer.end.want_control(&message.sid);
    }
}
