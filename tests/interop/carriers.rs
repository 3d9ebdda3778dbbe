//! Every way of naming a key (SPEC §2.3) that other files do not show, with programs that people
//! use.

use std::process::Command;

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{installed, run, run_with};
use crate::support;

/// `openssl s_client`, to a listener with TLS, asking for this name.
fn s_client(daemon: &Daemon, listener: &str, name: &str, arguments: &[&str]) -> Command {
    let mut command = installed("openssl");
    command.args(["s_client", "-connect", daemon.address(listener), "-servername", name]);
    command.args(["-CAfile", &daemon.file("ca.pem"), "-verify_return_error"]);
    command.args(["-verify_hostname", "localhost", "-quiet", "-no_ign_eof"]).args(arguments);
    command
}

#[test]
fn au_08_a_certificate_by_fingerprint_and_by_name_before_a_key_in_the_message() {
    let daemon = Daemon::start();
    let mut command = installed("openssl");
    command.args(["x509", "-in", &daemon.file("client.pem"), "-noout", "-fingerprint", "-sha256"]);
    let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let fingerprint = format!("sha256:{}", said.trim().split_once('=').unwrap().1);
    let other = daemon.key();
    let (pem, key) = (daemon.file("client.pem"), daemon.file("client.key"));
    for (number, certificate) in ["san:sender".to_owned(), fingerprint].iter().enumerate() {
        let own = daemon.key_with(json!({"certificates": [certificate]}));
        let secret = &other.secret;
        let line = format!("<13>1 - h a - - [lt@32473 key=\"{secret}\"] by certificate {number}\n");
        let client = s_client(&daemon, "mtls", "localhost", &["-cert", &pem, "-key", &key]);
        run_with(client, line.as_bytes());
        let event = daemon.find(&format!("by certificate {number}"));
        event.has(json!({"auth.method": "certificate", "key": own.id}));
        assert!(!event.0.to_string().contains(secret.as_str()), "{:#}", event.0);
        daemon.revoke(&own);
    }
    // Its key was taken back: the connection is, and nobody else's key helps.
    let client = s_client(&daemon, "mtls", "localhost", &["-cert", &pem, "-key", &key]);
    run_with(client, b"<13>1 - h a - - - by no certificate\n");
    daemon.refused("reason:API_KEY_REVOKED and endpoint:mtls");
    daemon.expect_count("message:certificate", 2);
}

#[test]
fn a_label_of_the_server_name() {
    let daemon = Daemon::start();
    let own = daemon.key_with(json!({"label": "web-7"}));
    let send = |name: &str, text: &str| {
        let line = format!("<13>1 - h a - - - {text}\n");
        run_with(s_client(&daemon, "named", name, &[]), line.as_bytes());
    };
    send("web-7.logs.example", "by label");
    daemon.find("by label").has(json!({"auth.method": "sni", "key": own.id}));
    send("localhost", "by no label");
    daemon.find("by no label").has(json!({"auth.method": "anonymous"}));
    // A label that stands for no key lets nobody in, not even where none is needed.
    send("web-8.logs.example", "by another label");
    daemon.refused("reason:INVALID_API_KEY and endpoint:named");
    daemon.expect_count("message:label", 2);
}

#[test]
fn in_front_of_a_line_and_as_the_first_line() {
    let daemon = Daemon::start();
    let own = daemon.key();
    let secret = &own.secret;
    for (number, (method, text)) in [
        ("prefix", format!("{secret} <13>1 - h a - - - line 0\n")),
        ("prefix", format!("[{secret}] <13>1 - h a - - - line 1\n")),
        ("hello", format!("AUTH {secret}\n<13>1 - h a - - - line 2\n")),
    ]
    .iter()
    .enumerate()
    {
        run_with(s_client(&daemon, "tls", "localhost", &[]), text.as_bytes());
        let event = daemon.find(&format!("line {number}"));
        event.has(json!({"auth.method": method, "key": own.id}));
        assert!(!event.0.to_string().contains(secret.as_str()), "{:#}", event.0);
    }
}

#[test]
fn in_every_header_of_a_call_and_in_its_logs() {
    let daemon = Daemon::start();
    let own = daemon.key();
    let secret = &own.secret;
    let user = format!("{secret}:");
    let password = format!("agent:{secret}");
    let headers =
        ["Bearer", "ApiKey", "Splunk"].map(|kind| format!("Authorization: {kind} {secret}"));
    let named = format!("X-Api-Key: {secret}");
    let ways = [
        ["-H", &headers[0]],
        ["-H", &headers[1]],
        ["-H", &headers[2]],
        ["-H", &named],
        ["-u", &user],
        ["-u", &password],
    ];
    let send = |way: &[&str], log: serde_json::Value| {
        let mut curl = installed("curl");
        curl.args(["-sS", "--fail-with-body", "-H", "Content-Type: application/json"]).args(way);
        curl.args(["-d", &json!({"logs": [log]}).to_string(), &daemon.api("/v1/logs/ingest")]);
        run(curl);
    };
    for (number, way) in ways.iter().enumerate() {
        send(way, json!({"message": format!("call {number}")}));
        let event = daemon.find(&format!("call {number}"));
        event.has(json!({"auth.method": "http", "key": own.id}));
    }
    for (number, field) in ["api_key", "token", "logtrace_key"].iter().enumerate() {
        let mut log = json!({"message": format!("log {number}")});
        log[*field] = secret.as_str().into();
        send(&[], log);
        let event = daemon.find(&format!("log {number}"));
        event.has(json!({"auth.method": "json_field", "key": own.id}));
    }
}

#[test]
fn none_where_the_listener_or_the_network_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = support::Daemon::start(folder.path(), "");
    let key = |name: &str| daemon.create_key(&json!({"name": name, "scopes": ["write:logs"]})).0;
    let (of_listener, of_network) = (key("listener"), key("network"));
    assert!(daemon.stop().success());
    let networks =
        format!("[gate]\nnetworks = [{{ source = \"127.0.0.0/8\", key = \"{of_network}\" }}]\n");
    let socket = "protocol = \"syslog\"\ntransport = \"tcp\"\nlisten = \"127.0.0.1:0\"\n\
                  require_key = true\n";
    let listeners = format!(
        "[[listener]]\nname = \"own\"\n{socket}key = \"{of_listener}\"\n\
         [[listener]]\nname = \"none\"\n{socket}"
    );
    let daemon = support::Daemon::with_listeners(folder.path(), &networks, &listeners);
    for (listener, key) in [("own", of_listener), ("none", of_network)] {
        let port = daemon.address(listener).rsplit_once(':').unwrap().1;
        let mut logger = installed("logger");
        logger.args(["--server", "127.0.0.1", "--port", port, "--tcp", "by", listener]);
        run(logger);
        let event = daemon.find(&format!("message:\"by {listener}\""));
        let method = if listener == "own" { "listener" } else { "network" };
        assert_eq!((&event["auth.method"], &event["key"]), (&json!(method), &json!(key)));
    }
}
