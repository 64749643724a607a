//! Devices ask to be let in.

use axum::http::StatusCode;
use longwire_server::access::Role;
use serde_json::json;

use crate::support::{Device, Server};

/// Requests as mender-client makes them, signed by OpenSSL with keys that are kept nowhere.
const SIGNED: [(&str, &str, &str); 4] = [
    (
        "RSA-3072",
        include_str!("../requests/rsa.json"),
        include_str!("../requests/rsa.sig"),
    ),
    (
        "ECDSA P-256",
        include_str!("../requests/p256.json"),
        include_str!("../requests/p256.sig"),
    ),
    (
        "ECDSA P-384",
        include_str!("../requests/p384.json"),
        include_str!("../requests/p384.sig"),
    ),
    (
        "Ed25519",
        include_str!("../requests/ed25519.json"),
        include_str!("../requests/ed25519.sig"),
    ),
];

/// `openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64` of the Ed25519 key above.
const ED25519_FINGERPRINT: &str = "SHA256:oQ/VtII+SyvEYSBWDMJfwGkOWKLpYWNbv5RpoBpxaek";

#[tokio::test]
async fn item_28_signatures_of_every_kind_of_key_are_verified_over_the_raw_body() {
    let server = Server::start().await;
    for (kind, body, signature) in SIGNED {
        assert!(body.ends_with('\n'), "{kind}");
        let answer = server.ask_with(body.to_owned(), signature).await;
        answer.refused(401, "dev auth: unauthorized");
        // The line feed is signed too.
        let answer = server.ask_with(body.trim_end().to_owned(), signature).await;
        answer.refused(401, "signature verification failed");
        let changed = body.replace("\"tenant_token\":\"\"", "\"tenant_token\":\"x\"");
        let answer = server.ask_with(changed, signature).await;
        answer.refused(401, "signature verification failed");
    }
    // One's signature is not another's.
    let answer = server.ask_with(SIGNED[1].1.to_owned(), SIGNED[2].2).await;
    answer.refused(401, "signature verification failed");
    let admin = server.admin().await;
    assert_eq!(server.devices(&admin).await.len(), SIGNED.len());
}

#[tokio::test]
async fn the_fingerprint_is_that_of_openssl() {
    let server = Server::start().await;
    let (_, body, signature) = SIGNED[3];
    server.ask_with(body.to_owned(), signature).await;
    let admin = server.admin().await;
    let answer = server
        .get("/api/management/v1/longwire/devices")
        .bearer(&admin)
        .send()
        .await;
    assert_eq!(answer.json()[0]["fingerprint"], ED25519_FINGERPRINT);
}

#[tokio::test]
async fn item_28_what_is_not_understood_is_told_apart() {
    let server = Server::start().await;
    let device = Device::new(json!({ "mac": "1" }));
    let body = device.request();
    let path = "/api/devices/v1/authentication/auth_requests";
    let unsigned = server.post(path).body("application/json", body.clone());
    unsigned
        .send()
        .await
        .refused(400, "missing request signature header");
    for bad in ["", "%%%", "AAAA"] {
        let answer = server.ask_with(body.clone(), bad).await;
        answer.refused(401, "signature verification failed");
    }
    let cases = [
        (
            json!({ "pubkey": device.pem }),
            "invalid auth request: id_data must be provided",
        ),
        (
            json!({ "id_data": "{}", "pubkey": device.pem }),
            "invalid auth request: id_data must be provided",
        ),
        (
            json!({ "id_data": "[]", "pubkey": device.pem }),
            "invalid auth request: id_data must be a JSON object",
        ),
        (
            json!({ "id_data": "{\"a\":1}", "pubkey": "nonsense" }),
            "invalid auth request: cannot decode public key",
        ),
        (
            json!({ "id_data": "{\"a\":1}" }),
            "invalid auth request: cannot decode public key",
        ),
    ];
    for (body, text) in cases {
        let body = body.to_string();
        let signature = device.sign(&body);
        server.ask_with(body, &signature).await.refused(400, text);
    }
    let answer = server.ask_with("{".to_owned(), "AAAA").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(
        answer.json()["error"]
            .as_str()
            .unwrap()
            .starts_with("failed to decode auth request: ")
    );
}

