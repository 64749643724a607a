//! Protocol 4: orders to the device's Mender client. Neither has a body; a device answers with the
//! same type and `status` 1, or 2 and words.

/// Message types of the Mender client protocol.
pub mod typ {
    /// Look for a deployment now.
    pub const CHECK_UPDATE: &str = "check-update";
    /// Send the inventory now.
    pub const SEND_INVENTORY: &str = "send-inventory";
}

/// The words of real agents.
pub mod text {
    /// A message type that is not known.
    pub const UNKNOWN_TYPE: &str = "unknown message type";
}
