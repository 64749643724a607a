//! Inventory: what devices report, as they write it and as management reads it.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Json;
use super::path::{DevicePath, device_not_found};
use super::query::{PagingParams, Query};
use super::search::{attribute_name, v1_conditions, v1_sort};
use crate::access::{self, Permission, Scope};
use crate::app::App;
use crate::auth::{DevicePrincipal, Peer, Principal};
use crate::devices::inventory::{self, NewAttribute, Write};
use crate::devices::{decision, labels};
use crate::error::ApiError;
use crate::http::envelope::ErrorBody;
use crate::ids::DeviceId;
use crate::store::{Attribute, AttributeScope, Device, Reader, Search, StoreError};
use crate::time::Timestamp;

const TAG: &str = "Management: inventory";

/// A device as the inventory knows it.
#[derive(Serialize, ToSchema)]
pub(super) struct InventoryDevice {
    #[schema(value_type = String)]
    pub(super) id: DeviceId,
    pub(super) attributes: Vec<AttributeOut>,
    #[schema(value_type = String, format = DateTime)]
    updated_ts: Timestamp,
}

/// One attribute of a device.
#[derive(Serialize, ToSchema)]
#[schema(as = Attribute)]
pub(super) struct AttributeOut {
    pub(super) name: String,
    /// A string, number, boolean, or an array of one of these.
    #[schema(value_type = Value)]
    value: Value,
    pub(super) scope: AttributeScope,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Timestamp>,
}

impl From<&Attribute> for AttributeOut {
    fn from(attribute: &Attribute) -> Self {
        Self {
            name: attribute.name.clone(),
            value: attribute.value.clone(),
            scope: attribute.scope,
            description: attribute.description.clone(),
            timestamp: Some(attribute.updated_at),
        }
    }
}

impl InventoryDevice {
    fn new(device: Device, attributes: &[Attribute]) -> Self {
        let system = |scope: AttributeScope, name: &str, value: Value| AttributeOut {
            name: name.to_owned(),
            value,
            scope,
            description: None,
            timestamp: None,
        };
        let mut out: Vec<_> = attributes.iter().map(AttributeOut::from).collect();
        out.push(system(
            AttributeScope::Identity,
            "status",
            device.status.as_str().into(),
        ));
        let times = [
            ("created_ts", Some(device.created_at)),
            ("updated_ts", Some(device.updated_at)),
            ("check_in_time", device.checked_in_at),
        ];
        for (name, time) in times {
            if let Some(time) = time {
                out.push(system(
                    AttributeScope::System,
                    name,
                    time.to_string().into(),
                ));
            }
        }
        if let Some(group) = device.group {
            out.push(system(AttributeScope::System, "group", group.into()));
        }
        Self {
            id: device.id,
            attributes: out,
            updated_ts: device.updated_at,
        }
    }
}

/// Devices with their attributes.
pub(super) async fn assemble(
    read: &mut Reader,
    devices: Vec<Device>,
) -> Result<Vec<InventoryDevice>, StoreError> {
    let ids: Vec<_> = devices.iter().map(|device| device.id).collect();
    let mut of: HashMap<DeviceId, Vec<Attribute>> = HashMap::new();
    for (id, attribute) in read.attributes_of(&ids).await? {
        of.entry(id).or_default().push(attribute);
    }
    Ok(devices
        .into_iter()
        .map(|device| {
            let attributes = of.remove(&device.id).unwrap_or_default();
            InventoryDevice::new(device, &attributes)
        })
        .collect())
}

/// Report everything
///
/// What is not mentioned is forgotten.
#[utoipa::path(
    put,
    path = "/api/devices/v1/inventory/device/attributes",
    operation_id = "putInventory",
    tag = "Device: inventory",
    security(("device" = [])),
    request_body = Vec<NewAttribute>,
    responses(
        (status = 200, description = "Written down"),
        (status = 400, description = "Not understood", body = ErrorBody),
    )
)]
pub(super) async fn replace(
    State(app): State<App>,
    device: DevicePrincipal,
    Json(attributes): Json<Vec<NewAttribute>>,
) -> Result<StatusCode, ApiError> {
    inventory::report(&app, device.device_id, attributes, Write::Replace).await?;
    Ok(StatusCode::OK)
}

