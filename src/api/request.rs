//! From what a caller asks to a query of the store.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::Api;
use super::allowed::Allowed;
use super::problem::Problem;
use super::wall::Wall;
use crate::ingest::now;
use crate::journal::Which;
use crate::kql::{self, Field, Literal, Node, Prepared, Query, RangeOp};
use crate::query::{Order, Request};
use crate::time::Timestamp;

/// A question, as a body or as parameters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Ask {
    pub(super) filter: String,
    pub(super) syntax: Syntax,
    /// Text, or a number of seconds, milliseconds or microseconds since the epoch.
    pub(super) from: Value,
    pub(super) to: Value,
    pub(super) limit: Option<usize>,
    pub(super) cursor: Option<String>,
    pub(super) sort: Sort,
    pub(super) fields: Option<Vec<String>>,
}

/// Which language the filter is in.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Syntax {
    /// Kibana's and more.
    #[default]
    Lenient,
    /// Kibana's alone.
    Strict,
}

/// Which events come first.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) enum Sort {
    /// The latest.
    #[default]
    #[serde(rename = "desc", alias = "newest", alias = "@timestamp:desc", alias = "-@timestamp")]
    Descending,
    /// The earliest.
    #[serde(rename = "asc", alias = "oldest", alias = "@timestamp:asc", alias = "@timestamp")]
    Ascending,
}

impl Ask {
    /// The query that asks this of `project`, for `allowed`.
    pub(super) fn request(
        self,
        api: &Api,
        allowed: &Allowed,
        project: Arc<str>,
    ) -> Result<Request, Problem> {
        let now = now();
        let filter = kql::parse(&self.filter, self.syntax.into())?.query;
        // The wall of journals is another: whoever asks for one puts it up.
        let is_journal = Which::ALL.iter().any(|journal| *journal.project() == *project);
        let wall = if is_journal { Wall::None } else { Wall::of(api, allowed) };
        let filter = wall.around(filter);
        let mut request = Request::new(project, filter, api.cursor_key, now);
        request.reader = Arc::clone(&allowed.reader);
        if let Some(from) = text("from", self.from)? {
            request.from = kql::parse_time(&from, now).map_err(|e| Problem::from(e).at("from"))?;
        }
        if let Some(to) = text("to", self.to)? {
            request.to = last(to, now).map_err(|problem| problem.at("to"))?;
        }
        request.limit = self.limit.unwrap_or(request.limit);
        request.order = self.sort.into();
        request.cursor = self.cursor;
        request.fields = self.fields;
        Ok(request)
    }
}

impl From<Syntax> for kql::Syntax {
    fn from(syntax: Syntax) -> Self {
        match syntax {
            Syntax::Lenient => Self::Lenient,
            Syntax::Strict => Self::Strict,
        }
    }
}

impl From<Sort> for Order {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Descending => Self::NewestFirst,
            Sort::Ascending => Self::OldestFirst,
        }
    }
}

/// A time as text.
fn text(name: &str, time: Value) -> Result<Option<String>, Problem> {
    match time {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        _ => {
            let what = format!("expected {name} to be text or a number, but found something else");
            Err(Problem::invalid("invalid_time", what).at(name))
        }
    }
}

/// The last moment of a time: `2026-06-15` ends with its day, as it does in a filter.
fn last(text: String, now: Timestamp) -> Result<Timestamp, Problem> {
    kql::parse_time(&text, now)?;
    let field = Field::Name(TIME.to_owned());
    let until = Query::Range { field, op: RangeOp::Lte, value: Literal::Term(text) };
    let prepared = Prepared::new(&until, now)?;
    let bounds = match prepared.root() {
        Node::Leaf(leaf) => leaf.matcher_for(TIME).time_bounds(),
        _ => None,
    };
    Ok(bounds.map_or(Timestamp::MAX, |(_, last)| last))
}

const TIME: &str = "@timestamp";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_with_its_last_moment() {
        let now = Timestamp::parse_rfc3339(b"2026-06-15T12:00:00Z").unwrap();
        let table = [
            ("now", "2026-06-15T12:00:00.000Z"),
            ("-24h", "2026-06-14T12:00:00.000Z"),
            ("2026-06-15", "2026-06-15T23:59:59.999999Z"),
            ("2026-06-15T12:00:00.500000Z", "2026-06-15T12:00:00.500Z"),
        ];
        for (text, want) in table {
            assert_eq!(last(text.to_owned(), now).unwrap().to_string(), want, "{text}");
        }
        assert!(last("soon".to_owned(), now).is_err());
    }
}
