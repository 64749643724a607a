//! Whether a device is connected, as Mender's tools ask.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::path::{DevicePath, device_not_found};
use crate::app::App;
use crate::error::ApiError;
use crate::http::envelope::ErrorBody;
use crate::ids::DeviceId;
use crate::time::Timestamp;

/// State of a device's link.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum LinkStatus {
    /// Its link is up.
    Connected,
    /// It is not.
    Disconnected,
}

/// A device's link.
#[derive(Serialize, ToSchema)]
pub(super) struct Connectivity {
    #[schema(value_type = String)]
    device_id: DeviceId,
    status: LinkStatus,
    #[schema(value_type = String, format = DateTime)]
    created_ts: Timestamp,
    /// When the link last came or went.
    #[schema(value_type = String, format = DateTime)]
    updated_ts: Timestamp,
}

/// Whether a device is connected
#[utoipa::path(
    get,
    path = "/api/management/v1/deviceconnect/devices/{id}",
    operation_id = "getConnectivity",
    tag = "Management: device connect",
    params(("id" = String, Path, description = "Device")),
    responses(
        (status = 200, description = "Its link", body = Connectivity),
        (status = 404, description = "No such device", body = ErrorBody),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    DevicePath(id): DevicePath,
) -> Result<axum::Json<Connectivity>, ApiError> {
    let device = app
        .store
        .read()
        .await?
        .device(id)
        .await?
        .ok_or_else(device_not_found)?;
    let since = app.links.connected_since(id);
    Ok(axum::Json(Connectivity {
        device_id: id,
        status: if since.is_some() {
            LinkStatus::Connected
        } else {
            LinkStatus::Disconnected
        },
        created_ts: device.created_at,
        updated_ts: since.or(device.link_at).unwrap_or(device.created_at),
    }))
}

/// A device's link
///
/// A websocket on which the device carries its terminals: one message of the remote-terminal protocol in
/// each binary frame. A newer link of the same device replaces an older one.
#[utoipa::path(
    get,
    path = "/api/devices/v1/deviceconnect/connect",
    operation_id = "connectDeviceLink",
    tag = "Device: connect",
    security(("device" = [])),
    responses(
        (status = 101, description = "The link is open"),
        (status = 400, description = "Not a device's token, or no websocket", body = ErrorBody),
        (status = 401, description = "No valid token", body = ErrorBody),
    )
)]
#[allow(dead_code, reason = "documents the gateway's handler")]
pub(super) fn device_link() {}

/// A terminal on a device
///
/// A websocket with one message of the remote-terminal protocol in each binary frame. Browsers need the
/// cookie and this server's own origin, programs a bearer token.
#[utoipa::path(
    get,
    path = "/api/management/v1/deviceconnect/devices/{id}/connect",
    operation_id = "connectTerminal",
    tag = "Management: device connect",
    params(("id" = String, Path, description = "Device")),
    responses(
        (status = 101, description = "The terminal's channel is open"),
        (status = 400, description = "Not a person's token, or no websocket", body = ErrorBody),
        (status = 401, description = "No valid token", body = ErrorBody),
        (status = 403, description = "Not allowed, or from another site's page", body = ErrorBody),
        (status = 404, description = "No such device, or it is not connected", body = ErrorBody),
    )
)]
#[allow(dead_code, reason = "documents the gateway's handler")]
pub(super) fn terminal() {}
