//! Who may pass, on every way in, and what is said of who may not.

use std::fs;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Instant;

use serde_json::json;

use crate::support::{Daemon, finish, tls, wait_for};

const UNKNOWN: &str = "lt_live_00000000000000000000000000000000";

/// What of a secret may be seen nowhere.
fn digits(secret: &str) -> &str {
    secret.strip_prefix("lt_live_").unwrap()
}

/// How a secret is shown.
fn masked(secret: &str) -> String {
    format!("{}…{}", secret.get(..12).unwrap(), secret.get(secret.len() - 4..).unwrap())
}

#[test]
fn a_key_is_carried_in_every_way_and_stored_in_none() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (id, secret) = daemon.create_key(&json!({"name": "agent", "scopes": ["write:logs"]}));
    let ways = [
        ("keyed", "structured_data", format!("<13>1 - h a - - [lt@32473 key=\"{secret}\"] way0\n")),
        ("keyed", "structured_data", format!("<13>1 - h a - - [{secret}@41058 tag=\"t\"] way1\n")),
        (
            "keyed",
            "structured_data",
            format!("<13>1 - h a - - [logdna@48950 key=\"{secret}\"] way2\n"),
        ),
        (
            "keyed",
            "structured_data",
            format!("<13>1 - h a - - [logtail@11993 source_token=\"{secret}\"] way3\n"),
        ),
        (
            "keyed",
            "structured_data",
            format!("<13>1 - h a - - [honeybadger@61642 api_key=\"{secret}\"] way4\n"),
        ),
        ("keyed", "prefix", format!("{secret} <13>1 - h a - - - way5\n")),
        ("keyed", "prefix", format!("[{secret}] <13>1 - h a - - - way6\n")),
        ("keyed", "hello", format!("AUTH {secret}\n<13>1 - h a - - - way7\n")),
        ("json", "json_field", format!("{{\"api_key\":\"{secret}\",\"message\":\"way8\"}}\n")),
        (
            "json",
            "json_field",
            format!("{{\"fields\":{{\"token\":\"{secret}\"}},\"message\":\"way9\"}}\n"),
        ),
    ];
    for (number, (listener, method, line)) in ways.iter().enumerate() {
        daemon.send(listener, line.as_bytes());
        let event = daemon.find(&format!("message:way{number}"));
        assert_eq!((&event["auth.method"], &event["key"]), (&json!(method), &json!(id)), "{event}");
    }
    let log = json!({"logs": [{"message": "way10"}]});
    let (status, _) = daemon.call("POST", "/v1/logs/ingest", Some(&secret), Some(&log));
    assert_eq!(status, 202);
    assert_eq!(daemon.find("message:way10")["auth.method"], "http");
    // In a message that does not parse, cut inside the key, and in plain text.
    daemon.send("tcp", format!("<999>{secret} way11\n").as_bytes());
    daemon.send("tcp", format!("<13>1 - h a - - - way12 is {secret} in the text\n").as_bytes());
    daemon.send("json", format!("{{\"message\":\"way13\",\"list\":[\"{secret}\"]}}\n").as_bytes());
    daemon.send("json", format!("{{\"api_key\":\"{}", secret.get(..30).unwrap()).as_bytes());
    daemon.settle("json", 4);
    let (listing, _) = daemon.call("GET", "/v1/keys", None, None);
    assert_eq!(listing, 200);
    assert!(daemon.stop().success());
    au_07_is_nowhere(folder.path(), &secret);
}

/// Looks for the digits of a secret in every file of a stopped daemon. What is compressed is looked
/// at by the queries above: no event shows one.
fn au_07_is_nowhere(folder: &Path, secret: &str) {
    let digits = digits(secret).as_bytes();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let bytes = fs::read(&entry).unwrap();
                let found = bytes.windows(digits.len()).any(|window| window == digits);
                assert!(!found, "a secret in {}", entry.display());
            }
        }
    }
}

