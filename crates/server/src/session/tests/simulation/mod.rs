//! The real core between a model of a device and models of viewers, under simulated time and faults. Every
//! run prints its seed, and is the same for the same seed: `SESSION_SIM_SEED=17 cargo test -p
//! longwire-server --lib simulation`. `SESSION_SIM_STEPS` and `SESSION_SIM_RUNS` make it longer.
//!
//! Device, viewers and wires are those of the simulation in `crates/link`, where a small relay stands in
//! for this core. Each part checks what it sees against what is so.
#![allow(
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    dead_code,
    unreachable_pub,
    reason = "parts are shared with another crate's tests"
)]

#[path = "../../../../../link/tests/sim/device.rs"]
mod device;
#[path = "../../../../../link/tests/sim/faults.rs"]
mod faults;
#[path = "../../../../../link/tests/rng/mod.rs"]
mod rng;
mod server;
#[path = "../../../../../link/tests/sim/truth.rs"]
mod truth;
#[path = "../../../../../link/tests/sim/viewer.rs"]
mod viewer;
#[path = "../../../../../link/tests/sim/wire.rs"]
mod wire;
mod world;

use std::time::Duration;

use faults::{Counts, Faults};
pub use rng::Rng;
use world::World;

pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs seed after seed, or the one that is asked for. What is said to happen must have happened.
fn runs(faults: Faults, first: u64, happens: &[&str]) {
    let steps = setting("SESSION_SIM_STEPS").unwrap_or(6_000);
    let only = setting("SESSION_SIM_SEED");
    let seeds = match only {
        Some(seed) => seed..seed + 1,
        None => first..first + setting("SESSION_SIM_RUNS").unwrap_or(3),
    };
    let mut all = Counts::default();
    for seed in seeds {
        let mut world = World::new(seed, faults);
        world.run(steps);
        world.calm_down();
        world.check_settled();
        println!("{:?}", world.counts);
        all.add_all(&world.counts);
    }
    println!("all: {all:?}");
    for what in happens {
        assert!(all.of(what) > 0 || only.is_some(), "there were no {what}");
    }
}

const ALWAYS: [&str; 5] = ["output", "input", "interrupts", "screens", "epochs"];

const HARMLESS: [&str; 4] = ["cuts", "kills", "impostors", "adopted"];

#[test]
fn nothing_is_lost_when_nothing_goes_wrong() {
    runs(Faults::NONE, 1, &ALWAYS);
}

#[test]
fn lost_links_killed_servers_and_reloaded_pages_cost_no_byte() {
    runs(Faults::HARMLESS, 1000, &[&ALWAYS[..], &HARMLESS].concat());
}

#[test]
fn restarted_devices_and_restored_backups_cost_what_is_recorded_as_a_gap() {
    let noticed = ["device_restarts", "restores", "gaps"];
    let all = Faults {
        device_restart: 5000,
        restore: 4000,
        ..Faults::HARMLESS
    };
    runs(all, 2000, &[&ALWAYS[..], &HARMLESS, &noticed].concat());
}
