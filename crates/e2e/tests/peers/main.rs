//! The real programs and real peers against each other, on loopback.

mod fragile;
mod harness;
mod mender_cli;
mod scene;
mod terminals;
