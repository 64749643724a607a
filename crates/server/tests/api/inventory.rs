//! What devices report and people note, and how it is found.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Accepted, Answer, Server};

const ATTRIBUTES: &str = "/api/devices/v1/inventory/device/attributes";
const DEVICES: &str = "/api/management/v1/inventory/devices";
const SEARCH: &str = "/api/management/v2/inventory/filters/search";

fn reported(device: &Value) -> Vec<(String, Value)> {
    let attributes = device["attributes"].as_array().unwrap();
    attributes
        .iter()
        .filter(|attribute| attribute["scope"] == "inventory")
        .map(|attribute| {
            let name = attribute["name"].as_str().unwrap().to_owned();
            (name, attribute["value"].clone())
        })
        .collect()
}

fn attribute<'a>(device: &'a Value, scope: &str, name: &str) -> Option<&'a Value> {
    device["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|attribute| attribute["scope"] == scope && attribute["name"] == name)
        .map(|attribute| &attribute["value"])
}

async fn report(server: &Server, device: &Accepted, attributes: Value) {
    let call = server.put(ATTRIBUTES).bearer(&device.token);
    assert_eq!(call.json(&attributes).send().await.status, StatusCode::OK);
}

async fn found(server: &Server, admin: &str, query: Value) -> Vec<String> {
    let answer = server.post(SEARCH).bearer(admin).json(&query).send().await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text());
    let macs: Vec<_> = answer
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|device| {
            let mac = attribute(device, "identity", "mac").unwrap();
            mac.as_str().unwrap().to_owned()
        })
        .collect();
    let total: usize = answer.header("x-total-count").parse().unwrap();
    assert!(total >= macs.len());
    macs
}

/// Three accepted devices, `a`, `b` and `c`, with different reports.
async fn fleet(server: &Server, admin: &str) -> Vec<Accepted> {
    let mut fleet = Vec::new();
    for (mac, memory, os) in [
        ("a", 512, "Debian 12"),
        ("b", 1024, "debian_13"),
        ("c", 64, "other"),
    ] {
        let device = server.accepted(admin, json!({ "mac": mac })).await;
        let attributes = json!([
            { "name": "mem", "value": memory },
            { "name": "os", "value": os, "description": "operating system" },
            { "name": "ifs", "value": ["eth0", "lo"] },
        ]);
        report(server, &device, attributes).await;
        fleet.push(device);
    }
    fleet
}

#[tokio::test]
async fn item_32_put_replaces_and_patch_adds() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let device = server.accepted(&admin, json!({ "mac": "1" })).await;
    report(
        &server,
        &device,
        json!([{ "name": "a", "value": "1" }, { "name": "b", "value": 2 }]),
    )
    .await;
    let patch = server.patch(ATTRIBUTES).bearer(&device.token);
    let patch = patch.json(&json!([{ "name": "b", "value": 3 }, { "name": "c", "value": true }]));
    let answer = patch.send().await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.is_empty());
    let path = format!("{DEVICES}/{}", device.id);
    let known = server.get(&path).bearer(&admin).send().await.json();
    assert_eq!(
        reported(&known),
        [
            ("a".to_owned(), json!("1")),
            ("b".to_owned(), json!(3)),
            ("c".to_owned(), json!(true))
        ]
    );
    report(
        &server,
        &device,
        json!([{ "name": "d", "value": ["x", "y"] }]),
    )
    .await;
    let known = server.get(&path).bearer(&admin).send().await.json();
    assert_eq!(reported(&known), [("d".to_owned(), json!(["x", "y"]))]);
    // What the server knows is there beside it.
    assert_eq!(attribute(&known, "identity", "mac"), Some(&json!("1")));
    assert_eq!(
        attribute(&known, "identity", "status"),
        Some(&json!("accepted"))
    );
    assert!(
        attribute(&known, "system", "created_ts")
            .unwrap()
            .is_string()
    );
    assert!(
        attribute(&known, "system", "check_in_time")
            .unwrap()
            .is_string()
    );
    assert!(attribute(&known, "system", "group").is_none());
}

#[tokio::test]
async fn item_32_there_is_never_anything_to_deploy() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let device = server.accepted(&admin, json!({ "mac": "1" })).await;
    let v2 = server.post("/api/devices/v2/deployments/device/deployments/next");
    let body = json!({ "device_provides": { "artifact_name": "x" }, "update_control_map": true });
    let answer = v2.bearer(&device.token).json(&body).send().await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let v1 = "/api/devices/v1/deployments/device/deployments/next?artifact_name=x&device_type=y";
    let answer = server.get(v1).bearer(&device.token).send().await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

