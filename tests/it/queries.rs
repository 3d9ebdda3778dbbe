//! What is computed of events, over the whole way from the socket.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Daemon, wait_for, yesterday};

/// Events of two services, an hour apart, one of three an error.
fn lines(count: usize) -> String {
    let (mut lines, day) = (String::new(), yesterday());
    for n in 0..count {
        let (hour, service, severity) = (n % 2, ["api", "web"][n % 2], [6, 6, 3][n % 3]);
        writeln!(
            lines,
            "<{}>1 {day}T1{hour}:15:58Z web-1 {service} - - - request {n} took {} ms",
            128 + severity,
            n % 50
        )
        .unwrap();
    }
    lines
}

fn asked(daemon: &Daemon, path: &str, body: &Value) -> Value {
    let mut body = body.clone();
    body["from"] = json!(format!("{}T10:00:00Z", yesterday()));
    body["to"] = json!(format!("{}T11:59:59Z", yesterday()));
    let (status, answer) = daemon.call("POST", &format!("/v1/logs/{path}"), None, Some(&body));
    assert_eq!((status, &answer["meta"]["partial"]), (200, &json!(false)), "{answer}");
    answer
}

fn count(daemon: &Daemon) -> u64 {
    asked(daemon, "stats", &json!({}))["groups"][0]["count"].as_u64().unwrap()
}

#[test]
fn what_was_sent_is_counted_staged_and_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "store.seal_after = \"100ms\"\n");
    daemon.send("tcp", lines(3_000).as_bytes());
    wait_for("all events", || (count(&daemon) == 3_000).then_some(()));
    let day = yesterday();
    let check = || {
        let by = json!({"filter": "level:ERROR", "by": ["service"], "aggregates": ["count"]});
        let mut groups = asked(&daemon, "stats", &by)["groups"].as_array().unwrap().clone();
        groups.sort_by_key(Value::to_string);
        let group = |service: &str| json!({"by": {"service": service}, "count": 500});
        assert_eq!(groups, [group("api"), group("web")]);
        let over_time = asked(&daemon, "histogram", &json!({"interval": "1h", "by": "level"}));
        let bucket =
            |hour: &str| json!({"time": format!("{day}T{hour}:00:00.000Z"), "count": 1500});
        assert_eq!(over_time["buckets"], json!([bucket("10"), bucket("11")]));
        assert_eq!(
            over_time["series"][0],
            json!({"value": "INFO", "count": 2000, "counts": [1000, 1000]})
        );
        let facets = asked(&daemon, "facets", &json!({"field": "level"}));
        let value = |value: &str, count: u64| json!({"value": value, "count": count});
        assert_eq!(
            facets["facets"][0]["values"],
            json!([value("INFO", 2000), value("ERROR", 1000)])
        );
        let patterns = asked(&daemon, "patterns", &json!({"filter": "service:api"}));
        let pattern = &patterns["patterns"][0];
        assert_eq!(
            (&pattern["pattern"], &pattern["count"]),
            (&json!("request <*> took <*> ms"), &json!(1500))
        );
        let one = daemon.find("message:\"request 30 took\"");
        let path = format!("/v1/logs/{}/context?before=1&after=1", one["_id"].as_str().unwrap());
        let (status, around) = daemon.call("GET", &path, None, None);
        assert_eq!(status, 200, "{around}");
        let messages = [&around["before"][0], &around["event"], &around["after"][0]];
        let messages = messages.map(|event| event["message"].as_str().unwrap());
        assert_eq!(
            messages,
            ["request 28 took 28 ms", "request 30 took 30 ms", "request 32 took 32 ms"]
        );
    };
    check();
    wait_for("the seal", || {
        let (_, health) = daemon.call("GET", "/v1/health", None, None);
        (health["store"]["staged_events"] == 0).then_some(())
    });
    check();
    let answer = asked(&daemon, "stats", &json!({"by": ["service"]}));
    assert_eq!(answer["meta"]["scanned_events"], 0, "the catalog tells all: {answer}");
}

