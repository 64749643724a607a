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

mod bad_input;
mod clock;
mod closing;
mod devices;
mod lab;
mod peer;
mod sessions;
mod terminals;
mod time;
