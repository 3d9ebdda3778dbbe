//! `logtrace query`.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::args::{Journal, QueryArgs};
use super::client::Client;
use super::failure::Failure;
use super::pointing::pointed;
use super::table::table;
use super::visible::visible;

/// Asks a daemon and shows the answer.
pub(super) fn run(args: &QueryArgs) -> Result<(), Failure> {
    let answer = Client::new(&args.server).post("/v1/logs/query", &question(args));
    let answer = answer.map_err(|failure| pointed(&args.filter, args.strict, failure))?;
    show(args, &answer, &mut io::stdout().lock(), &mut io::stderr().lock())
}

fn question(args: &QueryArgs) -> Value {
    let mut question = json!({
        "filter": args.filter,
        "from": args.from,
        "to": args.to,
        "limit": args.limit,
        "sort": if args.oldest_first { "asc" } else { "desc" },
        "syntax": if args.strict { "strict" } else { "lenient" },
    });
    let mut add = |name: &str, value: Value| {
        if let Some(question) = question.as_object_mut() {
            question.insert(name.to_owned(), value);
        }
    };
    if let Some(fields) = &args.fields {
        add("fields", json!(fields));
    }
    if let Some(cursor) = &args.cursor {
        add("cursor", json!(cursor));
    }
    if let Some(journal) = args.journal {
        add("journal", json!(journal.as_str()));
    }
    question
}

/// Writes events to `output`, and what there is to say of them to `notes`.
pub(super) fn show(
    args: &QueryArgs,
    answer: &Value,
    output: &mut impl Write,
    notes: &mut impl Write,
) -> Result<(), Failure> {
    let no_logs = || Failure::new("expected an answer with logs, but found another");
    let logs = answer.get("logs").and_then(Value::as_array).ok_or_else(no_logs)?;
    if args.json {
        for log in logs {
            writeln!(output, "{log}")?;
        }
    } else if !logs.is_empty() {
        let rows: Vec<Map<_, _>> = logs.iter().filter_map(Value::as_object).cloned().collect();
        let named: Vec<_> = match &args.fields {
            Some(fields) => fields.iter().map(|name| (&**name, kept_as(name))).collect(),
            None => columns(args.journal).to_vec(),
        };
        writeln!(output, "{}", table(&named, &rows))?;
    } else {
        writeln!(notes, "logtrace: no event matches")?;
    }
    output.flush()?;
    let meta = |name: &str| answer.get("meta").and_then(|meta| meta.get(name));
    if meta("partial") == Some(&Value::Bool(true)) {
        let reasons = meta("partial_reasons").and_then(Value::as_array);
        let reasons = reasons.into_iter().flatten().filter_map(Value::as_str).map(visible);
        let reasons = reasons.collect::<Vec<_>>().join("; ");
        writeln!(notes, "logtrace: events may be missing: {reasons}")?;
    }
    if let Some(cursor) = meta("next_cursor").and_then(Value::as_str) {
        writeln!(notes, "logtrace: there may be more: --cursor {}", visible(cursor))?;
    }
    Ok(())
}

/// The name that an answer has for a field: a host that is text is `host.name`.
fn kept_as(name: &str) -> &str {
    if name == "host" { "host.name" } else { name }
}

/// What is shown of an event, unless fields are named.
fn columns(journal: Option<Journal>) -> &'static [(&'static str, &'static str)] {
    match journal {
        None => &[
            ("time", "@timestamp"),
            ("level", "level"),
            ("host", "host.name"),
            ("service", "service"),
            ("message", "message"),
        ],
        Some(Journal::Access) => &[
            ("time", "@timestamp"),
            ("call", "message"),
            ("source", "source.ip"),
            ("key", "api_key"),
            ("endpoint", "endpoint"),
            ("events", "events_accepted"),
            ("bytes", "request_bytes"),
        ],
        Some(Journal::Advisory) => &[
            ("time", "@timestamp"),
            ("level", "level"),
            ("kind", "kind"),
            ("subject", "subject"),
            ("advice", "advice"),
            ("project", "project"),
        ],
        Some(Journal::Blocked) => &[
            ("time", "@timestamp"),
            ("reason", "reason"),
            ("rule", "rule"),
            ("source", "source.ip"),
            ("key", "api_key"),
            ("endpoint", "endpoint"),
            ("count", "count"),
        ],
        Some(Journal::Dashboard) => DASHBOARD,
        Some(Journal::Session) => SESSION,
        Some(Journal::Failed) => &[
            ("time", "@timestamp"),
            ("code", "error.code"),
            ("source", "source.ip"),
            ("endpoint", "endpoint"),
            ("message", "message"),
            ("sample", "sample"),
            ("count", "count"),
        ],
    }
}

/// What people did.
const DASHBOARD: &[(&str, &str)] = &[
    ("time", "@timestamp"),
    ("user", "user.email"),
    ("action", "action"),
    ("resource", "resource"),
    ("result", "result"),
    ("source", "source.ip"),
    ("details", "details"),
];

/// How they came and went.
const SESSION: &[(&str, &str)] = &[
    ("time", "@timestamp"),
    ("user", "user.email"),
    ("event", "event"),
    ("reason", "reason"),
    ("source", "source.ip"),
    ("session", "session.id"),
];
