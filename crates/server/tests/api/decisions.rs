//! What people decide about devices, and what follows from it.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::support::{Accepted, Answer, Device, Server};

async fn report(server: &Server, token: &str) -> Answer {
    server
        .put("/api/devices/v1/inventory/device/attributes")
        .bearer(token)
        .json(&json!([{ "name": "hostname", "value": "box" }]))
        .send()
        .await
}

async fn status(server: &Server, admin: &str, id: &str, set: &str) -> String {
    let path = format!("/api/management/v2/devauth/devices/{id}/auth/{set}/status");
    let answer = server.get(&path).bearer(admin).send().await;
    answer.json()["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn item_31_rejecting_ends_the_token_and_accepting_again_does_not_bring_it_back() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let Accepted {
        id,
        auth_set,
        token,
        device,
    } = server.accepted(&admin, json!({ "mac": "1" })).await;
    assert_eq!(report(&server, &token).await.status, StatusCode::OK);
    server.decide(&admin, &id, &auth_set, "rejected").await;
    report(&server, &token).await.refused(401, "unauthorized");
    server
        .ask(&device)
        .await
        .refused(401, "dev auth: unauthorized");
    server.decide(&admin, &id, &auth_set, "accepted").await;
    report(&server, &token).await.refused(401, "unauthorized");
    let token = server.ask(&device).await.text();
    assert_eq!(report(&server, &token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn item_31_decommissioning_forgets_the_device_and_its_token() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let accepted = server.accepted(&admin, json!({ "mac": "1" })).await;
    let path = format!("/api/management/v2/devauth/devices/{}", accepted.id);
    let gone = server.delete(&path).bearer(&admin).send().await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    report(&server, &accepted.token)
        .await
        .refused(401, "unauthorized");
    for path in [
        path.clone(),
        format!("/api/management/v1/inventory/devices/{}", accepted.id),
        format!("/api/management/v1/deviceconnect/devices/{}", accepted.id),
        format!("/api/management/v1/longwire/devices/{}", accepted.id),
    ] {
        let answer = server.get(&path).bearer(&admin).send().await;
        answer.refused(404, "device not found");
    }
    let again = server.delete(&path).bearer(&admin).send().await;
    again.refused(404, "device not found");
    // It may ask again, as a stranger.
    server
        .ask(&accepted.device)
        .await
        .refused(401, "dev auth: unauthorized");
    let (id, _) = server.find(&admin, &accepted.device).await;
    assert_ne!(id, accepted.id);
}

#[tokio::test]
async fn transitions_are_those_of_mender() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let device = Device::new(json!({ "mac": "1" }));
    server.ask(&device).await;
    let (id, set) = server.find(&admin, &device).await;
    for to in [
        "rejected", "accepted", "pending", "accepted", "rejected", "pending", "pending",
    ] {
        let answer = server.decide(&admin, &id, &set, to).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{to}");
        assert_eq!(status(&server, &admin, &id, &set).await, to);
    }
    for wrong in ["preauthorized", "noauth", "nonsense", ""] {
        let answer = server.decide(&admin, &id, &set, wrong).await;
        answer.refused(400, "incorrect device status");
    }
    // What was preauthorized is decided already.
    let device = Device::new(json!({ "mac": "2" }));
    let body = json!({ "identity_data": device.identity, "pubkey": device.pem });
    let path = "/api/management/v2/devauth/devices";
    server.post(path).bearer(&admin).json(&body).send().await;
    let (id, set) = server.find(&admin, &device).await;
    for to in ["accepted", "rejected", "pending"] {
        let answer = server.decide(&admin, &id, &set, to).await;
        let text = format!("dev auth: a preauthorized device cannot become {to}");
        answer.refused(400, &text);
    }
}

#[tokio::test]
async fn accepting_a_new_key_turns_the_old_one_away_and_says_so() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let old = server.accepted(&admin, json!({ "mac": "1" })).await;
    let new = Device::new(json!({ "mac": "1" }));
    server.ask(&new).await;
    let (id, set) = server.find(&admin, &new).await;
    let path = format!("/api/management/v1/longwire/devices/{id}");
    let keys = |device: serde_json::Value| -> Vec<(String, bool)> {
        let sets = device["auth_sets"].as_array().unwrap();
        sets.iter()
            .map(|set| {
                let status = set["status"].as_str().unwrap().to_owned();
                (status, set["replaces_key"].as_bool().unwrap())
            })
            .collect()
    };
    let before = server.get(&path).bearer(&admin).send().await.json();
    let fingerprint = before["fingerprint"].clone();
    assert_eq!(
        keys(before),
        [("accepted".to_owned(), false), ("pending".to_owned(), true)]
    );
    server.decide(&admin, &id, &set, "accepted").await;
    let after = server.get(&path).bearer(&admin).send().await.json();
    assert_ne!(after["fingerprint"], fingerprint);
    assert_eq!(
        keys(after),
        [("rejected".to_owned(), true), ("accepted".to_owned(), true)]
    );
    report(&server, &old.token)
        .await
        .refused(401, "unauthorized");
    let mut read = server.app().store.read().await.unwrap();
    let events = read.audit_events(1).await.unwrap();
    assert_eq!(events[0].action, "DeviceAccepted");
    assert_eq!(events[0].detail["replaces_key"], true);
    assert_eq!(events[0].detail["replaced_fingerprint"], fingerprint);
}

