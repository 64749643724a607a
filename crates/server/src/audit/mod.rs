//! What is written down about who did what.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::ids::{DeviceId, UserId};
use crate::time::Timestamp;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What happened, past tense.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $name),* }

        impl Action {
            /// The name under which it is stored.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

actions! {
    /// A person signed in.
    LoggedIn,
    /// A sign-in failed.
    LoginRefused,
    /// A person signed out.
    LoggedOut,
    /// An account was made.
    UserAdded,
    /// An account's password was set anew.
    UserPasswordChanged,
    /// An account was removed.
    UserRemoved,
    /// A device (or a known device with a new key) asked to be let in.
    DeviceRequested,
    /// A device was let in.
    DeviceAccepted,
    /// A device was turned away.
    DeviceRejected,
    /// A decision about a device was taken back.
    DeviceSetPending,
    /// A device was let in before it asked.
    DevicePreauthorized,
    /// One of a device's keys was forgotten.
    DeviceDismissed,
    /// A device was removed with all that is known of it.
    DeviceDecommissioned,
    /// Unaccepted requests were dropped to make room for newer ones.
    DeviceDropped,
    /// A device's token was revoked.
    DeviceTokenRevoked,
    /// Two devices with the same identity displaced each other; the second is held off.
    DeviceDuplicated,
    /// A device was put in a group or taken out of it.
    DeviceGrouped,
    /// A device's tags were changed.
    DeviceTagged,
    /// A terminal session began.
    SessionOpened,
    /// Somebody began to look at a terminal session.
    SessionAttached,
    /// Somebody looks at a terminal session no longer.
    SessionDetached,
    /// Somebody else types in a terminal session from now on.
    SessionTakenOver,
    /// It was decided that a terminal session is to end.
    SessionStopped,
    /// Output of a terminal session was lost.
    SessionOutputLost,
    /// A terminal session could not be recorded any more.
    SessionNotRecorded,
    /// Whose typing counts in a terminal session was decided anew, with nobody losing anything.
    SessionControlBegun,
    /// A device had a terminal session that is not known here. It was told to end it.
    SessionUnknown,
    /// A terminal session ended.
    SessionEnded,
    /// A terminal session was refused.
    SessionRefused,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person.
    User {
        /// Account.
        id: UserId,
        /// E-mail address at that time.
        email: String,
    },
    /// Somebody who did not prove who they are; the name they gave.
    Unknown(String),
    /// A device.
    Device(DeviceId),
    /// The server itself, or a command run on its machine.
    System,
}

impl Actor {
    /// `user`, `device` or `system`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } | Self::Unknown(_) => "user",
            Self::Device(_) => "device",
            Self::System => "system",
        }
    }

    /// The actor's id, if known.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Self::User { id, .. } => Some(id.to_string()),
            Self::Device(id) => Some(id.to_string()),
            Self::Unknown(_) | Self::System => None,
        }
    }

    /// The actor's name, if there is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::User { email, .. } => Some(email),
            Self::Unknown(name) => Some(name),
            Self::Device(_) | Self::System => None,
        }
    }
}

/// What it was done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A device.
    Device(DeviceId),
    /// An account.
    User(UserId),
    /// A group of devices.
    Group(String),
    /// The server itself.
    Server,
}

impl Object {
    /// `device`, `user`, `group` or `server`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Device(_) => "device",
            Self::User(_) => "user",
            Self::Group(_) => "group",
            Self::Server => "server",
        }
    }

    /// Which one.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Device(id) => Some(id.to_string()),
            Self::User(id) => Some(id.to_string()),
            Self::Group(name) => Some(name.clone()),
            Self::Server => None,
        }
    }
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub action: Action,
    /// Who.
    pub actor: Actor,
    /// To what.
    pub object: Object,
    /// From which network address.
    pub address: Option<IpAddr>,
    /// What else there is to say; never a secret, never terminal content.
    pub detail: Value,
}

impl AuditEvent {
    /// An event that happens now.
    #[must_use]
    pub fn new(action: Action, actor: impl Into<Actor>, object: Object) -> Self {
        Self {
            at: Timestamp::now(),
            action,
            actor: actor.into(),
            object,
            address: None,
            detail: Value::Object(Map::new()),
        }
    }

    /// The event with the address it came from.
    #[must_use]
    pub fn from_address(mut self, address: impl Into<Option<IpAddr>>) -> Self {
        self.address = address.into();
        self
    }

    /// The event with one more detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        if let Value::Object(detail) = &mut self.detail {
            detail.insert(key.to_owned(), value.into());
        }
        self
    }
}
