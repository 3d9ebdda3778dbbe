//! `_bulk`: many documents, each answered by itself.

use std::fmt::Write;

use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{error, path};
use crate::ingest::Rejected;
use crate::net::http::dialect::{Dialect, Done};
use crate::net::http::problem::Problem;
use crate::net::http::{HttpConfig, MAX_LOGS};
use crate::parse::json::{BulkAction, BulkBody};

/// `_bulk`, with or without an index in front of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bulk;

impl Dialect for Bulk {
    type Format = BulkBody;

    const SAYS_EACH: bool = true;

    // Whatever its type is called: there are many names for lines of JSON, and clients that send none.
    fn format(self, head: &Parts, _config: &HttpConfig) -> Result<BulkBody, Problem> {
        let (index, _) = path::around(head.uri.path(), "_bulk");
        Ok(BulkBody { index, max_events: MAX_LOGS, actions: Vec::new() })
    }

    fn done(self, format: BulkBody, done: &Done) -> Response {
        let body = answer(&format.actions, done);
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    }

    fn problem(self, problem: &Problem) -> Response {
        error::of_call(problem)
    }
}

/// What became of each action, in as few bytes as clients can do with, and in this order: Fluent Bit
/// reads the beginning alone, and looks for `"errors":false,"items":[`.
fn answer(actions: &[BulkAction], done: &Done) -> String {
    let mut errors = !done.rejected.is_empty();
    let mut items = String::new();
    let mut rejected = done.rejected.iter().peekable();
    let mut known = done.known.iter().peekable();
    for (index, action) in actions.iter().enumerate() {
        let is_known = known.next_if(|known| **known == index).is_some();
        let error = match rejected.next_if(|rejected| rejected.index == index) {
            Some(Rejected { why, cause, .. }) => {
                let (status, kind) = error::of_item(*cause);
                Some((status, kind, why.as_str()))
            }
            // Whoever wanted it to be created alone is told that it was.
            None if is_known && *action == BulkAction::Create => {
                Some((409, error::CONFLICT, EXISTS))
            }
            None => None,
        };
        let (comma, action) = (if index > 0 { "," } else { "" }, action.as_str());
        let written = match error {
            None => {
                let status = if is_known { 200 } else { 201 };
                write!(items, "{comma}{{\"{action}\":{{\"status\":{status}}}}}")
            }
            Some((status, kind, why)) => {
                errors = true;
                let error = json!({"type": kind, "reason": why});
                write!(items, "{comma}{{\"{action}\":{{\"status\":{status},\"error\":{error}}}}}")
            }
        };
        written.expect("a string takes all");
    }
    format!("{{\"took\":{},\"errors\":{errors},\"items\":[{items}]}}", done.took.as_millis())
}

const EXISTS: &str = "expected a new id, but found one that exists";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ingest::Cause;

    #[test]
    fn answers_are_short_and_in_the_order_that_is_looked_for() {
        let actions = [BulkAction::Create, BulkAction::Index];
        let took = Duration::from_millis(3);
        let mut done = Done { accepted: 2, rejected: Vec::new(), known: Vec::new(), took };
        let body = answer(&actions, &done);
        let want = r#"{"took":3,"errors":false,"items":[{"create":{"status":201}},{"index":{"status":201}}]}"#;
        assert_eq!(body, want);
        let why = "say \"no\"".to_owned();
        done.rejected.push(Rejected { index: 1, why, cause: Cause::Over });
        let body = answer(&actions, &done);
        let want = concat!(
            r#"{"took":3,"errors":true,"items":[{"create":{"status":201}},"#,
            r#"{"index":{"status":429,"error":{"reason":"say \"no\"","type":"es_rejected_execution_exception"}}}]}"#,
        );
        assert_eq!(body, want);
    }

    #[test]
    fn what_came_before_is_no_error_unless_it_was_to_be_created() {
        let took = Duration::ZERO;
        let mut done = Done { accepted: 0, rejected: Vec::new(), known: vec![0], took };
        let body = answer(&[BulkAction::Index], &done);
        assert_eq!(body, r#"{"took":0,"errors":false,"items":[{"index":{"status":200}}]}"#);
        done.known = vec![1];
        let body = answer(&[BulkAction::Index, BulkAction::Create], &done);
        let want = concat!(
            r#"{"took":0,"errors":true,"items":[{"index":{"status":201}},{"create":{"status":409,"error":"#,
            r#"{"reason":"expected a new id, but found one that exists","type":"version_conflict_engine_exception"}}}]}"#,
        );
        assert_eq!(body, want);
    }
}
