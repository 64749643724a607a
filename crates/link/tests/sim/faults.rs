//! What may go wrong, and how often it did.

use std::collections::BTreeMap;

/// What may go wrong, each once in so many steps; 0 for never.
#[derive(Clone, Copy)]
pub struct Faults {
    pub cut: u64,
    pub viewer_cut: u64,
    pub server_kill: u64,
    pub device_restart: u64,
    pub restore: u64,
    pub reload: u64,
    pub outage: u64,
    pub impostor: u64,
}

impl Faults {
    pub const NONE: Faults = Faults {
        cut: 0,
        viewer_cut: 0,
        server_kill: 0,
        device_restart: 0,
        restore: 0,
        reload: 0,
        outage: 0,
        impostor: 0,
    };
    /// Everything that must cost nothing.
    pub const HARMLESS: Faults = Faults {
        cut: 400,
        viewer_cut: 300,
        server_kill: 2500,
        reload: 2000,
        outage: 4000,
        impostor: 3000,
        ..Faults::NONE
    };
}

/// How often what happened.
#[derive(Default, Debug)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    pub fn add(&mut self, what: &'static str, count: u64) {
        *self.0.entry(what).or_default() += count;
    }

    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    pub fn add_all(&mut self, other: &Counts) {
        for (what, count) in &other.0 {
            self.add(what, *count);
        }
    }
}
