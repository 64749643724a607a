//! Sessions under simulated time and faults. Every run prints its seed, and is the same for the same
//! seed: `LINK_SIM_SEED=17 cargo test -p longwire-link --test simulation`.
//!
//! `LINK_SIM_STEPS` and `LINK_SIM_RUNS` make it longer, `LINK_SIM_FIRST` starts from other seeds; in a
//! release build a million steps take about three seconds of one core.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a test"
)]

mod rng;
mod sim;

use sim::faults::{Counts, Faults};
use sim::world::World;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs seed after seed, or the one that is asked for. What is said to happen must have happened.
fn runs(faults: Faults, first: u64, happens: &[&str]) {
    let steps = setting("LINK_SIM_STEPS").unwrap_or(8_000);
    let only = setting("LINK_SIM_SEED");
    let seeds = match only {
        Some(seed) => seed..seed + 1,
        None => {
            let first = first + setting("LINK_SIM_FIRST").unwrap_or(0);
            first..first + setting("LINK_SIM_RUNS").unwrap_or(3)
        }
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

const ALWAYS: [&str; 7] = [
    "output",
    "input",
    "interrupts",
    "interrupts out of turn",
    "input dropped",
    "screens",
    "take-overs",
];

const HARMLESS: [&str; 6] = ["cuts", "late", "kills", "impostors", "silences", "held"];

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
    let noticed = ["device_restarts", "restores", "gaps", "strangers"];
    let happens = [&ALWAYS[..], &HARMLESS, &noticed].concat();
    let all = Faults {
        device_restart: 9000,
        restore: 7000,
        ..Faults::HARMLESS
    };
    runs(all, 2000, &happens);
}
