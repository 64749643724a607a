//! Signing in and out with Basic credentials and bearer tokens.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use longwire_server::access::Role;
use longwire_server::audit::{Action, Actor, AuditEvent, Object};

use crate::support::{PASSWORD, Server};

const LOGIN: &str = "/api/management/v1/useradm/auth/login";
const LOGOUT: &str = "/api/management/v1/useradm/auth/logout";
const ME: &str = "/api/management/v1/useradm/users/me";

#[tokio::test]
async fn item_33_login_answers_the_raw_token_with_the_exact_type() {
    let server = Server::start().await;
    server.add_user("ada@fleet.example", Role::Admin).await;
    // As mender-cli asks: a JSON content type and no body.
    let answer = server
        .post(LOGIN)
        .basic("ada@fleet.example", PASSWORD)
        .header("content-type", "application/json")
        .send()
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/jwt");
    let token = answer.text();
    assert_eq!(token.trim(), token);
    // As Mender's UI asks.
    let answer = server
        .post(LOGIN)
        .basic("Ada@Fleet.Example", PASSWORD)
        .json(&serde_json::json!({ "no_expiry": false }))
        .send()
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    let me = server.get(ME).bearer(&token).send().await.json();
    assert_eq!(me["email"], "ada@fleet.example");
    assert!(me["login_ts"].is_string());
}

#[tokio::test]
async fn item_33_wrong_credentials_are_401_in_json_and_audited() {
    let server = Server::start().await;
    server.add_user("ada@fleet.example", Role::Admin).await;
    for (email, password) in [
        ("ada@fleet.example", "wrong password"),
        ("ada@fleet.example", ""),
        ("nobody@fleet.example", PASSWORD),
    ] {
        let answer = server.login(email, password).await;
        answer.refused(401, "unauthorized");
    }
    for header in ["Bearer x", "Basic", "Basic !!!", "Basic YWRh"] {
        let answer = server.post(LOGIN).header("authorization", header);
        let answer = answer.send().await;
        answer.refused(401, "invalid or missing auth header");
    }
    let answer = server.post(LOGIN).send().await;
    answer.refused(401, "invalid or missing auth header");
    let mut read = server.app().store.read().await.unwrap();
    let events = read.audit_events(10).await.unwrap();
    let refused: Vec<_> = events
        .iter()
        .filter(|event| event.action == "LoginRefused")
        .filter_map(|event| event.actor_name.as_deref())
        .collect();
    assert_eq!(
        refused,
        [
            "nobody@fleet.example",
            "ada@fleet.example",
            "ada@fleet.example"
        ]
    );
}

#[tokio::test]
async fn guessing_is_held_off_and_does_not_lock_the_account_elsewhere() {
    let server = Server::start().await;
    server.add_user("ada@fleet.example", Role::Admin).await;
    server.add_user("bob@fleet.example", Role::Admin).await;
    for _ in 0..10 {
        let answer = server.login("ada@fleet.example", "wrong password").await;
        answer.refused(401, "unauthorized");
    }
    let answer = server.login("ADA@fleet.example", PASSWORD).await;
    answer.refused(429, "too many failed sign-ins; try again later");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=301).contains(&wait));
    let other = server.login("bob@fleet.example", PASSWORD).await;
    assert_eq!(other.status, StatusCode::OK);
}

#[tokio::test]
async fn item_35_logout_ends_the_token_that_was_used() {
    let server = Server::start().await;
    let token = server.admin().await;
    let other = server.login("admin@localhost", PASSWORD).await.text();
    let answer = server.post(LOGOUT).bearer(&token).send().await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let answer = server.get(ME).bearer(&token).send().await;
    answer.refused(401, "unauthorized");
    let answer = server.get(ME).bearer(&other).send().await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_new_password_or_a_removed_account_ends_every_token() {
    let server = Server::start().await;
    let ada = server.user("ada@fleet.example", Role::Admin).await;
    let bob = server.user("bob@fleet.example", Role::Admin).await;
    let users = server.app().store.read().await.unwrap().users().await;
    let users = users.unwrap();
    let mut change = server.app().store.change().await.unwrap();
    let now = longwire_server::time::Timestamp::now();
    change
        .set_password(users[0].id, "$argon2id$x", now)
        .await
        .unwrap();
    change.remove_user(users[1].id).await.unwrap();
    let event = AuditEvent::new(Action::UserRemoved, Actor::System, Object::Server);
    change.commit(&event).await.unwrap();
    for token in [ada, bob] {
        let answer = server.get(ME).bearer(&token).send().await;
        answer.refused(401, "unauthorized");
    }
}

#[tokio::test]
async fn an_account_that_is_not_there_takes_as_long_as_a_wrong_password() {
    let server = Server::start().await;
    server.add_user("ada@fleet.example", Role::Admin).await;
    let attempt = async |email: &str| {
        let start = Instant::now();
        let answer = server.login(email, "wrong password").await;
        let took = start.elapsed();
        answer.refused(401, "unauthorized");
        took
    };
    // The shortest of several says what it costs when nothing else is in the way.
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    for _ in 0..8 {
        known = known.min(attempt("ada@fleet.example").await);
        unknown = unknown.min(attempt("nobody@fleet.example").await);
    }
    // Without the comparison it would be a twentieth.
    assert!(
        unknown * 4 > known && known * 4 > unknown,
        "{known:?} and {unknown:?}"
    );
}
