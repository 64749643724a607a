//! The route table: every path the server answers, with what it takes to be let through.
//!
//! There is no other way to register a route: a test reads the sources for one.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::{guard, login};
use crate::access::Permission;
use crate::app::App;
use crate::gateway;

/// Longest request body in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// A device with a valid token.
    Device,
    /// The same, for a websocket: a person's token is answered with 400, as real peers know it.
    DeviceLink,
    /// Anybody who is signed in.
    SignedIn,
    /// A person with this permission.
    Allowed(Permission),
    /// The same, for a websocket: a device's token is answered with 400, as real peers know it.
    Terminal(Permission),
}

/// One route.
pub struct Route {
    /// HTTP method.
    pub method: Method,
    /// Path; `{name}` stands for one segment.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    handler: MethodRouter<App>,
}

fn route<H, T>(method: Method, path: &'static str, access: Access, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::TRACE);
    Route {
        method,
        path,
        access,
        handler: on(filter, handler),
    }
}

/// Every route of the server.
#[must_use]
pub fn routes() -> Vec<Route> {
    use Access::{DeviceLink, Public, SignedIn, Terminal};
    vec![
        // Signing in and out.
        route(
            Method::POST,
            "/api/management/v1/useradm/auth/login",
            Public,
            login::basic,
        ),
        route(
            Method::POST,
            "/api/management/v1/useradm/auth/logout",
            SignedIn,
            login::logout_program,
        ),
        // Websockets.
        route(
            Method::GET,
            "/api/devices/v1/deviceconnect/connect",
            DeviceLink,
            gateway::device_connect,
        ),
        route(
            Method::GET,
            "/api/management/v1/deviceconnect/devices/{id}/connect",
            Terminal(Permission::DeviceConnect),
            gateway::user_connect,
        ),
    ]
}

pub(super) fn router(app: App) -> Router {
    let mut router = Router::new();
    for Route {
        path,
        access,
        handler,
        ..
    } in routes()
    {
        let guarded = handler.layer(from_fn_with_state((app.clone(), access), guard::check));
        router = router.route(path, guarded);
    }
    router
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(app)
}
