//! Streams and datagrams that are odd: nothing of them is lost, and nobody else notices.

use std::io::{Read, Write};
use std::net::{Shutdown, UdpSocket};

use serde_json::json;

use crate::support::{Daemon, wait_for, yesterday};

#[test]
fn a_line_in_is_a_line_out() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let time = format!("{}T12:15:58.423548Z", yesterday());
    let line = format!("<165>1 {time} web-1 app 77 ID47 [x@1 a=\"b\"] hello there\n");
    daemon.send("tcp", line.as_bytes());
    let event = daemon.find("hello");
    let table = [
        ("@timestamp", json!(time)),
        ("@version", json!("1")),
        ("message", json!("hello there")),
        ("log.syslog.priority", json!(165)),
        ("log.syslog.facility.code", json!(20)),
        ("log.syslog.facility.name", json!("local4")),
        ("log.syslog.severity.code", json!(5)),
        ("log.syslog.severity.name", json!("Notice")),
        ("log.syslog.hostname", json!("web-1")),
        ("log.syslog.appname", json!("app")),
        ("log.syslog.procid", json!("77")),
        ("log.syslog.msgid", json!("ID47")),
        ("log.syslog.structured_data", json!({"x@1": {"a": "b"}})),
        ("host.name", json!("web-1")),
        ("service", json!("app")),
        ("level", json!("INFO")),
        ("tags", json!([])),
        ("peer.ip", json!("127.0.0.1")),
        ("auth.method", json!("anonymous")),
        ("listener", json!("tcp")),
    ];
    for (name, want) in table {
        assert_eq!(event[name], want, "{name} of {event:#}");
    }
    assert_eq!(event["_id"].as_str().unwrap().len(), 16);
}

#[test]
fn fr_12_a_line_over_the_limit_is_one_event_cut_once() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let limit = 256 * 1024;
    for surplus in [1, 20, 10_000_000] {
        let mut text = format!("<13>1 - h a - - - {surplus} ").into_bytes();
        text.resize(limit + surplus, b'x');
        text.push(b'\n');
        daemon.send("tcp", &text);
        let event = daemon.find(&format!("message:\"{surplus}\""));
        assert_eq!(event["tags"], json!(["truncated"]));
        assert_eq!(event["event.original_length"], json!(limit + surplus));
    }
    daemon.settle("tcp", 3);
}

#[test]
fn fr_14_a_last_line_without_its_end_is_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    daemon.send("tcp", b"<13>Nov 20 12:00:00 h a: first\n<13>Nov 20 12:00:00 h a: last");
    assert_eq!(daemon.find("message:last")["message"], "last");
    // The same, with a reset instead of an end.
    let mut stream = daemon.connect("tcp");
    stream.write_all(b"<13>Nov 20 12:00:00 h a: before the reset\n<13>cut").unwrap();
    daemon.find("message:\"before the reset\"");
    socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(stream);
    daemon.settle("tcp", 4);
}

#[test]
fn fr_18_tls_on_a_plain_port_and_text_on_a_tls_port_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    daemon.send("tcp", &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);
    let entry = daemon.find_in("failed", "error.code:TLS_ON_PLAIN_PORT");
    assert_eq!(entry["endpoint"], "tcp");
    let mut stream = daemon.connect("tls");
    stream.write_all(b"<13>Nov 20 12:00:00 h a: plain text, and long enough\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let _alert = stream.read_to_end(&mut Vec::new()).is_ok();
    let entry = daemon.find_in("failed", "error.code:TLS_HANDSHAKE");
    assert!(entry["message"].as_str().unwrap().contains("plain text"), "{entry}");
    // HTTP on a syslog port stays text, and nothing answers.
    let mut stream = daemon.connect("tcp");
    stream.write_all(b"GET /robots.txt HTTP/1.1\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty());
    daemon.find("message:\"robots.txt\"");
    let entry = daemon.find_in("failed", "error.code:HTTP_ON_PLAIN_PORT");
    assert_eq!(entry["endpoint"], "tcp");
    // So do others who wanted somebody else.
    for (bytes, name, code) in [
        (&b"\xff\xfd\x18\xff\xfd\x20"[..], "telnet", "TELNET_ON_PLAIN_PORT"),
        (b"\0\0\0\x85\xffSMBr\0\0\0\0\x18\x53\xc8", "SMB", "SMB_ON_PLAIN_PORT"),
        (b"*1\r\n$4\r\nPING\r\n", "Redis", "REDIS_ON_PLAIN_PORT"),
    ] {
        let mut stream = daemon.connect("tcp");
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.is_empty(), "nothing answers {name}");
        let entry = daemon.find_in("failed", &format!("error.code:{code} and endpoint:tcp"));
        assert!(entry["message"].as_str().unwrap().ends_with(name), "{entry}");
        assert_eq!(entry["count"], 1);
    }
    daemon.find("message:PING");
    // But no page of a browser on this machine writes events.
    for listener in ["tcp", "json"] {
        let page = "POST / HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nOrigin: https://evil.example\r\n\
                    Content-Length: 23\r\n\r\n{\"message\":\"of a page\"}\n";
        daemon.send(listener, page.as_bytes());
        let entry =
            daemon.find_in("blocked", &format!("rule:\"key:web_page\" and endpoint:{listener}"));
        assert_eq!(entry["reason"], "INVALID_API_KEY");
    }
    assert!(daemon.query("\"of a page\"").is_empty());
}