#[tokio::test]
async fn item_29_pending_is_401_and_accepted_a_token_of_the_exact_type() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let device = Device::new(json!({ "mac": "1" }));
    for _ in 0..2 {
        let answer = server.ask(&device).await;
        answer.refused(401, "dev auth: unauthorized");
    }
    let (id, set) = server.find(&admin, &device).await;
    let decided = server.decide(&admin, &id, &set, "accepted").await;
    assert_eq!(decided.status, StatusCode::NO_CONTENT);
    let answer = server.ask(&device).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/jwt");
    assert_eq!(answer.text().split('.').count(), 3);
    // A new token each time, and the one before still counts.
    let second = server.ask(&device).await.text();
    assert_ne!(second, answer.text());
    for token in [answer.text(), second] {
        let report = server
            .patch("/api/devices/v1/inventory/device/attributes")
            .bearer(&token)
            .json(&json!([]));
        assert_eq!(report.send().await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn item_30_reordered_keys_are_the_same_device_and_a_new_key_a_new_set() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let accepted = server
        .accepted(&admin, json!({ "mac": "1", "sn": "2" }))
        .await;
    // The same device by another writing of its identity.
    let device = &accepted.device;
    let body = json!({ "id_data": r#"{ "sn": "2", "mac": "1" }"#, "pubkey": device.pem });
    let body = body.to_string();
    let answer = server.ask_with(body.clone(), &device.sign(&body)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(server.devices(&admin).await.len(), 1);
    // A new key keeps the device's id.
    let again = Device::new(json!({ "sn": "2", "mac": "1" }));
    server
        .ask(&again)
        .await
        .refused(401, "dev auth: unauthorized");
    let (id, set) = server.find(&admin, &again).await;
    assert_eq!(id, accepted.id);
    assert_ne!(set, accepted.auth_set);
    let devices = server.devices(&admin).await;
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0]["auth_sets"].as_array().unwrap().len(), 2);
    assert_eq!(devices[0]["status"], "accepted");
}

#[tokio::test]
async fn item_30_a_preauthorized_device_is_accepted_when_it_first_asks() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let device = Device::new(json!({ "mac": "1" }));
    let path = "/api/management/v2/devauth/devices";
    let body = json!({ "identity_data": device.identity, "pubkey": device.pem });
    let answer = server.post(path).bearer(&admin).json(&body).send().await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let id = answer
        .header("location")
        .strip_prefix("devices/")
        .unwrap()
        .to_owned();
    let count = server
        .get("/api/management/v2/devauth/devices/count?status=preauthorized")
        .bearer(&admin)
        .send()
        .await;
    assert_eq!(count.json(), json!({ "count": 1 }));
    // A second time it is known.
    let answer = server.post(path).bearer(&admin).json(&body).send().await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(answer.json()["id"], id.as_str());
    assert_eq!(server.ask(&device).await.status, StatusCode::OK);
    let (found, _) = server.find(&admin, &device).await;
    assert_eq!(found, id);
    assert_eq!(server.devices(&admin).await[0]["status"], "accepted");
}

#[tokio::test]
async fn unaccepted_devices_are_capped_and_the_oldest_unseen_makes_room() {
    let server = Server::with(|config| config.admission.unaccepted_max = 3).await;
    let admin = server.admin().await;
    let accepted = server.accepted(&admin, json!({ "mac": "a" })).await;
    let devices: Vec<_> = (0..4)
        .map(|number| Device::new(json!({ "mac": number })))
        .collect();
    for device in &devices {
        server
            .ask(device)
            .await
            .refused(401, "dev auth: unauthorized");
    }
    let known: Vec<_> = server
        .devices(&admin)
        .await
        .iter()
        .map(|device| device["identity_data"]["mac"].clone())
        .collect();
    assert_eq!(known, [json!("a"), json!(1), json!(2), json!(3)]);
    assert_eq!(server.ask(&accepted.device).await.status, StatusCode::OK);
    let mut read = server.app().store.read().await.unwrap();
    let dropped = read.audit_events(100).await.unwrap();
    let dropped = dropped
        .iter()
        .filter(|event| event.action == "DeviceDropped");
    assert_eq!(dropped.count(), 1);
}

#[tokio::test]
async fn a_network_with_many_strangers_drops_only_its_own() {
    let server = Server::with(|config| config.admission.unaccepted_per_network_max = 2).await;
    let admin = server.admin().await;
    let addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.3"];
    for (number, address) in addresses.iter().enumerate() {
        let device = Device::new(json!({ "mac": number }));
        let answer = server.ask_from(&device, address.parse().unwrap()).await;
        answer.refused(401, "dev auth: unauthorized");
    }
    let known: Vec<_> = server
        .devices(&admin)
        .await
        .iter()
        .map(|device| device["identity_data"]["mac"].clone())
        .collect();
    assert_eq!(known, [json!(0), json!(2), json!(3)]);
}

#[tokio::test]
async fn a_network_may_bring_only_so_many_new_keys() {
    let server = Server::with(|config| config.admission.new_per_network_and_minute = 2).await;
    let devices: Vec<_> = (0..3)
        .map(|number| Device::new(json!({ "mac": number })))
        .collect();
    for device in &devices[..2] {
        server
            .ask(device)
            .await
            .refused(401, "dev auth: unauthorized");
    }
    let answer = server.ask(&devices[2]).await;
    answer.refused(
        429,
        "too many new devices from this network; try again later",
    );
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=61).contains(&wait));
    // Whoever is known already may go on asking.
    server
        .ask(&devices[0])
        .await
        .refused(401, "dev auth: unauthorized");
}

#[tokio::test]
async fn every_decision_is_in_the_audit_log_with_who_made_it() {
    let server = Server::start().await;
    let admin = server.user("ada@fleet.example", Role::Admin).await;
    let accepted = server.accepted(&admin, json!({ "mac": "1" })).await;
    let mut read = server.app().store.read().await.unwrap();
    let events = read.audit_events(10).await.unwrap();
    let event = |action: &str| {
        events
            .iter()
            .find(|event| event.action == action)
            .unwrap_or_else(|| panic!("no {action}"))
    };
    let requested = event("DeviceRequested");
    assert_eq!(requested.actor_type, "device");
    let decided = event("DeviceAccepted");
    assert_eq!(decided.actor_name.as_deref(), Some("ada@fleet.example"));
    assert_eq!(decided.object_id.as_deref(), Some(accepted.id.as_str()));
    assert_eq!(decided.address.as_deref(), Some("127.0.0.1"));
    assert_eq!(decided.detail["replaces_key"], false);
    assert_eq!(event("LoggedIn").actor_name, decided.actor_name);
}
