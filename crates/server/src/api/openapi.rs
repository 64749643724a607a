//! The API's description, made from the handlers it describes.

use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{
    auth_requests, connectivity, decisions, deployments, devauth, devices, events, groups,
    inventory, login, search, server_info, sessions, users,
};
use crate::auth::carrier;
use crate::devices::inventory::AttributeValue;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Longwire",
        description = "Remote terminal for device fleets. Paths outside /longwire/ are those of the Mender API and behave as real clients expect.\n\nEvery error has a JSON body with a text for people and the request's id.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    security(("token" = []), ("cookie" = [])),
    paths(
        auth_requests::request,
        connectivity::device_link, connectivity::show, connectivity::terminal,
        deployments::next, deployments::next_v1,
        devauth::list, devauth::search, devauth::count, devauth::show, decisions::preauthorize,
        decisions::decommission, decisions::status, decisions::set_status, decisions::dismiss,
        decisions::revoke, devauth::limit,
        devices::list, devices::show,
        events::watch,
        groups::list, groups::devices, groups::add_devices, groups::remove_devices, groups::remove,
        groups::of_device, groups::set_of_device, groups::remove_of_device,
        inventory::replace, inventory::merge, inventory::list, inventory::show, inventory::remove,
        inventory::put_tags, inventory::patch_tags, inventory::names,
        login::basic, login::logout_program, login::browser, login::logout_browser, login::me,
        search::search,
        server_info::show,
        sessions::list, sessions::show, sessions::end,
        users::list, users::me, users::show,
        show,
    ),
    components(schemas(AttributeValue, events::DeviceRemoved, sessions::SessionOver)),
    modifiers(&Schemes),
)]
struct Description;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = |description: &str| {
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .bearer_format("JWT")
                    .description(Some(description))
                    .build(),
            )
        };
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", bearer("A person's token"));
        components.add_security_scheme("device", bearer("A device's token"));
        components.add_security_scheme(
            "basic",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Basic).build()),
        );
        components.add_security_scheme(
            "cookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                carrier::SECURE_COOKIE,
                "Set by signing in at the web page; changes and websockets need this server's own origin too",
            ))),
        );
    }
}

/// The description as it is committed in `docs/openapi.json`.
///
/// # Errors
/// Never in practice.
pub fn description() -> Result<String, serde_json::Error> {
    let mut text = Description::openapi().to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

/// This description
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    operation_id = "getOpenApi",
    tag = "Longwire",
    security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(super) async fn show() -> impl IntoResponse {
    let json = HeaderValue::from_static("application/json");
    let text = description().unwrap_or_default();
    std::future::ready(([(header::CONTENT_TYPE, json)], text)).await
}
