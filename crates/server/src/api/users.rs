//! Accounts, to look at. They are made and changed by `longwire-server user`.

use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::query::Query;
use crate::access::Role;
use crate::app::App;
use crate::auth::Principal;
use crate::error::ApiError;
use crate::http::envelope::ErrorBody;
use crate::ids::UserId;
use crate::store::User;
use crate::time::Timestamp;

const TAG: &str = "Management: users";

/// A person's account.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserOut {
    #[schema(value_type = String)]
    id: UserId,
    email: String,
    roles: Vec<Role>,
    #[schema(value_type = String, format = DateTime)]
    created_ts: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_ts: Timestamp,
    /// When the person last signed in.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    login_ts: Option<Timestamp>,
}

impl From<User> for UserOut {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            roles: user.roles,
            created_ts: user.created_at,
            updated_ts: user.updated_at,
            login_ts: user.login_at,
        }
    }
}

fn not_found() -> ApiError {
    ApiError::not_found("user not found")
}

/// List accounts
#[utoipa::path(
    get,
    path = "/api/management/v1/useradm/users",
    operation_id = "listUsers",
    tag = TAG,
    params(
        ("id" = Option<Vec<String>>, Query, description = "Only these"),
        ("email" = Option<Vec<String>>, Query, description = "Only those with one of these addresses"),
    ),
    responses((status = 200, description = "By e-mail address", body = Vec<UserOut>))
)]
pub(super) async fn list(
    State(app): State<App>,
    query: Query,
) -> Result<axum::Json<Vec<UserOut>>, ApiError> {
    let wanted = |key: &str, value: &str| {
        query.first(key).is_none() || query.all(key).any(|one| one.eq_ignore_ascii_case(value))
    };
    let users = app.store.read().await?.users().await?;
    Ok(axum::Json(
        users
            .into_iter()
            .filter(|user| wanted("id", &user.id.to_string()) && wanted("email", &user.email))
            .map(UserOut::from)
            .collect(),
    ))
}

async fn find(app: &App, id: UserId) -> Result<axum::Json<UserOut>, ApiError> {
    let user = app.store.read().await?.user(id).await?;
    user.map(|user| axum::Json(user.into()))
        .ok_or_else(not_found)
}

/// Your own account
#[utoipa::path(
    get,
    path = "/api/management/v1/useradm/users/me",
    operation_id = "getOwnUser",
    tag = TAG,
    responses((status = 200, description = "You", body = UserOut))
)]
pub(super) async fn me(
    State(app): State<App>,
    principal: Principal,
) -> Result<axum::Json<UserOut>, ApiError> {
    find(&app, principal.user_id).await
}

/// One account
#[utoipa::path(
    get,
    path = "/api/management/v1/useradm/users/{id}",
    operation_id = "getUser",
    tag = TAG,
    params(("id" = String, Path, description = "Account")),
    responses(
        (status = 200, description = "The account", body = UserOut),
        (status = 404, description = "No such account", body = ErrorBody),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<axum::Json<UserOut>, ApiError> {
    find(&app, id.parse().map_err(|_| not_found())?).await
}
