//! What people decide about devices: accept, reject, set back to pending, preauthorize, dismiss,
//! decommission. Every decision takes the proof that the person may make it.

use std::net::IpAddr;

use axum::http::StatusCode;

use super::admission::new_device;
use super::identity::Identity;
use super::public_key::PublicKey;
use crate::access::Granted;
use crate::app::App;
use crate::audit::{Action, Actor, AuditEvent, Object};
use crate::error::ApiError;
use crate::gateway::DisconnectReason;
use crate::ids::{AuthSetId, DeviceId, TokenId};
use crate::session::EndReason;
use crate::store::{AuthSet, AuthStatus, Change, Ending, StoreError};
use crate::time::Timestamp;

/// Whether a key may go from one status to another (interop.md §5.4), and whether that is a change.
fn transition(from: AuthStatus, to: AuthStatus) -> Result<bool, ApiError> {
    use AuthStatus::{Accepted, Pending, Preauthorized, Rejected};
    match (from, to) {
        (from, to) if from == to => Ok(false),
        (Pending | Rejected, Accepted) | (Pending | Accepted, Rejected) => Ok(true),
        (Accepted | Rejected, Pending) => Ok(true),
        (_, Accepted | Rejected | Pending) => Err(ApiError::bad_request(format!(
            "dev auth: a {from} device cannot become {to}"
        ))),
        (_, Preauthorized | AuthStatus::Noauth) => {
            Err(ApiError::bad_request("incorrect device status"))
        }
    }
}

/// Decides about one key of a device.
///
/// # Errors
/// 404 when the device has no such key, 400 when the transition is not one.
pub async fn set_status(
    app: &App,
    granted: &Granted,
    address: IpAddr,
    device: DeviceId,
    set: AuthSetId,
    status: AuthStatus,
) -> Result<(), ApiError> {
    let now = Timestamp::now();
    let mut change = app.store.change().await?;
    let set = own_set(&mut change, device, set).await?;
    if !transition(set.status, status)? {
        return Ok(());
    }
    let event = if status == AuthStatus::Accepted {
        accept(&mut change, &set, granted.into(), now).await?
    } else {
        change.set_auth_status(set.id, status, now).await?;
        let action = if status == AuthStatus::Rejected {
            Action::DeviceRejected
        } else {
            Action::DeviceSetPending
        };
        AuditEvent::new(action, granted, Object::Device(device))
            .with("fingerprint", set.fingerprint.as_str())
    };
    change.refresh_device_status(device, now).await?;
    let event = event.from_address(address);
    if set.status == AuthStatus::Accepted || event_replaced_key(&event) {
        end_sessions(&mut change, device, &event).await?;
    }
    change.commit(&event).await?;
    // An acceptance too ends the link that was made with the key it replaces.
    if set.status == AuthStatus::Accepted || event_replaced_key(&event) {
        app.links.disconnect(device, DisconnectReason::Unauthorized);
    }
    app.device_changed(device);
    Ok(())
}

fn event_replaced_key(event: &AuditEvent) -> bool {
    event.detail.get("replaced_fingerprint").is_some()
}

/// Lets a key in and turns away the one it replaces, loudly.
async fn accept(
    change: &mut Change,
    set: &AuthSet,
    actor: Actor,
    now: Timestamp,
) -> Result<AuditEvent, StoreError> {
    let sets = change.auth_sets_of(&[set.device_id]).await?;
    change
        .set_auth_status(set.id, AuthStatus::Accepted, now)
        .await?;
    let mut event = AuditEvent::new(Action::DeviceAccepted, actor, Object::Device(set.device_id))
        .with("fingerprint", set.fingerprint.as_str())
        .with("replaces_key", set.replaces_one_of(&sets));
    for other in sets
        .iter()
        .filter(|other| other.id != set.id && other.status == AuthStatus::Accepted)
    {
        change
            .set_auth_status(other.id, AuthStatus::Rejected, now)
            .await?;
        event = event.with("replaced_fingerprint", other.fingerprint.as_str());
    }
    if set.replaces_one_of(&sets) {
        tracing::warn!(
            device = %set.device_id,
            fingerprint = set.fingerprint,
            "ACCEPTED A NEW KEY for a device that was known by another one"
        );
    }
    Ok(event)
}

