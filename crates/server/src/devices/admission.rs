//! A device asks to be let in.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::decision;
use super::identity::Identity;
use super::public_key::PublicKey;
use crate::app::App;
use crate::audit::{Action, Actor, AuditEvent, Object};
use crate::auth::jwt::TOKEN_LIFE_S;
use crate::auth::limiter::{self, HeldOff, Limiter};
use crate::error::ApiError;
use crate::ids::{AuthSetId, DeviceId, TokenId};
use crate::store::{AuthSet, AuthStatus, Change, Device, StoreError};
use crate::time::Timestamp;

/// Tokens a device may hold at once; real clients fetch one after another, ours one.
const TOKENS_PER_SET_MAX: u32 = 8;

/// How exactly it is known when a stranger last asked, in seconds: most ask again every few, and each time
/// it is written down costs a write to disk.
const SEEN_EVERY_S: i64 = 30;

/// How many strangers the server remembers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Keys nobody accepted, of all devices together.
    pub unaccepted_max: u64,
    /// The same, of one network.
    pub unaccepted_per_network_max: u64,
    /// New keys of one network in a minute.
    pub new_per_network_and_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unaccepted_max: 10_000,
            unaccepted_per_network_max: 1_000,
            new_per_network_and_minute: 120,
        }
    }
}

/// What the server keeps to hold strangers to [`Limits`].
pub struct Admission {
    limits: Limits,
    new_keys: Limiter<IpAddr>,
}

impl Admission {
    /// Holds strangers to these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            new_keys: Limiter::new(
                Duration::from_secs(60),
                limits.new_per_network_and_minute,
                10_000,
            ),
        }
    }
}

/// The body of a request, as mender-client and our agent send it. What else they send is ignored.
#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    id_data: String,
    #[serde(default)]
    pubkey: String,
}

/// Looks at a request and gives the device's token if it is let in.
///
/// `signature` is the header's text, `body` the very bytes that were signed.
///
/// # Errors
/// 400 for what is not understood; 401 for a wrong signature and for whoever is not accepted, which real
/// clients take as "ask again later"; 429 for too many new keys from one network.
pub async fn request(
    app: &App,
    body: &[u8],
    signature: Option<&str>,
    address: IpAddr,
) -> Result<String, ApiError> {
    let signature =
        signature.ok_or_else(|| ApiError::bad_request("missing request signature header"))?;
    let (identity, key) = understand(body)?;
    if !signed(&key, body, signature) {
        return Err(ApiError::unauthorized("signature verification failed"));
    }
    let now = Timestamp::now();
    let public_key = key.to_pem();
    let mut read = app.store.read().await?;
    let device = read.device_by_identity(identity.as_str()).await?;
    let known = match &device {
        Some(device) => read.auth_sets_of(&[device.id]).await?,
        None => Vec::new(),
    };
    drop(read);
    let set = match known.into_iter().find(|set| set.public_key == public_key) {
        Some(set) => set,
        None => remember(app, &identity, &key, address, now).await?,
    };
    match set.status {
        AuthStatus::Accepted => issue(app, &set, now).await,
        AuthStatus::Preauthorized => {
            decision::admit_preauthorized(app, &set, address).await?;
            issue(app, &set, now).await
        }
        AuthStatus::Pending | AuthStatus::Rejected | AuthStatus::Noauth => {
            if now.seconds() - set.requested_at.seconds() >= SEEN_EVERY_S {
                let mut report = app.store.report().await?;
                report.touch_auth_set(set.id, now).await?;
                report.commit().await?;
            }
            Err(ApiError::unauthorized("dev auth: unauthorized"))
        }
    }
}

fn understand(body: &[u8]) -> Result<(Identity, PublicKey), ApiError> {
    let request: Request = serde_json::from_slice(body).map_err(|error| {
        ApiError::bad_request(format!("failed to decode auth request: {error}"))
    })?;
    let invalid = |error: &dyn std::fmt::Display| {
        ApiError::bad_request(format!("invalid auth request: {error}"))
    };
    let identity = Identity::parse(&request.id_data).map_err(|error| invalid(&error))?;
    let key = PublicKey::from_pem(&request.pubkey).map_err(|error| invalid(&error))?;
    Ok((identity, key))
}

fn signed(key: &PublicKey, body: &[u8], signature: &str) -> bool {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    STANDARD
        .decode(signature.trim())
        .is_ok_and(|signature| key.verifies(body, &signature))
}

