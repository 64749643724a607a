//! There is one way to register a route.

use std::fs;
use std::path::{Path, PathBuf};

use axum::http::{Method, StatusCode};
use longwire_server::api::table;

use crate::support::Server;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_source_but_the_table_registers_a_route() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20);
    let mut registering = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let registers = [
            "Router::new",
            ".route(",
            ".route_service(",
            ".nest(",
            ".nest_service(",
            ".merge(",
            ".fallback(",
            ".fallback_service(",
        ];
        if registers.iter().any(|call| text.contains(call)) {
            registering.push(file.strip_prefix(&root).unwrap().to_owned());
        }
    }
    assert_eq!(registering, [Path::new("api/table.rs")]);
}

#[tokio::test]
async fn a_path_takes_only_the_methods_of_the_table() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let routes = table::routes();
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    for route in &routes {
        for method in &methods {
            let listed = routes
                .iter()
                .any(|other| other.path == route.path && other.method == *method);
            if !listed {
                let call = server.call(method.clone(), route.path).bearer(&admin);
                call.send().await.refused(405, "method not allowed");
            }
        }
    }
    for path in ["/api/management/v1/longwire", "/api/internal", "/api/"] {
        let answer = server.get(path).bearer(&admin).send().await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}
