//! What a key may do that lacks the right to write logs: on every path that takes some.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::Daemon;

/// Where the paths are declared that logs come in by.
const SOURCES: [&str; 2] =
    [include_str!("../../src/net/http/mod.rs"), include_str!("../../src/net/http/elastic/mod.rs")];

/// Where the questions of Elasticsearch's clients are.
const ANSWERS: &str = include_str!("../../src/net/http/elastic/mod.rs");

/// Every path, how it is called, and with what; a path that is not here fails the test. Those without
/// a method take no logs: they tell clients that somebody is there.
const PATHS: &[(&str, &str, &str)] = &[
    ("/v1/logs/ingest", "POST", r#"{"logs":[{"message":"m"}]}"#),
    ("/gelf", "POST", r#"{"version":"1.1","host":"h","short_message":"m"}"#),
    ("/loki/api/v1/push", "POST", LOKI),
    ("/api/prom/push", "POST", LOKI),
    ("/ready", "", ""),
    ("/loki/api/v1/status/buildinfo", "", ""),
    ("/services/collector", "POST", r#"{"event":"m"}"#),
    ("/services/collector/event", "POST", r#"{"event":"m"}"#),
    ("/services/collector/event/1.0", "POST", r#"{"event":"m"}"#),
    ("/services/collector/raw", "POST", "m"),
    ("/services/collector/raw/1.0", "POST", "m"),
    ("/services/collector/ack", "POST", r#"{"acks":[0]}"#),
    ("/services/collector/health", "", ""),
    ("/services/collector/health/1.0", "", ""),
    ("/v1/logs", "POST", r#"{"resourceLogs":[]}"#),
    ("/upload", "POST", "__REALTIME_TIMESTAMP=1\nMESSAGE=m\n\n"),
    ("/elasticsearch/", "", ""),
    ("/", "", ""),
    ("/{index}", "", ""),
    ("/_bulk", "POST", BULK),
    ("/_bulk/", "POST", BULK),
    ("/{index}/_bulk", "POST", BULK),
    ("/{index}/_bulk/", "POST", BULK),
    ("/{index}/_doc", "POST", r#"{"message":"m"}"#),
    ("/{index}/_doc/", "POST", r#"{"message":"m"}"#),
    ("/{index}/_doc/{id}", "PUT", r#"{"message":"m"}"#),
    ("/{index}/_create/{id}", "PUT", r#"{"message":"m"}"#),
];

const LOKI: &str = r#"{"streams":[{"stream":{"a":"b"},"values":[["1790000000000000000","m"]]}]}"#;

const BULK: &str = "{\"create\":{\"_index\":\"i\"}}\n{\"message\":\"m\"}\n";

const SCOPES: [&str; 5] =
    ["write:logs", "read:logs", "write:alerts", "read:audit", "admin:projects"];

/// The paths that are declared.
fn declared() -> BTreeSet<&'static str> {
    let parts = SOURCES.iter().flat_map(|source| source.split(".route(").skip(1));
    let literals = parts.filter_map(|part| part.strip_prefix('"')?.split('"').next());
    literals.collect()
}

#[test]
fn au_09_every_path_of_logs_with_every_scope() {
    let rows: BTreeSet<_> = PATHS.iter().map(|(path, ..)| *path).collect();
    assert_eq!(declared(), rows, "a path and its row go together");
    let folder = tempfile::tempdir().unwrap();
    let listener = "[[listener]]\nname = \"web\"\nprotocol = \"http\"\ntransport = \"tcp\"\n\
                    listen = \"127.0.0.1:0\"\n";
    let daemon = Daemon::with_listeners(folder.path(), "", listener);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    for scope in SCOPES {
        let (_, key) = daemon.create_key(&json!({"name": "x", "scopes": [scope]}));
        for door in ["api", "web"] {
            for (path, method, body) in PATHS.iter().filter(|(_, method, _)| !method.is_empty()) {
                let path = path.replace("{index}", "logs").replace("{id}", "1");
                let url = format!("http://{}{path}", daemon.address(door));
                let call = ureq::http::Request::builder().method(*method).uri(url);
                let call = call.header("Authorization", format!("Bearer {key}"));
                let call = call.header("Content-Type", "application/json").body(*body).unwrap();
                let status = agent.run(call).unwrap().status().as_u16();
                let what = format!("{method} {path} at {door} with {scope}: {status}");
                assert_eq!(status == 403, scope != "write:logs", "{what}");
                assert_ne!(status, 401, "{what}");
            }
        }
    }
    let stored = daemon.metrics().sum("logtrace_stored_total", "");
    assert!(stored > 0 && daemon.query("message:m").len() as u64 == stored, "{stored}");
}

/// The questions that Elasticsearch's clients ask, which answers fit whoever may send logs: where
/// they are declared.
fn questions() -> Vec<String> {
    let literals = ANSWERS.split("\n    (\"").skip(1).filter_map(|part| part.split('"').next());
    let named =
        literals.map(|path| path.replace("{*what}", "indices").replace("/{index}", "/logs"));
    let named = named.map(|path| path.replace("{name}", "logs").replace("{nodes}", "_local"));
    let all: Vec<_> = named.chain(["/".to_owned()]).collect();
    all.iter().flat_map(|path| [path.clone(), format!("/elasticsearch{path}")]).collect()
}

/// As Elasticsearch with its security on: a question is answered to who may do what it is asked for,
/// and neither its product nor its version is told to anyone else.
#[test]
fn au_09_every_question_of_elasticsearch_with_every_scope_and_without_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let listeners = r#"
[[listener]]
name = "web"
protocol = "http"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "keyed"
protocol = "http"
transport = "tcp"
listen = "127.0.0.1:0"
require_key = true
"#;
    let daemon = Daemon::with_listeners(folder.path(), "", listeners);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let ask = |door: &str, method: &str, path: &str, key: Option<&str>| {
        let url = format!("http://{}{path}", daemon.address(door));
        let mut call = ureq::http::Request::builder().method(method).uri(url);
        if let Some(key) = key {
            call = call.header("Authorization", format!("ApiKey {key}"));
        }
        let mut answer = agent.run(call.body("").unwrap()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let product = answer.headers().contains_key("x-elastic-product");
        let challenge = answer.headers().contains_key("www-authenticate");
        (answer.status().as_u16(), text, product, challenge)
    };
    let questions = questions();
    assert!(questions.len() > 40, "{questions:?}");
    let unknown = format!("lt_live_{}", "5".repeat(32));
    let mut keys: Vec<_> = SCOPES
        .map(|scope| {
            let (_, key) = daemon.create_key(&json!({"name": "x", "scopes": [scope]}));
            (scope, Some(key), if scope == "write:logs" { 200 } else { 403 })
        })
        .into();
    keys.push(("no such key", Some(unknown), 401));
    keys.push(("no key", None, 200));
    for (what, key, want) in &keys {
        for door in ["api", "web", "keyed"] {
            let want = if (key, door) == (&None, "keyed") { 401 } else { *want };
            for path in &questions {
                let (status, text, product, challenge) = ask(door, "GET", path, key.as_deref());
                let what = format!("{path} at {door} with {what}: {status} {text}");
                assert_eq!(status, want, "{what}");
                assert!(product, "{what}");
                assert_eq!(challenge, want == 401, "{what}");
                if want != 200 {
                    assert!(text.contains("security_exception"), "{what}");
                    assert!(!text.contains("9.") && !text.contains("tagline"), "{what}");
                }
            }
            // Nor is who may not write told that a template was made.
            let (status, text, ..) = ask(door, "PUT", "/_index_template/logs", key.as_deref());
            assert_eq!(status, want, "{text}");
            assert_eq!(text.contains("acknowledged"), want == 200, "{text}");
        }
    }
}