/// Writes down a key the server has not seen, making room first.
async fn remember(
    app: &App,
    identity: &Identity,
    key: &PublicKey,
    address: IpAddr,
    now: Timestamp,
) -> Result<AuthSet, ApiError> {
    let network = limiter::network(address);
    if let Err(HeldOff(wait)) = app.admission.new_keys.attempt(&network, Instant::now()) {
        return Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many new devices from this network; try again later",
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1)));
    }
    let network = network.to_string();
    let mut change = app.store.change().await?;
    let device = find_or_add(&mut change, identity, now).await?;
    // Somebody else may have been quicker between the question and the change.
    let public_key = key.to_pem();
    let known = change.auth_sets_of(&[device]).await?;
    if let Some(set) = known.iter().find(|set| set.public_key == public_key) {
        return Ok(set.clone());
    }
    let limits = app.admission.limits;
    make_room(
        &mut change,
        Some(&network),
        limits.unaccepted_per_network_max,
    )
    .await?;
    make_room(&mut change, None, limits.unaccepted_max).await?;
    // Making room may have removed this very device, if it had nothing but an old unaccepted key.
    let device = find_or_add(&mut change, identity, now).await?;
    let set = AuthSet {
        id: AuthSetId::new(),
        device_id: device,
        public_key,
        fingerprint: key.fingerprint(),
        status: AuthStatus::Pending,
        created_at: now,
        requested_at: now,
        accepted_at: None,
        address: Some(network),
    };
    change.add_auth_set(&set).await?;
    change.refresh_device_status(device, now).await?;
    let known = change.auth_sets_of(&[device]).await?;
    let event = AuditEvent::new(
        Action::DeviceRequested,
        Actor::Device(device),
        Object::Device(device),
    )
    .from_address(address)
    .with("fingerprint", set.fingerprint.as_str())
    .with("replaces_key", set.replaces_one_of(&known));
    change.commit(&event).await?;
    tracing::info!(%device, fingerprint = set.fingerprint, %address, "a device asks to be let in");
    app.device_changed(device);
    Ok(set)
}

async fn find_or_add(
    change: &mut Change,
    identity: &Identity,
    now: Timestamp,
) -> Result<DeviceId, StoreError> {
    if let Some(device) = change.device_by_identity(identity.as_str()).await? {
        return Ok(device.id);
    }
    decision::add_device(change, identity, now).await
}

/// Drops the keys that have not asked for the longest time until there is room for one more.
async fn make_room(change: &mut Change, network: Option<&str>, max: u64) -> Result<(), StoreError> {
    loop {
        let (count, oldest) = change.unaccepted(network).await?;
        let Some(oldest) = oldest.filter(|_| count >= max) else {
            return Ok(());
        };
        let event = AuditEvent::new(
            Action::DeviceDropped,
            Actor::System,
            Object::Device(oldest.device_id),
        )
        .with("fingerprint", oldest.fingerprint.as_str());
        decision::forget_key(change, &oldest, Timestamp::now()).await?;
        change.also(&event).await?;
    }
}

/// A new token for an accepted key.
async fn issue(app: &App, set: &AuthSet, now: Timestamp) -> Result<String, ApiError> {
    let id = TokenId::new();
    let token = app
        .auth
        .key
        .device_token(id, set.device_id, now)
        .map_err(|error| ApiError::internal(&error))?;
    let mut report = app.store.report().await?;
    // Asked again inside the transaction: the key may just have been turned away.
    let status = report.auth_set(set.id).await?.map(|set| set.status);
    if status != Some(AuthStatus::Accepted) {
        return Err(ApiError::unauthorized("dev auth: unauthorized"));
    }
    report
        .add_device_token(
            id,
            set.id,
            now,
            now.plus_seconds(TOKEN_LIFE_S),
            TOKENS_PER_SET_MAX,
        )
        .await?;
    report.touch_auth_set(set.id, now).await?;
    report.check_in(set.device_id, now).await?;
    report.commit().await?;
    Ok(token)
}

/// A device as it is when it is first heard of.
pub(super) fn new_device(identity: &Identity, now: Timestamp) -> Device {
    Device {
        id: DeviceId::new(),
        identity: identity.as_str().to_owned(),
        status: AuthStatus::Pending,
        group: None,
        created_at: now,
        updated_at: now,
        checked_in_at: None,
        link_at: None,
    }
}
