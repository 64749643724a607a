//! Devices as the web page and the command line show them: everything about one in one object.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::inventory::AttributeOut;
use super::path::{DevicePath, device_not_found};
use super::query::{PagingParams, Query};
use crate::app::App;
use crate::error::ApiError;
use crate::http::envelope::ErrorBody;
use crate::ids::DeviceId;
use crate::store::{
    Attribute, AttributeScope, AuthSet, AuthStatus, Device, DeviceFilter, Reader, Search,
    StoreError,
};
use crate::time::Timestamp;

/// Longest text that is searched for.
const QUERY_CHARS_MAX: usize = 200;

/// Everything about a device.
#[derive(Serialize, ToSchema)]
#[schema(as = Device)]
pub(super) struct DeviceOut {
    #[schema(value_type = String)]
    id: DeviceId,
    /// The name people know it by: its `name` tag, else its host name, else what it says it is.
    name: String,
    /// The strongest status of its keys.
    status: AuthStatus,
    /// Whether its link is up.
    connected: bool,
    /// Since when, if it is.
    #[schema(value_type = Option<String>, format = DateTime)]
    connected_since: Option<Timestamp>,
    /// When its link last came or went.
    #[schema(value_type = Option<String>, format = DateTime)]
    link_changed_at: Option<Timestamp>,
    /// Of the key that counts: the accepted one, else the one that asked last.
    fingerprint: Option<String>,
    /// What it says it is.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    identity: Value,
    /// What it reports and what people noted.
    attributes: Vec<AttributeOut>,
    group: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When it last called.
    #[schema(value_type = Option<String>, format = DateTime)]
    checked_in_at: Option<Timestamp>,
    /// Its keys, oldest first.
    auth_sets: Vec<KeyOut>,
}

/// One of a device's keys.
#[derive(Serialize, ToSchema)]
#[schema(as = DeviceKey)]
pub(super) struct KeyOut {
    id: String,
    status: AuthStatus,
    /// `SHA256:…`, as the agent prints it.
    fingerprint: String,
    /// When the device last asked with it.
    #[schema(value_type = String, format = DateTime)]
    requested_at: Timestamp,
    /// The network it first asked from.
    address: Option<String>,
    /// The device was known by another key: whoever asks now may be somebody else.
    replaces_key: bool,
}

pub(super) async fn assemble(
    app: &App,
    read: &mut Reader,
    devices: Vec<Device>,
) -> Result<Vec<DeviceOut>, StoreError> {
    let ids: Vec<_> = devices.iter().map(|device| device.id).collect();
    let sets = read.auth_sets_of(&ids).await?;
    let attributes = read.attributes_of(&ids).await?;
    Ok(devices
        .into_iter()
        .map(|device| {
            let sets: Vec<_> = sets
                .iter()
                .filter(|set| set.device_id == device.id)
                .collect();
            let attributes: Vec<_> = attributes
                .iter()
                .filter(|(id, _)| *id == device.id)
                .map(|(_, attribute)| attribute)
                .collect();
            whole(app, device, &sets, &attributes)
        })
        .collect())
}

fn whole(app: &App, device: Device, sets: &[&AuthSet], attributes: &[&Attribute]) -> DeviceOut {
    let connected_since = app.links.connected_since(device.id);
    let counts = sets
        .iter()
        .find(|set| set.status == AuthStatus::Accepted)
        .or_else(|| sets.iter().max_by_key(|set| set.requested_at));
    DeviceOut {
        id: device.id,
        name: name(&device, attributes),
        status: device.status,
        connected: connected_since.is_some(),
        connected_since,
        link_changed_at: device.link_at,
        fingerprint: counts.map(|set| set.fingerprint.clone()),
        identity: serde_json::from_str(&device.identity).unwrap_or_default(),
        attributes: attributes
            .iter()
            .filter(|attribute| attribute.scope != AttributeScope::Identity)
            .map(|attribute| AttributeOut::from(*attribute))
            .collect(),
        group: device.group,
        created_at: device.created_at,
        updated_at: device.updated_at,
        checked_in_at: device.checked_in_at,
        auth_sets: sets
            .iter()
            .map(|set| KeyOut {
                id: set.id.to_string(),
                status: set.status,
                fingerprint: set.fingerprint.clone(),
                requested_at: set.requested_at,
                address: set.address.clone(),
                replaces_key: set.replaces_one_of(sets.iter().copied()),
            })
            .collect(),
    }
}

