//! The protocol numbers a message header can carry.

/// A remote shell, see [`crate::shell`].
pub const SHELL: u16 = 1;
/// Files to and from a device, see [`crate::file_transfer`].
pub const FILE_TRANSFER: u16 = 2;
/// TCP and UDP forwarding, see [`crate::port_forward`].
pub const PORT_FORWARD: u16 = 3;
/// Orders to the device's Mender client, see [`crate::mender_client`].
pub const MENDER_CLIENT: u16 = 4;
/// The control protocol beneath all others, see [`crate::control`].
pub const CONTROL: u16 = 0xFFFF;

/// The only version of the protocol there is, as named in a handshake.
pub const VERSION: i64 = 1;
