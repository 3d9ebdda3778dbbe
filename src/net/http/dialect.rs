//! What a protocol over HTTP has of its own: the body that it sends, and the answers that it
//! understands.

use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::request::Parts;
use axum::response::Response;

use super::problem::Problem;
use super::{HttpConfig, body};
use crate::frame::Encoding;
use crate::ingest::Rejected;
use crate::parse::{BodyFormat, http_secret};

/// How a protocol over HTTP speaks. All else of a call is the same for all of them.
pub(super) trait Dialect: Copy + Send + Sync + 'static {
    /// What its bodies are read by.
    type Format: BodyFormat + 'static;

    /// Whether its answer says of each log what became of it. Otherwise a call of which no log was
    /// accepted is a problem.
    const SAYS_EACH: bool = false;

    /// The key that a call names.
    fn secret(self, head: &Parts) -> Option<Vec<u8>> {
        http_secret(|name| head.headers.get(name).map(HeaderValue::as_bytes))
    }

    /// How the body of this call is compressed.
    ///
    /// # Errors
    ///
    /// In a way that is not taken here.
    fn encoding(self, head: &Parts) -> Result<Encoding, Problem> {
        body::encoding(&head.headers)
    }

    /// What reads the body of this call.
    ///
    /// # Errors
    ///
    /// The body is of a type that is not taken here, or the path or query says something wrong.
    fn format(self, head: &Parts, config: &HttpConfig) -> Result<Self::Format, Problem>;

    /// The answer when all logs that were accepted are durable.
    fn done(self, format: Self::Format, done: &Done) -> Response;

    /// The answer when a call failed as a whole.
    fn problem(self, problem: &Problem) -> Response {
        problem.to_response()
    }
}

/// What became of a call whose accepted logs are durable.
#[derive(Debug)]
pub(super) struct Done {
    /// Logs accepted.
    pub(super) accepted: u64,
    /// Logs that were not, in order.
    pub(super) rejected: Vec<Rejected>,
    /// The places of those that are copies of logs which were accepted before.
    pub(super) known: Vec<usize>,
    /// From the first byte of its head until its logs were durable.
    pub(super) took: Duration,
}
