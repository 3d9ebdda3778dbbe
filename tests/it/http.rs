//! Listeners of calls over HTTP: what they share with all other listeners, and what they speak.

use std::io::{Read, Write};

use serde_json::json;

use crate::support::{Daemon, tls, wait_for};

const LISTENERS: &str = r#"
[[listener]]
name = "web"
protocol = "http"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "web-keyed"
protocol = "http"
transport = "tcp"
listen = "127.0.0.1:0"
require_key = true
proxy = { trusted = ["127.0.0.1"], required = false }

[[listener]]
name = "web-tls"
protocol = "http"
transport = "tcp"
listen = "127.0.0.1:0"
require_key = true
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key", client_ca = "FOLDER/ca.pem" }

[[listener]]
name = "hasty"
protocol = "http"
transport = "tcp"
listen = "127.0.0.1:0"
idle_timeout = "50ms"
body_timeout = "50ms"
"#;

/// A call that closes the connection behind it.
fn call(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len}\r\n\
         {headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// What is answered to `bytes` until the connection ends.
fn talk(mut stream: impl Read + Write, bytes: &[u8]) -> String {
    // Who is refused early may find the connection closed before all is sent.
    let _all_sent = stream.write_all(bytes).is_ok();
    let mut answer = Vec::new();
    let _clean_end = stream.read_to_end(&mut answer).is_ok();
    String::from_utf8(answer).unwrap()
}

const JSON: &str = "content-type: application/json\r\n";

#[test]
fn any_call_is_for_logstash_and_the_routes_of_the_api_are_there_too() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", LISTENERS);
    let send = |request: &[u8]| talk(daemon.connect("web"), request);

    let answer = send(&call("PUT", "/shop/orders", JSON, br#"{"message":"an order"}"#));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/plain"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    let event = daemon.find("message:\"an order\"");
    assert_eq!((&event["url.path"], &event["listener"]), (&json!("/shop/orders"), &json!("web")));

    let answer = send(&call("POST", "/", "", b"two\nlines"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(daemon.find("two")["message"], "two\nlines");

    let answer = send(&call("POST", "/v1/logs/ingest", JSON, br#"[{"message":"of the API"}]"#));
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(daemon.find("message:\"of the API\"")["listener"], "web");

    // What asks whether somebody listens brings nothing.
    assert!(send(&call("GET", "/health", "", b"")).ends_with("\r\n\r\nok"));
    // HT-04, as Logstash answers it.
    let answer = send(&call("POST", "/", "content-encoding: gzip\r\n", b"no gzip"));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    daemon.settle("web", 4);
    assert_eq!(daemon.metrics().ledger("web").stored, 3);
    assert_eq!(daemon.find_in("access", "endpoint:\"/shop/orders\"")["events_accepted"], 1);
}

#[test]
fn keys_come_by_every_way_that_a_listener_has() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", LISTENERS);
    let (id, secret) = daemon.create_key(&json!({"name": "web", "scopes": ["write:logs"]}));
    let send = |headers: &str, body: &str| {
        talk(daemon.connect("web-keyed"), &call("POST", "/", headers, body.as_bytes()))
    };
    let answer = send("", "nobody");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("www-authenticate: Basic realm="), "{answer}");
    let answer = send(&format!("authorization: Bearer {secret}\r\n"), "by header");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(daemon.find("\"by header\"")["key"], id.as_str());
    // A proxy that is trusted names the client.
    let proxy = b"PROXY TCP4 198.51.100.7 192.0.2.1 50000 514\r\n";
    let headers = format!("authorization: Bearer {secret}\r\n");
    let request = [&proxy[..], &call("POST", "/", &headers, b"by proxy")].concat();
    assert!(talk(daemon.connect("web-keyed"), &request).starts_with("HTTP/1.1 200 "));
    assert_eq!(daemon.find("\"by proxy\"")["peer.ip"], "198.51.100.7");
}

#[test]
fn a_client_certificate_is_a_key_over_http_too() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", LISTENERS);
    let own = json!({"name": "web", "scopes": ["write:logs"], "certificates": ["san:sender"]});
    let (id, _) = daemon.create_key(&own);
    let (_, secret) = daemon.create_key(&json!({"name": "other", "scopes": ["write:logs"]}));
    let headers = format!("authorization: Bearer {secret}\r\n");
    let request = String::from_utf8(call("POST", "/", &headers, b"by certificate")).unwrap();
    // Two calls on one connection.
    let requests = request.replace("connection: close\r\n", "") + &request;
    let stream = tls(folder.path(), daemon.connect("web-tls"), Some("client"));
    assert_eq!(talk(stream, requests.as_bytes()).matches("HTTP/1.1 200 ").count(), 2);
    let found =
        wait_for("both", || Some(daemon.query("\"by certificate\"")).filter(|f| f.len() == 2));
    for event in found {
        let named = (&event["auth.method"], &event["key"]);
        assert_eq!(named, (&json!("certificate"), &json!(id)));
    }
    let nobody = tls(folder.path(), daemon.connect("web-tls"), None);
    assert!(talk(nobody, &call("POST", "/", "", b"x")).starts_with("HTTP/1.1 401 "));
}

#[test]
fn ht_01_a_slow_client_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", LISTENERS);
    for bytes in ["", "G", "POST / HTTP/1.1\r\nhost: x\r\n"] {
        assert_eq!(talk(daemon.connect("hasty"), bytes.as_bytes()), "", "{bytes}");
    }
    let slow = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab";
    // Whoever says this too late is not answered.
    let ask = || Some(talk(daemon.connect("hasty"), slow)).filter(|answer| !answer.is_empty());
    let answer = wait_for("an answer", ask);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

/// Bulk calls of `count` documents each, with ids from `number * count` on.
fn bulk(number: usize, count: usize) -> Vec<u8> {
    let document = |id: usize| {
        let action = if id.is_multiple_of(2) { "index" } else { "create" };
        format!(
            "{{\"{action}\":{{\"_index\":\"i\",\"_id\":\"{id}\"}}}}\n{{\"message\":\"doc\",\"n\":{id}}}\n"
        )
    };
    let body: String = (number * count..(number + 1) * count).map(document).collect();
    call("POST", "/_bulk", "content-type: application/x-ndjson\r\n", body.as_bytes())
}

#[test]
fn documents_with_ids_are_there_once_however_often_the_daemon_is_killed() {
    const CALLS: usize = 60;
    const EACH: usize = 50;
    let folder = tempfile::tempdir().unwrap();
    let mut next = 0;
    while next < CALLS {
        let daemon = Daemon::with_listeners(folder.path(), "", LISTENERS);
        let address = daemon.address("web").to_owned();
        let killed_after = next + CALLS / 3;
        let sender = std::thread::spawn(move || {
            let mut acknowledged = next;
            while acknowledged < CALLS {
                let Ok(stream) = std::net::TcpStream::connect(&address) else { break };
                let answer = talk(stream, &bulk(acknowledged, EACH));
                if !answer.starts_with("HTTP/1.1 200 ") || !answer.ends_with("]}") {
                    break;
                }
                assert!(answer.matches("\"status\":").count() == EACH, "{answer}");
                acknowledged += 1;
            }
            acknowledged
        });
        // In the middle of a call, wherever that is.
        wait_for("some documents", || {
            let stored = daemon.metrics().ledger("web").received;
            (stored >= ((killed_after.min(CALLS) - next) * EACH) as u64 || sender.is_finished())
                .then_some(())
        });
        daemon.kill();
        next = sender.join().unwrap();
    }
    let daemon = Daemon::with_listeners(folder.path(), "", LISTENERS);
    let mut found: Vec<_> =
        daemon.query("message:doc").iter().map(|event| event["n"].as_u64().unwrap()).collect();
    found.sort_unstable();
    assert!(found.iter().copied().eq(0..(CALLS * EACH) as u64), "{found:?}");
    // And still known after the last start.
    let answer = talk(daemon.connect("web"), &bulk(0, 2));
    assert!(answer.contains(r#"{"index":{"status":200}},{"create":{"status":409,"#), "{answer}");
}

/// Some that ship logs do not wait for an answer. Who asks something and goes away needs none.
#[test]
fn a_call_whose_client_is_gone_goes_on_at_the_api_too() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    for number in 0..100 {
        let body = format!("{{\"logs\":[{{\"message\":\"gone {number}\"}}]}}");
        let mut socket = std::net::TcpStream::connect(daemon.address("api")).unwrap();
        write!(
            socket,
            "POST /v1/logs/ingest HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        drop(socket);
    }
    daemon.settle("http", 100);
    assert_eq!(daemon.query("message:gone").len(), 100);
}
