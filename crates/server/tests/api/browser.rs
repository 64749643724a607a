//! What browsers get: cookies, origins, the page and the headers that keep it careful.

use axum::http::StatusCode;
use longwire_server::access::Role;
use serde_json::json;

use crate::support::{Answer, PASSWORD, Server};

const LOGIN: &str = "/api/management/v1/longwire/login";
const LOGOUT: &str = "/api/management/v1/longwire/logout";
const ME: &str = "/api/management/v1/longwire/me";

async fn sign_in(server: &Server, origin: Option<&str>) -> Answer {
    let mut call = server.post(LOGIN);
    if let Some(origin) = origin {
        call = call.header("origin", origin);
    }
    call.json(&json!({ "email": "ada@fleet.example", "password": PASSWORD }))
        .send()
        .await
}

fn origin(server: &Server) -> String {
    format!("http://{}", server.address())
}

/// The pair a browser would send back, and what else the server said about it.
fn cookie(answer: &Answer) -> (String, String) {
    let (pair, rest) = answer.header("set-cookie").split_once("; ").unwrap();
    (pair.to_owned(), rest.to_owned())
}

#[tokio::test]
async fn signing_in_sets_a_cookie_no_script_and_no_other_site_can_use() {
    let server = Server::start().await;
    server.add_user("ada@fleet.example", Role::Admin).await;
    let answer = sign_in(&server, Some(&origin(&server))).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(answer.body.is_empty());
    let (pair, rest) = cookie(&answer);
    assert!(pair.starts_with("longwire-insecure=ey"));
    assert_eq!(rest, "Path=/; Max-Age=604800; HttpOnly; SameSite=Strict");
    let me = server.get(ME).header("cookie", &pair).send().await;
    assert_eq!(me.json()["email"], "ada@fleet.example");
    // From another site's page nobody is signed in.
    let answer = sign_in(&server, Some("http://evil.example")).await;
    answer.refused(403, "request does not come from this server's own pages");
    let call = server
        .post(LOGIN)
        .json(&json!({ "email": "ada@fleet.example" }));
    assert_eq!(call.send().await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn under_a_public_https_url_the_cookie_is_secure_and_bound_to_the_host() {
    let url = "https://fleet.example";
    let server = Server::with(|config| config.public_url = Some(url.to_owned())).await;
    server.add_user("ada@fleet.example", Role::Admin).await;
    let answer = sign_in(&server, Some(url)).await;
    let (pair, rest) = cookie(&answer);
    assert!(pair.starts_with("__Host-longwire=ey"));
    assert!(rest.ends_with("; Secure"));
    assert!(answer.headers.contains_key("strict-transport-security"));
    let answer = sign_in(&server, Some(&origin(&server))).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_cookie_changes_something_only_from_our_own_pages() {
    let server = Server::start().await;
    server.add_user("ada@fleet.example", Role::Admin).await;
    let (pair, _) = cookie(&sign_in(&server, None).await);
    let foreign = "request does not come from this server's own pages";
    let out = || server.post(LOGOUT).header("cookie", &pair);
    out().send().await.refused(403, foreign);
    let evil = out().header("origin", "http://evil.example");
    evil.send().await.refused(403, foreign);
    let other = out().header("sec-fetch-site", "same-site");
    other.send().await.refused(403, foreign);
    let own = out().header("origin", &origin(&server)).send().await;
    assert_eq!(own.status, StatusCode::NO_CONTENT);
    let (cleared, rest) = cookie(&own);
    assert_eq!(cleared, "longwire-insecure=");
    assert!(rest.contains("Max-Age=0"));
    let me = server.get(ME).header("cookie", &pair).send().await;
    me.refused(401, "unauthorized");
}

#[tokio::test]
async fn item_34_the_cookie_of_mender_s_ui_reads_but_never_changes() {
    let server = Server::start().await;
    let token = server.user("ada@fleet.example", Role::Admin).await;
    let jwt = format!("JWT={token}");
    let me = server.get(ME).header("cookie", &jwt).send().await;
    assert_eq!(me.status, StatusCode::OK);
    let own = origin(&server);
    let out = server.post(LOGOUT).header("cookie", &jwt);
    let answer = out.header("origin", &own).send().await;
    answer.refused(401, "Authorization not present in header");
    // The header wins, right or wrong.
    let both = server.get(ME).header("cookie", &jwt).bearer("nonsense");
    both.send().await.refused(401, "unauthorized");
    let both = server.get(ME).header("cookie", "JWT=x").bearer(&token);
    assert_eq!(both.send().await.status, StatusCode::OK);
}

#[tokio::test]
async fn item_34_a_websocket_by_cookie_needs_our_own_origin() {
    let server = Server::start().await;
    let token = server.user("ada@fleet.example", Role::Admin).await;
    let path =
        "/api/management/v1/deviceconnect/devices/00000000-0000-0000-0000-000000000000/connect";
    for name in ["JWT", "longwire-insecure"] {
        let pair = format!("{name}={token}");
        let open = || server.get(path).header("cookie", &pair);
        let foreign = "request does not come from this server's own pages";
        open().send().await.refused(403, foreign);
        let evil = open().header("origin", "http://evil.example");
        evil.send().await.refused(403, foreign);
        let own = open().header("origin", &origin(&server)).send().await;
        assert!(!matches!(own.status.as_u16(), 401 | 403), "{}", own.status);
    }
}

#[tokio::test]
async fn every_answer_keeps_browsers_careful() {
    let server = Server::start().await;
    for path in ["/", "/devices/1", "/api/none", "/api/openapi.json", "/x.js"] {
        let answer = server.get(path).send().await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}");
        assert!(!policy.contains("unsafe-eval"), "{path}");
    }
    let answer = server.get("/api/openapi.json").send().await;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json()["info"]["title"], "Longwire");
}

#[tokio::test]
async fn the_page_answers_for_its_own_addresses_and_files_that_are_not_there_do_not() {
    let server = Server::start().await;
    for path in ["/", "/devices", "/devices/some-id/troubleshooting"] {
        let answer = server.get(path).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-cache");
    }
    for path in ["/missing.js", "/assets/missing.css", "/.gitignore"] {
        server.get(path).send().await.refused(404, "no such file");
    }
    server
        .get("/api")
        .send()
        .await
        .refused(404, "no such resource");
}
