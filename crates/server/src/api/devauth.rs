//! Devices with their keys, as management sees them.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Json;
use super::path::{DevicePath, device_not_found};
use super::query::{Paging, PagingParams, Query};
use crate::app::App;
use crate::error::ApiError;
use crate::http::envelope::ErrorBody;
use crate::ids::DeviceId;
use crate::store::{AuthSet, AuthStatus, Device, DeviceFilter, Reader};
use crate::time::Timestamp;

pub(super) const TAG: &str = "Management: device authentication";
pub(super) const WRONG_STATUS: &str = "incorrect device status";

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

pub(super) async fn one(read: &mut Reader, id: DeviceId) -> Result<AuthDevice, ApiError> {
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