/// A device that was let in before it asked, asks.
pub(super) async fn admit_preauthorized(
    app: &App,
    set: &AuthSet,
    address: IpAddr,
) -> Result<(), ApiError> {
    let now = Timestamp::now();
    let mut change = app.store.change().await?;
    let current = own_set(&mut change, set.device_id, set.id).await?;
    if current.status != AuthStatus::Preauthorized {
        return Ok(());
    }
    let event = accept(&mut change, &current, Actor::Device(set.device_id), now)
        .await?
        .from_address(address);
    change.refresh_device_status(set.device_id, now).await?;
    if event_replaced_key(&event) {
        end_sessions(&mut change, set.device_id, &event).await?;
    }
    change.commit(&event).await?;
    if event_replaced_key(&event) {
        app.links
            .disconnect(set.device_id, DisconnectReason::Unauthorized);
    }
    app.device_changed(set.device_id);
    Ok(())
}

/// What became of a preauthorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preauthorized {
    /// The device will be let in when it asks.
    Added(DeviceId),
    /// The device is known already, and `force` was not given (or its key is accepted already).
    Known(DeviceId),
}

/// Lets a device in before it asks. With `force` a device that is known already gets one more key.
///
/// # Errors
/// When the database fails.
pub async fn preauthorize(
    app: &App,
    granted: &Granted,
    address: IpAddr,
    identity: &Identity,
    key: &PublicKey,
    force: bool,
) -> Result<Preauthorized, ApiError> {
    let now = Timestamp::now();
    let mut change = app.store.change().await?;
    let known = change.device_by_identity(identity.as_str()).await?;
    let device = match known {
        Some(device) if !force => return Ok(Preauthorized::Known(device.id)),
        Some(device) => device.id,
        None => add_device(&mut change, identity, now).await?,
    };
    let public_key = key.to_pem();
    let sets = change.auth_sets_of(&[device]).await?;
    match sets.iter().find(|set| set.public_key == public_key) {
        Some(set) if set.status == AuthStatus::Accepted => {
            return Ok(Preauthorized::Known(device));
        }
        Some(set) => {
            change
                .set_auth_status(set.id, AuthStatus::Preauthorized, now)
                .await?;
        }
        None => {
            let set = AuthSet {
                id: AuthSetId::new(),
                device_id: device,
                public_key,
                fingerprint: key.fingerprint(),
                status: AuthStatus::Preauthorized,
                created_at: now,
                requested_at: now,
                accepted_at: None,
                address: None,
            };
            change.add_auth_set(&set).await?;
        }
    }
    change.refresh_device_status(device, now).await?;
    let event = AuditEvent::new(Action::DevicePreauthorized, granted, Object::Device(device))
        .from_address(address)
        .with("fingerprint", key.fingerprint());
    change.commit(&event).await?;
    app.device_changed(device);
    Ok(Preauthorized::Added(device))
}

/// Forgets one key of a device.
///
/// # Errors
/// 404 when the device has no such key.
pub async fn dismiss(
    app: &App,
    granted: &Granted,
    address: IpAddr,
    device: DeviceId,
    set: AuthSetId,
) -> Result<(), ApiError> {
    let mut change = app.store.change().await?;
    let set = own_set(&mut change, device, set).await?;
    change.remove_auth_set(set.id).await?;
    let left = change
        .refresh_device_status(device, Timestamp::now())
        .await?;
    if set.status == AuthStatus::Preauthorized && left == AuthStatus::Noauth {
        change.remove_device(device).await?;
    }
    let event = AuditEvent::new(Action::DeviceDismissed, granted, Object::Device(device))
        .from_address(address)
        .with("fingerprint", set.fingerprint.as_str());
    if set.status == AuthStatus::Accepted {
        end_sessions(&mut change, device, &event).await?;
    }
    change.commit(&event).await?;
    if set.status == AuthStatus::Accepted {
        app.links.disconnect(device, DisconnectReason::Unauthorized);
    }
    app.device_changed(device);
    Ok(())
}

