//! `logtrace doctor`: why someone is turned away, what is odd of what they send, and what mends it; of
//! nobody in particular, all senders that something is odd of.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::args::ServerArgs;
use super::client::Client;
use super::failure::Failure;
use super::rule_args::DoctorArgs;
use super::table::{cell, table};
use super::visible::{visible, visible_lines};

/// Explains.
pub(super) fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let DoctorArgs { address, key_id, host, shipper, target, user_agent, from, json, server } =
        args;
    if address.is_none() && key_id.is_none() && host.is_none() && user_agent.is_none() {
        if shipper.is_some() || target.is_some() || from.is_some() {
            let text = "expected --address, --key-id, --host or --user-agent beside --shipper, \
                        --target and --from, but found none";
            return Err(Failure::Usage(text.to_owned()));
        }
        return round(server, *json);
    }
    let asked = [
        ("address", address),
        ("key", key_id),
        ("host", host),
        ("shipper", shipper),
        ("target", target),
        ("user_agent", user_agent),
        ("from", from),
    ];
    let asked = asked.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)));
    let asked: Vec<_> = asked.collect();
    let found = Client::new(server).get_with("/v1/doctor", &asked)?;
    let mut output = io::stdout().lock();
    if *json {
        return Ok(writeln!(output, "{found}")?);
    }
    show(&found, &mut output)
}

/// Looks at all senders, and shows those that something is odd of, or that are overdue.
fn round(server: &ServerArgs, json: bool) -> Result<(), Failure> {
    let found = Client::new(server).get_with("/v1/senders", &[("limit", "10000")])?;
    let senders = found.get("senders").and_then(Value::as_array).into_iter().flatten();
    let senders: Vec<_> = senders.filter_map(Value::as_object).collect();
    let odd: Vec<_> = senders.iter().filter(|sender| !complaints(sender).is_empty()).collect();
    let mut output = io::stdout().lock();
    if json {
        writeln!(output, "{}", json!({"senders": odd, "looked_at": senders.len()}))?;
    } else {
        for sender in &odd {
            writeln!(output, "{}", line(sender))?;
        }
        let (odd, all) = (odd.len(), senders.len());
        writeln!(output, "something is odd of {odd} of {all} senders")?;
    }
    if odd.is_empty() { Ok(()) } else { Err(Failure::Found) }
}

/// What is wrong with a sender, in a word each.
fn complaints(sender: &Map<String, Value>) -> Vec<String> {
    let odd = sender.get("odd").and_then(Value::as_array).into_iter().flatten();
    let kinds = odd.filter_map(|odd| odd.get("kind")).map(cell);
    let is_overdue = sender.get("state").and_then(Value::as_str) == Some("overdue");
    is_overdue.then(|| "overdue".to_owned()).into_iter().chain(kinds).collect()
}

/// Who, what, and how to ask for more.
fn line(sender: &Map<String, Value>) -> String {
    let text = |name| sender.get(name).map(cell).unwrap_or_default();
    let (host, key) = (text("host"), text("key"));
    let by = if key.is_empty() { String::new() } else { format!(" (key {key})") };
    let what = complaints(sender).join(", ");
    // What it is asked by is typed into a shell.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let more = match host.chars().all(is_plain) && !host.starts_with('-') {
        true => format!("--host {host}"),
        false if !key.is_empty() => format!("--key-id {key}"),
        false => format!("--address {}", text("address")),
    };
    format!("{host}{by} at {}: {what}; more: logtrace doctor {more}", text("listener"))
}

fn show(found: &Value, output: &mut impl Write) -> Result<(), Failure> {
    let rows = |value: Option<&Value>| -> Vec<Map<String, Value>> {
        let rows = value.and_then(Value::as_array).into_iter().flatten();
        rows.filter_map(Value::as_object).cloned().collect()
    };
    let by = rows(found.get("by"));
    match by.is_empty() {
        true => writeln!(output, "nothing turns it away now")?,
        false => writeln!(output, "it is turned away:\n{}", table(&BY, &by))?,
    }
    let address = found.get("address");
    if let Some(country) = address.and_then(|address| address.get("country")) {
        writeln!(output, "\ncountry: {}", cell(country))?;
    }
    for list in ["allowlist", "blocklist"] {
        let matches = rows(address.and_then(|address| address.get(list)));
        let matches: Vec<_> = matches
            .into_iter()
            .filter_map(|one| match one.get("entry") {
                Some(entry) => entry.as_object().cloned(),
                None => one.get("source").and_then(Value::as_object).cloned(),
            })
            .collect();
        if !matches.is_empty() {
            writeln!(output, "\non the {list}:\n{}", table(&LISTED, &matches))?;
        }
    }
    let counted = rows(address.and_then(|address| address.get("automatic")));
    if !counted.is_empty() {
        writeln!(output, "\ncounted so far:\n{}", table(&COUNTED, &counted))?;
    }
    let recent = rows(found.get("recent"));
    if !recent.is_empty() {
        writeln!(output, "\nrefused lately:\n{}", table(&RECENT, &recent))?;
    }
    show_senders(found, &rows(found.get("senders")), output)
}

