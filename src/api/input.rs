//! What a call brings beside its path: a JSON body, or parameters.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::Api;
use super::problem::Problem;

/// A body that nobody has read yet: that is only done for callers who may do what they ask for.
#[derive(Debug)]
pub(super) struct Input {
    body: Body,
    is_json: bool,
}

/// The parameters behind the `?`.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl Input {
    /// The body as a `T`.
    pub(super) async fn json<T: DeserializeOwned>(self, api: &Api) -> Result<T, Problem> {
        if !self.is_json {
            return Err(Problem::unsupported_media_type());
        }
        let limit = api.config.body_timeout;
        let body = timeout(limit, Limited::new(self.body, MAX_BODY).collect()).await;
        let body = body.map_err(|_| Problem::too_slow(limit))?.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return Problem::too_large(MAX_BODY);
            }
            Problem::invalid("invalid_body", "expected a body as announced, but found another")
        })?;
        let body = body.to_bytes();
        // serde reads an array as an object without names.
        if !body.trim_ascii_start().starts_with(b"{") {
            let what = "expected an object, but found something else";
            return Err(Problem::invalid("invalid_body", what));
        }
        serde_json::from_slice(&body).map_err(|error| {
            let problem = Problem::invalid("invalid_body", &error);
            problem.with("line", error.line()).with("column", error.column())
        })
    }
}

impl<S: Send + Sync> FromRequest<S> for Input {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
        let is_json = kind.is_some_and(|kind| {
            let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
            kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
        });
        Ok(Self { body: request.into_body(), is_json })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let params = Query::try_from_uri(&parts.uri).map(|Query(params)| Self(params));
        params.map_err(|error| Problem::invalid("invalid_parameter", error.body_text()))
    }
}

/// The longest body of a call, in bytes; a query may be of 64 KiB.
const MAX_BODY: usize = 1024 * 1024;
