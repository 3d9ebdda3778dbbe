//! GELF over HTTP: a message in each call, or several.

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::dialect::{Dialect, Done};
use super::problem::Problem;
use super::{HttpConfig, MAX_LOGS, body};
use crate::frame::Encoding;
use crate::parse::json::{InputBody, InputContent};

/// What Graylog's HTTP input speaks: `POST /gelf`, answered with 202.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gelf;

impl Dialect for Gelf {
    type Format = InputBody;

    // pygelf names both of those that its receiver may know, and sends the second (pygelf 0.4.3,
    // `GelfHttpHandler`).
    fn encoding(self, head: &Parts) -> Result<Encoding, Problem> {
        let named = head.headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
        match named {
            Some(b"gzip,deflate") => Ok(Encoding::Deflate),
            _ => body::encoding(&head.headers),
        }
    }

    // Its senders name no type, or a wrong one: the path says what it is.
    fn format(self, _head: &Parts, config: &HttpConfig) -> Result<InputBody, Problem> {
        Ok(InputBody {
            content: InputContent::Gelf,
            path: String::new(),
            max_message: config.max_message,
            max_events: MAX_LOGS,
        })
    }

    fn done(self, _format: InputBody, _done: &Done) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}
