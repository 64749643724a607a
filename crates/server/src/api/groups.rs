//! Groups of devices.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Json;
use super::path::{DevicePath, device_not_found};
use super::query::{PagingParams, Query};
use crate::access::{self, Permission, Scope};
use crate::app::App;
use crate::auth::{Peer, Principal};
use crate::devices::labels;
use crate::error::ApiError;
use crate::http::envelope::ErrorBody;
use crate::ids::DeviceId;
use crate::store::AuthStatus;

const TAG: &str = "Management: inventory";

/// Most devices that can be put in a group at once.
const DEVICES_MAX: usize = 500;

/// A device's group.
#[derive(Serialize, ToSchema)]
pub(super) struct GroupOf {
    group: Option<String>,
}

/// The group a device is put in.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewGroup {
    group: String,
}

/// What became of a change of many devices.
#[derive(Serialize, ToSchema)]
pub(super) struct Changed {
    matched_count: u64,
    updated_count: u64,
}

fn ids(texts: &[String]) -> Result<Vec<DeviceId>, ApiError> {
    if texts.len() > DEVICES_MAX {
        return Err(ApiError::bad_request(format!(
            "more than {DEVICES_MAX} devices"
        )));
    }
    texts
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|_| ApiError::bad_request("incorrect device id"))
        })
        .collect()
}

/// List groups
#[utoipa::path(
    get,
    path = "/api/management/v1/inventory/groups",
    operation_id = "listGroups",
    tag = TAG,
    params(("status" = Option<AuthStatus>, Query, description = "Only groups with devices of this state")),
    responses((status = 200, description = "Names", body = Vec<String>))
)]
pub(super) async fn list(
    State(app): State<App>,
    query: Query,
) -> Result<axum::Json<Vec<String>>, ApiError> {
    let status = query.parsed("status", "incorrect device status")?;
    let mut read = app.store.read().await?;
    Ok(axum::Json(read.groups(status.first().copied()).await?))
}

/// The devices of a group
#[utoipa::path(
    get,
    path = "/api/management/v1/inventory/groups/{name}/devices",
    operation_id = "listGroupDevices",
    tag = TAG,
    params(("name" = String, Path, description = "Group"), PagingParams),
    responses((status = 200, description = "Ids; `X-Total-Count` says how many", body = Vec<String>))
)]
pub(super) async fn devices(
    State(app): State<App>,
    Path(group): Path<String>,
    query: Query,
) -> Result<impl IntoResponse, ApiError> {
    let paging = query.paging()?;
    let mut read = app.store.read().await?;
    let (devices, total) = read
        .group_devices(&group, paging.offset(), paging.per_page)
        .await?;
    if total == 0 {
        return Err(ApiError::not_found("group not found"));
    }
    let headers = query.links(paging, devices.len(), Some(total));
    Ok((headers, axum::Json(devices)))
}

/// Put devices in a group
#[utoipa::path(
    patch,
    path = "/api/management/v1/inventory/groups/{name}/devices",
    operation_id = "addGroupDevices",
    tag = TAG,
    params(("name" = String, Path, description = "Group")),
    request_body = Vec<String>,
    responses(
        (status = 200, description = "How many were there and changed", body = Changed),
        (status = 400, description = "Not understood", body = ErrorBody),
    )
)]
pub(super) async fn add_devices(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    Path(group): Path<String>,
    Json(devices): Json<Vec<String>>,
) -> Result<axum::Json<Changed>, ApiError> {
    let granted = access::require(&principal, Permission::DeviceTag, Scope::Server)?;
    let group = labels::checked_group(&group)?;
    let devices = ids(&devices)?;
    let (matched_count, updated_count) =
        labels::set_group(&app, &granted, address, &devices, Some(group), None).await?;
    Ok(axum::Json(Changed {
        matched_count,
        updated_count,
    }))
}