#[test]
fn sy_13_no_answer_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (_, secret) = daemon.create_key(&json!({"name": "agent", "scopes": ["write:logs"]}));
    let lines = [
        format!("<13>1 - h a - - [lt@32473 key=\"{secret}\"] one {secret}\n"),
        format!("<13>1 - h {secret} - - - two\n"),
        format!("<13>{secret} three\n"),
        format!("{secret}\n"),
    ];
    lines.iter().for_each(|line| daemon.send("tcp", line.as_bytes()));
    daemon.settle("tcp", 4);
    for journal in
        [None, Some("access"), Some("advisory"), Some("blocked"), Some("dashboard"), Some("failed")]
    {
        let answer =
            format!("{:?}", daemon.query_with(&json!({"from": "-1d", "journal": journal})));
        assert!(!answer.contains(digits(&secret)), "{journal:?}: {answer}");
    }
    assert!(!daemon.said().contains(digits(&secret)));
}

#[test]
fn refusals_have_their_reason_in_the_journal_and_none_in_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (id, revoked) = daemon.create_key(&json!({"name": "old", "scopes": ["write:logs"]}));
    let (status, _) = daemon.call("DELETE", &format!("/v1/keys/{id}"), None, None);
    assert!(matches!(status, 200 | 204));
    let (_, reader) = daemon.create_key(&json!({"name": "reader", "scopes": ["read:logs"]}));
    let (_, elsewhere) = daemon
        .create_key(&json!({"name": "far", "scopes": ["write:logs"], "allow": ["192.0.2.0/24"]}));
    let log = json!({"logs": [{"message": "never stored"}]});
    let mut answers = Vec::new();
    for (reason, key) in [
        ("INVALID_API_KEY", UNKNOWN),
        ("API_KEY_REVOKED", &revoked),
        ("SCOPE_MISSING", &reader),
        ("IP_NOT_ALLOWED", &elsewhere),
    ] {
        daemon.send(
            "keyed",
            format!("<13>1 - h a - - [lt@1 key=\"{key}\"] never stored\n").as_bytes(),
        );
        let entry = daemon.find_in("blocked", &format!("reason:{reason} and endpoint:keyed"));
        assert_eq!(entry["source.ip"], "127.0.0.1");
        assert!(entry["threat_score"].as_u64().unwrap() <= 100);
        assert_eq!(entry["fingerprint"].as_str().unwrap().len(), 16);
        assert_eq!(entry["country"], "unknown");
        assert_eq!(entry["api_key"], masked(key));
        assert!(entry["rule"].is_string() && entry["count"].is_number(), "{entry}");
        let (status, answer) = daemon.call("POST", "/v1/logs/ingest", Some(key), Some(&log));
        assert!(matches!(status, 401 | 403), "{status}");
        assert!(!answer.to_string().contains(reason), "{answer}");
        answers.push(answer["detail"].clone());
    }
    // Unknown and revoked are told alike, and so are the two that the key itself does not allow.
    assert_eq!((&answers[0], &answers[2]), (&answers[1], &answers[3]));
    // A listener that wants a key, and none: refused, and the connection is told nothing.
    let mut stream = daemon.connect("keyed");
    stream.write_all(b"<13>1 - h a - - - never stored\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty());
    daemon.find_in("blocked", "rule:\"key:required\"");
    assert_eq!(daemon.query("\"never stored\""), [json!(null); 0]);
}

#[test]
fn au_03_a_revoked_key_is_refused_on_open_connections() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (id, secret) = daemon.create_key(&json!({"name": "agent", "scopes": ["write:logs"]}));
    let mut stream = daemon.connect("keyed");
    stream.write_all(format!("AUTH {secret}\n<13>1 - h a - - - before\n").as_bytes()).unwrap();
    daemon.find("message:before");
    daemon.call("DELETE", &format!("/v1/keys/{id}"), None, None);
    stream.write_all(b"<13>1 - h a - - - after\n").unwrap();
    daemon.find_in("blocked", "reason:API_KEY_REVOKED");
    daemon.settle("keyed", 2);
    assert!(daemon.query("message:after").is_empty());
    assert_eq!(daemon.query("message:before").len(), 1);
}

