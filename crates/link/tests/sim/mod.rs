//! A device, a server and some viewers under simulated time, with faults from a seed.
//!
//! Everything that goes over a link is encoded and decoded as on a real one. Each part checks what
//! it sees against [`truth`], which every byte of a session can be computed from.

pub mod device;
pub mod faults;
pub mod server;
pub mod truth;
pub mod viewer;
pub mod wire;
pub mod world;

use std::time::Duration;

pub use crate::rng::Rng;

pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}
