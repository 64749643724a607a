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

/// What somebody wants with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAct {
    /// Know of it.
    See,
    /// Look on.
    Watch,
    /// Type.
    Control,
    /// End it.
    End,
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

/// Grants `principal` something with a session of `owner` on `device`, or says why not. Their own session
/// is everybody's to do with as they like while they may open terminals on the device.
///
/// # Errors
/// 403 when none of the principal's roles carries the permission.
pub fn require_session(
    principal: &Principal,
    act: SessionAct,
    device: DeviceId,
    owner: UserId,
) -> Result<Granted, ApiError> {
    use Permission::{DeviceConnect, SessionControl, SessionEnd, SessionWatch};
    let scope = Scope::Device(device);
    if principal.user_id == owner {
        return require(principal, DeviceConnect, scope);
    }
    match act {
        SessionAct::See => require(principal, SessionWatch, scope)
            .or_else(|_| require(principal, SessionControl, scope))
            .or_else(|_| require(principal, SessionEnd, scope)),
        SessionAct::Watch => require(principal, SessionWatch, scope),
        SessionAct::Control => require(principal, SessionControl, scope),
        SessionAct::End => require(principal, SessionEnd, scope),
    }
}

/// Whether the sessions of somebody with these roles may go on while nobody looks.
#[must_use]
pub fn may_keep_sessions(roles: &[Role]) -> bool {
    let carries = |role: &Role| role.permissions().contains(&Permission::DeviceConnect);
    roles.iter().any(carries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TokenId;

    fn principal(roles: &[Role]) -> Principal {
        Principal {
            user_id: UserId::new(),
            email: "somebody@example.com".to_owned(),
            roles: roles.to_vec(),
            token_id: TokenId::new(),
        }
    }

    #[test]
    fn a_session_is_its_owners_as_long_as_they_may_connect() {
        use SessionAct::{Control, End, See, Watch};
        let device = DeviceId::new();
        for act in [See, Watch, Control, End] {
            for (roles, own, others) in [
                (&[Role::Admin][..], true, true),
                (&[Role::Terminal], true, true),
                (&[Role::Observer], false, false),
                (&[], false, false),
            ] {
                let principal = principal(roles);
                let may = |owner| require_session(&principal, act, device, owner).is_ok();
                assert_eq!(may(principal.user_id), own, "{act:?} {roles:?}");
                assert_eq!(may(UserId::new()), others, "{act:?} {roles:?}");
                assert_eq!(may_keep_sessions(roles), own);
            }
        }
    }
}
