//! Entries as comma-separated values (RFC 4180): all that a search finds, a page at a time.
//!
//! Programs for tables take text that begins like a formula for one, and entries hold what
//! strangers wrote: such text gets a `'` in front.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use tracing::warn;

use super::Journal;
use super::groups::rows;
use crate::api::Api;
use crate::api::problem::Problem;
use crate::api::query::run;
use crate::query::{self, Page, Request, StatsAnswer};

/// What is left to be sent.
struct Left {
    api: Arc<Api>,
    request: Request,
    columns: Arc<[String]>,
    /// The most entries that are still wanted.
    wanted: usize,
    /// Whether it was said that entries may be missing.
    is_partial: bool,
}

/// All entries that `request` finds, `limit` at the most.
pub(super) async fn entries(
    api: &Arc<Api>,
    journal: Journal,
    request: Request,
    limit: Option<usize>,
) -> Result<Response, Problem> {
    let of_journal = || columns(journal).iter().map(|name| (*name).to_owned()).collect();
    let columns: Vec<String> = request.fields.clone().unwrap_or_else(of_journal);
    let mut left = Left {
        api: Arc::clone(api),
        request,
        columns: columns.into(),
        wanted: limit.unwrap_or(usize::MAX),
        is_partial: true, // what the first page lacks is said in the head
    };
    let head = written(std::iter::once(left.columns.iter().map(|name| heading(name)).collect()));
    let (first, is_partial, left) = {
        let page = left.page().await?;
        left.is_partial = page.meta.partial;
        let goes_on = left.advance(&page);
        (left.text(&page), left.is_partial, goes_on.then_some(left))
    };
    let begun = stream::iter([Ok(head), Ok(first)]);
    let rest = stream::try_unfold(left, async |left: Option<Left>| {
        let Some(mut left) = left else { return Ok::<_, io::Error>(None) };
        let page = left.page().await.map_err(|problem| {
            warn!(?problem, "an export broke off");
            io::Error::other("the export broke off")
        })?;
        if page.meta.partial && !left.is_partial {
            // What is short must not look whole.
            return Err(io::Error::other("entries may be missing"));
        }
        let goes_on = left.advance(&page);
        let text = left.text(&page);
        Ok(Some((text, goes_on.then_some(left))))
    });
    let body = Body::from_stream(begun.chain(rest).map_ok(Bytes::from));
    Ok(answer(journal.as_str(), is_partial, body))
}

/// Groups of entries.
pub(super) fn groups(journal: Journal, answered: &StatsAnswer) -> Response {
    let (columns, rows) = rows(answered);
    let head = columns.iter().map(|name| heading(name)).collect();
    let rows = rows.into_iter().map(|row| row.into_iter().map(cell).collect());
    let text = written(std::iter::once(head).chain(rows));
    answer(journal.as_str(), answered.meta.partial, Body::from(text))
}

impl Left {
    async fn page(&mut self) -> Result<Page, Problem> {
        let mut request = self.request.clone();
        request.limit = self.wanted.clamp(1, AT_ONCE);
        let page = run(&self.api, move |store, budget| {
            request.budget = budget;
            query::run(store, &request)
        });
        page.await
    }

    /// Goes on behind a page; says whether anything is left.
    fn advance(&mut self, page: &Page) -> bool {
        self.wanted = self.wanted.saturating_sub(page.logs.len());
        self.request.cursor.clone_from(&page.meta.next_cursor);
        self.wanted > 0 && self.request.cursor.is_some()
    }

    fn text(&self, page: &Page) -> Vec<u8> {
        let null = Value::Null;
        written(page.logs.iter().map(|log| {
            self.columns.iter().map(|name| cell(log.get(name).unwrap_or(&null))).collect()
        }))
    }
}

fn answer(name: &str, is_partial: bool, body: Body) -> Response {
    let name = format!("attachment; filename=\"{name}.csv\"");
    let name = HeaderValue::from_str(&name).expect("the name of a journal is ASCII");
    let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    let partial = HeaderValue::from_static(if is_partial { "true" } else { "false" });
    let headers =
        [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name), (PARTIAL, partial)];
    (headers, body).into_response()
}

fn written(rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let terminator = csv::Terminator::CRLF;
    let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
    for row in rows {
        writer.write_record(&row).expect("memory takes all, and rows are of one length");
    }
    writer.into_inner().expect("memory takes all")
}

/// A value as a cell.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => safe(text),
        // What is below zero is a number, and begins with a `-` by right.
        Value::Number(number) => number.to_string(),
        other => safe(&other.to_string()),
    }
}

/// The heading of a column: the name of its field, and of `@timestamp` without what makes a formula
/// of it.
fn heading(name: &str) -> String {
    safe(name.strip_prefix('@').unwrap_or(name))
}

/// Text that no program for tables takes for a formula.
fn safe(text: &str) -> String {
    let is_formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
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

/// Entries that are read at once.
const AT_ONCE: usize = 1000;

/// Says whether entries may be missing.
const PARTIAL: HeaderName = HeaderName::from_static("x-logtrace-partial");

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", "＝1"] {
            assert_eq!(cell(&json!(text)), format!("'{text}"), "{text:?}");
        }
        let table = [
            (json!("a=b"), "a=b"),
            (json!(-5), "-5"),
            (json!(null), ""),
            (json!(true), "true"),
            (json!([{"field": "x"}]), r#"[{"field":"x"}]"#),
            (json!("2026-06-15T12:00:00.000Z"), "2026-06-15T12:00:00.000Z"),
        ];
        for (value, want) in table {
            assert_eq!(cell(&value), want);
        }
    }

    #[test]
    fn no_heading_is_a_formula() {
        for (name, want) in [("@timestamp", "timestamp"), ("=1", "'=1"), ("@=1", "'=1")] {
            assert_eq!(heading(name), want);
        }
    }

    #[test]
    fn what_parts_cells_is_quoted() {
        let row = ["a,b", "c\"d", "e\r\nf", ""].map(str::to_owned).to_vec();
        assert_eq!(written(std::iter::once(row)), b"\"a,b\",\"c\"\"d\",\"e\r\nf\",\r\n");
    }
}
