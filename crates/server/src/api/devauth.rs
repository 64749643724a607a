//! Device authentication as management sees it: lists, decisions, preauthorization.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Json;
use super::path::{AuthSetPath, DevicePath, device_not_found};
use super::query::{Paging, PagingParams, Query};
use crate::access::{self, Permission, Scope};
use crate::app::App;
use crate::auth::{Peer, Principal};
use crate::devices::decision::{self, Preauthorized};
use crate::devices::identity::Identity;
use crate::devices::public_key::PublicKey;
use crate::error::ApiError;
use crate::http::envelope::ErrorBody;
use crate::ids::DeviceId;
use crate::store::{AuthSet, AuthStatus, Device, DeviceFilter, Reader};
use crate::time::Timestamp;

const TAG: &str = "Management: device authentication";
const WRONG_STATUS: &str = "incorrect device status";

/// A device with its keys.
#[derive(Serialize, ToSchema)]
pub(super) struct AuthDevice {
    #[schema(value_type = String)]
    id: DeviceId,
    /// What the device says it is.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    identity_data: Value,
    /// The strongest status of its keys.
    status: AuthStatus,
    #[schema(value_type = String, format = DateTime)]
    created_ts: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_ts: Timestamp,
    auth_sets: Vec<AuthSetOut>,
    /// Always false: a removed device is gone at once.
    decommissioning: bool,
    /// When the device last called.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    check_in_time: Option<Timestamp>,
}

/// One key of a device.
#[derive(Serialize, ToSchema)]
#[schema(as = AuthSet)]
pub(super) struct AuthSetOut {
    id: String,
    /// PEM.
    pubkey: String,
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    identity_data: Value,
    status: AuthStatus,
    #[schema(value_type = String, format = DateTime)]
    ts: Timestamp,
}

/// How many.
#[derive(Serialize, ToSchema)]
pub(super) struct Count {
    count: u64,
}

/// A limit; 0 is none.
#[derive(Serialize, ToSchema)]
pub(super) struct LimitOut {
    limit: u64,
}

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

/// One value or several.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// Which devices are asked for.
#[derive(Deserialize, ToSchema)]
pub(super) struct DeviceSearch {
    /// Of one of these states.
    status: Option<OneOrMany>,
    /// One of these.
    id: Option<OneOrMany>,
}

impl OneOrMany {
    fn parsed<T: std::str::FromStr>(
        value: Option<Self>,
        error: &'static str,
    ) -> Result<Vec<T>, ApiError> {
        let values = match value {
            None => Vec::new(),
            Some(Self::One(value)) => vec![value],
            Some(Self::Many(values)) => values,
        };
        values
            .iter()
            .map(|value| value.parse().map_err(|_| ApiError::bad_request(error)))
            .collect()
    }
}

fn auth_device(device: Device, sets: &[AuthSet]) -> AuthDevice {
    let identity: Value = serde_json::from_str(&device.identity).unwrap_or_default();
    let auth_sets = sets
        .iter()
        .filter(|set| set.device_id == device.id)
        .map(|set| AuthSetOut {
            id: set.id.to_string(),
            pubkey: set.public_key.clone(),
            identity_data: identity.clone(),
            status: set.status,
            ts: set.created_at,
        })
        .collect();
    AuthDevice {
        id: device.id,
        status: device.status,
        created_ts: device.created_at,
        updated_ts: device.updated_at,
        check_in_time: device.checked_in_at,
        decommissioning: false,
        identity_data: identity,
        auth_sets,
    }
}

async fn page(
    app: &App,
    query: &Query,
    filter: &DeviceFilter,
    paging: Paging,
) -> Result<(HeaderMap, axum::Json<Vec<AuthDevice>>), ApiError> {
    let mut read = app.store.read().await?;
    let devices = read
        .devices(filter, paging.offset(), paging.per_page)
        .await?;
    let ids: Vec<_> = devices.iter().map(|device| device.id).collect();
    let sets = read.auth_sets_of(&ids).await?;
    let headers = query.links(paging, devices.len(), None);
    let devices = devices
        .into_iter()
        .map(|device| auth_device(device, &sets))
        .collect();
    Ok((headers, axum::Json(devices)))
}

