//! Commands over texts: the corpora, and what people see.

use std::io::{BufReader, Cursor};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{CommandFactory, Parser};
use serde_json::{Value, json};

use super::args::{Cli, Command, ParseArgs, QueryArgs};
use super::parse::Setup;
use super::{kql, query, tail};
use crate::kql::Syntax;
use crate::time::Timestamp;

fn corpus(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn parse_args(options: &[&str]) -> ParseArgs {
    match Cli::try_parse_from([&["logtrace", "parse"], options].concat()).unwrap().command {
        Some(Command::Parse(args)) => args,
        other => panic!("{other:?}"),
    }
}

/// The objects that `logtrace parse` writes.
fn parse(options: &[&str], input: &[u8]) -> Vec<Value> {
    let (setup, mut output) = (Setup::new(&parse_args(options)).unwrap(), Vec::new());
    setup.parse(&mut Cursor::new(input), &mut output).unwrap();
    let lines = output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn decoded(case: &Value, name: &str) -> Vec<u8> {
    STANDARD.decode(case[name].as_str().unwrap()).unwrap()
}

/// The field of the output, by its name in the corpus.
const SYSLOG_FIELDS: [(&str, &str); 8] = [
    ("facility", "log.syslog.facility.code"),
    ("severity", "log.syslog.severity.code"),
    ("hostname", "log.syslog.hostname"),
    ("app_name", "log.syslog.appname"),
    ("procid", "log.syslog.procid"),
    ("msgid", "log.syslog.msgid"),
    ("message", "message"),
    ("structured_data", "log.syslog.structured_data"),
];

#[test]
fn sy_01_the_corpus_line_in_and_line_out() {
    let mut wrong = Vec::new();
    let cases = corpus("syslog_cases.jsonl");
    for case in cases.iter().filter(|case| case["contested"] == false) {
        let raw = decoded(case, "raw_b64");
        let is_line = |raw: &[u8]| !raw.contains(&b'\n');
        if !is_line(&raw) {
            continue; // a message of several lines has no place in a text of lines
        }
        let text = |name: &str| case[name].as_str().unwrap();
        let options = ["--framing", "none", "--received-at", text("received_at"), "--peer"];
        let events = parse(&[&options[..], &[text("peer")]].concat(), &raw);
        assert_eq!(events.len(), usize::from(!raw.is_empty()), "{}", case["id"]);
        let Some(event) = events.first() else { continue };
        for (name, field) in SYSLOG_FIELDS {
            let none = if name == "structured_data" { json!({}) } else { Value::Null };
            let found = event.get(field).unwrap_or(&none);
            let want = case["expect"].get(name);
            let mut right = case["alt"][name].as_array().into_iter().flatten().chain(want);
            if want.is_some() && !right.any(|want| want == found) {
                wrong.push(format!("{}: {name} is {found} and not {want:?}", case["id"]));
            }
        }
        assert_eq!(event["peer.ip"], text("peer"));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn sy_01_many_lines_stay_in_order() {
    let cases = corpus("syslog_cases.jsonl");
    let lines = cases.iter().map(|case| decoded(case, "raw_b64"));
    let lines: Vec<_> = lines.filter(|raw| !raw.is_empty() && !raw.contains(&b'\n')).collect();
    let input = lines.join(&b'\n');
    let together = parse(&["--framing", "none", "--received-at", "2026-06-15T12:00:00Z"], &input);
    assert_eq!(together.len(), lines.len());
    for (line, event) in lines.iter().zip(together) {
        let options = ["--framing", "none", "--received-at", "2026-06-15T12:00:00Z"];
        assert_eq!(parse(&options, line), [event]);
    }
}

#[test]
fn js_01_the_corpus_line_in_and_events_out() {
    for case in corpus("json_lines_cases.jsonl") {
        let line = decoded(&case, "line_b64");
        let received_at = case["received_at"].as_str().unwrap();
        let options = ["--protocol", "logstash", "--received-at", received_at];
        let events = parse(&options, &line);
        let mut wanted = case["alt"].as_array().cloned().unwrap_or_default();
        wanted.push(case["expect"].clone());
        let fits = |wanted: &Value| {
            let all = wanted["events"].as_array().unwrap();
            let tagged = |(event, wanted): (&Value, &Value)| {
                let tags = wanted["tags"].as_array().into_iter().flatten();
                tags.into_iter().all(|tag| event["tags"].as_array().unwrap().contains(tag))
            };
            all.len() == events.len() && events.iter().zip(all).all(tagged)
        };
        assert!(wanted.iter().any(fits), "{}: {events:?}", case["id"]);
        assert!(events.iter().all(|event| event["received_at"] == received_at));
    }
}

#[test]
fn messages_are_cut_as_a_listener_cuts_them() {
    let input = [b"<13>x".repeat(60_000), b"\n".to_vec()].concat();
    let events = parse(&[], &input);
    assert_eq!(events.len(), 1);
    assert!(events[0]["tags"].as_array().unwrap().contains(&json!("truncated")));
    assert_eq!(events[0]["event.original_length"], json!(300_000));
    assert_eq!(parse(&[], b"5 <13>a7 <13>b c<13>d\n").len(), 3);
    assert_eq!(parse(&["--framing", "nul"], b"<13>a\0<13>b").len(), 2);
    let values = parse(&["--protocol", "logstash", "--framing", "auto"], b"{\"a\":\n1}{\"a\":2}");
    assert_eq!(values.len(), 2);
    let gelf = parse(&["--protocol", "gelf"], b"{\"short_message\":\"m\",\"_a\":1}\0{\"_a\":2}\nx");
    assert_eq!(gelf.len(), 3);
    assert_eq!((&gelf[0]["message"], &gelf[1]["a"]), (&json!("m"), &json!(2)));
    let options = ["--protocol", "gelf", "--framing", "none"];
    assert_eq!(parse(&options, b"{\"short_message\":\"a\"}\nno json\n").len(), 2);
}

#[test]
fn au_07_no_key_is_shown() {
    let key = "lt_live_0123456789abcdef0123456789abcdef";
    for input in [format!("{key} <13>x: {key}"), format!("<13>1 - - - - - - see {key}\n")] {
        let events = parse(&[], input.as_bytes());
        assert!(!json!(events).to_string().contains("0123456789abcdef"), "{events:?}");
    }
}

#[test]
fn what_is_not_read_is_said() {
    let refused = |options: &[&str]| Setup::new(&parse_args(options)).unwrap_err();
    let time = refused(&["--received-at", "soon"]);
    let text = "--received-at: expected an RFC 3339 time, but found \"soon\"";
    assert_eq!((time.code(), time.text().as_deref()), (2, Some(text)));
    assert!(Timestamp::parse_rfc3339(b"soon").is_none());
}

#[test]
fn qy_01_the_corpus_query_in_and_tree_out() {
    let cases = corpus("kql_cases.jsonl");
    let is_line = |case: &&Value| {
        case["kind"] == "parse"
            && case["contested"] == false
            && !case["query"].as_str().unwrap().contains(['\n', '\r'])
    };
    let cases: Vec<_> = cases.iter().filter(is_line).collect();
    let queries: Vec<_> = cases.iter().map(|case| case["query"].as_str().unwrap()).collect();
    let mut output = Vec::new();
    let mut input = Cursor::new(format!("{}\n", queries.join("\n")));
    kql::show(Syntax::Strict, &mut input, &mut output).unwrap();
    let trees = String::from_utf8(output).unwrap();
    assert_eq!(trees.lines().count(), cases.len());
    for (case, tree) in cases.iter().zip(trees.lines()) {
        let tree: Value = serde_json::from_str(tree).unwrap();
        match &case["expect"]["error"] {
            Value::Null => assert_eq!(tree, case["expect"]["ast"], "{}", case["id"]),
            _ => assert!(tree["error"]["expected"].is_string(), "{}: {tree}", case["id"]),
        }
    }
}

fn query_args(options: &[&str]) -> QueryArgs {
    match Cli::try_parse_from([&["logtrace", "query"], options].concat()).unwrap().command {
        Some(Command::Query(args)) => args,
        other => panic!("{other:?}"),
    }
}

const HOSTILE: &str = "\u{1b}]0;owned\u{7}\r\u{9b}2J\u{202e}x\n";

#[test]
fn co_18_tables_and_tails_of_hostile_events() {
    let log = json!({
        "@timestamp": "2026-06-15T12:00:00.000Z",
        "level": HOSTILE,
        "host.name": HOSTILE,
        "service": [HOSTILE, {"a": HOSTILE}],
        "message": HOSTILE,
        HOSTILE: HOSTILE,
    });
    let meta = json!({
        "partial": true,
        "partial_reasons": [HOSTILE],
        "next_cursor": HOSTILE,
    });
    let answer = json!({"logs": [log], "meta": meta});
    let (mut output, mut notes) = (Vec::new(), Vec::new());
    let journals = ["access", "advisory", "blocked", "dashboard", "failed", "session"]
        .map(|name| ["--journal", name]);
    let options = [&["x"][..], &["--fields", HOSTILE]];
    for options in options.into_iter().chain(journals.iter().map(|options| &options[..])) {
        query::show(&query_args(options), &answer, &mut output, &mut notes).unwrap();
    }
    let message = json!({HOSTILE: HOSTILE});
    for data in [&log, &message, &json!(HOSTILE)] {
        for name in ["", "event: partial\n", "event: \u{1b}c\n"] {
            let events = format!(": tail\n\n{name}data: {data}\n\n");
            let mut events = BufReader::new(Cursor::new(events));
            let ended = tail::follow(false, &mut events, &mut output, &mut notes);
            assert_eq!(ended.unwrap_err().code(), 1);
        }
    }
    for text in [output, notes] {
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\\u{1b}]0;owned\\u{7}"));
        let obeyed = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
        assert!(!text.contains(obeyed), "{text:?}");
    }
}

#[test]
fn tables_have_the_columns_that_people_look_for() {
    let log = json!({"@timestamp": "T", "level": "ERROR", "service": "pay", "message": "no money"});
    let answer = json!({"logs": [log], "meta": {"partial": false, "next_cursor": null}});
    let (mut output, mut notes) = (Vec::new(), Vec::new());
    query::show(&query_args(&[]), &answer, &mut output, &mut notes).unwrap();
    insta::assert_snapshot!(String::from_utf8(output).unwrap(), @r"
     time  level  host  service  message
     T     ERROR        pay      no money
    ");
    assert_eq!(notes, b"");
    let log = json!({
        "@timestamp": "T", "message": "POST /x 200", "kind": "clock", "subject": "web-1",
        "advice": "set it", "events_accepted": 3, "level": "WARN",
    });
    let of_journal = json!({"logs": [log], "meta": {"partial": false, "next_cursor": null}});
    let mut output = Vec::new();
    for journal in ["access", "advisory"] {
        let args = query_args(&["--journal", journal]);
        query::show(&args, &of_journal, &mut output, &mut notes).unwrap();
    }
    let lines = String::from_utf8(output).unwrap();
    let words: Vec<Vec<_>> = lines.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["time", "call", "source", "key", "endpoint", "events", "bytes"]);
    assert_eq!(words[1], ["T", "POST", "/x", "200", "3"]);
    assert_eq!(words[2], ["time", "level", "kind", "subject", "advice", "project"]);
    assert_eq!(words[3], ["T", "WARN", "clock", "web-1", "set", "it"]);
    let mut output = Vec::new();
    query::show(&query_args(&["--json"]), &answer, &mut output, &mut notes).unwrap();
    assert_eq!(String::from_utf8(output).unwrap(), format!("{}\n", answer["logs"][0]));
}

#[test]
fn a_tail_says_why_it_ended() {
    let events = "data: {\"message\":\"a\"}\n\nevent: end\ndata: {\"reason\":\"enough\"}\n\n";
    let mut output = Vec::new();
    let mut events = BufReader::new(Cursor::new(events));
    let ended = tail::follow(true, &mut events, &mut output, &mut Vec::new()).unwrap_err();
    assert_eq!(ended.text().as_deref(), Some("enough"));
    assert_eq!(output, b"{\"message\":\"a\"}\n");
}

#[test]
fn arguments_are_sound() {
    Cli::command().debug_assert();
    let is = |arguments: &[&str]| Cli::try_parse_from([&["logtrace"], arguments].concat());
    assert!(is(&[]).unwrap().command.is_none());
    assert!(is(&["--data", "x", "--set", "a.b=1", "--set", "c.d=2"]).is_ok());
    assert!(is(&["serve", "--config", "x"]).is_ok());
    assert!(is(&["keys", "list", "--server", "http://x", "--data", "d"]).is_ok());
    assert!(is(&["blocklist", "add", "10.0.0.0/8", "--expires-in", "1h", "--json"]).is_ok());
    assert!(is(&["query", "a:1", "--from", "-24h", "--fields", "a,b"]).is_ok());
    assert!(is(&["backup", "b", "--keep", "3", "--server", "http://x"]).is_ok());
    assert!(
        is(&["restore", "b", "--data", "d"]).is_ok() && is(&["restore", "b", "--check"]).is_ok()
    );
    assert!(is(&["delete", "a:1", "--from", "-1h", "--dry-run"]).is_ok());
    assert!(is(&["quarantine", "lift", "0000000000000001", "--json"]).is_ok());
    for wrong in [&["delete"][..], &["quarantine"]] {
        assert_eq!(is(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
    }
    for wrong in [&["backup", "b", "--keep", "0"][..], &["restore", "b"], &["backup"]] {
        assert_eq!(is(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
    }
    for wrong in [&["nope"][..], &["parse", "--framing", "x"], &["keys"], &["query", "a", "b"]] {
        assert_eq!(is(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
    }
}
