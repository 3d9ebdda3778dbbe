//! Entries as comma-separated values (RFC 4180).

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;

use super::Journal;
use super::groups::rows;
use crate::api::Api;
use crate::api::allowed::Allowed;
use crate::api::csv::{cell, heading, written};
use crate::api::problem::Problem;
use crate::api::streamed::{Form, streamed};
use crate::query::{Request, StatsAnswer};

/// All entries that `request` finds, `limit` at the most.
pub(super) async fn entries(
    api: &Arc<Api>,
    allowed: &Allowed,
    journal: Journal,
    request: Request,
    limit: Option<usize>,
) -> Result<Response, Problem> {
    let of_journal = || columns(journal).iter().map(|name| (*name).to_owned()).collect();
    let columns: Vec<String> = request.fields.clone().unwrap_or_else(of_journal);
    streamed((api, allowed), journal.as_str(), request, Form::Table(columns), limit).await
}

/// Groups of entries.
pub(super) fn groups(journal: Journal, answered: &StatsAnswer) -> Response {
    let (columns, rows) = rows(answered);
    let head = columns.iter().map(|name| heading(name)).collect();
    let rows = rows.into_iter().map(|row| row.into_iter().map(cell).collect());
    let text = written(std::iter::once(head).chain(rows));
    let form = Form::Table(Vec::new());
    form.answer(journal.as_str(), answered.meta.partial, Body::from(text))
}

/// The columns of a journal, unless others are asked for.
const fn columns(journal: Journal) -> &'static [&'static str] {
    match journal {
        Journal::Access => &[
            "@timestamp",
            "endpoint",
            "method",
            "status",
            "duration_us",
            "source.ip",
            "api_key",
            "user.email",
            "project",
            "request_bytes",
            "response_bytes",
            "user_agent.original",
            "events_accepted",
            "count",
            "sample_rate",
        ],
        Journal::Advisory => {
            &["@timestamp", "level", "kind", "subject", "advice", "until", "project", "count"]
        }
        Journal::Blocked => &[
            "@timestamp",
            "reason",
            "rule",
            "source.ip",
            "endpoint",
            "method",
            "api_key",
            "user.email",
            "project",
            "user_agent.original",
            "country",
            "fingerprint",
            "threat_score",
            "count",
            "last_seen",
        ],
        Journal::Dashboard => DASHBOARD,
        Journal::Session => SESSION,
        Journal::Failed => FAILED,
    }
}

/// What people did.
const DASHBOARD: &[&str] = &[
    "@timestamp",
    "user.email",
    "action",
    "resource",
    "details",
    "result",
    "status",
    "source.ip",
    "session.id",
    "user_agent.original",
    "project",
    "count",
];

/// How they came and went.
const SESSION: &[&str] = &[
    "@timestamp",
    "user.email",
    "event",
    "reason",
    "session.id",
    "session.started",
    "session.last_seen",
    "source.ip",
    "country",
    "user_agent.original",
    "project",
    "count",
];

/// What failed.
const FAILED: &[&str] = &[
    "@timestamp",
    "endpoint",
    "method",
    "status",
    "error.code",
    "message",
    "field_errors",
    "duration_us",
    "source.ip",
    "api_key",
    "user.email",
    "project",
    "request_bytes",
    "response_bytes",
    "user_agent.original",
    "events_accepted",
    "sample",
    "count",
    "retry_count",
    "last_seen",
];
