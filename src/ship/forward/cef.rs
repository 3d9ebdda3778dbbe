//! Entries in `ArcSight`'s Common Event Format, version 0.
//!
//! `CEF:0|logtrace|logtrace|<version>|<what>|<name>|<severity>|<fields>`, as the message of a line
//! of syslog. What a field is called there is the dictionary's word where it has one; other fields
//! are called as here, with `_` for what may not stand in a name.

use std::net::IpAddr;

use super::entry::{Entry, text};
use super::syslog::Sayer;

/// An entry as a message.
pub(super) fn cef(sayer: &Sayer, entry: &Entry) -> String {
    let mut message = format!("{} - CEF:0|logtrace|logtrace|", sayer.header(entry));
    let what = ["reason", "error.code", "event", "kind"].iter().find_map(|name| entry.text(name));
    let what = what.unwrap_or_else(|| entry.journal.to_owned());
    let severity = severity(entry).to_string();
    for part in [env!("CARGO_PKG_VERSION"), &what, &entry.message(), &severity] {
        header(part, &mut message);
        message.push('|');
    }
    let mut fields = vec![("cat".to_owned(), entry.journal.to_owned())];
    fields.extend(
        entry
            .time()
            .map(|time| ("rt".to_owned(), time.as_micros().div_euclid(MILLISECOND).to_string())),
    );
    for (name, value) in &entry.fields {
        let Some(value) = text(value) else { continue };
        match name.as_str() {
            "@timestamp" | "@version" => {}
            "source.ip" | "address" => fields.extend(source(value)),
            _ => named(name, value, &mut fields),
        }
    }
    let mut is_first = true;
    for (name, value) in fields {
        if !std::mem::take(&mut is_first) {
            message.push(' ');
        }
        message.push_str(&name);
        message.push('=');
        extension(&value, &mut message);
    }
    message
}

/// 0 to 10: a tenth of the threat score, where there is one.
fn severity(entry: &Entry) -> u64 {
    let score = entry.text("threat_score").and_then(|score| score.parse::<u64>().ok());
    score.map_or_else(|| 10 - u64::from(entry.severity()), |score| score.div_ceil(10)).min(10)
}

/// An address has one name for each version of IP.
fn source(value: String) -> Vec<(String, String)> {
    let is_v6 = value.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6());
    if !is_v6 {
        return vec![("src".to_owned(), value)];
    }
    let label = ("c6a2Label".to_owned(), "Source IPv6 Address".to_owned());
    vec![("c6a2".to_owned(), value), label]
}

fn named(name: &str, value: String, fields: &mut Vec<(String, String)>) {
    let known = KNOWN.iter().find(|(own, ..)| *own == name);
    let Some((_, key, label)) = known else {
        let of_a_name = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let key = name.chars().map(of_a_name).take(MAX_NAME).collect();
        return fields.push((key, value));
    };
    fields.push(((*key).to_owned(), value));
    if let Some(label) = label {
        fields.push((format!("{key}Label"), (*label).to_owned()));
    }
}

/// A part of the header: `|` and `\` are escaped, and it is one line.
fn header(text: &str, into: &mut String) {
    for c in text.chars() {
        match c {
            '|' | '\\' => into.extend(['\\', c]),
            c if c.is_control() => into.push(' '),
            c => into.push(c),
        }
    }
}

/// The value of a field: `=` and `\` are escaped, and line feeds written as `\n`.
fn extension(text: &str, into: &mut String) {
    for c in text.chars() {
        match c {
            '=' | '\\' => into.extend(['\\', c]),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            c if c.is_control() => into.push(' '),
            c => into.push(c),
        }
    }
}

/// What fields are called there, and what those are labelled that have no meaning of their own.
const KNOWN: &[(&str, &str, Option<&str>)] = &[
    ("_id", "externalId", None),
    ("message", "msg", None),
    ("endpoint", "request", None),
    ("resource", "request", None),
    ("method", "requestMethod", None),
    ("user_agent.original", "requestClientApplication", None),
    ("count", "cnt", None),
    ("reason", "reason", None),
    ("error.code", "reason", None),
    ("event", "act", None),
    ("action", "act", None),
    ("result", "outcome", None),
    ("actor", "suser", None),
    ("operator", "suid", None),
    ("user.email", "suser", None),
    ("user.id", "suid", None),
    ("request_bytes", "in", None),
    ("response_bytes", "out", None),
    ("api_key", "cs1", Some("api_key")),
    ("rule", "cs2", Some("rule")),
    ("fingerprint", "cs3", Some("fingerprint")),
    ("country", "cs4", Some("country")),
    ("session.id", "cs5", Some("session")),
    ("threat_score", "cn1", Some("threat_score")),
    ("status", "cn2", Some("status")),
];

/// Microseconds of one.
const MILLISECOND: i64 = 1000;

/// The longest name of a field, in characters.
const MAX_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_as_cef() {
        let fields = json!({
            "@timestamp": "2026-11-21T12:00:00.500Z",
            "message": "a|b\\c\nd=e",
            "reason": "IP|BLOCK\\LISTED\n",
            "source.ip": "192.0.2.1",
            "user_agent.original": "x=1|\\\r\ny",
            "threat_score": 73,
            "fingerprint": "ff",
            "odd name.é": "z",
            "nothing": null,
        });
        let fields = fields.as_object().unwrap().clone();
        let entry = Entry { journal: "blocked", position: 1, fields };
        let sayer = Sayer { host: "here".to_owned(), process: 42 };
        let message = cef(&sayer, &entry);
        let version = env!("CARGO_PKG_VERSION");
        let want = format!(
            "<110>1 2026-11-21T12:00:00.500Z here logtrace 42 blocked - CEF:0|logtrace|logtrace|\
             {version}|IP\\|BLOCK\\\\LISTED |a\\|b\\\\c d=e|8|cat=blocked rt=1795262400500 "
        );
        assert!(message.starts_with(&want), "{message}\n{want}");
        for part in [
            r" msg=a|b\\c\nd\=e ",
            r" requestClientApplication=x\=1|\\\r\ny",
            " src=192.0.2.1 ",
            " cn1=73 cn1Label=threat_score",
            " cs3=ff cs3Label=fingerprint",
            " odd_name__=z",
        ] {
            assert!(message.contains(part), "{part} in {message}");
        }
        assert!(!message.contains('\n') && !message.contains("nothing"));
    }

    #[test]
    fn addresses_of_ipv6_have_a_name_of_their_own() {
        let fields = json!({"source.ip": "2001:db8::1"}).as_object().unwrap().clone();
        let entry = Entry { journal: "failed", position: 1, fields };
        let message = cef(&Sayer { host: "h".into(), process: 1 }, &entry);
        let want = "cat=failed c6a2=2001:db8::1 c6a2Label=Source IPv6 Address";
        assert!(message.ends_with(want), "{message}");
    }
}
