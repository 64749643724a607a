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
//!
//! # Who owns what
//!
//! An **agent** has one [`ShellEnd`] for all its life, whatever connections and servers come and go. It
//! reads a pty when [`ShellEnd::room`] says so, also while there is no link, and writes
//! [`ShellEnd::input`] as the pty takes it. It tells of every size, the first included, and of the end.
//!
//! A **server** has one [`UserEnd`] for each device. What it must not forget across a restart is the
//! session itself, its epoch, whether it has started, whether it is to be stopped, and its output: it
//! says [`UserEnd::recorded`] and [`UserEnd::end_recorded`] when these are safe, and tells a new run by
//! [`UserEnd::open`] and [`UserEnd::resume`]. For each viewer's connection it has a [`ShellEnd`] of its
//! own ([`ShellConfig::for_viewer`]), which it feeds from what the session keeps while there is room, and
//! whose input it passes on by [`ShellEnd::take_input`] and [`UserEnd::relay_input`]; the device's word
//! on what was applied goes back by [`ShellEnd::applied`].
//!
//! A **client** has one [`UserEnd`] ([`UserEnd::for_viewer`]) that outlives its connections.

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
