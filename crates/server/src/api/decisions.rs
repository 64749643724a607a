//! What people decide about devices.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Json;
use super::devauth::{self, AuthDevice, TAG, WRONG_STATUS};
use super::path::{AuthSetPath, DevicePath, device_not_found};
use crate::access::{self, Permission, Scope};
use crate::app::App;
use crate::auth::{Peer, Principal};
use crate::devices::decision::{self, Preauthorized};
use crate::devices::identity::Identity;
use crate::devices::public_key::PublicKey;
use crate::error::ApiError;
use crate::http::envelope::ErrorBody;
use crate::store::AuthStatus;

/// A key's status.
#[derive(Serialize, Deserialize, ToSchema)]
pub(super) struct Status {
    #[schema(value_type = AuthStatus)]
    status: String,
}

/// A device that is to be let in when it asks.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewPreauthorization {
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    identity_data: BTreeMap<String, Value>,
    /// PEM.
    pubkey: String,
    /// Add the key to a device that is known already.
    #[serde(default)]
    force: bool,
}

/// Let a device in before it asks
#[utoipa::path(
    post,
    path = "/api/management/v2/devauth/devices",
    operation_id = "preauthorizeDevice",
    tag = TAG,
    request_body = NewPreauthorization,
    responses(
        (status = 201, description = "It will be let in; `Location` names it"),
        (status = 400, description = "Not understood", body = ErrorBody),
        (status = 409, description = "The device is known already", body = AuthDevice),
    )
)]
pub(super) async fn preauthorize(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    Json(new): Json<NewPreauthorization>,
) -> Result<Response, ApiError> {
    let granted = access::require(&principal, Permission::DeviceAccept, Scope::Server)?;
    let identity = Identity::from_members(new.identity_data)
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    let key = PublicKey::from_pem(&new.pubkey)
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    match decision::preauthorize(&app, &granted, address, &identity, &key, new.force).await? {
        Preauthorized::Added(id) => {
            let location = HeaderValue::from_str(&format!("devices/{id}"))
                .map_err(|error| ApiError::internal(&error))?;
            Ok((StatusCode::CREATED, [(header::LOCATION, location)]).into_response())
        }
        Preauthorized::Known(id) => {
            let device = devauth::one(&mut app.store.read().await?, id).await?;
            Ok((StatusCode::CONFLICT, axum::Json(device)).into_response())
        }
    }
}

/// Remove a device
///
/// Its tokens end, its link is closed, and all that is known of it is forgotten but by the audit log.
#[utoipa::path(
    delete,
    path = "/api/management/v2/devauth/devices/{id}",
    operation_id = "decommissionDevice",
    tag = TAG,
    params(("id" = String, Path, description = "Device")),
    responses(
        (status = 204, description = "Gone"),
        (status = 404, description = "No such device", body = ErrorBody),
    )
)]
pub(super) async fn decommission(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    DevicePath(id): DevicePath,
) -> Result<StatusCode, ApiError> {
    let granted = access::require(&principal, Permission::DeviceAccept, Scope::Device(id))?;
    decision::decommission(&app, &granted, address, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The status of one key
#[utoipa::path(
    get,
    path = "/api/management/v2/devauth/devices/{id}/auth/{auth_id}/status",
    operation_id = "getAuthSetStatus",
    tag = TAG,
    params(("id" = String, Path, description = "Device"), ("auth_id" = String, Path, description = "Key")),
    responses(
        (status = 200, description = "Its status", body = Status),
        (status = 404, description = "No such key", body = ErrorBody),
    )
)]
pub(super) async fn status(
    State(app): State<App>,
    AuthSetPath(device, set): AuthSetPath,
) -> Result<axum::Json<Status>, ApiError> {
    let set = app
        .store
        .read()
        .await?
        .auth_set(set)
        .await?
        .filter(|set| set.device_id == device)
        .ok_or_else(device_not_found)?;
    Ok(axum::Json(Status {
        status: set.status.to_string(),
    }))
}

/// Accept or reject a key, or take the decision back
///
/// Accepting a key turns away the one the device was accepted with before. Rejecting ends the device's
/// tokens and its link.
#[utoipa::path(
    put,
    path = "/api/management/v2/devauth/devices/{id}/auth/{auth_id}/status",
    operation_id = "setAuthSetStatus",
    tag = TAG,
    params(("id" = String, Path, description = "Device"), ("auth_id" = String, Path, description = "Key")),
    request_body = Status,
    responses(
        (status = 204, description = "Decided"),
        (status = 400, description = "No such status, or not from this one", body = ErrorBody),
        (status = 404, description = "No such key", body = ErrorBody),
    )
)]
pub(super) async fn set_status(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    AuthSetPath(device, set): AuthSetPath,
    Json(wanted): Json<Status>,
) -> Result<StatusCode, ApiError> {
    let granted = access::require(&principal, Permission::DeviceAccept, Scope::Device(device))?;
    let status = wanted
        .status
        .parse()
        .map_err(|_| ApiError::bad_request(WRONG_STATUS))?;
    decision::set_status(&app, &granted, address, device, set, status).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forget a key
#[utoipa::path(
    delete,
    path = "/api/management/v2/devauth/devices/{id}/auth/{auth_id}",
    operation_id = "dismissAuthSet",
    tag = TAG,
    params(("id" = String, Path, description = "Device"), ("auth_id" = String, Path, description = "Key")),
    responses(
        (status = 204, description = "Forgotten"),
        (status = 404, description = "No such key", body = ErrorBody),
    )
)]
pub(super) async fn dismiss(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    AuthSetPath(device, set): AuthSetPath,
) -> Result<StatusCode, ApiError> {
    let granted = access::require(&principal, Permission::DeviceAccept, Scope::Device(device))?;
    decision::dismiss(&app, &granted, address, device, set).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revoke a device's token
#[utoipa::path(
    delete,
    path = "/api/management/v2/devauth/tokens/{id}",
    operation_id = "revokeDeviceToken",
    tag = TAG,
    params(("id" = String, Path, description = "The token's `jti`")),
    responses(
        (status = 204, description = "Revoked"),
        (status = 404, description = "No such token", body = ErrorBody),
    )
)]
pub(super) async fn revoke(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let granted = access::require(&principal, Permission::DeviceAccept, Scope::Server)?;
    let token = id
        .parse()
        .map_err(|_| ApiError::not_found("token not found"))?;
    decision::revoke_token(&app, &granted, address, token).await?;
    Ok(StatusCode::NO_CONTENT)
}
