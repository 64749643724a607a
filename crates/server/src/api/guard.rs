//! Runs before every handler: finds out who is calling and whether the table lets them.

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use super::table::Access;
use crate::access::{self, Scope};
use crate::app::App;
use crate::auth::{self, Refusal, UseOf};
use crate::error::ApiError;

/// Lets the request through with its principal (and what was granted) in the extensions, or refuses it.
pub(super) async fn check(
    State((app, access)): State<(App, Access)>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    match access {
        Access::Public => {}
        Access::Device => {
            let device = auth::authenticate_device(&app, request.headers()).await?;
            request.extensions_mut().insert(device);
        }
        Access::DeviceLink => {
            let device = auth::identify_device(&app, request.headers())
                .await
                .map_err(|refusal| {
                    wrong_kind(
                        refusal,
                        "missing or non-device identity in the authorization headers",
                    )
                    .unwrap_or_else(|| auth::device_refused(refusal))
                })?;
            request.extensions_mut().insert(device);
        }
        Access::SignedIn => {
            let use_of = use_of(request.method());
            let principal = auth::authenticate_user(&app, request.headers(), use_of).await?;
            request.extensions_mut().insert(principal);
        }
        Access::Allowed(permission) => {
            let use_of = use_of(request.method());
            let principal = auth::authenticate_user(&app, request.headers(), use_of).await?;
            let granted = access::require(&principal, permission, Scope::Server)?;
            request.extensions_mut().insert(principal);
            request.extensions_mut().insert(granted);
        }
        Access::Terminal(permission) => {
            let principal = auth::identify_user(&app, request.headers(), UseOf::Websocket)
                .await
                .map_err(|refusal| {
                    wrong_kind(
                        refusal,
                        "missing or non-user identity in the authorization headers",
                    )
                    .unwrap_or_else(|| refusal.into())
                })?;
            let granted = access::require(&principal, permission, Scope::Server)?;
            request.extensions_mut().insert(principal);
            request.extensions_mut().insert(granted);
        }
    }
    Ok(next.run(request).await)
}

/// The 400 that real peers know from the two websockets, if the token was of the wrong kind.
fn wrong_kind(refusal: Refusal, text: &'static str) -> Option<ApiError> {
    (refusal == Refusal::WrongKind).then(|| ApiError::bad_request(text))
}

fn use_of(method: &Method) -> UseOf {
    if method.is_safe() {
        UseOf::Read
    } else {
        UseOf::Change
    }
}