/// Report some
///
/// What is not mentioned stays.
#[utoipa::path(
    patch,
    path = "/api/devices/v1/inventory/device/attributes",
    operation_id = "patchInventory",
    tag = "Device: inventory",
    security(("device" = [])),
    request_body = Vec<NewAttribute>,
    responses(
        (status = 200, description = "Written down"),
        (status = 400, description = "Not understood", body = ErrorBody),
    )
)]
pub(super) async fn merge(
    State(app): State<App>,
    device: DevicePrincipal,
    Json(attributes): Json<Vec<NewAttribute>>,
) -> Result<StatusCode, ApiError> {
    inventory::report(&app, device.device_id, attributes, Write::Merge).await?;
    Ok(StatusCode::OK)
}

/// List devices with their attributes
///
/// Any other parameter is a filter: `[scope/]name=[eq:]value`; without a scope it is `inventory`.
#[utoipa::path(
    get,
    path = "/api/management/v1/inventory/devices",
    operation_id = "listInventoryDevices",
    tag = TAG,
    params(
        PagingParams,
        ("group" = Option<String>, Query, description = "Only devices of this group"),
        ("has_group" = Option<bool>, Query, description = "Only devices with, or without, a group"),
        ("sort" = Option<String>, Query, description = "`[scope/]name[:asc|desc]`, several with commas"),
    ),
    responses(
        (status = 200, description = "A page, with `Link` headers to others and `X-Total-Count`", body = Vec<InventoryDevice>),
        (status = 400, description = "Not understood", body = ErrorBody),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    query: Query,
) -> Result<impl IntoResponse, ApiError> {
    let paging = query.paging()?;
    let search = Search {
        conditions: v1_conditions(&query)?,
        sort: v1_sort(query.first("sort"))?,
        ..Search::default()
    };
    let mut read = app.store.read().await?;
    let (devices, total) = read
        .search_devices(&search, paging.offset(), paging.per_page)
        .await?;
    let headers = query.links(paging, devices.len(), Some(total));
    Ok((headers, axum::Json(assemble(&mut read, devices).await?)))
}

/// One device with its attributes
#[utoipa::path(
    get,
    path = "/api/management/v1/inventory/devices/{id}",
    operation_id = "getInventoryDevice",
    tag = TAG,
    params(("id" = String, Path, description = "Device")),
    responses(
        (status = 200, description = "The device; `ETag` is that of its tags", body = InventoryDevice),
        (status = 404, description = "No such device", body = ErrorBody),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    DevicePath(id): DevicePath,
) -> Result<Response, ApiError> {
    let mut read = app.store.read().await?;
    let device = read.device(id).await?.ok_or_else(device_not_found)?;
    let attributes: Vec<_> = read
        .attributes_of(&[id])
        .await?
        .into_iter()
        .map(|(_, attribute)| attribute)
        .collect();
    let etag = inventory::etag(&attributes);
    let body = InventoryDevice::new(device, &attributes);
    Ok(([(header::ETAG, etag)], axum::Json(body)).into_response())
}

