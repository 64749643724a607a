//! The gateway over real sockets: a server in this process, scripted devices and operators' ends on
//! loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test"
)]

mod agent;
mod bad_input;
mod clock;
mod closing;
mod devices;
mod killed;
mod lab;
mod lossless;
mod peer;
mod sessions;
mod several;
mod terminals;
mod time;
mod viewer;
mod wire;
