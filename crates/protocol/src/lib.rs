//! Everything that crosses a wire between Longwire and its peers, and nothing else.
//!
//! One [`Message`] is one binary websocket message: a msgpack map with a header (protocol number,
//! type, session id, properties) and a body. [`decode()`] accepts whatever any known peer sends;
//! [`encode()`] writes the one form its [`Receiver`] is known to understand, so that nothing is ever
//! passed through raw. The modules [`shell`], [`control`], [`file_transfer`], [`port_forward`] and
//! [`mender_client`] give the messages of each protocol as types.
//!
//! The crate does no IO and keeps no time.

mod decode;
mod encode;
mod message;
mod read;
mod value;
mod write;

pub mod control;
pub mod file_transfer;
pub mod limits;
pub mod mender_client;
pub mod port_forward;
pub mod proto;
pub mod shell;

pub use decode::{DecodeError, decode};
pub use encode::{Receiver, encode};
pub use message::{Message, NotUnderstood, prop};
pub use value::{Props, Value};
