//! Starts the real programs and real peers and holds them to what they promise.
//!
//! A [`lab::Lab`] is a folder, a server in it, and whatever a test puts beside it: Debian's
//! unmodified mender-client, mender-connect and mender-cli, or our own programs. Everything listens
//! on loopback at port 0 or on sockets in the folder, and everything is gone when the lab ends.

pub mod endpoint;
pub mod faults;
pub mod lab;
pub mod line;
pub mod numbered;
pub mod operator;
pub mod peers;
pub mod process;
pub mod program;
pub mod seat;
pub mod terminal;
pub mod until;
pub mod viewer;
