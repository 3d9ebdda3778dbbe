//! Rules: every reason on every way in, what the journal says of it, and what the client does not.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, UdpSocket};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Address, Daemon, LISTENERS, countries, finish, tls, wait_for};

const UNKNOWN: &str = "lt_live_00000000000000000000000000000000";

const ABROAD: &str = "198.51.100.81";

/// A way in: the name of its listener, or `http`.
const WAYS: [&str; 6] = ["tcp", "udp", "tls", "json", "json-udp", "http"];

/// Sends a message by one of [`WAYS`], from an address or from loopback; what was answered.
fn send(
    folder: &Path,
    daemon: &Daemon,
    way: &str,
    from: Option<&Address>,
    key: &str,
    text: &str,
) -> String {
    let syslog = match key {
        "" => format!("<13>1 - h a - - - {text}\n"),
        key => format!("<13>1 - h a - - [lt@32473 key=\"{key}\"] {text}\n"),
    };
    let mut log = json!({"message": text});
    if !key.is_empty() {
        log["api_key"] = json!(key);
    }
    let connect = |name: &str| match from {
        Some(address) => address.connect(daemon.address(name)),
        None => daemon.connect(name),
    };
    let mut answer = Vec::new();
    match way {
        "udp" | "json-udp" => {
            let own = if from.is_some() { ABROAD } else { "127.0.0.1" };
            let socket = UdpSocket::bind((own, 0)).unwrap();
            let line = if way == "udp" { syslog } else { format!("{log}\n") };
            socket.send_to(line.as_bytes(), daemon.address(way)).unwrap();
            return String::new();
        }
        "tls" => {
            let mut stream = tls(folder, connect(way), None);
            // Who is turned away for the address is before the handshake.
            if stream.write_all(syslog.as_bytes()).is_ok() {
                let _ended = finish(stream).is_ok();
            }
        }
        "http" => {
            let body = json!({"logs": [{"message": text}]}).to_string();
            let auth = if key.is_empty() {
                String::new()
            } else {
                format!("Authorization: Bearer {key}\r\n")
            };
            let call = format!(
                "POST /v1/logs/ingest HTTP/1.1\r\nHost: localhost\r\nUser-Agent: agent/1\r\n{auth}\
                 Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let mut stream = connect("api");
            let _written = stream.write_all(call.as_bytes()).is_ok();
            let _read = stream.read_to_end(&mut answer).is_ok();
        }
        _ => {
            let line = if way == "json" { format!("{log}\n") } else { syslog };
            let mut stream = connect(way);
            let _written = stream.write_all(line.as_bytes()).is_ok();
            let _ended = stream.shutdown(Shutdown::Write).is_ok();
            let _read = stream.read_to_end(&mut answer).is_ok();
        }
    }
    String::from_utf8(answer).unwrap()
}

/// What the journal says of a refusal at one of [`WAYS`], with every field of SPEC §4.
#[track_caller]
fn noted(daemon: &Daemon, reason: &str, way: &str) -> Value {
    let endpoint = if way == "http" { "/v1/logs/ingest" } else { way };
    let entry = daemon.find_in("blocked", &format!("reason:{reason} and endpoint:\"{endpoint}\""));
    for field in
        ["@timestamp", "rule", "source.ip", "country", "fingerprint", "method", "last_seen"]
    {
        assert!(entry[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {entry}");
    }
    assert!(
        entry["threat_score"].as_u64().is_some_and(|score| (1..=100).contains(&score)),
        "{entry}"
    );
    assert!(entry["count"].as_u64() >= Some(1), "{entry}");
    assert_eq!(
        entry["user_agent.original"].as_str(),
        (way == "http").then_some("agent/1"),
        "{entry}"
    );
    assert_eq!(entry["dry_run"], Value::Null);
    entry
}

/// What of an answer may tell why: its status and body, without what is another in each.
fn told(answer: &str) -> String {
    let lines = answer.lines().filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_reason_on_every_way_in() {
    let abroad = Address::add(ABROAD);
    let folder = tempfile::tempdir().unwrap();
    let network = (Ipv4Addr::new(198, 51, 100, 80), 30, "KP");
    fs::write(folder.path().join("test.mmdb"), countries(&[network])).unwrap();
    let config = "api.environment = \"production\"\n[gate]\ncountries = \"FOLDER/test.mmdb\"\n";
    let of_production = LISTENERS.replace("listen = ", "environment = \"production\"\nlisten = ");
    let daemon = Daemon::with_listeners(folder.path(), config, &of_production);
    let expired = short_lived(&daemon);
    let (_, staging) = daemon
        .create_key(&json!({"name": "test", "scopes": ["write:logs"], "environment": "staging"}));
    let (id, revoked) = daemon.create_key(&json!({"name": "old", "scopes": ["write:logs"]}));
    daemon.call("DELETE", &format!("/v1/keys/{id}"), None, None);
    let (_, reader) = daemon.create_key(&json!({"name": "reader", "scopes": ["read:logs"]}));
    let (_, far) = daemon
        .create_key(&json!({"name": "far", "scopes": ["write:logs"], "allow": ["192.0.2.0/24"]}));
    let limits = json!({"events_per_second": 0});
    let (_, none) =
        daemon.create_key(&json!({"name": "none", "scopes": ["write:logs"], "limits": limits}));
    let rules = json!({"rules": [
        {"id": "abuse", "kind": "literal", "pattern": "${jndi:"},
        {"id": "sql", "kind": "regex", "pattern": "(?i)union\\s+select", "abuse": "sql_injection"},
    ]});
    let (status, answer) = daemon.call("POST", "/v1/rules", None, Some(&rules));
    assert_eq!(status, 201, "{answer}");
    let table = [
        ("INVALID_API_KEY", UNKNOWN, "plain"),
        ("API_KEY_REVOKED", &revoked, "plain"),
        ("API_KEY_EXPIRED", &expired, "plain"),
        ("ENVIRONMENT_MISMATCH", &staging, "plain"),
        ("SCOPE_MISSING", &reader, "plain"),
        ("IP_NOT_ALLOWED", &far, "plain"),
        ("RATE_LIMIT_EXCEEDED", &none, "plain"),
        ("ABUSE_PATTERN_DETECTED", "", "a ${JNDI:ldap} b"),
        ("SQL_INJECTION_ATTEMPT", "", "1 UNION  SELECT 2"),
    ];
    let mut answers: Vec<(&str, &str, String)> = Vec::new();
    for (reason, key, text) in table {
        for way in WAYS {
            let answer = send(folder.path(), &daemon, way, None, key, text);
            assert!(!answer.contains(reason) && !answer.contains("rule"), "{answer}");
            answers.push((way, reason, told(&answer)));
        }
    }
    // Only then: entries come once a second.
    for (reason, key, _) in table {
        for way in WAYS {
            let entry = noted(&daemon, reason, way);
            assert_eq!(entry["api_key"].is_string(), !key.is_empty(), "{entry}");
            assert_eq!(entry["country"], "unknown");
        }
    }
    what_breaks_the_protocol_is_refused_and_told_nothing(&daemon);
    // Of those who come from another address: the country, and then the list, which comes first.
    let rule = json!({"id": "geo", "kind": "country", "countries": ["KP"]});
    assert_eq!(daemon.call("POST", "/v1/rules", None, Some(&rule)).0, 201);
    for reason in ["GEO_BLOCKED", "IP_BLOCKLISTED"] {
        if reason == "IP_BLOCKLISTED" {
            let block = json!({"net": ABROAD});
            assert_eq!(daemon.call("POST", "/v1/blocklist", None, Some(&block)).0, 201);
        }
        for way in WAYS {
            let answer = send(folder.path(), &daemon, way, Some(&abroad), "", "plain");
            answers.push((way, reason, told(&answer)));
        }
        for way in WAYS {
            let entry = noted(&daemon, reason, way);
            assert_eq!((&entry["country"], &entry["source.ip"]), (&json!("KP"), &json!(ABROAD)));
        }
    }
    bl_09_answers_tell_nothing(&answers);
    assert_eq!(daemon.query("message:plain"), [json!(null); 0]);
    stays_open_whatever_the_key(&daemon, &[UNKNOWN, &revoked, &expired, &none, &staging]);
    WAYS.iter().for_each(|way| daemon.metrics().ledger(way).assert_adds_up());
}

/// A key that has expired by now.
fn short_lived(daemon: &Daemon) -> String {
    let new = json!({"name": "short", "scopes": ["write:logs"], "lifetime": "1s"});
    let (_, key) = daemon.create_key(&new);
    // It may not ask, and is told so for as long as it is good.
    wait_for("the end of the key", || {
        let (status, _) = daemon.call("POST", "/v1/logs/query", Some(&key), Some(&json!({})));
        (status == 401).then_some(())
    });
    key
}

/// What breaks the protocol: a datagram cannot, it is always a message.
fn what_breaks_the_protocol_is_refused_and_told_nothing(daemon: &Daemon) {
    let hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00".as_slice();
    for (way, bytes, rule) in [
        ("tcp", hello, "form:tls_on_plain_port"),
        ("json", hello, "form:tls_on_plain_port"),
        ("tls", b"<13>1 - h a - - - plain text\n".as_slice(), "form:tls_handshake"),
    ] {
        let mut stream = daemon.connect(way);
        let _written = stream.write_all(bytes).is_ok();
        let mut answer = Vec::new();
        let _closed = stream.read_to_end(&mut answer).is_ok();
        // An alert of TLS names no reason of ours.
        assert!(answer.is_empty() || way == "tls" && answer.starts_with(b"\x15\x03"), "{answer:?}");
        assert_eq!(noted(daemon, "MALFORMED_REQUEST", way)["rule"], rule);
    }
    // A call is told what is wrong with its body, and where (SPEC §6).
    let call = "POST /v1/logs/ingest HTTP/1.1\r\nHost: localhost\r\nUser-Agent: agent/1\r\n\
                Content-Type: application/json\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{]";
    let mut stream = daemon.connect("api");
    stream.write_all(call.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && !answer.contains("MALFORMED"), "{answer}");
    assert_eq!(noted(daemon, "MALFORMED_REQUEST", "http")["rule"], "form:body");
}

/// Streams are never answered; the answer to a call is one for all reasons of its status, and which
/// status it is the contract says (SPEC §6).
fn bl_09_answers_tell_nothing(answers: &[(&str, &str, String)]) {
    for (way, reason, answer) in answers {
        if *way != "http" {
            assert_eq!(answer, "", "{way} {reason}");
        }
    }
    // Who is blocked is told what he is told who has no key.
    let classes: [&[&str]; 2] = [
        &["INVALID_API_KEY", "API_KEY_REVOKED", "API_KEY_EXPIRED", "GEO_BLOCKED", "IP_BLOCKLISTED"],
        &["SCOPE_MISSING", "IP_NOT_ALLOWED", "ENVIRONMENT_MISMATCH"],
    ];
    for class in classes {
        let of_class = |a: &&(&str, &str, String)| a.0 == "http" && class.contains(&a.1);
        let found: Vec<_> = answers.iter().filter(of_class).filter(|a| !a.2.is_empty()).collect();
        assert!(found.len() > 1, "{class:?}");
        found.iter().for_each(|answer| assert_eq!(answer.2, found[0].2, "{}", answer.1));
    }
}

/// A stream does not end for a key that is refused, whatever the reason: it may carry others. (A
/// blocked address is cut, and learns that from the cut: BL-03.)
fn stays_open_whatever_the_key(daemon: &Daemon, keys: &[&str]) {
    for (number, key) in keys.iter().enumerate() {
        let refused = format!("<13>1 - h a - - [lt@32473 key=\"{key}\"] refused\n");
        let mut stream = daemon.connect("tcp");
        stream.write_all(refused.repeat(3).as_bytes()).unwrap();
        stream.write_all(format!("<13>1 - h a - - - open{number}\n").as_bytes()).unwrap();
        daemon.find(&format!("message:open{number}"));
        stream.set_nonblocking(true).unwrap();
        let read = stream.read(&mut [0; 8]).map_err(|error| error.kind());
        assert_eq!(read, Err(std::io::ErrorKind::WouldBlock), "{key}");
    }
    assert!(daemon.query("message:refused").is_empty());
}

#[test]
fn software_is_turned_away_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let rule = json!({"id": "no", "kind": "user_agent", "pattern": "AGENT/"});
    assert_eq!(daemon.call("POST", "/v1/rules", None, Some(&rule)).0, 201);
    let answer = send(folder.path(), &daemon, "http", None, "", "plain");
    assert!(answer.starts_with("HTTP/1.1 403") && !answer.contains("USER"), "{answer}");
    assert_eq!(noted(&daemon, "USER_AGENT_BLOCKED", "http")["rule"], "rule:no");
    assert_eq!(daemon.call("DELETE", "/v1/rules/no", None, None).0, 200);
    assert!(send(folder.path(), &daemon, "http", None, "", "plain").starts_with("HTTP/1.1 202"));
}

#[test]
fn escapes_hide_nothing_and_a_dry_run_lets_pass() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let rules = json!({"rules": [
        {"id": "path", "kind": "literal", "pattern": "/etc/passwd"},
        {"id": "tried", "kind": "literal", "pattern": "/etc/shadow", "action": "dry_run"},
    ]});
    assert_eq!(daemon.call("POST", "/v1/rules", None, Some(&rules)).0, 201);
    daemon.send("json", b"{\"message\":\"hidden \\/etc\\u002fpasswd\"}\n");
    noted(&daemon, "ABUSE_PATTERN_DETECTED", "json");
    // Nor within objects, names, tags and structured data, however a listener reads them.
    let quoted = json!({"kind": "literal", "pattern": "say \"a]b\\c\""});
    assert_eq!(daemon.call("POST", "/v1/rules", None, Some(&quoted)).0, 201);
    let hidden = [
        r#"{"message":"hidden","a":{"b":["\/etc\u002fpasswd"]}}"#,
        r#"{"message":"hidden","\/etc\/p\u0061sswd":1}"#,
        r#"{"message":"hidden","tags":["\/etc\u002fpasswd"]}"#,
        r#"{"message":"hidden","a":["say \"a\u005db\\c\""]}"#,
    ];
    let before = daemon.metrics().ledger("json").received;
    daemon.send("json", format!("{}\n", hidden.join("\n")).as_bytes());
    daemon.settle("json", before + 4);
    daemon.send("tcp", b"<13>1 - h a - - [x a=\"1\"][y b=\"say \\\"a\\]b\\\\c\\\"\"] hidden\n");
    daemon.send("tcp", b"<13>1 - h a - - [y b=\"say \\\"a\\]b\\\\d\\\"\"] shown C:\\etc\n");
    daemon.find("message:shown");
    daemon.settle("tcp", 2);
    assert_eq!(daemon.metrics().ledger("json").stored, 0);
    let body = json!({"logs": [{"message": "good"}, {"message": "bad /etc/passwd"}]});
    let (status, answer) = daemon.call("POST", "/v1/logs/ingest", None, Some(&body));
    assert_eq!(
        (status, &answer["accepted"], &answer["rejected"][0]["index"]),
        (202, &json!(1), &json!(1))
    );
    daemon.send("tcp", b"<13>1 - h a - - - tried /etc/shadow\n");
    daemon.find("message:tried");
    let entry = daemon.find_in("blocked", "rule:\"rule:tried\"");
    assert_eq!((&entry["dry_run"], &entry["endpoint"]), (&json!(true), &json!("tcp")));
    assert!(daemon.query("message:hidden").is_empty() && daemon.query("message:bad").is_empty());
    daemon.metrics().ledger("tcp").assert_adds_up();
}

#[test]
fn bl_06_a_dry_run_shows_the_harm_first() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    for number in 0..10 {
        daemon.send("tcp", format!("<13>1 - h a - - - line {number} of ten\n").as_bytes());
    }
    wait_for("ten lines", || (daemon.query("message:ten").len() == 10).then_some(()));
    let tried =
        |rule: Value| daemon.call("POST", "/v1/rules/dry-run", None, Some(&json!({"rule": rule})));
    let (status, harm) = tried(json!({"kind": "regex", "pattern": "."}));
    assert_eq!(
        (status, &harm["matched"], &harm["scanned"]),
        (200, &json!(10), &json!(10)),
        "{harm}"
    );
    assert_eq!(harm["senders"]["127.0.0.1"], 10);
    let (_, harm) = tried(json!({"kind": "literal", "pattern": "line 7"}));
    assert_eq!(
        (&harm["matched"], &harm["examples"][0]["message"]),
        (&json!(1), &json!("line 7 of ten"))
    );
    let samples =
        json!({"rule": {"kind": "literal", "pattern": "x y"}, "samples": ["a x y b", "xy"]});
    let (_, found) = daemon.call("POST", "/v1/rules/dry-run", None, Some(&samples));
    assert_eq!(found["samples"], json!([0]));
    let net = json!({"net": "127.0.0.0/8"});
    let (_, harm) = daemon.call("POST", "/v1/blocklist/dry-run", None, Some(&net));
    assert_eq!(harm["matched"], 10, "{harm}");
    for pattern in ["(a{1000}){1000}", ".*"] {
        assert_eq!(tried(json!({"kind": "regex", "pattern": pattern})).0, 400, "{pattern}");
    }
    // Nothing of it is in force.
    daemon.send("tcp", b"<13>1 - h a - - - and more\n");
    daemon.find("message:more");
}

#[test]
fn bl_07_a_database_that_is_cut_short_or_gone_leaves_the_one_before() {
    let abroad = Address::add("198.51.100.85");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.mmdb");
    let of = |country| countries(&[(Ipv4Addr::new(198, 51, 100, 84), 30, country)]);
    fs::write(&file, of("FR")).unwrap();
    let config = "[gate]\ncountries = \"FOLDER/test.mmdb\"\n\
                  rules = [{ id = \"geo\", kind = \"country\", countries = [\"FR\"] }]\n";
    let daemon = Daemon::start(folder.path(), config);
    let country = |daemon: &Daemon| {
        let (_, said) = daemon.call("GET", "/v1/doctor?address=198.51.100.85", None, None);
        said["address"]["country"].as_str().unwrap().to_owned()
    };
    assert_eq!(country(&daemon), "FR");
    let told = |daemon: &Daemon, times: usize| {
        let count = || daemon.said().matches("database of countries cannot be used").count();
        wait_for("a word of the database", || (count() >= times).then_some(()));
    };
    // In place, as a copy that stops half way does: a map of it would now end the process.
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(20).unwrap();
    told(&daemon, 1);
    fs::remove_file(&file).unwrap();
    told(&daemon, 2);
    assert_eq!(country(&daemon), "FR");
    assert_eq!(abroad.talk(daemon.address("tcp"), b"<13>1 - h a - - - from abroad\n"), "");
    daemon.find_in("blocked", "reason:GEO_BLOCKED and country:FR");
    fs::write(&file, of("DE")).unwrap();
    wait_for("the new one", || (country(&daemon) == "DE").then_some(()));
    abroad.talk(daemon.address("tcp"), b"<13>1 - h a - - - from a neighbour\n");
    daemon.find("message:neighbour");
}

#[test]
fn au_12_and_bl_04_failures_block_an_address_but_not_by_datagrams() {
    let (guesser, victim) = (Address::add("198.51.100.87"), Address::add("198.51.100.88"));
    let folder = tempfile::tempdir().unwrap();
    let config = "[gate]\nautomatic = [{ id = \"few\", kind = \"address\", threshold = 5, \
                  window = \"1m\", duration = \"1h\" }]\n";
    let daemon = Daemon::start(folder.path(), config);
    let line = format!("<13>1 - h a - - [lt@1 key=\"{UNKNOWN}\"] guess\n");
    let forged = UdpSocket::bind("198.51.100.88:0").unwrap();
    for _ in 0..50 {
        forged.send_to(line.as_bytes(), daemon.address("udp")).unwrap();
    }
    daemon.settle("udp", 50);
    guesser.talk(daemon.address("tcp"), line.repeat(5).as_bytes());
    let blocked = || {
        let (_, list) = daemon.call("GET", "/v1/blocklist", None, None);
        Some(list["entries"][0].clone()).filter(Value::is_object)
    };
    let entry = wait_for("the block", blocked);
    assert_eq!((&entry["net"], &entry["rule"]), (&json!("198.51.100.87/32"), &json!("few")));
    assert_eq!(
        (&entry["origin"], &entry["note"]),
        (&json!("automatic"), &json!("5 failures within 1m"))
    );
    assert!(entry["expires_at"].is_string());
    victim.talk(daemon.address("tcp"), b"<13>1 - h a - - - from the victim\n");
    daemon.find("message:victim");
    // Neither a restart nor a word of the operator is needed to keep it.
    assert!(daemon.stop().success());
    let daemon = Daemon::start(folder.path(), config);
    guesser.talk(daemon.address("tcp"), b"<13>1 - h a - - - again\n");
    daemon.find_in("blocked", "rule:\"automatic:few\"");
    assert!(daemon.query("message:again").is_empty());
    let (_, said) = daemon.call("GET", "/v1/doctor?address=198.51.100.87", None, None);
    assert_eq!(
        (&said["refused"], &said["by"][0]["rule"]),
        (&json!(true), &json!("automatic:few")),
        "{said}"
    );
    assert_eq!(said["address"]["blocklist"][0]["entry"]["rule"], "few");
    assert!(said["recent"].as_array().is_some_and(|recent| !recent.is_empty()), "{said}");
}

#[test]
fn bl_04_nobody_is_blocked_for_what_a_page_or_a_message_makes_them_send() {
    let victim = Address::add("198.51.100.93");
    let folder = tempfile::tempdir().unwrap();
    let config = "[gate]\nautomatic = [{ id = \"few\", kind = \"address\", threshold = 5, \
                  window = \"1m\", duration = \"1h\" }]\n\
                  rules = [{ id = \"jndi\", kind = \"literal\", pattern = \"${jndi:\" }]\n";
    let daemon = Daemon::start(folder.path(), config);
    let (_, key) = daemon.create_key(&json!({"name": "web", "scopes": ["write:logs"]}));
    // A web server brings what strangers ask of it.
    let line = format!("<13>1 - h a - - [lt@1 key=\"{key}\"] GET /?q=${{jndi:ldap}}\n");
    victim.talk(daemon.address("keyed"), line.repeat(20).as_bytes());
    daemon.settle("keyed", 20);
    assert_eq!(daemon.metrics().ledger("keyed").blocked, 20);
    // A page makes the browser of a visitor call, with what keys it likes in the body.
    let call = |method: &str, path: &str, head: &str, body: &str| {
        let length = body.len();
        let call = format!(
            "{method} {path} HTTP/1.1\r\nHost: logs.example\r\n{head}Connection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        let (mut stream, mut answer) = (victim.connect(daemon.address("api")), Vec::new());
        stream.write_all(call.as_bytes()).unwrap();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    };
    let page = "Origin: https://evil.example\r\nContent-Type: application/json\r\n";
    let body = json!({"logs": [{"message": "x", "api_key": UNKNOWN}]}).to_string();
    for _ in 0..20 {
        assert!(call("GET", "/v1/keys", "", "").starts_with("HTTP/1.1 401"));
        assert!(call("POST", "/v1/reload", page, "").starts_with("HTTP/1.1 401"));
        assert!(call("POST", "/v1/logs/ingest", page, &body).starts_with("HTTP/1.1 401"));
    }
    daemon.find_in("blocked", "endpoint:\"/v1/reload\"");
    assert_eq!(daemon.call("GET", "/v1/blocklist", None, None).1["entries"], json!([]));
    // A key in the head is nobody's but the caller's: no page can send it unasked.
    let guess = format!("X-Api-Key: {UNKNOWN}\r\n");
    (0..5).for_each(|_| assert!(call("GET", "/v1/keys", &guess, "").starts_with("HTTP/1.1 401")));
    wait_for("the block", || {
        let (_, list) = daemon.call("GET", "/v1/blocklist", None, None);
        (list["entries"][0]["net"] == "198.51.100.93/32").then_some(())
    });
}
