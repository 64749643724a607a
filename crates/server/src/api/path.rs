//! Identifiers in paths.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::error::ApiError;
use crate::ids::{AuthSetId, DeviceId};

/// The device a path names; a text that is no id is no device.
pub(crate) struct DevicePath(pub(crate) DeviceId);

/// The device and key a path names.
pub(super) struct AuthSetPath(pub(super) DeviceId, pub(super) AuthSetId);

/// What is answered for a device that is not there or that the caller may not see.
pub(crate) fn device_not_found() -> ApiError {
    ApiError::not_found("device not found")
}

fn id<T: FromStr>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| device_not_found())
}

impl<S: Send + Sync> FromRequestParts<S> for DevicePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| device_not_found())?;
        id(&text).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AuthSetPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path((device, set)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| device_not_found())?;
        Ok(Self(id(&device)?, id(&set)?))
    }
}
