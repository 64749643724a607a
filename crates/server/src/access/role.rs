//! Roles and the permissions they carry.

use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

/// Something a person may be allowed to do, named noun first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
pub enum Permission {
    /// See devices: identity, state, inventory.
    #[serde(rename = "device.read")]
    DeviceRead,
    /// Let devices in, turn them away, remove them.
    #[serde(rename = "device.accept")]
    DeviceAccept,
    /// Change a device's group and tags.
    #[serde(rename = "device.tag")]
    DeviceTag,
    /// Open a terminal on a device.
    #[serde(rename = "device.connect")]
    DeviceConnect,
    /// Look at other people's sessions.
    #[serde(rename = "session.watch")]
    SessionWatch,
    /// Take control of other people's sessions.
    #[serde(rename = "session.control")]
    SessionControl,
    /// End other people's sessions.
    #[serde(rename = "session.end")]
    SessionEnd,
    /// See the people who have an account.
    #[serde(rename = "user.read")]
    UserRead,
}

impl Permission {
    /// Every permission there is.
    pub const ALL: &'static [Self] = &[
        Self::DeviceRead,
        Self::DeviceAccept,
        Self::DeviceTag,
        Self::DeviceConnect,
        Self::SessionWatch,
        Self::SessionControl,
        Self::SessionEnd,
        Self::UserRead,
    ];

    /// The permission's name, `noun.verb`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeviceRead => "device.read",
            Self::DeviceAccept => "device.accept",
            Self::DeviceTag => "device.tag",
            Self::DeviceConnect => "device.connect",
            Self::SessionWatch => "session.watch",
            Self::SessionControl => "session.control",
            Self::SessionEnd => "session.end",
            Self::UserRead => "user.read",
        }
    }
}

/// A named set of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May do everything.
    Admin,
    /// May look, and change nothing.
    Observer,
    /// May look, and open terminals, their own and other people's.
    Terminal,
}

impl Role {
    /// Every role there is.
    pub const ALL: &'static [Self] = &[Self::Admin, Self::Observer, Self::Terminal];

    /// The role's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Observer => "observer",
            Self::Terminal => "terminal",
        }
    }

    /// What the role allows.
    #[must_use]
    pub const fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Admin => Permission::ALL,
            Self::Observer => &[Permission::DeviceRead],
            Self::Terminal => &[
                Permission::DeviceRead,
                Permission::DeviceConnect,
                Permission::SessionWatch,
                Permission::SessionControl,
                Permission::SessionEnd,
            ],
        }
    }
}

/// No role has that name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown role {0:?} (admin, observer or terminal)")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Permission, Role};

    #[test]
    fn names_are_those_that_are_serialised() {
        for permission in Permission::ALL {
            let json = serde_json::to_string(permission).unwrap();
            assert_eq!(json, format!("\"{}\"", permission.as_str()));
        }
        for role in Role::ALL {
            let json = serde_json::to_string(role).unwrap();
            assert_eq!(json, format!("\"{}\"", role.as_str()));
            assert_eq!(role.as_str().parse::<Role>(), Ok(*role));
        }
    }

    #[test]
    fn only_an_admin_lets_devices_in_and_an_observer_opens_nothing() {
        for role in [Role::Observer, Role::Terminal] {
            assert!(!role.permissions().contains(&Permission::DeviceAccept));
        }
        assert_eq!(Role::Observer.permissions(), [Permission::DeviceRead]);
    }
}
