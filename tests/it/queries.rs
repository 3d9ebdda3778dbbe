//! What is computed of events, over the whole way from the socket; and many who ask at once.

use std::fmt::Write as _;
use std::process::Command;
use std::thread;

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
fn qy_06_many_heavy_queries_harm_no_sender() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "api.max_concurrent_queries = 2\n");
    daemon.send("tcp", lines(2_000).as_bytes());
    wait_for("the first events", || (count(&daemon) == 2_000).then_some(()));
    let heavy = json!({
        "filter": "message:*e*u*t*3*o*k* or message:~/(r.*)+x/",
        "by": ["message", "service"],
        "aggregates": ["count", "distinct(message)", "p99(log.syslog.priority)"],
    });
    let codes: Vec<u16> = thread::scope(|scope| {
        let ask = || daemon.call("POST", "/v1/logs/stats", None, Some(&heavy));
        let asking: Vec<_> = (0..100).map(|_| scope.spawn(ask)).collect();
        for _ in 0..10 {
            daemon.send("tcp", lines(1_000).as_bytes());
        }
        asking
            .into_iter()
            .map(|asking| asking.join().unwrap())
            .map(|(status, answer)| {
                let code = &answer["code"];
                assert!(status == 200 || (status == 503 && code == "busy"), "{status} {answer}");
                status
            })
            .collect()
    });
    assert!(codes.contains(&200));
    wait_for("all events", || (count(&daemon) == 12_000).then_some(()));
    assert!(daemon.stop().success());
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
