//! Logstash's plain `http` input, on any path and by any method.

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::dialect::{Dialect, Done};
use super::logs::is_json;
use super::problem::Problem;
use super::{HttpConfig, MAX_LOGS, content_type};
use crate::parse::json::{InputBody, InputContent};

/// What Logstash's `http` input speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logstash;

impl Dialect for Logstash {
    type Format = InputBody;

    fn format(self, head: &Parts, config: &HttpConfig) -> Result<InputBody, Problem> {
        let kind = content_type(head);
        let is_json = is_json(&kind) || is_json_lines(&kind);
        Ok(InputBody {
            content: if is_json { InputContent::Json } else { InputContent::Text },
            path: head.uri.path().to_owned(),
            max_message: config.max_message,
            max_events: MAX_LOGS,
        })
    }

    fn done(self, _format: InputBody, _done: &Done) -> Response {
        (StatusCode::OK, "ok").into_response()
    }

    fn problem(self, problem: &Problem) -> Response {
        let mut response = match problem.status {
            // It has one word for all that passes with time, and says no more.
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                StatusCode::TOO_MANY_REQUESTS.into_response()
            }
            status => (status, problem.detail.clone()).into_response(),
        };
        problem.add_headers(&mut response, "Basic realm=\"logtrace\"");
        response
    }
}

/// Whether a media type is one of the names that lines of JSON go by.
fn is_json_lines(kind: &str) -> bool {
    let Some(kind) = kind.strip_prefix("application/") else { return false };
    ["x-ndjson", "ndjson", "jsonlines", "x-jsonlines", "json-lines"].contains(&kind)
}
