//! Devices ask to be let in.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::Raw;
use super::login::JWT_MEDIA_TYPE;
use crate::app::App;
use crate::auth::Peer;
use crate::devices::admission;
use crate::error::ApiError;
use crate::http::envelope::ErrorBody;

const SIGNATURE: HeaderName = HeaderName::from_static("x-men-signature");

/// What a device signs and sends.
#[derive(Deserialize, ToSchema)]
#[allow(
    dead_code,
    reason = "only its documentation is used: the signed bytes are read elsewhere"
)]
pub(super) struct AuthRequest {
    /// The device's identity: a JSON object, as text.
    #[schema(example = "{\"mac\":\"52:54:00:12:34:56\"}")]
    id_data: String,
    /// PEM SubjectPublicKeyInfo: RSA, ECDSA or Ed25519.
    pubkey: String,
    /// Ignored.
    #[schema(required = false)]
    tenant_token: String,
}

/// Ask to be let in
///
/// The signature is made over the raw bytes of the body. 401 with the text `dev auth: unauthorized` means
/// that nobody has accepted the device yet: ask again later.
#[utoipa::path(
    post,
    path = "/api/devices/v1/authentication/auth_requests",
    operation_id = "requestAuthentication",
    tag = "Device: authentication",
    security(()),
    params(("X-MEN-Signature" = String, Header, description = "Base64 of the signature over the body: RSA PKCS#1 v1.5 or ECDSA (ASN.1) over SHA-256, Ed25519 over the body itself")),
    request_body = AuthRequest,
    responses(
        (status = 200, description = "Accepted; the device's token", body = String, content_type = "application/jwt"),
        (status = 400, description = "Not understood", body = ErrorBody),
        (status = 401, description = "Wrong signature, or not accepted", body = ErrorBody),
        (status = 429, description = "Too many new devices from this network", body = ErrorBody),
    )
)]
pub(super) async fn request(
    State(app): State<App>,
    Peer(address): Peer,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<impl IntoResponse, ApiError> {
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let token = admission::request(&app, &body, signature, address).await?;
    Ok(([(header::CONTENT_TYPE, JWT_MEDIA_TYPE)], token))
}
