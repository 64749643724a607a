//! Typed management API and terminal channel, for the command line and for end-to-end tests.
//!
//! A [`Client`] speaks to one server: Longwire's or a real Mender server. [`Client::session`] opens
//! a [`session`] on a device, or a plain [`terminal`] where the server has no sessions. Each call makes a connection of its own, over TLS unless the
//! [`ServerUrl`] was allowed to be plain.

mod api;
mod connect;
mod error;
mod http;
mod longwire;
mod server_url;
pub mod session;
pub mod terminal;
mod tls;
mod websocket;

pub use api::{AuthSet, AuthStatus, Client, Device, DeviceState};
pub use error::Error;
pub use longwire::{
    DeviceRow, DeviceRowAuthSet, Me, Page, ServerInfo, SessionOwner, SessionRow, SessionViewer,
};
pub use server_url::ServerUrl;
pub use tls::Trust;
