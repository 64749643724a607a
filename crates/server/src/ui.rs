//! The web UI: the files of `web/dist` as they were when the server was built, or one plain page that says
//! how to build them.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ring::digest::{SHA256, digest};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::ApiError;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
struct Files;

const INDEX: &str = "index.html";

/// Folder whose files have their content's hash in their name.
const HASHED: &str = "assets/";

/// What pages may do: run and show what this server gave them, talk to this server, nothing else. Styles
/// are written by scripts (the terminal sizes its cells so), images may be data, and the terminal's
/// workers and canvases blobs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; \
    manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\"><meta charset=\"utf-8\"><title>Longwire</title>
<h1>Longwire</h1>
<p>The server runs, but it was built without its web page.
Build the page first (<code>make build</code>), then the server.</p>
</html>
";

/// Whether the page was there when the server was built.
#[must_use]
pub fn is_built() -> bool {
    Files::get(INDEX).is_some()
}

/// Answers what no route answers: a file, or the page for every address that is one of the page's own.
pub(crate) async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    std::future::ready(answer(uri.path(), &headers)).await
}

fn answer(path: &str, headers: &HeaderMap) -> Response {
    let name = path.trim_start_matches('/');
    if name == "api" || name.starts_with("api/") {
        return ApiError::not_found("no such resource").into_response();
    }
    // What begins with a dot belongs to the repository, not to the page.
    let hidden = name.split('/').any(|part| part.starts_with('.'));
    if let Some(file) = Files::get(name).filter(|_| !name.is_empty() && !hidden) {
        let lasting = name.starts_with(HASHED);
        return file_response(name, file, lasting, headers);
    }
    // The page's own addresses have no dot in their last part; a file that is not there is not the page.
    let last = name.rsplit('/').next().unwrap_or_default();
    if last.contains('.') {
        return ApiError::not_found("no such file").into_response();
    }
    match Files::get(INDEX) {
        Some(file) => file_response(INDEX, file, false, headers),
        None => page(StatusCode::OK, Body::from(NOT_BUILT)),
    }
}

fn page(status: StatusCode, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (status, headers, body).into_response()
}

fn file_response(name: &str, file: EmbeddedFile, lasting: bool, asked: &HeaderMap) -> Response {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let digest = digest(&SHA256, &file.data);
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest));
    let fresh = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| one.trim().trim_start_matches("W/") == etag);
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(file.data).into_response()
    };
    let cache = if lasting {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(media_type(name)),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

/// The media types a web page is made of.
fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
