//! The `longwire.v1` stream: a terminal session that outlives its connections.
//!
//! Two ends share a session. The [`ShellEnd`] is where the shell is, or stands for it: an agent, or a
//! server towards its viewers. The [`UserEnd`] is where somebody looks and types: a server towards
//! its devices, or a command line program. Output flows from the one, input from the other; every
//! byte has an offset, counted from the start of the shell in each direction; the sender keeps what
//! is not acknowledged; and after a reconnect each end says where it stands and the other sends again
//! from there. `docs/protocol.md` in the repository specifies what is on the wire.
//!
//! Both ends are state machines: no IO, no clock, no tasks. Their owner tells them of connections,
//! messages and time, and then takes from them, until there is no more, what to send
//! (`transmit`) and what has happened (`event`):
//!
//! ```
//! use std::time::Duration;
//! use longwire_link::{Hello, ShellEnd, ShellConfig, ToShellEnd, UserEnd};
//! use longwire_protocol::Props;
//!
//! let now = Duration::ZERO;
//! let mut device = ShellEnd::new(ShellConfig::new("device-run-1"));
//! let mut server = UserEnd::new(Hello::new("server-run-1", 1024 * 1024));
//! server.open("sid-1", 1, None, Props::new()).unwrap();
//!
//! let (at_device, at_server) = (device.connected(now), server.connected(now));
//! loop {
//!     if let Some(message) = server.transmit(now) {
//!         device.receive(at_device, message, now).unwrap();
//!     } else if let Some(message) = device.transmit(now) {
//!         server.receive(at_server, message, now).unwrap();
//!     } else {
//!         break;
//!     }
//! }
//! assert!(std::iter::from_fn(|| device.event())
//!     .any(|event| matches!(event, ToShellEnd::Open { sid, .. } if sid == "sid-1")));
//! ```
//!
//! Time is a [`std::time::Duration`] since any fixed moment, on a clock that never steps.

mod error;
mod flight;
mod inbound;
mod link;
mod outbound;
mod pulse;
mod ring;
mod shell_end;
mod turns;
mod user_end;

pub mod limits;
pub mod wire;

pub use error::{LinkError, SessionError};
pub use link::Generation;
pub use shell_end::{Attachment, Leg, ShellConfig, ShellEnd, ToShellEnd};
pub use user_end::{InputPosition, ToUserEnd, UserEnd};
pub use wire::Hello;
