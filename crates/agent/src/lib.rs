//! The device's end of Longwire: one outbound websocket, and shells behind it.
//!
//! [`identity`] says as whom and where to connect, [`connection`] keeps the link. One thread, no
//! polling: the program wakes for bytes, signals and timers that are due.

pub mod backoff;
pub mod cli;
mod clock;
pub mod config;
pub mod connection;
pub mod dial;
pub mod fingerprint;
mod heap;
pub mod http;
pub mod identity;
pub mod inventory;
mod limits;
pub mod logger;
pub mod network_interfaces;
pub mod private_file;
mod pty;
mod route;
mod router;
pub mod server_url;
mod session;
mod shared_end;
mod status;
pub mod tls;