#[test]
fn loopback_cannot_be_blocked_and_others_can() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (status, answer) =
        daemon.call("POST", "/v1/blocklist", None, Some(&json!({"net": "127.0.0.0/8"})));
    assert!((400..500).contains(&status), "{answer}");
    let (status, answer) = daemon.call(
        "POST",
        "/v1/blocklist",
        None,
        Some(&json!({"net": "192.0.2.0/24", "note": "test"})),
    );
    assert_eq!(status, 201, "{answer}");
    let (status, answer) = daemon.call("GET", "/v1/blocklist", None, None);
    assert_eq!(status, 200);
    assert!(answer.to_string().contains("192.0.2.0/24"), "{answer}");
}

#[test]
fn over_its_limit_a_key_is_cut_or_paced_as_its_policy_says() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let limited = |policy: &str| {
        json!({
            "name": policy, "scopes": ["write:logs"], "policy": policy,
            "limits": {"events_per_second": 100, "burst": "1s"},
        })
    };
    let lines = |key: &str, count: usize| {
        let line = |n| format!("<13>1 - h a - - [lt@1 key=\"{key}\"] {n}\n");
        (0..count).map(line).collect::<String>()
    };
    let (id, dropped) = daemon.create_key(&limited("drop"));
    let began = Instant::now();
    daemon.send("keyed", lines(&dropped, 1000).as_bytes());
    daemon.settle("keyed", 1000);
    let ledger = daemon.metrics().ledger("keyed");
    // The burst passes, and what the rate gives back while the thousand are read.
    let most = 101 + 100 * (began.elapsed().as_secs() + 1);
    assert!((100..most).contains(&ledger.stored), "{ledger:?}");
    let series =
        format!("logtrace_key_blocked_total{{key=\"{id}\",reason=\"RATE_LIMIT_EXCEEDED\"}}");
    assert_eq!(daemon.metrics().get(&series), ledger.blocked);
    daemon.find_in("blocked", "reason:RATE_LIMIT_EXCEEDED and rule:\"limit:key:events\"");
    let (_, paced) = daemon.create_key(&limited("pace"));
    daemon.send("keyed", lines(&paced, 250).as_bytes());
    daemon.settle("keyed", 1250);
    let after = daemon.metrics().ledger("keyed");
    assert_eq!(after.stored - ledger.stored, 250, "pace loses nothing: {after:?}");
}

#[test]
fn qy_11_the_project_is_a_wall() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let key = |project: &str| {
        daemon
            .create_key(
                &json!({"name": "k", "project": project, "scopes": ["write:logs", "read:logs"]}),
            )
            .1
    };
    let (ours, theirs) = (key("ours"), key("theirs"));
    let log = |text: &str| json!({"logs": [{"message": text}]});
    daemon.call("POST", "/v1/logs/ingest", Some(&ours), Some(&log("our secret")));
    daemon.call("POST", "/v1/logs/ingest", Some(&theirs), Some(&log("their secret")));
    for filter in ["secret", "not ours", "project:*", "secret or project:theirs", "key:*", "*"] {
        let query = json!({"filter": filter, "from": "-1h"});
        let (status, answer) = daemon.call("POST", "/v1/logs/query", Some(&ours), Some(&query));
        assert_eq!(status, 200, "{answer}");
        assert!(!answer.to_string().contains("their secret"), "{filter}: {answer}");
    }
    let found = wait_for("our own", || {
        let query = json!({"filter": "secret", "from": "-1h"});
        let (_, answer) = daemon.call("POST", "/v1/logs/query", Some(&ours), Some(&query));
        answer["logs"].as_array().cloned().filter(|logs| !logs.is_empty())
    });
    assert_eq!(found.len(), 1);
}

#[test]
fn a_sender_that_may_send_nothing_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let nothing = json!({
        "name": "none", "scopes": ["write:logs"], "limits": {"events_per_second": 0},
    });
    let (_, none) = daemon.create_key(&nothing);
    let line = format!("<13>1 - h a - - [lt@1 key=\"{none}\"] {}\n", "x".repeat(1000));
    daemon.send("keyed", line.repeat(8000).as_bytes());
    daemon.settle("keyed", 8000);
    assert_eq!(daemon.metrics().ledger("keyed").blocked, 8000);
    daemon.send("tcp", b"<13>1 - h a - - - and others go on\n");
    daemon.find("message:\"others go on\"");
}