fn links(answer: &Answer) -> Vec<&str> {
    let links = answer.headers.get_all("link");
    links.iter().map(|link| link.to_str().unwrap()).collect()
}

#[tokio::test]
async fn item_36_lists_are_paged_with_links_and_totals() {
    let server = Server::start().await;
    let admin = server.admin().await;
    fleet(&server, &admin).await;
    let get = |path: String| server.get(&path).bearer(&admin).send();
    let answer = get(format!(
        "{DEVICES}?per_page=2&page=1&identity/status=accepted"
    ))
    .await;
    assert_eq!(answer.json().as_array().unwrap().len(), 2);
    assert_eq!(answer.header("x-total-count"), "3");
    let path = format!("{DEVICES}?identity%2Fstatus=accepted");
    assert_eq!(
        links(&answer),
        [
            format!("<{path}&page=1&per_page=2>; rel=\"first\""),
            format!("<{path}&page=2&per_page=2>; rel=\"next\""),
            format!("<{path}&page=2&per_page=2>; rel=\"last\""),
        ]
    );
    // A link can be followed as it is.
    let next = links(&answer)[1]
        .split(['<', '>'])
        .nth(1)
        .unwrap()
        .to_owned();
    let answer = get(next).await;
    assert_eq!(answer.json().as_array().unwrap().len(), 1);
    // Lists of devauth know no total.
    let answer = get("/api/management/v2/devauth/devices?per_page=3".to_owned()).await;
    assert!(!answer.headers.contains_key("x-total-count"));
    assert_eq!(links(&answer).len(), 2);
    let answer = get("/api/management/v1/longwire/devices?per_page=1&page=3".to_owned()).await;
    assert_eq!(answer.header("x-total-count"), "3");
    assert_eq!(answer.json().as_array().unwrap().len(), 1);
    for path in [
        DEVICES,
        "/api/management/v2/devauth/devices",
        "/api/management/v1/longwire/devices",
    ] {
        let answer = get(format!("{path}?per_page=501")).await;
        answer.refused(400, "parameter \"per_page\" above limit (max: 500)");
        let answer = get(format!("{path}?page=x")).await;
        answer.refused(400, "invalid page query: \"x\"");
    }
}

#[tokio::test]
async fn item_36_devices_are_filtered_by_state_and_id() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let fleet = fleet(&server, &admin).await;
    server
        .decide(&admin, &fleet[0].id, &fleet[0].auth_set, "rejected")
        .await;
    let list = |query: String| {
        let path = format!("/api/management/v2/devauth/devices{query}");
        server.get(&path).bearer(&admin).send()
    };
    let count = |answer: Answer| answer.json().as_array().unwrap().len();
    assert_eq!(count(list("?status=accepted".to_owned()).await), 2);
    let both = "?status=accepted&status=rejected".to_owned();
    assert_eq!(count(list(both).await), 3);
    let two = format!("?id={}&id={}", fleet[0].id, fleet[1].id);
    assert_eq!(count(list(two).await), 2);
    let answer = list("?status=nonsense".to_owned()).await;
    answer.refused(400, "incorrect device status");
    let post = |body: Value| {
        let call = server.post("/api/management/v2/devauth/devices/search");
        call.bearer(&admin).json(&body).send()
    };
    assert_eq!(count(post(json!({ "status": "rejected" })).await), 1);
    let ids = json!({ "id": [fleet[0].id, fleet[2].id], "status": ["accepted"] });
    assert_eq!(count(post(ids).await), 1);
    let path = "/api/management/v2/devauth/devices/count";
    let answer = server.get(path).bearer(&admin).send().await;
    assert_eq!(answer.json(), json!({ "count": 3 }));
    let answer = server.get(&format!("{path}?status=x")).bearer(&admin);
    answer.send().await.refused(400, "incorrect device status");
}

