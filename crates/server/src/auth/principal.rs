//! Who a request is from, as handlers see it: put there by the route's guard, which ran before.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::access::{Granted, Role};
use crate::audit::Actor;
use crate::error::ApiError;
use crate::ids::{AuthSetId, DeviceId, TokenId, UserId};

/// A person whose token is valid now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Account.
    pub user_id: UserId,
    /// E-mail address.
    pub email: String,
    /// Roles as they are now.
    pub roles: Vec<Role>,
    /// The token that was used.
    pub token_id: TokenId,
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        Self::User {
            id: principal.user_id,
            email: principal.email.clone(),
        }
    }
}

/// A device whose token is valid now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevicePrincipal {
    /// The device.
    pub device_id: DeviceId,
    /// The key it was accepted with.
    pub auth_set_id: AuthSetId,
    /// The token that was used.
    pub token_id: TokenId,
}

/// The network address a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// What the route's guard must have left behind; missing only if a route was registered around the table.
fn left_by_guard<T: Clone + Send + Sync + 'static>(parts: &Parts) -> Result<T, ApiError> {
    parts
        .extensions
        .get::<T>()
        .cloned()
        .ok_or_else(|| ApiError::internal(&"handler runs without its guard"))
}

macro_rules! extracted {
    ($($name:ty),*) => {$(
        impl<S: Sync> FromRequestParts<S> for $name {
            type Rejection = ApiError;

            fn from_request_parts(
                parts: &mut Parts,
                _state: &S,
            ) -> impl Future<Output = Result<Self, ApiError>> + Send {
                std::future::ready(left_by_guard(parts))
            }
        }
    )*};
}

extracted!(Principal, DevicePrincipal, Granted, Peer);
