//! The HTTP API. One file a resource; [`table`] is the only place that registers routes.

mod auth_requests;
mod body;
mod connectivity;
mod decisions;
mod deployments;
mod devauth;
mod devices;
mod events;
mod groups;
mod guard;
mod inventory;
mod login;
pub mod openapi;
pub(crate) mod path;
mod query;
mod search;
mod server_info;
mod sessions;
pub mod table;
mod users;

use axum::Router;

use crate::app::App;

/// Everything the server answers.
pub fn router(app: App) -> Router {
    table::router(app)
}
