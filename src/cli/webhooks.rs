//! `logtrace webhooks`.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::args::{WebhooksAction, WebhooksArgs};
use super::client::Client;
use super::failure::Failure;
use super::table::{cell, table};

/// Does what is to be done with webhooks.
pub(super) fn run(args: &WebhooksArgs) -> Result<(), Failure> {
    let daemon = Client::new(&args.server);
    let done = match &args.action {
        WebhooksAction::List => daemon.get("/v1/webhooks")?,
        WebhooksAction::Create { url, events, project, note } => {
            let new = json!({"url": url, "events": events, "project": project, "note": note});
            daemon.post("/v1/webhooks", &new)?
        }
        WebhooksAction::Test { id } => daemon.post(&path(id, "/test")?, &json!({}))?,
        WebhooksAction::Deliveries { id } => daemon.get(&path(id, "/deliveries")?)?,
        WebhooksAction::Retry { id } => daemon.post(&path(id, "/retry")?, &json!({}))?,
        WebhooksAction::Remove { id } => daemon.delete(&path(id, "")?, &[])?,
    };
    let output = &mut io::stdout().lock();
    if args.json {
        writeln!(output, "{done}")?;
    } else {
        show(&args.action, &done, output)?;
    }
    // Whoever tries one out in a script wants to know by the exit code.
    match (&args.action, done.get("delivered")) {
        (WebhooksAction::Test { .. }, Some(Value::Bool(false))) => Err(Failure::Failed(why(&done))),
        _ => Ok(()),
    }
}

fn show(action: &WebhooksAction, done: &Value, output: &mut impl Write) -> Result<(), Failure> {
    let text = |name: &str| done.get(name).map(cell).unwrap_or_default();
    match action {
        WebhooksAction::List => {
            writeln!(output, "{}", table(&WEBHOOKS, &rows(done, "webhooks")))?;
        }
        WebhooksAction::Create { .. } => {
            writeln!(output, "{}", text("secret"))?;
            output.flush()?;
            let note = format!("{}: its secret is shown only now", text("id"));
            writeln!(io::stderr(), "logtrace: {note}")?;
        }
        WebhooksAction::Test { id } if done.get("delivered") == Some(&Value::Bool(true)) => {
            writeln!(output, "{id} took the call ({})", text("status"))?;
        }
        WebhooksAction::Test { .. } => {}
        WebhooksAction::Deliveries { .. } => {
            writeln!(output, "{}", table(&DELIVERIES, &rows(done, "deliveries")))?;
        }
        WebhooksAction::Retry { id } => {
            writeln!(output, "{id}: {} are tried again", text("retried"))?;
        }
        WebhooksAction::Remove { id } => writeln!(output, "{id} was removed")?,
    }
    Ok(())
}

/// Why a call was not taken.
fn why(done: &Value) -> String {
    match (done.get("error"), done.get("status")) {
        (Some(Value::String(error)), _) => error.clone(),
        (_, Some(status)) => format!("expected status 200 to 299, but found {status}"),
        _ => "expected an answer, but found none".to_owned(),
    }
}

fn rows(done: &Value, name: &str) -> Vec<Map<String, Value>> {
    let rows = done.get(name).and_then(Value::as_array);
    rows.into_iter().flatten().filter_map(Value::as_object).cloned().collect()
}

fn path(id: &str, end: &str) -> Result<String, Failure> {
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Failure::Usage(format!("expected the id of a webhook, but found {id:?}")));
    }
    Ok(format!("/v1/webhooks/{id}{end}"))
}

const WEBHOOKS: [(&str, &str); 7] = [
    ("id", "id"),
    ("project", "project"),
    ("events", "events"),
    ("url", "url"),
    ("queued", "queued"),
    ("given up", "dead"),
    ("note", "note"),
];

const DELIVERIES: [(&str, &str); 6] = [
    ("id", "id"),
    ("event", "event"),
    ("since", "created_at"),
    ("attempts", "attempts"),
    ("given up", "dead"),
    ("last error", "error"),
];
