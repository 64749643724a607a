//! The route table: every path the server answers, with what it takes to be let through.
//!
//! There is no other way to register a route: a test reads the sources for one.

use axum::Router;
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::{
    auth_requests, connectivity, decisions, deployments, devauth, devices, events, groups, guard,
    inventory, login, openapi, search, server_info, sessions, users,
};
use crate::access::Permission;
use crate::app::App;
use crate::error::ApiError;
use crate::{gateway, ui};

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
#[rustfmt::skip]
pub fn routes() -> Vec<Route> {
    use Access::{Allowed, Device, DeviceLink, Public, SignedIn, Terminal};
    use Permission::{DeviceAccept, DeviceConnect, DeviceRead, DeviceTag, UserRead};

    let (get, put, post) = (|| Method::GET, || Method::PUT, || Method::POST);
    let (patch, delete) = (|| Method::PATCH, || Method::DELETE);
    vec![
        // Devices: being let in, reporting, the link.
        route(post(), "/api/devices/v1/authentication/auth_requests", Public, auth_requests::request),
        route(put(), "/api/devices/v1/inventory/device/attributes", Device, inventory::replace),
        route(patch(), "/api/devices/v1/inventory/device/attributes", Device, inventory::merge),
        route(get(), "/api/devices/v1/deployments/device/deployments/next", Device, deployments::next_v1),
        route(post(), "/api/devices/v2/deployments/device/deployments/next", Device, deployments::next),
        route(get(), "/api/devices/v1/deviceconnect/connect", DeviceLink, gateway::device_connect),

        // Signing in and out; accounts.
        route(post(), "/api/management/v1/useradm/auth/login", Public, login::basic),
        route(post(), "/api/management/v1/useradm/auth/logout", SignedIn, login::logout_program),
        route(get(), "/api/management/v1/useradm/users", Allowed(UserRead), users::list),
        route(get(), "/api/management/v1/useradm/users/me", SignedIn, users::me),
        route(get(), "/api/management/v1/useradm/users/{id}", Allowed(UserRead), users::show),

        // Who is let in.
        route(get(), "/api/management/v2/devauth/devices", Allowed(DeviceRead), devauth::list),
        route(post(), "/api/management/v2/devauth/devices", Allowed(DeviceAccept), decisions::preauthorize),
        route(post(), "/api/management/v2/devauth/devices/search", Allowed(DeviceRead), devauth::search),
        route(get(), "/api/management/v2/devauth/devices/count", Allowed(DeviceRead), devauth::count),
        route(get(), "/api/management/v2/devauth/devices/{id}", Allowed(DeviceRead), devauth::show),
        route(delete(), "/api/management/v2/devauth/devices/{id}", Allowed(DeviceAccept), decisions::decommission),
        route(delete(), "/api/management/v2/devauth/devices/{id}/auth/{auth_id}", Allowed(DeviceAccept), decisions::dismiss),
        route(get(), "/api/management/v2/devauth/devices/{id}/auth/{auth_id}/status", Allowed(DeviceRead), decisions::status),
        route(put(), "/api/management/v2/devauth/devices/{id}/auth/{auth_id}/status", Allowed(DeviceAccept), decisions::set_status),
        route(delete(), "/api/management/v2/devauth/tokens/{id}", Allowed(DeviceAccept), decisions::revoke),
        route(get(), "/api/management/v2/devauth/limits/max_devices", Allowed(DeviceRead), devauth::limit),

        // What devices report and people note.
        route(get(), "/api/management/v1/inventory/devices", Allowed(DeviceRead), inventory::list),
        route(get(), "/api/management/v1/inventory/devices/{id}", Allowed(DeviceRead), inventory::show),
        route(delete(), "/api/management/v1/inventory/devices/{id}", Allowed(DeviceAccept), inventory::remove),
        route(put(), "/api/management/v1/inventory/devices/{id}/tags", Allowed(DeviceTag), inventory::put_tags),
        route(patch(), "/api/management/v1/inventory/devices/{id}/tags", Allowed(DeviceTag), inventory::patch_tags),
        route(get(), "/api/management/v1/inventory/devices/{id}/group", Allowed(DeviceRead), groups::of_device),
        route(put(), "/api/management/v1/inventory/devices/{id}/group", Allowed(DeviceTag), groups::set_of_device),
        route(delete(), "/api/management/v1/inventory/devices/{id}/group/{name}", Allowed(DeviceTag), groups::remove_of_device),
        route(get(), "/api/management/v1/inventory/groups", Allowed(DeviceRead), groups::list),
        route(delete(), "/api/management/v1/inventory/groups/{name}", Allowed(DeviceTag), groups::remove),
        route(get(), "/api/management/v1/inventory/groups/{name}/devices", Allowed(DeviceRead), groups::devices),
        route(patch(), "/api/management/v1/inventory/groups/{name}/devices", Allowed(DeviceTag), groups::add_devices),
        route(delete(), "/api/management/v1/inventory/groups/{name}/devices", Allowed(DeviceTag), groups::remove_devices),
        route(post(), "/api/management/v2/inventory/filters/search", Allowed(DeviceRead), search::search),
        route(get(), "/api/management/v2/inventory/filters/attributes", Allowed(DeviceRead), inventory::names),

        // Terminals.
        route(get(), "/api/management/v1/deviceconnect/devices/{id}", Allowed(DeviceRead), connectivity::show),
        route(get(), "/api/management/v1/deviceconnect/devices/{id}/connect", Terminal(DeviceConnect), gateway::user_connect),

        // Longwire's own.
        route(post(), "/api/management/v1/longwire/login", Public, login::browser),
        route(post(), "/api/management/v1/longwire/logout", SignedIn, login::logout_browser),
        route(get(), "/api/management/v1/longwire/me", SignedIn, login::me),
        route(get(), "/api/management/v1/longwire/devices", Allowed(DeviceRead), devices::list),
        route(get(), "/api/management/v1/longwire/devices/{id}", Allowed(DeviceRead), devices::show),
        // Which sessions one may see is decided for each.
        route(get(), "/api/management/v1/longwire/sessions", SignedIn, sessions::list),
        route(get(), "/api/management/v1/longwire/sessions/{id}", SignedIn, sessions::show),
        route(delete(), "/api/management/v1/longwire/sessions/{id}", SignedIn, sessions::end),
        route(get(), "/api/management/v1/longwire/events", Allowed(DeviceRead), events::watch),
        route(get(), "/api/management/v1/longwire/server", SignedIn, server_info::show),
        route(get(), "/api/openapi.json", Public, openapi::show),
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
        .fallback(ui::serve)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app)
}

async fn wrong_method() -> ApiError {
    std::future::ready(ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method not allowed",
    ))
    .await
}
