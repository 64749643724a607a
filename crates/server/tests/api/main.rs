//! The HTTP API over real connections.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod admission;
mod bad_input;
mod browser;
mod decisions;
mod events;
mod inventory;
mod login;
mod routes;
