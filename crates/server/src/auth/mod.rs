//! Who somebody is: passwords, tokens, cookies, device tokens.

pub mod carrier;
pub mod jwt;
pub mod limiter;
pub mod password;
mod principal;

use axum::http::HeaderMap;

pub use carrier::UseOf;
pub use principal::{DevicePrincipal, Peer, Principal};

use crate::app::App;
use crate::config::Config;
use crate::error::ApiError;
use crate::time::Timestamp;
use carrier::Site;
use jwt::{SigningKey, Subject, TokenError};
use limiter::LoginLimiter;
use password::{PasswordError, Passwords};

/// Everything that decides who somebody is.
pub struct Auth {
    /// Signs and verifies tokens.
    pub key: SigningKey,
    /// Hashes and compares passwords.
    pub passwords: Passwords,
    /// Holds off whoever guesses.
    pub logins: LoginLimiter,
}

impl Auth {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When hashing passwords fails at all.
    pub fn new(key: SigningKey) -> Result<Self, PasswordError> {
        Ok(Self {
            key,
            passwords: Passwords::new()?,
            logins: LoginLimiter::default(),
        })
    }
}

/// Why a request does not say who it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No token.
    Missing,
    /// An `Authorization` header of another form.
    Malformed,
    /// Not a token of this server, or one that was revoked.
    Invalid,
    /// Past its end.
    Expired,
    /// A device's token where a person's is wanted, or the reverse.
    WrongKind,
    /// A cookie, but not from this server's own pages.
    ForeignOrigin,
    /// The database failed; the cause is in the log.
    Unavailable,
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::Invalid,
            TokenError::Expired => Self::Expired,
        }
    }
}

impl From<crate::store::StoreError> for Refusal {
    fn from(error: crate::store::StoreError) -> Self {
        tracing::error!(%error, "a token could not be looked up");
        Self::Unavailable
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => Self::unauthorized("Authorization not present in header"),
            Refusal::Malformed => Self::unauthorized("malformed Authorization header"),
            Refusal::Invalid | Refusal::Expired | Refusal::WrongKind => {
                Self::unauthorized("unauthorized")
            }
            Refusal::ForeignOrigin => {
                Self::forbidden("request does not come from this server's own pages")
            }
            Refusal::Unavailable => Self::new(
                axum::http::StatusCode::INTERNAL_SERVER_ERROR,
                "internal error",
            ),
        }
    }
}

/// What the rules about cookies and origins need to know of this server.
#[must_use]
pub fn site(config: &Config) -> Site<'_> {
    Site {
        tls: config.browsers_use_tls(),
        public_url: config.public_url.as_deref(),
    }
}

/// Which device a request is from, with the reason when it does not say.
///
/// # Errors
/// Any [`Refusal`] but [`Refusal::ForeignOrigin`].
pub async fn identify_device(app: &App, headers: &HeaderMap) -> Result<DevicePrincipal, Refusal> {
    let now = Timestamp::now();
    let token = app.auth.key.verify(carrier::bearer(headers)?, now)?;
    let Subject::Device(device_id) = token.subject else {
        return Err(Refusal::WrongKind);
    };
    let owner = app
        .store
        .read()
        .await?
        .device_token_owner(token.id, now)
        .await?
        .filter(|owner| owner.device_id == device_id)
        .ok_or(Refusal::Invalid)?;
    Ok(DevicePrincipal {
        device_id,
        auth_set_id: owner.auth_set_id,
        token_id: token.id,
    })
}

/// Which person a request is from, with the reason when it does not say.
///
/// # Errors
/// Any [`Refusal`].
pub async fn identify_user(
    app: &App,
    headers: &HeaderMap,
    use_of: UseOf,
) -> Result<Principal, Refusal> {
    let now = Timestamp::now();
    let token = carrier::user_token(headers, use_of, site(&app.config))?;
    let token = app.auth.key.verify(token, now)?;
    let Subject::User(user_id) = token.subject else {
        return Err(Refusal::WrongKind);
    };
    let owner = app
        .store
        .read()
        .await?
        .user_token_owner(token.id, now)
        .await?
        .filter(|owner| owner.user_id == user_id)
        .ok_or(Refusal::Invalid)?;
    Ok(Principal {
        user_id,
        email: owner.email,
        roles: owner.roles,
        token_id: token.id,
    })
}

/// Which device a request is from.
///
/// # Errors
/// 401 without a valid device token, 403 with one past its end.
pub async fn authenticate_device(
    app: &App,
    headers: &HeaderMap,
) -> Result<DevicePrincipal, ApiError> {
    identify_device(app, headers).await.map_err(device_refused)
}

/// What a device is told; a token past its end is answered with 403, which real clients tell from 401.
pub(crate) fn device_refused(refusal: Refusal) -> ApiError {
    if refusal == Refusal::Expired {
        return ApiError::forbidden("token expired");
    }
    refusal.into()
}

/// Which person a request is from.
///
/// # Errors
/// 401 without a valid user token, 403 with a cookie from another site's page.
pub async fn authenticate_user(
    app: &App,
    headers: &HeaderMap,
    use_of: UseOf,
) -> Result<Principal, ApiError> {
    Ok(identify_user(app, headers, use_of).await?)
}
