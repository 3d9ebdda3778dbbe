//! GELF over HTTP: a message in each call, or several.

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::dialect::{Dialect, Done};
use super::problem::Problem;
use super::{HttpConfig, MAX_LOGS};
use crate::parse::json::{InputBody, InputContent};

/// What Graylog's HTTP input speaks: `POST /gelf`, answered with 202.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gelf;

impl Dialect for Gelf {
    type Format = InputBody;

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