/// Take devices out of a group
#[utoipa::path(
    delete,
    path = "/api/management/v1/inventory/groups/{name}/devices",
    operation_id = "removeGroupDevices",
    tag = TAG,
    params(("name" = String, Path, description = "Group")),
    request_body = Vec<String>,
    responses(
        (status = 200, description = "How many were there and changed", body = Changed),
        (status = 400, description = "Not understood", body = ErrorBody),
    )
)]
pub(super) async fn remove_devices(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    Path(group): Path<String>,
    Json(devices): Json<Vec<String>>,
) -> Result<axum::Json<Changed>, ApiError> {
    let granted = access::require(&principal, Permission::DeviceTag, Scope::Server)?;
    let group = labels::checked_group(&group)?;
    let devices = ids(&devices)?;
    let (matched_count, updated_count) =
        labels::set_group(&app, &granted, address, &devices, None, Some(group)).await?;
    Ok(axum::Json(Changed {
        matched_count,
        updated_count,
    }))
}

/// Dissolve a group
#[utoipa::path(
    delete,
    path = "/api/management/v1/inventory/groups/{name}",
    operation_id = "removeGroup",
    tag = TAG,
    params(("name" = String, Path, description = "Group")),
    responses((status = 204, description = "No device is in it"))
)]
pub(super) async fn remove(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    Path(group): Path<String>,
) -> Result<StatusCode, ApiError> {
    let granted = access::require(&principal, Permission::DeviceTag, Scope::Server)?;
    labels::remove_group(&app, &granted, address, labels::checked_group(&group)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A device's group
#[utoipa::path(
    get,
    path = "/api/management/v1/inventory/devices/{id}/group",
    operation_id = "getDeviceGroup",
    tag = TAG,
    params(("id" = String, Path, description = "Device")),
    responses(
        (status = 200, description = "Its group, if it has one", body = GroupOf),
        (status = 404, description = "No such device", body = ErrorBody),
    )
)]
pub(super) async fn of_device(
    State(app): State<App>,
    DevicePath(id): DevicePath,
) -> Result<axum::Json<GroupOf>, ApiError> {
    let device = app.store.read().await?.device(id).await?;
    let group = device.ok_or_else(device_not_found)?.group;
    Ok(axum::Json(GroupOf { group }))
}

/// Put a device in a group
#[utoipa::path(
    put,
    path = "/api/management/v1/inventory/devices/{id}/group",
    operation_id = "setDeviceGroup",
    tag = TAG,
    params(("id" = String, Path, description = "Device")),
    request_body = NewGroup,
    responses(
        (status = 204, description = "It is in the group"),
        (status = 400, description = "No name for a group", body = ErrorBody),
        (status = 404, description = "No such device", body = ErrorBody),
    )
)]
pub(super) async fn set_of_device(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    DevicePath(id): DevicePath,
    Json(new): Json<NewGroup>,
) -> Result<StatusCode, ApiError> {
    let granted = access::require(&principal, Permission::DeviceTag, Scope::Device(id))?;
    let group = labels::checked_group(&new.group)?;
    let (matched, _) = labels::set_group(&app, &granted, address, &[id], Some(group), None).await?;
    if matched == 0 {
        return Err(device_not_found());
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Take a device out of its group
#[utoipa::path(
    delete,
    path = "/api/management/v1/inventory/devices/{id}/group/{name}",
    operation_id = "removeDeviceGroup",
    tag = TAG,
    params(("id" = String, Path, description = "Device"), ("name" = String, Path, description = "Group")),
    responses(
        (status = 204, description = "It is not in the group any more"),
        (status = 404, description = "No such device, or not in that group", body = ErrorBody),
    )
)]
pub(super) async fn remove_of_device(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    Path((id, group)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let id = id.parse().map_err(|_| device_not_found())?;
    let granted = access::require(&principal, Permission::DeviceTag, Scope::Device(id))?;
    let group = labels::checked_group(&group)?;
    let (matched, _) = labels::set_group(&app, &granted, address, &[id], None, Some(group)).await?;
    if matched == 0 {
        return Err(device_not_found());
    }
    Ok(StatusCode::NO_CONTENT)
}
