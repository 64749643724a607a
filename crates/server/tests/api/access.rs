//! Who may call what.

use axum::http::StatusCode;
use longwire_server::access::Role;
use longwire_server::api::table::{self, Access};
use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn item_01_every_route_that_is_not_public_wants_a_token() {
    let server = Server::start().await;
    for route in table::routes() {
        let answer = server.call(route.method.clone(), route.path).send().await;
        if route.access == Access::Public {
            assert_ne!(answer.status, StatusCode::NOT_FOUND, "{}", route.path);
            continue;
        }
        answer.refused(401, "Authorization not present in header");
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer realm=\"ManagementJWT\""
        );
        for (header, text) in [
            ("nonsense", "malformed Authorization header"),
            ("Bearer a b", "malformed Authorization header"),
            ("Bearer nonsense", "unauthorized"),
        ] {
            let call = server.call(route.method.clone(), route.path);
            let answer = call.header("authorization", header).send().await;
            answer.refused(401, text);
        }
    }
}

#[tokio::test]
async fn item_01_a_token_of_the_wrong_kind_counts_nowhere() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let device = server.accepted(&admin, json!({ "mac": "1" })).await;
    for route in table::routes() {
        let (token, websocket) = match route.access {
            Access::Public => continue,
            Access::Device => (&admin, None),
            Access::DeviceLink => (
                &admin,
                Some("missing or non-device identity in the authorization headers"),
            ),
            Access::SignedIn | Access::Allowed(_) => (&device.token, None),
            Access::Terminal(_) => (
                &device.token,
                Some("missing or non-user identity in the authorization headers"),
            ),
        };
        let call = server.call(route.method.clone(), route.path);
        let answer = call.bearer(token).send().await;
        match websocket {
            Some(text) => answer.refused(400, text),
            None => answer.refused(401, "unauthorized"),
        }
    }
}

#[tokio::test]
async fn a_role_allows_what_it_carries_and_nothing_else() {
    let server = Server::start().await;
    for role in Role::ALL {
        let token = server
            .user(&format!("{}@fleet.example", role.as_str()), *role)
            .await;
        for route in table::routes() {
            let (Access::Allowed(permission) | Access::Terminal(permission)) = route.access else {
                continue;
            };
            // An event stream does not end.
            if route.path.ends_with("/events") {
                continue;
            }
            let call = server.call(route.method.clone(), route.path);
            let answer = call.bearer(&token).send().await;
            if role.permissions().contains(&permission) {
                assert_ne!(answer.status, StatusCode::FORBIDDEN, "{}", route.path);
            } else {
                let text = format!("permission {} is required", permission.as_str());
                answer.refused(403, &text);
            }
        }
    }
}

#[tokio::test]
async fn an_observer_decides_nothing() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let observer = server.user("obi@fleet.example", Role::Observer).await;
    let device = server.accepted(&admin, json!({ "mac": "1" })).await;
    let answer = server
        .decide(&observer, &device.id, &device.auth_set, "rejected")
        .await;
    answer.refused(403, "permission device.accept is required");
    assert_eq!(server.devices(&observer).await[0]["status"], "accepted");
}

#[tokio::test]
async fn roles_are_those_of_now_not_of_the_sign_in() {
    let server = Server::start().await;
    let token = server.user("ada@fleet.example", Role::Admin).await;
    let me = "/api/management/v1/longwire/me";
    let answer = server.get(me).bearer(&token).send().await.json();
    assert_eq!(answer["roles"], json!(["admin"]));
    assert!(
        answer["permissions"]
            .as_array()
            .unwrap()
            .contains(&json!("device.connect"))
    );
}
