//! What this server is.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;

/// This server.
#[derive(Serialize, ToSchema)]
pub(super) struct ServerInfo {
    version: &'static str,
    /// The origin browsers use, when one is configured.
    public_url: Option<String>,
}

/// What this server is
#[utoipa::path(
    get,
    path = "/api/management/v1/longwire/server",
    operation_id = "getServer",
    tag = "Longwire",
    responses((status = 200, description = "Version and address", body = ServerInfo))
)]
pub(super) async fn show(State(app): State<App>) -> axum::Json<ServerInfo> {
    std::future::ready(axum::Json(ServerInfo {
        version: env!("CARGO_PKG_VERSION"),
        public_url: app.config.public_url.clone(),
    }))
    .await
}