/// List devices with their keys
#[utoipa::path(
    get,
    path = "/api/management/v2/devauth/devices",
    operation_id = "listAuthDevices",
    tag = TAG,
    params(
        PagingParams,
        ("status" = Option<Vec<AuthStatus>>, Query, description = "Only devices of one of these states"),
        ("id" = Option<Vec<String>>, Query, description = "Only these devices"),
    ),
    responses(
        (status = 200, description = "A page, with `Link` headers to others", body = Vec<AuthDevice>),
        (status = 400, description = "Not understood", body = ErrorBody),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    query: Query,
) -> Result<impl IntoResponse, ApiError> {
    let filter = DeviceFilter {
        status: query.parsed("status", WRONG_STATUS)?,
        ids: query.parsed("id", "incorrect device id")?,
    };
    page(&app, &query, &filter, query.paging()?).await
}

/// List devices with their keys, asked by a body
#[utoipa::path(
    post,
    path = "/api/management/v2/devauth/devices/search",
    operation_id = "searchAuthDevices",
    tag = TAG,
    params(PagingParams),
    request_body = DeviceSearch,
    responses(
        (status = 200, description = "A page, with `Link` headers to others", body = Vec<AuthDevice>),
        (status = 400, description = "Not understood", body = ErrorBody),
    )
)]
pub(super) async fn search(
    State(app): State<App>,
    query: Query,
    Json(search): Json<DeviceSearch>,
) -> Result<impl IntoResponse, ApiError> {
    let filter = DeviceFilter {
        status: OneOrMany::parsed(search.status, WRONG_STATUS)?,
        ids: OneOrMany::parsed(search.id, "incorrect device id")?,
    };
    page(&app, &query, &filter, query.paging()?).await
}

/// Count devices
#[utoipa::path(
    get,
    path = "/api/management/v2/devauth/devices/count",
    operation_id = "countAuthDevices",
    tag = TAG,
    params(("status" = Option<AuthStatus>, Query, description = "Only devices of this state")),
    responses(
        (status = 200, description = "How many", body = Count),
        (status = 400, description = "No such status", body = ErrorBody),
    )
)]
pub(super) async fn count(
    State(app): State<App>,
    query: Query,
) -> Result<axum::Json<Count>, ApiError> {
    let filter = DeviceFilter {
        status: query.parsed("status", WRONG_STATUS)?,
        ids: Vec::new(),
    };
    let count = app.store.read().await?.count_devices(&filter).await?;
    Ok(axum::Json(Count { count }))
}

async fn one(read: &mut Reader, id: DeviceId) -> Result<AuthDevice, ApiError> {
    let device = read.device(id).await?.ok_or_else(device_not_found)?;
    let sets = read.auth_sets_of(&[id]).await?;
    Ok(auth_device(device, &sets))
}

/// One device with its keys
#[utoipa::path(
    get,
    path = "/api/management/v2/devauth/devices/{id}",
    operation_id = "getAuthDevice",
    tag = TAG,
    params(("id" = String, Path, description = "Device")),
    responses(
        (status = 200, description = "The device", body = AuthDevice),
        (status = 404, description = "No such device", body = ErrorBody),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    DevicePath(id): DevicePath,
) -> Result<axum::Json<AuthDevice>, ApiError> {
    Ok(axum::Json(one(&mut app.store.read().await?, id).await?))
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
            let device = one(&mut app.store.read().await?, id).await?;
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

/// How many devices may be accepted
#[utoipa::path(
    get,
    path = "/api/management/v2/devauth/limits/max_devices",
    operation_id = "getDeviceLimit",
    tag = TAG,
    responses((status = 200, description = "0: any number", body = LimitOut))
)]
pub(super) async fn limit() -> axum::Json<LimitOut> {
    std::future::ready(axum::Json(LimitOut { limit: 0 })).await
}
