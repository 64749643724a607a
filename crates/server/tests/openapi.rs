//! The committed description of the API is the one the code makes, and describes exactly the routes
//! there are.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::collections::BTreeSet;
use std::path::Path;

use longwire_server::api::{openapi, table};
use serde_json::Value;

fn described() -> BTreeSet<(String, String)> {
    let text = openapi::description().unwrap();
    let description: Value = serde_json::from_str(&text).unwrap();
    let paths = description["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap();
            operations
                .keys()
                .map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect()
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let routes: BTreeSet<_> = table::routes()
        .iter()
        .filter(|route| route.path.starts_with("/api/"))
        .map(|route| (route.method.to_string(), route.path.to_owned()))
        .collect();
    assert_eq!(routes, described());
}

#[test]
fn the_committed_description_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let made = openapi::description().unwrap();
    if std::env::var_os("LONGWIRE_BLESS").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        made == committed,
        "docs/openapi.json is not current: run `LONGWIRE_BLESS=1 cargo test -p longwire-server --test openapi`"
    );
}

#[test]
fn every_operation_has_its_own_name() {
    let text = openapi::description().unwrap();
    let description: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<_> = description["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|operations| operations.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}
