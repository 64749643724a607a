//! The two websockets: devices' and operators'.
//!
//! Here messages are decoded, handed to [`crate::session`], and what it answers is encoded and sent.
//! The rules are there, not here. A device's sessions are driven by one task ([`driver`]), which waits for
//! nobody; each websocket is a task of its own with a bounded queue.

pub(crate) mod adoption;
mod close;
mod device;
mod displaced;
mod driver;
mod links;
mod live;
mod pipe;
mod pulse;
mod pump;
mod rights;
mod socket;
mod user;

pub use device::device_connect;
pub use links::{DisconnectReason, Links, Presence};
pub(crate) use rights::follow as follow_rights;
pub use user::user_connect;
