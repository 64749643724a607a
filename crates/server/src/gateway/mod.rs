//! The two websockets: devices' and operators'.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use tokio::sync::broadcast;

use crate::app::App;
use crate::auth::{DevicePrincipal, Principal};
use crate::error::ApiError;
use crate::ids::DeviceId;
use crate::time::Timestamp;

/// A device came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The device.
    pub device_id: DeviceId,
    /// Whether it is connected now.
    pub connected: bool,
    /// Since when.
    pub at: Timestamp,
}

/// Why the server ends a device's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The device was rejected, dismissed or removed, or its token revoked.
    Unauthorized,
}

/// The device links of this process.
pub struct Links {
    presence: broadcast::Sender<Presence>,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            presence: broadcast::channel(1024).0,
        }
    }
}

impl Links {
    /// Since when the device is connected, if it is.
    #[must_use]
    pub fn connected_since(&self, _device: DeviceId) -> Option<Timestamp> {
        None
    }

    /// Ends the device's link, if there is one.
    pub fn disconnect(&self, _device: DeviceId, _reason: DisconnectReason) {}

    /// Hears of every device that comes or goes from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Presence> {
        self.presence.subscribe()
    }
}

/// `GET /api/devices/v1/deviceconnect/connect`: a device's link.
///
/// # Errors
/// 501 until links are built.
pub async fn device_connect(
    State(_app): State<App>,
    _device: DevicePrincipal,
) -> Result<Response, ApiError> {
    std::future::ready(Err(ApiError::new(
        StatusCode::NOT_IMPLEMENTED,
        "not built yet",
    )))
    .await
}

/// `GET /api/management/v1/deviceconnect/devices/{id}/connect`: an operator's terminal.
///
/// # Errors
/// 501 until terminals are built.
pub async fn user_connect(
    State(_app): State<App>,
    _principal: Principal,
    Path(_device): Path<DeviceId>,
) -> Result<Response, ApiError> {
    std::future::ready(Err(ApiError::new(
        StatusCode::NOT_IMPLEMENTED,
        "not built yet",
    )))
    .await
}
