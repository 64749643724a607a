//! What goes wrong, and when.

use std::time::Duration;

use super::dice::Dice;
use super::pipe::Way;
use super::proxy::Cut;

/// Which part of the way between shell and viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    /// Between device and server.
    Device,
    /// Between server and viewer.
    Viewer,
}

/// What happens to a leg. All but the first two are over after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connections are cut.
    Cut(Cut),
    /// What is sent disappears, and connections seem open until they are cut.
    HalfOpen,
    /// The connections are cut, and new ones refused.
    Unreachable,
    /// Nothing passes for a while, and nothing is lost.
    Stall,
    /// One direction goes on, the other one is swallowed; then the connections are cut.
    Loss(Way),
    /// Everything arrives later.
    Delay(Duration),
    /// Bytes a second.
    Limit(u32),
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The network does.
    Network {
        /// Where.
        leg: Leg,
        /// How.
        fault: Fault,
        /// For how long.
        lasts: Duration,
    },
    /// The server is killed, and started again on the same data after a while.
    ServerKilled {
        /// How long it is away.
        down: Duration,
    },
    /// The server is ended as for an upgrade, and started again on the same data at once.
    ServerUpgraded,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Time after the one before is over.
    pub pause: Duration,
    /// What happens.
    pub what: What,
}

/// An endless list of steps, the same for the same seed.
#[derive(Debug, Clone)]
pub struct Storm {
    /// What it was made from.
    pub seed: u64,
    dice: Dice,
}

impl Storm {
    /// The storm of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let dice = Dice::new(seed);
        Self { seed, dice }
    }

    fn what(&mut self) -> What {
        match self.dice.below(16) {
            0 | 1 => What::ServerKilled {
                down: self.millis(0, 1500),
            },
            2 => What::ServerUpgraded,
            _ => What::Network {
                leg: self.leg(),
                fault: self.fault(),
                lasts: self.millis(50, 1500),
            },
        }
    }

    fn leg(&mut self) -> Leg {
        if self.dice.below(2) == 0 {
            Leg::Device
        } else {
            Leg::Viewer
        }
    }

    fn fault(&mut self) -> Fault {
        match self.dice.below(12) {
            0..4 => Fault::Cut(Cut::Reset),
            4 | 5 => Fault::Cut(Cut::Finish),
            6 => Fault::HalfOpen,
            7 => Fault::Unreachable,
            8 => Fault::Stall,
            9 if self.dice.below(2) == 0 => Fault::Loss(Way::ToServer),
            9 => Fault::Loss(Way::ToClient),
            10 => Fault::Delay(self.millis(5, 400)),
            _ => Fault::Limit(4096 << self.dice.below(8)),
        }
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        self.dice
            .between(Duration::from_millis(least), Duration::from_millis(most))
    }
}

impl Iterator for Storm {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        // Mostly in the middle of what the fault before has set going.
        let pause = match self.dice.below(4) {
            0 => self.millis(0, 20),
            1 => self.millis(0, 200),
            _ => self.millis(0, 1000),
        };
        let what = self.what();
        Some(Step { pause, what })
    }
}