#[tokio::test]
async fn dismissing_forgets_a_key_and_with_the_only_preauthorized_one_the_device() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let accepted = server.accepted(&admin, json!({ "mac": "1" })).await;
    let dismiss = |id: &str, set: &str| {
        let path = format!("/api/management/v2/devauth/devices/{id}/auth/{set}");
        server.call(Method::DELETE, &path).bearer(&admin).send()
    };
    let answer = dismiss(&accepted.id, &accepted.auth_set).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    report(&server, &accepted.token)
        .await
        .refused(401, "unauthorized");
    assert_eq!(server.devices(&admin).await[0]["status"], "noauth");
    let answer = dismiss(&accepted.id, &accepted.auth_set).await;
    answer.refused(404, "device not found");
    let device = Device::new(json!({ "mac": "2" }));
    let body = json!({ "identity_data": device.identity, "pubkey": device.pem });
    let path = "/api/management/v2/devauth/devices";
    server.post(path).bearer(&admin).json(&body).send().await;
    let (id, set) = server.find(&admin, &device).await;
    dismiss(&id, &set).await;
    let path = format!("{path}/{id}");
    let answer = server.get(&path).bearer(&admin).send().await;
    answer.refused(404, "device not found");
}

#[tokio::test]
async fn a_key_is_decided_about_only_under_its_own_device() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let one = server.accepted(&admin, json!({ "mac": "1" })).await;
    let other = server.accepted(&admin, json!({ "mac": "2" })).await;
    let answer = server
        .decide(&admin, &other.id, &one.auth_set, "rejected")
        .await;
    answer.refused(404, "device not found");
    assert_eq!(report(&server, &one.token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_revoked_token_ends_and_the_device_fetches_another() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let server = Server::start().await;
    let admin = server.admin().await;
    let accepted = server.accepted(&admin, json!({ "mac": "1" })).await;
    let claims = accepted.token.split('.').nth(1).unwrap();
    let claims: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["sub"], accepted.id.as_str());
    let path = format!(
        "/api/management/v2/devauth/tokens/{}",
        claims["jti"].as_str().unwrap()
    );
    let answer = server.delete(&path).bearer(&admin).send().await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    report(&server, &accepted.token)
        .await
        .refused(401, "unauthorized");
    assert_eq!(server.ask(&accepted.device).await.status, StatusCode::OK);
    let answer = server.delete(&path).bearer(&admin).send().await;
    answer.refused(404, "token not found");
}

#[tokio::test]
async fn devices_and_decisions_survive_a_restart() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let accepted = server.accepted(&admin, json!({ "mac": "1" })).await;
    let server = server.restart().await;
    assert_eq!(
        report(&server, &accepted.token).await.status,
        StatusCode::OK
    );
    assert_eq!(server.devices(&admin).await[0]["status"], "accepted");
    server.stop().await;
}