#[test]
fn qy_12_what_others_would_obey_is_data() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let texts = [
        "<script>alert(1)</script><img src=x onerror=\"alert('x')\"> &amp;",
        "\u{1b}[31mred\u{1b}]0;title\u{7} and \u{9b}2J and \u{202e}desrever",
        "two\r\nlines\nHTTP/1.1 200 OK\r\n\r\n{\"logs\":[]}",
        "=HYPERLINK(\"http://x.example\",\"x\")",
        "@SUM(1+1)*cmd|' /C calc'!A0",
        "+1+cmd|' /C calc'!A0",
        "-2+3,\"quoted\",",
    ];
    for (number, text) in texts.iter().enumerate() {
        let line = format!("<14>1 - web-1 qy12 {number} - - {text}");
        daemon.send("counted", format!("{} {line}", line.len()).as_bytes());
    }
    for (number, text) in texts.iter().enumerate() {
        // JSON says exactly what was sent, and nothing of it ends its string.
        let found = daemon.find(&format!("log.syslog.procid:{number} and service:qy12"));
        assert_eq!(found["message"], json!(text));
    }
    let (status, patterns) =
        daemon.call("POST", "/v1/logs/patterns", None, Some(&json!({"filter": "service:qy12"})));
    assert_eq!((status, &patterns["meta"]["count"]), (200, &json!(texts.len())), "{patterns}");
    is_data_as_a_table(&daemon, &texts);
    // A terminal is told no more than letters; JSON, which programs read, has one line for each.
    for more in [&[][..], &["--json"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logtrace"));
        let server = format!("--server=http://{}", daemon.address("api"));
        let output = command.args(["query", &server, "service:qy12"]).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let shown = String::from_utf8(output.stdout).unwrap();
        let is_obeyed = |c: &char| *c != '\n' && (*c < ' ' || more.is_empty() && c.is_control());
        assert_eq!(shown.chars().find(is_obeyed), None, "{shown:?}");
        if more.is_empty() {
            assert!(!shown.contains('\u{202e}') && !shown.contains("\nHTTP/1.1"), "{shown:?}");
        } else {
            let lines = shown.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let mut found: Vec<Value> = lines.map(|line| line["message"].clone()).collect();
            found.sort_by_key(|text| texts.iter().position(|own| text == own));
            assert_eq!(found, texts);
        }
    }
}

/// A row each, whatever is in it, and no cell that a program for tables computes. A browser that is
/// sent to it makes no page of it.
#[track_caller]
fn is_data_as_a_table(daemon: &Daemon, texts: &[&str]) {
    let path = "/v1/logs/export?format=csv&filter=service:qy12&fields=log.syslog.procid,message";
    let url = format!("http://{}{path}", daemon.address("api"));
    let mut answer = ureq::get(url).call().unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-type").starts_with("text/csv"), "{}", header("content-type"));
    assert!(header("content-disposition").starts_with("attachment"));
    assert_eq!(header("x-content-type-options"), "nosniff");
    let table = answer.body_mut().read_to_string().unwrap();
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), texts.len(), "{table:?}");
    for row in rows {
        let text = texts[row[0].parse::<usize>().unwrap()];
        let is_formula = text.starts_with(['=', '+', '-', '@']);
        let want = if is_formula { format!("'{text}") } else { text.to_owned() };
        assert_eq!(&row[1], want);
    }
}

/// In quotes, where `\"` and `\\` stand for `"` and `\`, any name and any value is what it is: nothing is
/// normalised, and case counts.
#[test]
fn qy_10_any_name_and_any_value_is_found_and_no_other_is() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "store.seal_after = \"100ms\"\n");
    let line =
        |(n, text): (usize, &&str)| json!({"n": n, *text: "found", "value": text}).to_string();
    let lines: String = TEXTS.iter().enumerate().map(line).map(|line| line + "\n").collect();
    daemon.send("json", lines.as_bytes());
    daemon.settle("json", TEXTS.len() as u64);
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let check = || {
        for (n, text) in TEXTS.iter().enumerate() {
            for filter in [
                format!("{}:found", quoted(text)),
                format!("{}:*", quoted(text)),
                format!("value:{}", quoted(text)),
            ] {
                let found: Vec<_> =
                    daemon.query(&filter).iter().map(|log| log["n"].clone()).collect();
                assert_eq!(found, [json!(n)], "{filter}");
            }
            let stats = json!({"by": [text], "filter": format!("{}:*", quoted(text))});
            let (status, answer) = daemon.call("POST", "/v1/logs/stats", None, Some(&stats));
            let want = json!([{"by": {*text: "found"}, "count": 1}]);
            assert_eq!((status, &answer["groups"]), (200, &want), "{text:?}");
            let facets = json!({"field": text});
            let (status, answer) = daemon.call("POST", "/v1/logs/facets", None, Some(&facets));
            let want = json!([{"value": "found", "count": 1}]);
            assert_eq!((status, &answer["facets"][0]["values"]), (200, &want), "{text:?}");
        }
    };
    check();
    wait_for("the seal", || (daemon.metrics().get("logtrace_segments") > 0).then_some(()));
    check();
}

/// Names and values that mean something else to a query when they are not in quotes.
const TEXTS: [&str; 21] = [
    "field name",
    "a\"b",
    "\"quoted \\\"twice\\\"\"",
    "a\\b",
    "a:b",
    "größe",
    "gro\u{308}ße",
    "Größe",
    "GRÖSSE",
    "a\0b",
    "or",
    "(x) and {y}",
    "a*b",
    "axb",
    "*",
    "a.b",
    "it's",
    "日本 語",
    "null",
    "~/x/",
    "[1 TO 2]",
];
