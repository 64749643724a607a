//! All together, and what goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use longwire_link::{LinkError, ShellConfig, ShellEnd, limits};
use longwire_protocol::Receiver;

use super::Rng;
use super::device::Device;
use super::faults::{Counts, Faults};
use super::server::{Disk, Server};
use super::truth::Fate;
use super::viewer::Viewer;
use super::wire::Wire;

/// Where each viewer stands.
struct Seat {
    viewer: Viewer,
    wire: Option<Wire>,
}

pub struct World {
    rng: Rng,
    pub now: Duration,
    faults: Faults,
    pub device: Device,
    pub server: Option<Server>,
    disk: Disk,
    backups: Vec<Disk>,
    runs: u64,
    wire: Option<Wire>,
    /// A connection that was replaced and still delivers.
    late: Option<Wire>,
    seats: BTreeMap<usize, Seat>,
    next_viewer: usize,
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
            now: Duration::from_secs(1000),
            faults,
            device: Device::new(),
            server: None,
            disk: Disk::default(),
            backups: Vec::new(),
            runs: 0,
            wire: None,
            late: None,
            seats: BTreeMap::new(),
            next_viewer: 0,
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
        if self.happens(self.faults.viewer_cut) {
            self.cut_viewer();
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
        if self.happens(self.faults.outage) {
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
            self.start_server();
        }
        let Some(server) = &mut self.server else {
            return;
        };
        server.commit(&mut self.rng);
        if self.rng.once_in(100) && !calm && self.faults.restore > 0 {
            self.backups.push(server.disk.clone());
        }
    }

    fn start_server(&mut self) {
        self.runs += 1;
        let disk = std::mem::take(&mut self.disk);
        self.server = Some(Server::start(disk, self.runs));
    }

    fn connect_device(&mut self) {
        let Some(server) = &mut self.server else {
            return;
        };
        if let Some(wire) = &self.wire {
            // An agent that sees its link half open makes a new one; the server learns by that.
            if !wire.is_half_open || !self.rng.once_in(20) {
                return;
            }
        }
        let at_shell = self.device.end.connected(self.now);
        let at_user = server.device.connected(self.now);
        self.late = self.wire.take();
        self.wire = Some(Wire::new(at_user, at_shell, Receiver::Server));
    }

    fn drop_device_wire(&mut self) {
        let Some(wire) = self.wire.take() else {
            return;
        };
        self.device.end.disconnected(wire.at_shell);
        if let Some(server) = &mut self.server {
            server.device.disconnected(wire.at_user);
        }
        self.late = None;
    }

