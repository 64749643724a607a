//! Who has sessions, and where they look at them.

use std::net::IpAddr;

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
