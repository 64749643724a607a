//! The HTTP API. One file a resource; [`table`] is the only place that registers routes.

mod guard;
mod login;
pub mod table;

use axum::Router;

use crate::app::App;

/// Everything the server answers.
pub fn router(app: App) -> Router {
    table::router(app)
}