/// Removes a device with all that is known of it; only the audit log remembers.
///
/// # Errors
/// 404 when there is no such device.
pub async fn decommission(
    app: &App,
    granted: &Granted,
    address: IpAddr,
    device: DeviceId,
) -> Result<(), ApiError> {
    let mut change = app.store.change().await?;
    let Some(known) = change.device(device).await? else {
        return Err(ApiError::not_found("device not found"));
    };
    change.remove_device(device).await?;
    let event = AuditEvent::new(
        Action::DeviceDecommissioned,
        granted,
        Object::Device(device),
    )
    .from_address(address)
    .with("identity", known.identity.as_str());
    end_sessions(&mut change, device, &event).await?;
    change.commit(&event).await?;
    app.links.disconnect(device, DisconnectReason::Unauthorized);
    app.device_changed(device);
    Ok(())
}

/// Revokes one token; a device that is still accepted fetches another.
///
/// # Errors
/// 404 when there is no such token.
pub async fn revoke_token(
    app: &App,
    granted: &Granted,
    address: IpAddr,
    token: TokenId,
) -> Result<(), ApiError> {
    let mut change = app.store.change().await?;
    let Some(device) = change.remove_device_token(token).await? else {
        return Err(ApiError::not_found("token not found"));
    };
    let event = AuditEvent::new(Action::DeviceTokenRevoked, granted, Object::Device(device));
    change.commit(&event.from_address(address)).await?;
    app.links.disconnect(device, DisconnectReason::TokenRevoked);
    Ok(())
}

/// The sessions of a device that is turned away are over, and stay so whatever becomes of this process. It
/// hears so when it comes back.
async fn end_sessions(
    change: &mut Change,
    device: DeviceId,
    because: &AuditEvent,
) -> Result<(), StoreError> {
    let why = EndReason::DeviceRemoved;
    let ending = Ending {
        at: because.at,
        reason: Some(why.ended()),
        exit_status: None,
        text: why.text().to_owned(),
    };
    for sid in change.stop_sessions_of_device(device, &ending).await? {
        let (actor, object) = (because.actor.clone(), because.object.clone());
        let event = AuditEvent::new(Action::SessionStopped, actor, object)
            .from_address(because.address)
            .with("session_id", sid)
            .with("text", why.text());
        change.also(&event).await?;
    }
    Ok(())
}

/// The key of that device with that id.
async fn own_set(
    change: &mut Change,
    device: DeviceId,
    set: AuthSetId,
) -> Result<AuthSet, ApiError> {
    change
        .auth_set(set)
        .await?
        .filter(|set| set.device_id == device)
        .ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "device not found"))
}

/// Adds a device with the attributes its identity makes.
pub(super) async fn add_device(
    change: &mut Change,
    identity: &Identity,
    now: Timestamp,
) -> Result<DeviceId, StoreError> {
    let device = new_device(identity, now);
    change.add_device(&device).await?;
    change
        .put_attributes(device.id, &identity.attributes(now))
        .await?;
    Ok(device.id)
}

/// Forgets an unaccepted key, and the device with it when it had no other.
pub(super) async fn forget_key(
    change: &mut Change,
    set: &AuthSet,
    now: Timestamp,
) -> Result<(), StoreError> {
    change.remove_auth_set(set.id).await?;
    let left = change.refresh_device_status(set.device_id, now).await?;
    if left == AuthStatus::Noauth {
        change.remove_device(set.device_id).await?;
    }
    Ok(())
}
