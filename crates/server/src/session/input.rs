//! What happens to the sessions of a device.

use std::net::IpAddr;

use longwire_protocol::Message;
use longwire_protocol::shell::Ended;

use crate::access::Granted;
use crate::ids::UserId;

/// One operator's end. Never given twice by one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewerId(pub u64);

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    user_id: UserId,
    email: String,
    address: Option<IpAddr>,
}

impl Owner {
    /// The person who was granted a terminal, and the address they came from. There is no other way to
    /// own a session.
    #[must_use]
    pub fn new(granted: &Granted, address: Option<IpAddr>) -> Self {
        Self {
            user_id: granted.user_id(),
            email: granted.email().to_owned(),
            address,
        }
    }

    /// Who owned a session that is stored, from where it was opened.
    #[must_use]
    pub fn stored(user_id: UserId, email: String, address: Option<IpAddr>) -> Self {
        Self {
            user_id,
            email,
            address,
        }
    }

    #[cfg(test)]
    pub(super) fn for_test(user_id: UserId) -> Self {
        Self {
            user_id,
            email: "operator@example.com".to_owned(),
            address: None,
        }
    }

    /// Account.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.user_id
    }

    /// E-mail address.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Where the person came from, if known.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

/// What a viewer's end can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerKind {
    /// Any Mender client: what has been written to its socket counts as seen.
    Plain,
    /// Our page: output carries its offset, and counts as seen once acknowledged.
    Acknowledging,
}

/// What a device's end can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Any agent: what was under way when the link broke is lost.
    Plain,
}

/// Why the server ends sessions by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The device did not come back in time.
    DeviceGone,
    /// The device is not (or no longer) let in.
    DeviceRemoved,
    /// The operator's sign-in has ended, or they lost the right.
    NotAllowed,
    /// This process ends.
    ServerEnding,
}

impl EndReason {
    /// The reason as peers read it.
    #[must_use]
    pub const fn ended(self) -> Ended {
        match self {
            Self::DeviceGone => Ended::DeviceGone,
            Self::DeviceRemoved | Self::NotAllowed => Ended::Refused,
            Self::ServerEnding => Ended::Stopped,
        }
    }

    /// The reason for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::DeviceGone => "device disconnected",
            Self::DeviceRemoved => "the device is no longer accepted",
            Self::NotAllowed => "no longer allowed",
            Self::ServerEnding => "the server is shutting down",
        }
    }
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Input {
    /// The device has a new link. It replaces the one before, if that still stood.
    LinkUp {
        /// What the device's end can do.
        kind: LinkKind,
    },
    /// The device's link is lost.
    LinkDown,
    /// The device said something over its present link.
    FromDevice(Message),
    /// Messages to the device have been written to its socket.
    LinkWritten {
        /// How many.
        messages: usize,
        /// The sum of their bodies.
        bytes: usize,
    },
    /// An operator's end wants a session.
    Attach {
        /// Names it from now on.
        viewer: ViewerId,
        /// A fresh, random session id.
        sid: String,
        /// Whose it is.
        owner: Owner,
        /// What the end can do.
        kind: ViewerKind,
    },
    /// An operator's end said something.
    FromViewer {
        /// Which end.
        viewer: ViewerId,
        /// What it said.
        message: Message,
        /// Credits it gave for it; they come back by [`super::Effect::Credit`].
        cost: u32,
    },
    /// Messages to an operator's end have been written to its socket.
    ViewerWritten {
        /// Which end.
        viewer: ViewerId,
        /// How many.
        messages: usize,
        /// Bytes of output among them.
        output: usize,
    },
    /// An operator's end is lost, or has left.
    ViewerGone(ViewerId),
    /// The server ends an operator's session.
    EndViewer(ViewerId, EndReason),
    /// The opening of a session has been written down (or could not be).
    Recorded {
        /// Which session.
        sid: String,
        /// Whether it was written.
        ok: bool,
    },
    /// The server ends everything about this device.
    End(EndReason),
    /// Time has passed: [`super::DeviceSessions::deadline`].
    Tick,
}