#[tokio::test]
async fn item_36_search_compares_numbers_as_numbers_and_texts_as_texts() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let fleet = fleet(&server, &admin).await;
    let filter = |kind: &str, attribute: &str, value: Value| {
        json!({ "filters": [{
            "scope": "inventory", "attribute": attribute, "type": kind, "value": value,
        }] })
    };
    for (kind, attribute, value, expected) in [
        ("$eq", "mem", json!(512), vec!["a"]),
        ("$ne", "mem", json!(512), vec!["b", "c"]),
        ("$gt", "mem", json!(64), vec!["a", "b"]),
        ("$gte", "mem", json!(64), vec!["a", "b", "c"]),
        ("$lt", "mem", json!(512), vec!["c"]),
        ("$lte", "mem", json!(512), vec!["a", "c"]),
        ("$eq", "os", json!("other"), vec!["c"]),
        ("$in", "os", json!(["other", "debian_13"]), vec!["b", "c"]),
        ("$nin", "os", json!(["other", "debian_13"]), vec!["a"]),
        ("$in", "os", json!([]), vec![]),
        ("$exists", "os", json!(true), vec!["a", "b", "c"]),
        ("$exists", "nothing", json!(false), vec!["a", "b", "c"]),
        ("$ne", "nothing", json!("x"), vec!["a", "b", "c"]),
        ("$regex", "os", json!("(?i)^debian"), vec!["a", "b"]),
        ("$eq", "os", json!("' OR 1=1 --"), vec![]),
    ] {
        let query = filter(kind, attribute, value);
        assert_eq!(
            found(&server, &admin, query.clone()).await,
            expected,
            "{query}"
        );
    }
    let sorted = |order: &str| json!({ "sort": [{ "scope": "inventory", "attribute": "mem", "order": order }] });
    assert_eq!(found(&server, &admin, sorted("asc")).await, ["c", "a", "b"]);
    assert_eq!(
        found(&server, &admin, sorted("desc")).await,
        ["b", "a", "c"]
    );
    let text = |text: &str| json!({ "text": text });
    assert_eq!(found(&server, &admin, text("DEBIAN")).await, ["a", "b"]);
    assert_eq!(found(&server, &admin, text("n_1")).await, ["b"]);
    assert_eq!(
        found(&server, &admin, text("%")).await,
        Vec::<String>::new()
    );
    let ids = json!({ "device_ids": [fleet[1].id] });
    assert_eq!(found(&server, &admin, ids).await, ["b"]);
    let since = json!({ "filters": [{
        "scope": "system", "attribute": "created_ts", "type": "$gte", "value": "2020-01-01T00:00:00Z",
    }, {
        "scope": "identity", "attribute": "status", "type": "$eq", "value": "accepted",
    }] });
    assert_eq!(found(&server, &admin, since).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn item_36_search_tells_the_total_and_only_what_was_selected() {
    let server = Server::start().await;
    let admin = server.admin().await;
    fleet(&server, &admin).await;
    let query = json!({
        "page": 1, "per_page": 1,
        "attributes": [{ "scope": "identity", "attribute": "mac" }],
    });
    let answer = server.post(SEARCH).bearer(&admin).json(&query).send().await;
    assert_eq!(answer.header("x-total-count"), "3");
    let devices = answer.json();
    assert_eq!(devices.as_array().unwrap().len(), 1);
    assert_eq!(devices[0]["attributes"].as_array().unwrap().len(), 1);
    for (bad, text) in [
        (
            json!({ "filters": [{ "scope": "inventory", "attribute": "a", "type": "$x", "value": 1 }] }),
            "type: must be a valid value.",
        ),
        (
            json!({ "filters": [{ "scope": "inventory", "attribute": "a", "type": "$in", "value": 1 }] }),
            "invalid value for filter type $in",
        ),
        (
            json!({ "filters": [{ "scope": "inventory", "attribute": "a", "type": "$regex", "value": "(" }] }),
            "invalid value for filter type $regex",
        ),
        (
            json!({ "sort": [{ "scope": "inventory", "attribute": "a", "order": "up" }] }),
            "order: must be a valid value.",
        ),
        (
            json!({ "page": 0 }),
            "page and per_page must be positive integers",
        ),
        (
            json!({ "per_page": 501 }),
            "parameter \"per_page\" above limit (max: 500)",
        ),
    ] {
        let answer = server.post(SEARCH).bearer(&admin).json(&bad).send().await;
        answer.refused(400, text);
    }
}

#[tokio::test]
async fn item_36_the_first_inventory_api_filters_and_sorts_by_query() {
    let server = Server::start().await;
    let admin = server.admin().await;
    fleet(&server, &admin).await;
    let macs = async |query: &str| -> Vec<String> {
        let path = format!("{DEVICES}?{query}");
        let answer = server.get(&path).bearer(&admin).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
        let devices = answer.json();
        let devices = devices.as_array().unwrap();
        devices
            .iter()
            .map(|device| {
                let mac = attribute(device, "identity", "mac").unwrap();
                mac.as_str().unwrap().to_owned()
            })
            .collect()
    };
    assert_eq!(macs("os=other").await, ["c"]);
    assert_eq!(macs("inventory/os=eq:other").await, ["c"]);
    assert_eq!(macs("mem=512").await, ["a"]);
    assert_eq!(macs("sort=mem:desc").await, ["b", "a", "c"]);
    assert_eq!(macs("sort=identity/mac:desc,mem").await, ["c", "b", "a"]);
    assert_eq!(macs("has_group=true").await, Vec::<String>::new());
    assert_eq!(macs("has_group=false").await.len(), 3);
}

#[tokio::test]
async fn item_36_groups_come_and_go_with_their_devices() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let fleet = fleet(&server, &admin).await;
    let base = "/api/management/v1/inventory";
    let ids = json!([
        fleet[0].id,
        fleet[1].id,
        "00000000-0000-0000-0000-000000000000"
    ]);
    let path = format!("{base}/groups/berlin/devices");
    let answer = server.patch(&path).bearer(&admin).json(&ids).send().await;
    assert_eq!(
        answer.json(),
        json!({ "matched_count": 2, "updated_count": 2 })
    );
    let own = format!("{base}/devices/{}/group", fleet[2].id);
    let put = server.put(&own).bearer(&admin);
    let answer = put.json(&json!({ "group": "paris" })).send().await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let answer = server.get(&own).bearer(&admin).send().await;
    assert_eq!(answer.json(), json!({ "group": "paris" }));
    let groups = async || {
        let path = format!("{base}/groups");
        server.get(&path).bearer(&admin).send().await.json()
    };
    assert_eq!(groups().await, json!(["berlin", "paris"]));
    let answer = server.get(&path).bearer(&admin).send().await;
    assert_eq!(answer.header("x-total-count"), "2");
    assert_eq!(answer.json(), json!([fleet[0].id, fleet[1].id]));
    let list = format!("{DEVICES}?group=berlin");
    let answer = server.get(&list).bearer(&admin).send().await;
    assert_eq!(answer.header("x-total-count"), "2");
    let one = json!([fleet[0].id, fleet[2].id]);
    let answer = server.delete(&path).bearer(&admin).json(&one).send().await;
    assert_eq!(
        answer.json(),
        json!({ "matched_count": 1, "updated_count": 1 })
    );
    let wrong = format!("{own}/berlin");
    let answer = server.delete(&wrong).bearer(&admin).send().await;
    answer.refused(404, "device not found");
    let right = format!("{own}/paris");
    let answer = server.delete(&right).bearer(&admin).send().await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(groups().await, json!(["berlin"]));
    let whole = format!("{base}/groups/berlin");
    let answer = server.delete(&whole).bearer(&admin).send().await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(groups().await, json!([]));
    let put = server.put(&own).bearer(&admin);
    let answer = put.json(&json!({ "group": "a b" })).send().await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn item_36_tags_are_written_only_over_what_was_seen() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let device = server.accepted(&admin, json!({ "mac": "1" })).await;
    let path = format!("{DEVICES}/{}", device.id);
    let tags = format!("{path}/tags");
    let seen = server.get(&path).bearer(&admin).send().await;
    let etag = seen.header("etag").to_owned();
    let name = json!([{ "name": "name", "value": "Edge 1" }]);
    let put = server.put(&tags).bearer(&admin).header("if-match", &etag);
    assert_eq!(put.json(&name).send().await.status, StatusCode::OK);
    let put = server.put(&tags).bearer(&admin).header("if-match", &etag);
    let answer = put.json(&json!([])).send().await;
    answer.refused(412, "ETag does not match");
    let patch = server.patch(&tags).bearer(&admin);
    let more = json!([{ "name": "place", "value": "roof" }]);
    assert_eq!(patch.json(&more).send().await.status, StatusCode::OK);
    // A device's own report never touches them, and the name is what people gave.
    report(
        &server,
        &device,
        json!([{ "name": "hostname", "value": "box" }]),
    )
    .await;
    let own = format!("/api/management/v1/longwire/devices/{}", device.id);
    let known = server.get(&own).bearer(&admin).send().await.json();
    assert_eq!(known["name"], "Edge 1");
    assert_eq!(attribute(&known, "tags", "place"), Some(&json!("roof")));
    let names = "/api/management/v2/inventory/filters/attributes";
    let names = server.get(names).bearer(&admin).send().await.json();
    let expected = json!({ "name": "hostname", "scope": "inventory", "count": 1 });
    assert!(names.as_array().unwrap().contains(&expected));
}

#[tokio::test]
async fn a_device_that_is_not_connected_is_disconnected_not_unknown() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let device = server.accepted(&admin, json!({ "mac": "1" })).await;
    let path = format!("/api/management/v1/deviceconnect/devices/{}", device.id);
    let answer = server.get(&path).bearer(&admin).send().await.json();
    assert_eq!(answer["status"], "disconnected");
    assert_eq!(answer["device_id"], device.id.as_str());
}
