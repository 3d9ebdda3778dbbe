//! `logtrace tail`.

use std::io::{self, BufRead, Read, Write};

use serde_json::Value;

use super::args::TailArgs;
use super::client::Client;
use super::failure::Failure;
use super::table::cell;
use super::visible::visible;

/// Follows a daemon's logs until it ends.
pub(super) fn run(args: &TailArgs) -> Result<(), Failure> {
    let mut query = vec![("filter", &*args.filter)];
    if let Some(fields) = &args.fields {
        query.push(("fields", fields));
    }
    if let Some(journal) = args.journal {
        query.push(("journal", journal.as_str()));
    }
    if args.strict {
        query.push(("syntax", "strict"));
    }
    let mut events = Client::new(&args.server).stream("/v1/logs/tail", &query)?;
    follow(args.json, &mut events, &mut io::stdout().lock(), &mut io::stderr().lock())
}

/// Writes each event of a stream of server-sent events, until it ends, and says why it did.
pub(super) fn follow(
    json: bool,
    events: &mut impl BufRead,
    output: &mut impl Write,
    notes: &mut impl Write,
) -> Result<(), Failure> {
    let (mut name, mut data) = (String::new(), String::new());
    while let Some(line) = line(events)? {
        if let Some(value) = field(&line, "event") {
            value.clone_into(&mut name);
        } else if let Some(value) = field(&line, "data") {
            value.clone_into(&mut data);
        } else if line.is_empty() && !data.is_empty() {
            match &*name {
                "" if json => writeln!(output, "{data}")?,
                "" => writeln!(output, "{}", shown(&data))?,
                "end" => return Err(Failure::new(member(&data, "reason"))),
                name => writeln!(notes, "logtrace: {}: {}", visible(name), visible(&data))?,
            }
            output.flush()?;
            name.clear();
            data.clear();
        }
    }
    Err(Failure::new("the daemon has closed the connection"))
}

/// The next line; `None` at the end.
fn line(events: &mut impl BufRead) -> Result<Option<String>, Failure> {
    let mut line = Vec::new();
    events.take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE {
        return Err(Failure::new("expected shorter lines from the daemon, but found a longer one"));
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
}

/// The value of a line, if it is this field's.
fn field<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let value = line.strip_prefix(name)?.strip_prefix(':')?;
    Some(value.strip_prefix(' ').unwrap_or(value))
}

fn member(data: &str, name: &str) -> String {
    let data: Option<Value> = serde_json::from_str(data).ok();
    data.as_ref().and_then(|data| data.get(name)).map(cell).unwrap_or_default()
}

/// An event as a line.
fn shown(data: &str) -> String {
    let Ok(Value::Object(log)) = serde_json::from_str(data) else { return visible(data) };
    let named = ["@timestamp", "level", "host.name", "service", "message"];
    let named: Vec<_> = named.iter().filter_map(|name| log.get(*name)).map(cell).collect();
    if log.contains_key("message") {
        return named.join(" ");
    }
    // Without a message, what was asked for is in other fields.
    log.iter()
        .map(|(name, value)| format!("{}={}", visible(name), cell(value)))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The longest line that a daemon sends, in bytes.
const MAX_LINE: u64 = 64 * 1024 * 1024;
