//! Who may do what. The only place that says yes.

mod role;

pub use role::{Permission, Role};

use crate::audit::Actor;
use crate::auth::Principal;
use crate::error::ApiError;
use crate::ids::{DeviceId, UserId};

/// What a permission is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The server itself, or the devices as a whole.
    Server,
    /// One device.
    Device(DeviceId),
}

/// Proof that a permission was granted. Only [`require`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    permission: Permission,
    scope: Scope,
    user_id: UserId,
    email: String,
}

impl Granted {
    /// What was granted.
    #[must_use]
    pub fn permission(&self) -> Permission {
        self.permission
    }

    /// For what it was granted.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// To whom.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.user_id
    }

    /// The e-mail address of whom.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }
}

impl From<&Granted> for Actor {
    fn from(granted: &Granted) -> Self {
        Self::User {
            id: granted.user_id,
            email: granted.email.clone(),
        }
    }
}

/// Grants `permission` on `scope` to `principal`, or says why not.
///
/// # Errors
/// 403 when none of the principal's roles carries the permission.
pub fn require(
    principal: &Principal,
    permission: Permission,
    scope: Scope,
) -> Result<Granted, ApiError> {
    if principal
        .roles
        .iter()
        .any(|role| role.permissions().contains(&permission))
    {
        return Ok(Granted {
            permission,
            scope,
            user_id: principal.user_id,
            email: principal.email.clone(),
        });
    }
    Err(ApiError::forbidden(format!(
        "permission {} is required",
        permission.as_str()
    )))
}