#[test]
fn over_a_limit_the_logs_named_as_rejected_are_those_that_are_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let limited = |name: &str| {
        let limits = json!({"events_per_second": 1, "burst": "5s"});
        daemon.create_key(&json!({"name": name, "scopes": ["write:logs"], "limits": limits})).1
    };
    let (a, b) = (limited("a"), limited("b"));
    let log = |key: &str, n: usize| json!({"api_key": key, "message": format!("log {n}")});
    let logs: Vec<_> = (0..10).map(|n| log(&a, n)).chain((10..15).map(|n| log(&b, n))).collect();
    let (status, answer) =
        daemon.call("POST", "/v1/logs/ingest", None, Some(&json!({"logs": logs})));
    assert_eq!(status, 202, "{answer}");
    let rejected: Vec<u64> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rejected| rejected["index"].as_u64().unwrap())
        .collect();
    // A machine that takes a second for it has given one more back.
    assert!(!rejected.is_empty() && rejected.iter().all(|n| (5..10).contains(n)), "{answer}");
    let is_stored = |n: &u64| !daemon.query(&format!("message:\"log {n}\"")).is_empty();
    assert!((0..15).all(|n| is_stored(&n) != rejected.contains(&n)), "{answer}");
}

#[test]
fn a_place_that_becomes_free_is_taken_by_who_waited_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let limits = json!({"connections": 1});
    let (_, key) =
        daemon.create_key(&json!({"name": "one", "scopes": ["write:logs"], "limits": limits}));
    let mut first = daemon.connect("keyed");
    first.write_all(format!("AUTH {key}\n<13>1 - h a - - - first\n").as_bytes()).unwrap();
    daemon.find("message:first");
    let mut second = daemon.connect("keyed");
    second.write_all(format!("AUTH {key}\n<13>1 - h a - - - refused\n").as_bytes()).unwrap();
    daemon.find_in("blocked", "rule:\"limit:key:connections\"");
    drop(first);
    wait_for("the second to pass", || {
        second.write_all(b"<13>1 - h a - - - passes\n").unwrap();
        (!daemon.query("message:passes").is_empty()).then_some(())
    });
}

#[test]
fn a_listener_and_a_network_have_keys_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
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
    let daemon = Daemon::with_listeners(folder.path(), &networks, &listeners);
    for (listener, method, key) in
        [("own", "listener", of_listener), ("none", "network", of_network)]
    {
        daemon.send(listener, format!("<13>1 - h a - - - by {listener}\n").as_bytes());
        let event = daemon.find(&format!("message:\"by {listener}\""));
        assert_eq!((&event["auth.method"], &event["key"]), (&json!(method), &json!(key)));
    }
}

