//! The body of a call, within limits of size, memory and time.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use super::Api;
use super::problem::Problem;
use crate::memory::{By, Hold};

/// Reads all of a body.
pub(super) async fn whole(api: &Api, body: Body) -> Result<Bytes, Problem> {
    let limit = api.config.body_timeout;
    let mut hold = Hold::new(Arc::clone(api.ingest.memory()), By::Bodies);
    let longest = body.size_hint().upper().and_then(|len| usize::try_from(len).ok());
    let longest = longest.unwrap_or(MAX_BODY).min(MAX_BODY);
    if longest > OWN {
        timeout(limit, hold.grow(longest)).await.map_err(|_| Problem::no_memory())?;
    }
    let read = tokio::select! {
        biased;
        read = timeout(limit, Limited::new(body, MAX_BODY).collect()) => read,
        () = hold.told() => return Err(Problem::no_memory()),
    };
    let body = read.map_err(|_| Problem::too_slow(limit))?.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return Problem::too_large(MAX_BODY);
        }
        let what = "expected a body as announced, but found another";
        Problem::invalid("invalid_body", what).at("body")
    })?;
    Ok(body.to_bytes())
}

/// The longest body of a call, in bytes; a query may be of 64 KiB.
const MAX_BODY: usize = 1024 * 1024;

/// Bytes of a body that are its own, and part of what a connection takes.
const OWN: usize = 16 << 10;
