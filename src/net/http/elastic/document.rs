//! One document: `POST /{index}/_doc`, `PUT /{index}/_create/{id}`.

use axum::Json;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{error, path};
use crate::net::http::HttpConfig;
use crate::net::http::dialect::{Dialect, Done};
use crate::net::http::problem::Problem;
use crate::parse::json::{BulkAction, DocumentBody};

/// One document, with or without an id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Document;

impl Dialect for Document {
    type Format = DocumentBody;

    fn format(self, head: &Parts, _config: &HttpConfig) -> Result<DocumentBody, Problem> {
        let around = |name| path::around(head.uri.path(), name);
        let ((index, id), action) = match around("_create") {
            (Some(index), id) => ((Some(index), id), BulkAction::Create),
            (None, _) => (around("_doc"), BulkAction::Index),
        };
        let creates = head.uri.query().is_some_and(|query| query.contains("op_type=create"));
        let action = if creates { BulkAction::Create } else { action };
        Ok(DocumentBody { index: index.unwrap_or_default(), id, action })
    }

    fn done(self, format: DocumentBody, done: &Done) -> Response {
        let (status, result) = match (done.known.is_empty(), format.action) {
            (true, _) => (StatusCode::CREATED, "created"),
            (false, BulkAction::Create) => return error::exists(format.id.as_deref()),
            (false, _) => (StatusCode::OK, "updated"),
        };
        let body = json!({
            "_index": format.index,
            "_id": format.id.unwrap_or_default(),
            "_version": 1,
            "result": result,
            "_shards": {"total": 1, "successful": 1, "failed": 0},
            "_seq_no": 0,
            "_primary_term": 1,
        });
        (status, Json(body)).into_response()
    }

    fn problem(self, problem: &Problem) -> Response {
        error::of_call(problem)
    }
}