/// Remove a device
///
/// The same as its decommissioning.
#[utoipa::path(
    delete,
    path = "/api/management/v1/inventory/devices/{id}",
    operation_id = "removeInventoryDevice",
    tag = TAG,
    params(("id" = String, Path, description = "Device")),
    responses(
        (status = 204, description = "Gone"),
        (status = 404, description = "No such device", body = ErrorBody),
    )
)]
pub(super) async fn remove(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    DevicePath(id): DevicePath,
) -> Result<StatusCode, ApiError> {
    let granted = access::require(&principal, Permission::DeviceAccept, Scope::Device(id))?;
    decision::decommission(&app, &granted, address, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn write_tags(
    app: &App,
    principal: &Principal,
    Peer(address): Peer,
    id: DeviceId,
    headers: &HeaderMap,
    tags: Vec<NewAttribute>,
    write: Write,
) -> Result<StatusCode, ApiError> {
    let granted = access::require(principal, Permission::DeviceTag, Scope::Device(id))?;
    let seen = match headers.get(header::IF_MATCH) {
        None => None,
        Some(value) => Some(
            value
                .to_str()
                .map_err(|_| ApiError::bad_request("malformed If-Match header"))?,
        ),
    };
    labels::set_tags(app, &granted, address, id, tags, write, seen).await?;
    Ok(StatusCode::OK)
}

/// Set a device's tags
#[utoipa::path(
    put,
    path = "/api/management/v1/inventory/devices/{id}/tags",
    operation_id = "putTags",
    tag = TAG,
    params(
        ("id" = String, Path, description = "Device"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` the caller saw"),
    ),
    request_body = Vec<NewAttribute>,
    responses(
        (status = 200, description = "Written down"),
        (status = 400, description = "Not understood", body = ErrorBody),
        (status = 404, description = "No such device", body = ErrorBody),
        (status = 412, description = "Somebody else was quicker", body = ErrorBody),
    )
)]
pub(super) async fn put_tags(
    State(app): State<App>,
    principal: Principal,
    peer: Peer,
    DevicePath(id): DevicePath,
    headers: HeaderMap,
    Json(tags): Json<Vec<NewAttribute>>,
) -> Result<StatusCode, ApiError> {
    write_tags(&app, &principal, peer, id, &headers, tags, Write::Replace).await
}

/// Add to a device's tags
#[utoipa::path(
    patch,
    path = "/api/management/v1/inventory/devices/{id}/tags",
    operation_id = "patchTags",
    tag = TAG,
    params(
        ("id" = String, Path, description = "Device"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` the caller saw"),
    ),
    request_body = Vec<NewAttribute>,
    responses(
        (status = 200, description = "Written down"),
        (status = 400, description = "Not understood", body = ErrorBody),
        (status = 404, description = "No such device", body = ErrorBody),
        (status = 412, description = "Somebody else was quicker", body = ErrorBody),
    )
)]
pub(super) async fn patch_tags(
    State(app): State<App>,
    principal: Principal,
    peer: Peer,
    DevicePath(id): DevicePath,
    headers: HeaderMap,
    Json(tags): Json<Vec<NewAttribute>>,
) -> Result<StatusCode, ApiError> {
    write_tags(&app, &principal, peer, id, &headers, tags, Write::Merge).await
}

/// Attribute names in use
#[derive(Serialize, ToSchema)]
pub(super) struct AttributeUse {
    name: String,
    scope: AttributeScope,
    /// How many devices have it.
    count: u64,
}

/// Most names that are listed.
const NAMES_MAX: u32 = 500;

/// Attributes that can be filtered by
#[utoipa::path(
    get,
    path = "/api/management/v2/inventory/filters/attributes",
    operation_id = "listAttributeNames",
    tag = TAG,
    responses((status = 200, description = "Most used first", body = Vec<AttributeUse>))
)]
pub(super) async fn names(
    State(app): State<App>,
) -> Result<axum::Json<Vec<AttributeUse>>, ApiError> {
    let names = app.store.read().await?.attribute_names(NAMES_MAX).await?;
    Ok(axum::Json(
        names
            .into_iter()
            .map(|(scope, name, count)| AttributeUse { name, scope, count })
            .collect(),
    ))
}

/// The conditions `group` and `has_group` stand for.
pub(super) fn group_attribute() -> crate::store::AttributeName {
    attribute_name(AttributeScope::System, "group")
}