    fn cut_device(&mut self) {
        self.counts.add("cuts", 1);
        let kind = self.rng.below(4);
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
            // The device makes a new connection at once, and the old one still delivers.
            1 => {
                if self.server.is_some() {
                    self.counts.add("late", 1);
                    wire.is_half_open = true;
                    while self.wire.as_ref().is_some_and(|wire| wire.is_half_open) {
                        self.connect_device();
                    }
                }
            }
            // One way delivers to the end, the other loses everything.
            2 => {
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
        self.drop_device_wire();
        let Some(server) = &mut self.server else {
            return;
        };
        self.counts.add("impostors", 1);
        let mut impostor = ShellEnd::new(ShellConfig::new("impostor"));
        let at_shell = impostor.connected(self.now);
        let at_user = server.device.connected(self.now);
        for _ in 0..self.rng.below(20) {
            if let Some(message) = impostor.transmit(self.now) {
                let device = &mut server.device;
                device.receive(at_user, message, self.now).unwrap();
            }
            if let Some(message) = server.device.transmit(self.now) {
                impostor.receive(at_shell, message, self.now).unwrap();
            }
        }
        server.attend_device();
        server.device.disconnected(at_user);
    }

    fn cut_viewer(&mut self) {
        let Some(id) = self.any_seat() else {
            return;
        };
        self.drop_viewer_wire(id);
    }

    fn drop_viewer_wire(&mut self, id: usize) {
        let Some(seat) = self.seats.get_mut(&id) else {
            return;
        };
        if let Some(wire) = seat.wire.take() {
            seat.viewer.end.disconnected(wire.at_user);
            if let Some(server) = &mut self.server {
                server.viewers.remove(&id);
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
        self.late = None;
        for seat in self.seats.values_mut() {
            if let Some(wire) = seat.wire.take() {
                seat.viewer.end.disconnected(wire.at_user);
            }
        }
    }

    /// The server comes back with an older disk. A session that was being opened then is given up:
    /// nobody knows what has become of it since.
    fn restore(&mut self) {
        self.kill_server();
        self.counts.add("restores", 1);
        let index = self.rng.below(self.backups.len() as u64) as usize;
        self.disk = self.backups.swap_remove(index);
        for kept in self.disk.sessions.values_mut() {
            kept.is_lost |= !kept.is_started;
            kept.is_restored = true;
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
        let open = self
            .device
            .shells
            .values()
            .filter(|shell| !shell.has_ended)
            .count();
        let viewer = if self.sids.is_empty() || (open < SESSIONS && self.rng.once_in(2)) {
            let sid = format!("session-{}", self.sids.len() + 1);
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
            server.viewer_connected(id);
            let at_shell = server.viewers.get_mut(&id).unwrap().end.connected(self.now);
            let at_user = seat.viewer.end.connected(self.now);
            seat.wire = Some(Wire::new(at_user, at_shell, Receiver::User));
        }
        seat.viewer
            .act(&mut self.rng, self.now, &mut self.device.typed, calm);
    }

    fn device_traffic(&mut self) {
        let count = 1 + self.rng.below(6);
        for _ in 0..count {
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
                        && let Some(message) = server.device.transmit(self.now)
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
        let Some(server) = &mut self.server else {
            return;
        };
        for wire in [&mut self.late, &mut self.wire].into_iter().flatten() {
            if let Some(message) = wire.to_user.deliver() {
                self.counts.add("delivered", 1);
                server
                    .device
                    .receive(wire.at_user, message, self.now)
                    .unwrap();
            }
        }
        server.attend_device();
    }

    fn deliver_to_device(&mut self) {
        for wire in [&mut self.late, &mut self.wire].into_iter().flatten() {
            if let Some(message) = wire.to_shell.deliver() {
                self.counts.add("delivered", 1);
                self.device
                    .end
                    .receive(wire.at_shell, message, self.now)
                    .unwrap();
            }
        }
        self.device.attend(self.now);
    }

    fn viewer_traffic(&mut self) {
        let (Some(id), Some(server)) = (self.any_seat(), &mut self.server) else {
            return;
        };
        let restored = self.counts.of("restores") > 0;
        let seat = self.seats.get_mut(&id).unwrap();
        let Some(wire) = &mut seat.wire else {
            return;
        };
        for _ in 0..1 + self.rng.below(6) {
            let attached = server.viewers.get_mut(&id).unwrap();
            match self.rng.below(4) {
                0 if wire.to_user.takes() => {
                    if let Some(message) = attached.end.transmit(self.now) {
                        wire.to_user.send(&message);
                    }
                }
                1 if wire.to_shell.takes() => {
                    if let Some(message) = seat.viewer.end.transmit(self.now) {
                        wire.to_shell.send(&message);
                    }
                }
                2 => {
                    if let Some(message) = wire.to_user.deliver() {
                        self.counts.add("delivered", 1);
                        let end = &mut seat.viewer.end;
                        end.receive(wire.at_user, message, self.now).unwrap();
                        seat.viewer.attend(&mut self.device.typed, restored);
                    }
                }
                _ => {
                    if let Some(message) = wire.to_shell.deliver() {
                        self.counts.add("delivered", 1);
                        let end = &mut attached.end;
                        end.receive(wire.at_shell, message, self.now).unwrap();
                    }
                    server.attend_viewer(id, self.now, &mut self.rng);
                }
            }
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
        if let Some(server) = &mut self.server
            && due(server.device.deadline())
            && server.device.tick(self.now) == Err(LinkError::Silent)
        {
            self.counts.add("silences", 1);
            self.drop_device_wire();
        }
        let mut silent = Vec::new();
        for (id, seat) in &mut self.seats {
            if due(seat.viewer.end.deadline()) && seat.viewer.end.tick(self.now).is_err() {
                silent.push(*id);
            }
            if let Some(server) = &mut self.server
                && let Some(attached) = server.viewers.get_mut(id)
                && due(attached.end.deadline())
                && attached.end.tick(self.now).is_err()
            {
                silent.push(*id);
            }
        }
        for id in silent {
            self.drop_viewer_wire(id);
        }
    }

    fn check_bounds(&self) {
        let slack = 3 * 16 * 1024 + 64 * 1024;
        let most = limits::RINGS + self.device.shells.len() * slack;
        assert!(self.device.end.memory() <= most);
        if let Some(server) = &self.server {
            for (sid, kept) in &server.disk.sessions {
                // Only what is on disk is acknowledged.
                if let Some((safe, _)) = self.device.end.output_position(sid)
                    && self.counts.of("restores") == 0
                {
                    assert!(
                        safe <= kept.recorded,
                        "{sid}: let go of what is not on disk"
                    );
                }
            }
            let each = limits::INPUT_KEPT + limits::INTERRUPT_RESERVE + slack;
            assert!(server.device.memory() <= self.sids.len() * each);
            for viewer in server.viewers.values() {
                assert!(viewer.end.memory() <= limits::RING + each + 64 * 1024);
            }
        }
    }

    /// Nothing goes wrong any more and nobody says anything new: everything must arrive.
    pub fn calm_down(&mut self) {
        if self.wire.as_ref().is_some_and(|wire| wire.is_half_open) {
            self.drop_device_wire();
        }
        self.faults = Faults::NONE;
        for _ in 0..10_000 {
            for _ in 0..100 {
                self.step(true);
            }
            if self.has_settled() {
                return;
            }
        }
        self.explain();
        panic!("no progress: {:?}", self.counts);
    }

    /// Where everybody stands, for whoever looks for the reason.
    fn explain(&self) {
        let server = self.server.as_ref().unwrap();
        for (sid, shell) in &self.device.shells {
            println!(
                "{sid}: produced {} ended {} stuck {} safe/end {:?}",
                shell.produced,
                shell.has_ended,
                shell.is_stuck,
                self.device.end.output_position(sid)
            );
        }
        for (sid, kept) in &server.disk.sessions {
            println!(
                "{sid}: recorded {} epoch {} controller {} ended {} lost {} input {:?}",
                kept.recorded,
                kept.epoch,
                kept.controller,
                kept.end.is_some(),
                kept.is_lost,
                server.device.input_position(sid)
            );
        }
        for (id, seat) in &self.seats {
            println!(
                "viewer {id} of {}: seen {} over {} input {:?}",
                seat.viewer.sid,
                seat.viewer.seen,
                seat.viewer.is_over,
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
            server.disk.sessions.get(sid).is_none_or(|kept| {
                let same_size = shell.has_ended || server.sizes.get(sid) == shell.size.as_ref();
                kept.is_lost
                    || same_size
                        && kept.end.is_some() == shell.has_ended
                        && kept.recorded == shell.produced
            })
        });
        recorded
            && server.device.is_linked()
            && self.seats.values().all(|seat| {
                let viewer = &seat.viewer;
                let Some(kept) = server.disk.sessions.get(&viewer.sid) else {
                    return viewer.is_over;
                };
                let sees_all = viewer.is_over || viewer.seen == kept.recorded;
                let is_running = kept.end.is_none() && !kept.is_lost;
                if !is_running {
                    return viewer.is_over;
                }
                let position = viewer.end.input_position(&viewer.sid);
                let all_applied = kept.controller != seat_id(&self.seats, seat)
                    || position.is_some_and(|at| at.applied == at.end);
                sees_all && all_applied
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
            self.counts.add("interrupts out of turn", typed.out_of_turn);
            self.counts.add("input", typed.fate.len() as u64);
            self.counts.add("input dropped", typed.dropped);
            if let Some(shell) = self.device.shells.get(sid) {
                self.counts.add("output", shell.produced);
            }
        }
        for seat in self.seats.values() {
            self.counts.add("screens", seat.viewer.screens);
            self.counts.add("input unarrived", seat.viewer.lost_input);
        }
        for seat in self.seats.values() {
            let viewer = &seat.viewer;
            let Some(position) = viewer.end.input_position(&viewer.sid) else {
                continue;
            };
            let typed = &self.device.typed[&viewer.sid];
            if viewer.controlled == Some(position.epoch)
                && let Some((epoch, end)) = typed.last()
                && epoch == position.epoch
                && self
                    .device
                    .shells
                    .get(&viewer.sid)
                    .is_some_and(|shell| !shell.has_ended)
            {
                assert_eq!(typed.fate.len() as u64, end, "typed and never applied");
                assert_eq!(position.dropped, typed.dropped, "told another loss");
            }
        }
        if self.counts.of("restores") == 0 {
            assert_eq!(
                self.counts.of("gaps"),
                0,
                "a gap although nobody forgot anything"
            );
            assert_eq!(self.counts.of("strangers"), 0);
        }
    }
}

fn seat_id(seats: &BTreeMap<usize, Seat>, seat: &Seat) -> usize {
    *seats
        .iter()
        .find(|(_, other)| std::ptr::eq(*other, seat))
        .unwrap()
        .0
}