/// Anyone can write the source of a datagram: one that has a key of its own earns nothing for those
/// that follow, and what a network is given is given to it alone.
#[test]
fn ud_03_a_source_earns_no_trust_beyond_the_rule_of_its_network() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let key = |name: &str| daemon.create_key(&json!({"name": name, "scopes": ["write:logs"]}));
    let ((of_network, _), (own, secret)) = (key("network"), key("own"));
    assert!(daemon.stop().success());
    let networks =
        format!("[gate]\nnetworks = [{{ source = \"127.0.0.2/32\", key = \"{of_network}\" }}]\n");
    let listener = |name: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\nprotocol = \"syslog\"\ntransport = \"{name}\"\n\
             listen = \"127.0.0.1:0\"\nrequire_key = true\n"
        )
    };
    let listeners = [listener("udp"), listener("tcp")].concat();
    let daemon = Daemon::with_listeners(folder.path(), &networks, &listeners);
    let [other, inside] = ["127.0.0.1:0", "127.0.0.2:0"].map(|at| UdpSocket::bind(at).unwrap());
    let send = |socket: &UdpSocket, line: &str| {
        socket.send_to(line.as_bytes(), daemon.address("udp")).unwrap();
    };
    send(&other, &format!("<13>1 - h a - - [lt@1 key=\"{secret}\"] with a key"));
    let event = daemon.find("message:\"with a key\"");
    assert_eq!((&event["auth.method"], &event["key"]), (&json!("structured_data"), &json!(own)));
    // From the same socket, and from the same address by another way.
    send(&other, "<13>1 - h a - - - without any");
    daemon.settle("udp", 2);
    daemon.send("tcp", b"<13>1 - h a - - - without any\n");
    daemon.settle("tcp", 1);
    for listener in ["udp", "tcp"] {
        assert_eq!(daemon.metrics().ledger(listener).blocked, 1, "{listener}");
    }
    // From the network: its key, and no call of the API with it.
    send(&inside, "<13>1 - h a - - - of the network");
    let event = daemon.find("message:\"of the network\"");
    assert_eq!((&event["auth.method"], &event["key"]), (&json!("network"), &json!(of_network)));
    assert_eq!(daemon.query("message:without").len(), 0);
    daemon.metrics().ledger("udp").assert_adds_up();
}

#[test]
fn client_certificates_are_optional_or_required_as_configured() {
    let folder = tempfile::tempdir().unwrap();
    let listener = |name: &str, required: bool| {
        format!(
            "[[listener]]\nname = \"{name}\"\nprotocol = \"syslog\"\ntransport = \"tcp\"\n\
             listen = \"127.0.0.1:0\"\ntls = {{ cert = \"FOLDER/server.pem\", key = \
             \"FOLDER/server.key\", client_ca = \"FOLDER/ca.pem\", require_client_cert = {required} }}\n"
        )
    };
    let listeners = [listener("optional", false), listener("required", true)].concat();
    let daemon = Daemon::with_listeners(folder.path(), "", &listeners);
    for (listener, client, passes) in [
        ("optional", None, true),
        ("optional", Some("client"), true),
        ("required", Some("client"), true),
        ("required", None, false),
        // Of the same authority, but not for clients.
        ("required", Some("server"), false),
    ] {
        let text = format!("{listener} {}", client.unwrap_or("nobody"));
        let mut stream = tls(folder.path(), daemon.connect(listener), client);
        let sent = stream.write_all(format!("<13>1 - h a - - - {text}\n").as_bytes());
        let ended = finish(stream);
        if passes {
            sent.and(ended).unwrap();
            daemon.find(&format!("message:\"{text}\""));
        } else {
            assert!(ended.is_err(), "a client that is not known is told so");
            assert!(daemon.query(&format!("message:\"{text}\"")).is_empty());
        }
    }
    let refused =
        || daemon.metrics().get("logtrace_tls_handshake_failures_total{listener=\"required\"}");
    wait_for("both to be counted", || (refused() == 2).then_some(()));
}

#[test]
fn au_07_no_secret_is_in_arguments_environment_or_a_core_dump() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (_, secret) = daemon.create_key(&json!({"name": "agent", "scopes": ["write:logs"]}));
    // A connection that lives has the key in memory, to compare the next with.
    let mut stream = daemon.connect("tcp");
    stream
        .write_all(format!("<13>1 - h a - - [lt@1 key=\"{secret}\"] alive\n").as_bytes())
        .unwrap();
    daemon.find("message:alive");
    let process = std::path::PathBuf::from(format!("/proc/{}", daemon.pid().as_raw_nonzero()));
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(process.join(file)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(digits(&secret)), "{file}");
    }
    // However large a dump may be, there is none.
    let any = rustix::process::Rlimit { current: None, maximum: None };
    let core = rustix::process::Resource::Core;
    let _as_far_as_may_be = rustix::process::prlimit(Some(daemon.pid()), core, any).is_ok();
    rustix::process::kill_process(daemon.pid(), rustix::process::Signal::ABORT).unwrap();
    let ended = daemon.ended();
    assert!(!ended.core_dumped(), "{ended}");
    au_07_is_nowhere(folder.path(), &secret);
}