#[test]
fn ud_01_a_datagram_is_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(daemon.address("udp")).unwrap();
    let mut longest = b"<13>1 - h a - - - longest ".to_vec();
    longest.resize(65_507, b'x');
    let datagrams: [&[u8]; 5] = [
        b"",
        b"<13>1 - h a - - - without an end",
        b"<13>1 - h a - - - two\n<13>1 - h a - - - lines\n",
        b"36 <13>1 - h a - - - with a count of it",
        &longest,
    ];
    for datagram in datagrams {
        socket.send(datagram).unwrap();
    }
    daemon.settle("udp", 5);
    let ledger = daemon.metrics().ledger("udp");
    assert_eq!((ledger.stored, ledger.failed), (4, 1));
    let two = daemon.find("message:two");
    assert_eq!(two["message"], "two\n<13>1 - h a - - - lines");
    let longest = daemon.find("message:longest");
    assert_eq!(longest["message"].as_str().unwrap().len(), 65_507 - 18);
}

#[test]
fn js_05_a_field_of_every_kind_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let lines = concat!(
        r#"{"message":"m0","host":"web-1"}"#,
        "\n",
        r#"{"message":"m1","host":{"name":"web-2"}}"#,
        "\n",
        r#"{"message":"m2","x":1}"#,
        "\n",
        r#"{"message":"m3","x":"one"}"#,
        "\n",
        r#"{"message":"m4","x":{"y":1}}"#,
        "\n",
        r#"{"message":"m5","x":["one",2]}"#,
        "\n",
    );
    daemon.send("json", lines.as_bytes());
    daemon.settle("json", 6);
    let found = |filter: &str| -> Vec<String> {
        let mut found: Vec<_> = daemon
            .query(filter)
            .iter()
            .map(|e| e["message"].as_str().unwrap().to_owned())
            .collect();
        found.sort();
        found
    };
    assert_eq!(found("host.name:web-1"), ["m0"]);
    assert_eq!(found("host.name:web-2"), ["m1"]);
    assert_eq!(found("x:1"), ["m2"]);
    assert_eq!(found("x:one"), ["m3", "m5"]);
    assert_eq!(found("x.y:1"), ["m4"]);
    assert_eq!(found("x:2"), ["m5"]);
}

#[test]
fn sy_11_a_clock_ten_years_off_is_stored_under_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "[store]\nseal_after = \"100ms\"\n");
    for year in [2016, 2036] {
        daemon
            .send("tcp", format!("<13>1 {year}-06-15T12:00:00Z h a - - - of {year}\n").as_bytes());
    }
    daemon.settle("tcp", 2);
    for year in [2016, 2036] {
        let query = json!({
            "from": format!("{year}-06-15T11:00:00Z"), "to": format!("{year}-06-15T13:00:00Z"),
        });
        let found = daemon.query_with(&query);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["message"], format!("of {year}"));
        assert_eq!(found[0]["tags"], json!(["clock_skew"]));
    }
}

#[test]
fn js_04_names_without_end_do_not_stop_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "[store]\nseal_after = \"100ms\"\n");
    let log = |log: usize| {
        let field = |n: usize| (format!("name_{log}_{n}"), json!(n));
        let mut fields: serde_json::Map<_, _> = (0..990).map(field).collect();
        fields.insert("message".to_owned(), json!("wide"));
        serde_json::Value::Object(fields)
    };
    let body = json!({"logs": (0..70).map(log).collect::<Vec<_>>()});
    let (status, answer) = daemon.call("POST", "/v1/logs/ingest", None, Some(&body));
    assert_eq!((status, &answer["accepted"]), (202, &json!(70)), "{answer}");
    // All of it is sealed, and what had no column of its own is found by its path.
    wait_for("the seal", || (daemon.metrics().get("logtrace_segment_events") >= 70).then_some(()));
    assert_eq!(daemon.query("message:wide").len(), 70);
    assert_eq!(daemon.query("name_0_989:989").len(), 1);
    let last = daemon.query("event.more.name_69_989:989");
    assert_eq!(last.len(), 1);
    assert_eq!(last[0]["tags"], json!(["too_many_fields"]));
}
