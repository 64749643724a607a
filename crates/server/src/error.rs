//! What a caller of the HTTP API is told when something is refused or fails.

use std::borrow::Cow;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A refusal or failure with a text that may be shown to anybody.
///
/// The body `{"error": text, "request_id": id}` is written by `http::envelope`, which knows the request's
/// id; there the cause of a failure goes to the log, and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    text: Cow<'static, str>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
    cause: Option<String>,
}

impl ApiError {
    /// A refusal with its status and public text.
    pub fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            text: text.into(),
            header: None,
            cause: None,
        }
    }

    /// 400: the request is not understood.
    pub fn bad_request(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// 401 with the challenge that tells programs which kind of token is wanted.
    pub fn unauthorized(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, text).with_header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"ManagementJWT\""),
        )
    }

    /// 403: seen, but not allowed.
    pub fn forbidden(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    /// 404: not there, or nothing the caller may see.
    pub fn not_found(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// 409: the thing is there already, or in another state.
    pub fn conflict(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, text)
    }

    /// 500. The cause is for the log.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        Self {
            cause: Some(cause.to_string()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
        }
    }

    /// The same error with one more response header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The public text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Marks a response whose body is still to be written.
#[derive(Clone)]
pub(crate) struct ErrorText {
    pub(crate) text: Cow<'static, str>,
    pub(crate) cause: Option<String>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(header) = self.header {
            let (name, value) = *header;
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(ErrorText {
            text: self.text,
            cause: self.cause,
        });
        response
    }
}

impl From<crate::store::StoreError> for ApiError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::internal(&error)
    }
}
