//! Sessions under simulated time and faults. Every run prints its seed, and is the same for the same
//! seed: `LINK_SIM_SEED=17 cargo test -p longwire-link --test simulation`.
//!
//! `LINK_SIM_STEPS` and `LINK_SIM_RUNS` make it longer; `scripts/` has no part in it.
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

mod sim;

use sim::world::{Faults, World};

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs seed after seed, or the one that is asked for.
fn runs(faults: Faults, first: u64) {
    let steps = setting("LINK_SIM_STEPS").unwrap_or(12_000);
    let seeds = match setting("LINK_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + setting("LINK_SIM_RUNS").unwrap_or(4),
    };
    for seed in seeds {
        let mut world = World::new(seed, faults);
        world.run(steps);
        world.calm_down();
        world.check_settled();
        println!("{:?}", world.counts);
    }
}

#[test]
fn nothing_is_lost_when_nothing_goes_wrong() {
    runs(Faults::NONE, 1);
}

#[test]
fn lost_links_killed_servers_and_reloaded_pages_cost_no_byte() {
    runs(Faults::HARMLESS, 1000);
}

#[test]
fn restarted_devices_and_restored_backups_cost_what_is_recorded_as_a_gap() {
    runs(Faults::ALL, 2000);
}
