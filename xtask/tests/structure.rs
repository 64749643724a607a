//! Holds the repository to the structure that ARCHITECTURE.md and deny.toml promise.

use anyhow::Context as _;
use xtask::architecture::table;
use xtask::dependencies;
use xtask::items::Tests;
use xtask::modules::{calls, input_and_output, outside};
use xtask::sources;
use xtask::workspace::{self, Workspace};

fn load() -> anyhow::Result<Workspace> {
    Workspace::load(&workspace::root())
}

#[track_caller]
fn assert_clean(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn crates_use_only_what_the_table_allows() {
    let workspace = load().unwrap();
    let allowed = table(&workspace.root, "crate").unwrap();
    assert_clean(&dependencies::between_ours(&workspace, &allowed));
}

#[test]
fn pure_crates_depend_on_no_runtime_and_no_sockets() {
    assert_clean(&dependencies::in_pure_crates(&load().unwrap()));
}

#[test]
fn pure_crates_do_no_input_or_output_and_read_no_clock() {
    let workspace = load().unwrap();
    let mut looked_at = 0;
    for package in workspace.ours() {
        let pure = package.name.strip_prefix("longwire-");
        if !pure.is_some_and(|name| dependencies::PURE.contains(&name)) {
            continue;
        }
        for (_, root) in package.targets.iter().filter(|(kind, _)| kind == "lib") {
            assert_clean(&input_and_output(&sources::modules(root).unwrap()));
            looked_at += 1;
        }
    }
    assert!(looked_at > 0);
}

#[test]
fn what_comes_from_outside_keeps_to_deny_toml() {
    assert_clean(&dependencies::from_outside(&load().unwrap()).unwrap());
}

fn server_modules(workspace: &Workspace) -> anyhow::Result<Vec<sources::Module>> {
    let server = workspace
        .ours()
        .find(|package| package.name == "longwire-server")
        .context("there is a server")?;
    let (_, root) = server
        .targets
        .iter()
        .find(|(kind, _)| kind == "lib")
        .context("the server has a library")?;
    sources::modules(root)
}

#[test]
fn the_server_s_modules_call_only_whom_the_table_allows() {
    let workspace = load().unwrap();
    let allowed = table(&workspace.root, "module").unwrap();
    assert_clean(&calls(&server_modules(&workspace).unwrap(), &allowed));
}

#[test]
fn the_server_knows_its_database_and_its_sockets_in_one_place_each() {
    let workspace = load().unwrap();
    let only: [(&str, &[&str]); 4] = [
        ("sqlx", &["store"]),
        ("hyper", &["http"]),
        ("argon2", &["auth"]),
        (
            "axum",
            &[
                "api", "auth", "devices", "error", "gateway", "http", "server", "ui",
            ],
        ),
    ];
    assert_clean(&outside(&server_modules(&workspace).unwrap(), &only));
}

#[test]
fn every_required_promise_to_real_peers_has_a_test() {
    let tests = Tests::collect(&load().unwrap()).unwrap();
    let missing: Vec<String> = tests
        .missing()
        .iter()
        .map(|item| format!("no test carries item_{item:02}"))
        .collect();
    assert_clean(&missing);
}

#[test]
fn no_test_is_skipped() {
    assert_clean(&Tests::collect(&load().unwrap()).unwrap().skipped);
}
