//! Signing in and out.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::time::Instant;

use crate::app::App;
use crate::audit::{Action, Actor, AuditEvent, Object};
use crate::auth::jwt::TOKEN_LIFE_S;
use crate::auth::limiter::HeldOff;
use crate::auth::{Peer, Principal};
use crate::error::ApiError;
use crate::ids::TokenId;
use crate::time::Timestamp;

/// Tokens an account may have at once; the oldest ends when there would be more.
const TOKENS_PER_USER_MAX: u32 = 100;

/// What a token is answered with; peers compare it letter by letter.
pub(super) const JWT_MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/jwt");

/// `POST /api/management/v1/useradm/auth/login`: e-mail address and password as Basic credentials, the
/// raw token as the answer.
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

/// `POST /api/management/v1/useradm/auth/logout`: ends the token that is used for it.
pub(super) async fn logout_program(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
) -> Result<StatusCode, ApiError> {
    sign_out(&app, &principal, Peer(address)).await?;
    Ok(StatusCode::ACCEPTED)
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
    Ok(())
}

fn held_off(seconds: u64) -> ApiError {
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too many failed sign-ins; try again later",
    )
    .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
}
