//! Drives the program as people and scripts do, in a pty or in pipes, against a small endpoint that
//! writes down what it is asked. The full stack is tested elsewhere.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a test"
)]

mod calls;
mod endpoint;
mod peers;
mod pipes;
mod program;
mod screen;