/// Shows what someone sends, what is odd about it, and what mends that.
fn show_senders(
    found: &Value,
    senders: &[Map<String, Value>],
    output: &mut impl Write,
) -> Result<(), Failure> {
    if senders.is_empty() {
        return Ok(writeln!(output, "\nnothing was heard of it")?);
    }
    writeln!(output, "\nit sends:\n{}", table(&SENDERS, senders))?;
    let odd: Vec<_> = senders
        .iter()
        .flat_map(|sender| {
            let odd = sender.get("odd").and_then(Value::as_array).into_iter().flatten();
            odd.filter_map(Value::as_object).map(|odd| {
                let mut row = odd.clone();
                row.insert("host".to_owned(), sender.get("host").cloned().unwrap_or_default());
                row
            })
        })
        .collect();
    if odd.is_empty() {
        return Ok(writeln!(output, "\nnothing is odd about it")?);
    }
    writeln!(output, "\nodd about it:\n{}", table(&ODD, &odd))?;
    for (kind, mend) in found.get("mends").and_then(Value::as_object).into_iter().flatten() {
        writeln!(output, "\n{}: {}", visible(kind), cell(mend))?;
    }
    let configuration = found.get("configuration").and_then(Value::as_object);
    for (shipper, text) in configuration.into_iter().flatten() {
        let text = text.as_str().unwrap_or_default();
        writeln!(output, "\n--- {}\n{}", visible(shipper), visible_lines(text))?;
    }
    Ok(())
}

const SENDERS: [(&str, &str); 9] = [
    ("host", "host"),
    ("at", "listener"),
    ("by", "protocol"),
    ("form", "form"),
    ("framing", "framing"),
    ("known by", "auth"),
    ("events", "events"),
    ("state", "state"),
    ("last seen", "last_seen"),
];

const ODD: [(&str, &str); 3] = [("host", "host"), ("what", "kind"), ("seen", "evidence")];

const BY: [(&str, &str); 2] = [("reason", "reason"), ("rule", "rule")];

const LISTED: [(&str, &str); 5] = [
    ("network", "net"),
    ("until", "expires_at"),
    ("from", "origin"),
    ("source", "source"),
    ("note", "note"),
];

const COUNTED: [(&str, &str); 3] = [("rule", "rule"), ("count", "count"), ("of", "threshold")];

const RECENT: [(&str, &str); 7] = [
    ("time", "@timestamp"),
    ("reason", "reason"),
    ("rule", "rule"),
    ("at", "endpoint"),
    ("from", "source.ip"),
    ("key", "api_key"),
    ("count", "count"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_with_something_odd_has_a_line() {
        let line = |sender: Value| line(sender.as_object().unwrap());
        let odd = json!([{"kind": "framing", "evidence": "x"}, {"kind": "no_host"}]);
        let web = json!({"host": "web-1", "key": "key_1", "listener": "tcp", "odd": odd});
        assert_eq!(
            line(web),
            "web-1 (key key_1) at tcp: framing, no_host; more: logtrace doctor --host web-1"
        );
        let quiet =
            json!({"host": "a b", "address": "192.0.2.7", "listener": "udp", "state": "overdue"});
        assert_eq!(line(quiet), "a b at udp: overdue; more: logtrace doctor --address 192.0.2.7");
        let fine = json!({"host": "web-2", "state": "fine", "odd": []});
        assert!(complaints(fine.as_object().unwrap()).is_empty());
        for host in ["$(reboot)", "-x", "a;b"] {
            let said = line(json!({"host": host, "key": "key_1", "listener": "tcp"}));
            assert!(said.ends_with("--key-id key_1"), "{said}");
        }
    }
}
