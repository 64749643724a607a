//! Signing in and out.

use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Json;
use crate::access::{Permission, Role};
use crate::app::App;
use crate::audit::{Action, Actor, AuditEvent, Object};
use crate::auth::jwt::TOKEN_LIFE_S;
use crate::auth::limiter::HeldOff;
use crate::auth::{self, Peer, Principal, Refusal, carrier};
use crate::error::ApiError;
use crate::http::envelope::ErrorBody;
use crate::ids::{TokenId, UserId};
use crate::time::Timestamp;

/// Tokens an account may have at once; the oldest ends when there would be more.
const TOKENS_PER_USER_MAX: u32 = 100;

/// What a token is answered with; peers compare it letter by letter.
pub(super) const JWT_MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/jwt");

/// Who signs in at the web page.
#[derive(Deserialize, ToSchema)]
pub(super) struct Credentials {
    email: String,
    password: String,
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    #[schema(value_type = String)]
    id: UserId,
    email: String,
    roles: Vec<Role>,
    /// What the roles allow.
    permissions: Vec<Permission>,
}

/// Sign in (programs)
///
/// E-mail address and password as Basic credentials; the raw token is the answer.
#[utoipa::path(
    post,
    path = "/api/management/v1/useradm/auth/login",
    operation_id = "loginProgram",
    tag = "Management: users",
    security(("basic" = [])),
    responses(
        (status = 200, description = "The token", body = String, content_type = "application/jwt"),
        (status = 401, description = "Wrong e-mail address or password", body = ErrorBody),
        (status = 429, description = "Too many failed sign-ins", body = ErrorBody),
    )
)]
pub(super) async fn basic(
    State(app): State<App>,
    Peer(address): Peer,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (email, password) = basic_credentials(&headers)
        .ok_or_else(|| ApiError::unauthorized("invalid or missing auth header"))?;
    let token = sign_in(&app, email, password, Peer(address)).await?;
    Ok(([(header::CONTENT_TYPE, JWT_MEDIA_TYPE)], token).into_response())
}

/// Sign out (programs)
///
/// Ends the token that is used for it.
#[utoipa::path(
    post,
    path = "/api/management/v1/useradm/auth/logout",
    operation_id = "logoutProgram",
    tag = "Management: users",
    responses((status = 202, description = "The token has ended"))
)]
pub(super) async fn logout_program(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
) -> Result<StatusCode, ApiError> {
    sign_out(&app, &principal, Peer(address)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Sign in (browsers)
///
/// Sets a cookie that no script can read and no other site can use.
#[utoipa::path(
    post,
    path = "/api/management/v1/longwire/login",
    operation_id = "login",
    tag = "Longwire",
    security(()),
    request_body = Credentials,
    responses(
        (status = 204, description = "Signed in; `Set-Cookie` carries the token"),
        (status = 401, description = "Wrong e-mail address or password", body = ErrorBody),
        (status = 403, description = "Asked from another site's page", body = ErrorBody),
        (status = 429, description = "Too many failed sign-ins", body = ErrorBody),
    )
)]
pub(super) async fn browser(
    State(app): State<App>,
    Peer(address): Peer,
    headers: HeaderMap,
    Json(credentials): Json<Credentials>,
) -> Result<Response, ApiError> {
    // Nobody is to be signed in as somebody else by a page they happen to look at.
    if carrier::from_other_pages(&headers, auth::site(&app.config)) {
        return Err(Refusal::ForeignOrigin.into());
    }
    let Credentials { email, password } = credentials;
    let token = sign_in(&app, email, password, Peer(address)).await?;
    let cookie = cookie(&app, &token, TOKEN_LIFE_S)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Sign out (browsers)
#[utoipa::path(
    post,
    path = "/api/management/v1/longwire/logout",
    operation_id = "logout",
    tag = "Longwire",
    responses((status = 204, description = "The token has ended; the cookie is cleared"))
)]
pub(super) async fn logout_browser(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
) -> Result<Response, ApiError> {
    sign_out(&app, &principal, Peer(address)).await?;
    let cookie = cookie(&app, "", 0)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Who is signed in, and what they may do
#[utoipa::path(
    get,
    path = "/api/management/v1/longwire/me",
    operation_id = "getMe",
    tag = "Longwire",
    responses((status = 200, description = "You", body = Me))
)]
pub(super) async fn me(principal: Principal) -> axum::Json<Me> {
    let mut permissions: Vec<_> = principal
        .roles
        .iter()
        .flat_map(|role| role.permissions())
        .copied()
        .collect();
    permissions.sort_unstable();
    permissions.dedup();
    std::future::ready(axum::Json(Me {
        id: principal.user_id,
        email: principal.email,
        roles: principal.roles,
        permissions,
    }))
    .await
}

fn cookie(app: &App, token: &str, life_s: i64) -> Result<HeaderValue, ApiError> {
    let site = auth::site(&app.config);
    let secure = if site.tls { "; Secure" } else { "" };
    let text = format!(
        "{}={token}; Path=/; Max-Age={life_s}; HttpOnly; SameSite=Strict{secure}",
        site.cookie()
    );
    let mut value = HeaderValue::from_str(&text).map_err(|error| ApiError::internal(&error))?;
    value.set_sensitive(true);
    Ok(value)
}

fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (email, password) = decoded.split_once(':')?;
    Some((email.to_owned(), password.to_owned()))
}

/// Checks the password and makes a token.
async fn sign_in(
    app: &App,
    email: String,
    password: String,
    Peer(address): Peer,
) -> Result<String, ApiError> {
    if let Err(HeldOff(wait)) = app.auth.logins.attempt(&email, address, Instant::now()) {
        return Err(held_off(wait.as_secs() + 1));
    }
    let user = app.store.read().await?.user_by_email(&email).await?;
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let right = app
        .auth
        .passwords
        .matches(password, stored)
        .await
        .map_err(|error| ApiError::internal(&error))?;
    let Some(user) = user.filter(|_| right) else {
        let event = AuditEvent::new(
            Action::LoginRefused,
            Actor::Unknown(email.chars().take(EMAIL_CHARS_MAX).collect()),
            Object::Server,
        );
        app.store.record(&event.from_address(address)).await?;
        return Err(ApiError::unauthorized("unauthorized"));
    };
    app.auth.logins.succeeded(&user.email, address);
    let now = Timestamp::now();
    let id = TokenId::new();
    let token = app
        .auth
        .key
        .user_token(id, user.id, now)
        .map_err(|error| ApiError::internal(&error))?;
    let mut change = app.store.change().await?;
    change
        .add_user_token(
            id,
            user.id,
            now,
            now.plus_seconds(TOKEN_LIFE_S),
            TOKENS_PER_USER_MAX,
        )
        .await?;
    let actor = Actor::User {
        id: user.id,
        email: user.email,
    };
    let event = AuditEvent::new(Action::LoggedIn, actor, Object::User(user.id));
    change.commit(&event.from_address(address)).await?;
    Ok(token)
}

/// Longest e-mail address that is written down from a failed sign-in.
const EMAIL_CHARS_MAX: usize = 254;

async fn sign_out(app: &App, principal: &Principal, Peer(address): Peer) -> Result<(), ApiError> {
    let mut change = app.store.change().await?;
    change.remove_user_token(principal.token_id).await?;
    let event = AuditEvent::new(
        Action::LoggedOut,
        principal,
        Object::User(principal.user_id),
    );
    change.commit(&event.from_address(address)).await?;
    app.links.rights_changed();
    Ok(())
}

fn held_off(seconds: u64) -> ApiError {
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too many failed sign-ins; try again later",
    )
    .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
}
