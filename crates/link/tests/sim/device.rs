//! The device: an agent and its shells.

use std::collections::BTreeMap;
use std::time::Duration;

use longwire_link::{ShellConfig, ShellEnd, ToShellEnd};
use longwire_protocol::shell::{Ended, Stop, Winsize};

use super::Rng;
use super::millis;
use super::truth::{Typed, output};

pub struct Device {
    pub end: ShellEnd,
    pub shells: BTreeMap<String, Shell>,
    /// What was typed in every session there ever was.
    pub typed: BTreeMap<String, Typed>,
    runs: u64,
}

pub struct Shell {
    pub produced: u64,
    pub started_at: Duration,
    pub size: Option<Winsize>,
    /// Whether the program reads nothing.
    pub is_stuck: bool,
    /// Whether the terminal turns characters into signals.
    pub has_signals: bool,
    pub has_ended: bool,
    /// The device has run out of things to say, or was told to stop.
    pub is_to_end: bool,
    epoch: u64,
    /// Where the input stands for which an interrupt was asked out of turn.
    urged: Option<(u64, u8)>,
}

const INTERRUPT: u8 = 3;

impl Device {
    pub fn new() -> Self {
        Device {
            end: ShellEnd::new(ShellConfig::new("device-1")),
            shells: BTreeMap::new(),
            typed: BTreeMap::new(),
            runs: 1,
        }
    }

    /// The agent dies, and its shells with it.
    pub fn restart(&mut self) {
        self.runs += 1;
        self.end = ShellEnd::new(ShellConfig::new(&format!("device-{}", self.runs)));
        self.shells.clear();
    }

    /// Takes the events of the stream.
    pub fn attend(&mut self, now: Duration) {
        while let Some(event) = self.end.event() {
            match event {
                ToShellEnd::Open {
                    sid, epoch, size, ..
                } => self.open(sid, epoch, size, now),
                ToShellEnd::Interrupt { sid, byte, offset } => {
                    if let Some(shell) = self.shells.get_mut(&sid) {
                        shell.urged = Some((offset, byte));
                    }
                    self.interrupt(&sid);
                }
                ToShellEnd::Input { sid } => self.interrupt(&sid),
                ToShellEnd::Resize { sid, size } => {
                    if let Some(shell) = self.shells.get_mut(&sid)
                        && !shell.has_ended
                    {
                        shell.size = Some(size);
                        let time_ms = millis(now - shell.started_at);
                        self.end.resized(&sid, size, time_ms).unwrap();
                    }
                }
                ToShellEnd::Epoch { sid, epoch, .. } => {
                    if let Some(shell) = self.shells.get_mut(&sid) {
                        shell.epoch = epoch;
                        shell.urged = None;
                        self.typed.get_mut(&sid).unwrap().epoch_begins(epoch);
                    }
                }
                ToShellEnd::Stop { sid, .. } => {
                    if let Some(shell) = self.shells.get_mut(&sid) {
                        shell.is_to_end = true;
                    }
                }
                ToShellEnd::Hello(_)
                | ToShellEnd::Acknowledged { .. }
                | ToShellEnd::Forgotten { .. } => {}
                ToShellEnd::Attach { .. }
                | ToShellEnd::ControlWanted { .. }
                | ToShellEnd::InputSkipped { .. }
                | ToShellEnd::PeerError(_)
                | ToShellEnd::Other(_) => panic!("no business of a device: {event:?}"),
            }
        }
    }

    fn open(&mut self, sid: String, epoch: u64, size: Option<Winsize>, now: Duration) {
        self.end.started(&sid).unwrap();
        let typed = self.typed.entry(sid.clone()).or_default();
        *typed = Typed::default();
        typed.epoch_begins(epoch);
        let shell = Shell {
            produced: 0,
            started_at: now,
            size,
            is_stuck: false,
            has_signals: true,
            has_ended: false,
            is_to_end: false,
            epoch,
            urged: None,
        };
        if let Some(size) = size {
            self.end.resized(&sid, size, 0).unwrap();
        }
        self.shells.insert(sid, shell);
    }

    /// Lets one shell live for a moment.
    pub fn live(&mut self, rng: &mut Rng, now: Duration, calm: bool) {
        if self.shells.is_empty() {
            return;
        }
        let index = rng.below(self.shells.len() as u64) as usize;
        let (sid, shell) = self.shells.iter_mut().nth(index).unwrap();
        let sid = sid.clone();
        if shell.has_ended {
            return;
        }
        if rng.once_in(50) || calm {
            shell.is_stuck = !calm && rng.once_in(2);
            shell.has_signals = rng.once_in(2);
        }
        let time_ms = millis(now - shell.started_at);
        if !calm {
            let burst = if rng.once_in(40) { 100_000 } else { 300 };
            let count = rng.below(burst).min(self.end.room(&sid) as u64);
            let bytes = output(&sid, shell.produced, count);
            shell.produced += count;
            self.end.output(&sid, bytes, time_ms).unwrap();
        }
        if shell.is_to_end {
            shell.has_ended = true;
            let stop = Stop {
                reason: Some(Ended::Exited),
                exit_status: Some(7),
                ..Stop::default()
            };
            self.end.ended(&sid, stop).unwrap();
        } else if shell.is_stuck {
            self.interrupt(&sid);
        } else {
            self.write(&sid, 1 + rng.below(2000) as usize);
        }
    }

    /// The program reads some input.
    fn write(&mut self, sid: &str, most: usize) {
        let bytes = self.end.input(sid);
        let bytes = &bytes[..bytes.len().min(most)];
        let epoch = self.shells[sid].epoch;
        self.typed.get_mut(sid).unwrap().written(epoch, bytes);
        let count = bytes.len();
        if count > 0 {
            self.end.wrote(sid, count).unwrap();
        }
    }

    /// The pty takes nothing: an interrupt that waits is carried out.
    fn interrupt(&mut self, sid: &str) {
        let Some(shell) = self.shells.get_mut(sid) else {
            return;
        };
        if !shell.is_stuck || !shell.has_signals || shell.has_ended {
            return;
        }
        let waiting = self.end.find_input(sid, &[INTERRUPT]);
        let found = shell
            .urged
            .take()
            .filter(|(_, byte)| *byte == INTERRUPT)
            .map(|(offset, _)| offset)
            .max(waiting);
        let Some(offset) = found else {
            return;
        };
        if let Ok(dropped) = self.end.interrupted(sid, offset) {
            let typed = self.typed.get_mut(sid).unwrap();
            typed.out_of_turn += u64::from(waiting != Some(offset));
            typed.interrupted(shell.epoch, offset, dropped, INTERRUPT);
        }
    }
}