fn name(device: &Device, attributes: &[&Attribute]) -> String {
    let text = |scope: AttributeScope, name: &str| {
        attributes
            .iter()
            .find(|attribute| attribute.scope == scope && attribute.name == name)
            .and_then(|attribute| attribute.value.as_str())
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    text(AttributeScope::Tags, "name")
        .or_else(|| text(AttributeScope::Inventory, "hostname"))
        .or_else(|| text(AttributeScope::Identity, "hostname"))
        .or_else(|| text(AttributeScope::Identity, "mac"))
        .unwrap_or_else(|| device.id.to_string())
}

/// The names by which people know these devices.
pub(super) async fn names(
    read: &mut Reader,
    ids: &[DeviceId],
) -> Result<HashMap<DeviceId, String>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let filter = DeviceFilter {
        status: Vec::new(),
        ids: ids.to_vec(),
    };
    let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let devices = read.devices(&filter, 0, count).await?;
    let attributes = read.attributes_of(ids).await?;
    Ok(devices
        .iter()
        .map(|device| {
            let own = attributes.iter().filter(|(id, _)| *id == device.id);
            let own: Vec<_> = own.map(|(_, attribute)| attribute).collect();
            (device.id, name(device, &own))
        })
        .collect())
}

/// List devices
///
/// By state, then by age: pending ones first, since they wait for somebody.
#[utoipa::path(
    get,
    path = "/api/management/v1/longwire/devices",
    operation_id = "listDevices",
    tag = "Longwire",
    params(
        PagingParams,
        ("status" = Option<Vec<AuthStatus>>, Query, description = "Only devices of one of these states"),
        ("q" = Option<String>, Query, description = "Only devices with this text in their id, identity or attributes"),
    ),
    responses(
        (status = 200, description = "A page, with `Link` headers to others and `X-Total-Count`", body = Vec<DeviceOut>),
        (status = 400, description = "Not understood", body = ErrorBody),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    query: Query,
) -> Result<(HeaderMap, axum::Json<Vec<DeviceOut>>), ApiError> {
    let paging = query.paging()?;
    let text = query.first("q").unwrap_or_default();
    if text.chars().count() > QUERY_CHARS_MAX {
        return Err(ApiError::bad_request("parameter \"q\" is too long"));
    }
    let search = Search {
        devices: DeviceFilter {
            status: query.parsed("status", "incorrect device status")?,
            ids: Vec::new(),
        },
        text: Some(text.to_owned()).filter(|text| !text.is_empty()),
        ..Search::default()
    };
    let mut read = app.store.read().await?;
    let (devices, total) = read
        .search_devices(&search, paging.offset(), paging.per_page)
        .await?;
    let here = devices.len();
    let devices = assemble(&app, &mut read, devices).await?;
    let headers = query.links(paging, here, Some(total));
    Ok((headers, axum::Json(devices)))
}

/// One device
#[utoipa::path(
    get,
    path = "/api/management/v1/longwire/devices/{id}",
    operation_id = "getDevice",
    tag = "Longwire",
    params(("id" = String, Path, description = "Device")),
    responses(
        (status = 200, description = "The device", body = DeviceOut),
        (status = 404, description = "No such device", body = ErrorBody),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    DevicePath(id): DevicePath,
) -> Result<axum::Json<DeviceOut>, ApiError> {
    let mut read = app.store.read().await?;
    find(&app, &mut read, id)
        .await?
        .map(axum::Json)
        .ok_or_else(device_not_found)
}

/// One device, if it is there.
pub(super) async fn find(
    app: &App,
    read: &mut Reader,
    id: DeviceId,
) -> Result<Option<DeviceOut>, StoreError> {
    let Some(device) = read.device(id).await? else {
        return Ok(None);
    };
    Ok(assemble(app, read, vec![device]).await?.pop())
}
