//! Software updates are not this server's job; mender-client is told that there is nothing to do.

use axum::http::StatusCode;

/// Next deployment
#[utoipa::path(
    post,
    path = "/api/devices/v2/deployments/device/deployments/next",
    operation_id = "nextDeployment",
    tag = "Device: deployments",
    security(("device" = [])),
    responses((status = 204, description = "Nothing to do"))
)]
pub(super) async fn next() -> StatusCode {
    std::future::ready(StatusCode::NO_CONTENT).await
}

/// Next deployment, as older clients ask
#[utoipa::path(
    get,
    path = "/api/devices/v1/deployments/device/deployments/next",
    operation_id = "nextDeploymentV1",
    tag = "Device: deployments",
    security(("device" = [])),
    responses((status = 204, description = "Nothing to do"))
)]
pub(super) async fn next_v1() -> StatusCode {
    next().await
}
