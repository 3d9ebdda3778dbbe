//! `logtrace delete`.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::args::DeleteArgs;
use super::client::Client;
use super::failure::Failure;
use super::visible::visible;

/// Deletes what a query finds, or counts it.
pub(super) fn run(args: &DeleteArgs) -> Result<(), Failure> {
    let question = json!({
        "filter": args.filter,
        "from": args.from,
        "to": args.to,
        "syntax": if args.strict { "strict" } else { "lenient" },
        "dry_run": args.dry_run,
    });
    let done = Client::new(&args.server).post("/v1/logs/delete", &question)?;
    let output = &mut io::stdout().lock();
    if args.json {
        return Ok(writeln!(output, "{done}")?);
    }
    let matched = done.get("matched").and_then(Value::as_u64).unwrap_or_default();
    let said = if args.dry_run { "events would be deleted" } else { "events deleted" };
    writeln!(output, "{matched} {said}")?;
    let reasons = done.get("partial_reasons").and_then(Value::as_array);
    let reasons: Vec<_> =
        reasons.into_iter().flatten().filter_map(Value::as_str).map(visible).collect();
    if !reasons.is_empty() {
        writeln!(io::stderr(), "logtrace: events may be left: {}", reasons.join("; "))?;
    }
    Ok(())
}
