//! The configuration is read again while the daemon runs.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Address, Daemon, wait_for, well_before_the_next_hour};

/// A listener for syslog on a port of its own, with these further lines.
fn listener(name: &str, transport: &str, more: &str) -> String {
    format!(
        "[[listener]]\nname = \"{name}\"\nprotocol = \"syslog\"\ntransport = \"{transport}\"\n\
         listen = \"127.0.0.1:0\"\n{more}\n"
    )
}

fn line(n: usize) -> String {
    format!("<13>1 - h a - - - line {n}\n")
}

fn configured(daemon: &Daemon) -> u64 {
    daemon.metrics().get("logtrace_config_last_reload_successful")
}

#[test]
fn what_is_another_is_swapped_and_what_is_not_stays() {
    let folder = tempfile::tempdir().unwrap();
    let tcp = listener("tcp", "tcp", "");
    let both = tcp.clone() + &listener("gone", "tcp", "") + &listener("udp", "udp", "");
    let mut daemon = Daemon::with_listeners(folder.path(), "", &both);
    let (mut kept, mut gone) = (daemon.connect("tcp"), daemon.connect("gone"));
    kept.write_all(line(1).as_bytes()).unwrap();
    gone.write_all(line(2).as_bytes()).unwrap();
    daemon.settle("gone", 1);
    let (at, datagrams) = (daemon.address("tcp").to_owned(), daemon.address("udp").to_owned());

    let changed =
        tcp + &listener("udp", "udp", "keep_original = true") + &listener("new", "tcp", "");
    let head = "log.level = \"debug\"\nbatch.max_delay = \"7ms\"\n";
    Daemon::configure(folder.path(), head, &changed);
    let (status, answer) = daemon.reload();
    assert_eq!(status, 200, "{answer}");
    let want = json!({
        "listeners": {"added": ["new"], "removed": ["gone"], "changed": {"udp": ["keep_original"]}},
        "settings": ["log.level"],
        "needs_restart": ["batch.max_delay"],
    });
    assert_eq!(answer, want);
    // The same sockets, and the same connection.
    assert_eq!((daemon.address("tcp"), daemon.address("udp")), (&*at, &*datagrams));
    kept.write_all(line(3).as_bytes()).unwrap();
    daemon.settle("tcp", 2);
    daemon.send("new", line(4).as_bytes());
    daemon.settle("new", 1);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(line(5).as_bytes(), &datagrams).unwrap();
    assert!(daemon.find("\"line 5\"")["event.original"].is_string());
    wait_for("the end of a connection", || (gone.write_all(b"<13>x\n").is_err()).then_some(()));
    // It is recorded, and what waits for a restart is told of each time.
    let (_, audit) = daemon.call("GET", "/v1/audit?event=config.reloaded", None, None);
    assert_eq!(audit["entries"][0]["details"]["new"], want, "{audit}");
    let (_, again) = daemon.reload();
    assert_eq!(again["needs_restart"], json!(["batch.max_delay"]));
    assert_eq!(again["settings"], json!([]));
    assert!(daemon.stop().success());
}

#[test]
fn connections_end_where_who_may_come_in_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::with_listeners(folder.path(), "", &listener("tcp", "tcp", ""));
    let mut open = daemon.connect("tcp");
    open.write_all(line(1).as_bytes()).unwrap();
    let at = daemon.address("tcp").to_owned();
    Daemon::configure(folder.path(), "", &listener("tcp", "tcp", "require_key = true"));
    assert_eq!(daemon.reload().0, 200);
    wait_for("the end of a connection", || (open.write_all(b"<13>x\n").is_err()).then_some(()));
    assert_eq!(daemon.address("tcp"), at);
    daemon.send("tcp", line(2).as_bytes());
    let refused = daemon.find_in("blocked", "endpoint:tcp");
    assert_eq!(refused["reason"], "INVALID_API_KEY");
    assert_eq!(daemon.query("line").len(), 1);
    // A listener that goes by another name is the same socket.
    Daemon::configure(folder.path(), "", &listener("other", "tcp", "").replace("127.0.0.1:0", &at));
    assert_eq!(daemon.reload().0, 200);
    daemon.send("other", line(3).as_bytes());
    daemon.settle("other", 1);
}

#[test]
fn cf_02_a_reload_that_cannot_be_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let tcp = listener("tcp", "tcp", "");
    let mut daemon = Daemon::with_listeners(folder.path(), "", &tcp);
    let mut open = daemon.connect("tcp");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    fs::write(folder.path().join("other.key"), "no key").unwrap();
    let tls = "tls = { cert = \"FOLDER/server.pem\", key = \"FOLDER/other.key\" }";
    let two = listener("taken", "tcp", "").replace("127.0.0.1:0", &at)
        + &listener("tls", "tcp", tls)
        + &listener("free", "tcp", "");
    let network = "gate.networks = [{ source = \"10.0.0.0/8\", key = \"key_unknown\" }]\n";
    let table: [(&str, &str, &[&str]); 5] = [
        (network, &two, &["gate.networks", &at, "other.key"]),
        ("batch.max_bites = 1\n", "", &["max_bites"]),
        ("log.level = \"a=b=c\"\nbatch.max_bytes = \"1 B\"", "", &["log.level", "batch.max_bytes"]),
        ("listener = 5", "", &["logtrace.toml:6: duplicate key"]),
        ("[[", "", &["logtrace.toml:"]),
    ];
    for (number, (head, listeners, wanted)) in table.into_iter().enumerate() {
        Daemon::configure(folder.path(), head, &format!("{tcp}{listeners}"));
        let (status, answer) = daemon.reload();
        assert_eq!((status, &answer["code"]), (400, &json!("invalid_configuration")), "{answer}");
        let reasons: Vec<_> =
            answer["reasons"].as_array().unwrap().iter().map(Value::to_string).collect();
        assert!(reasons.len() >= wanted.len(), "{reasons:#?}");
        for want in wanted {
            assert!(reasons.iter().any(|reason| reason.contains(want)), "{want} in {reasons:#?}");
        }
        assert_eq!(configured(&daemon), 0);
        open.write_all(line(number).as_bytes()).unwrap();
        daemon.settle("tcp", number as u64 + 1);
    }
    // One that is being written, and one that is not there.
    fs::write(folder.path().join("logtrace.toml"), "").unwrap();
    assert_eq!(daemon.reload().0, 400);
    fs::remove_file(folder.path().join("logtrace.toml")).unwrap();
    assert_eq!(daemon.reload().0, 400);
    assert_eq!(listening(folder.path()), 3, "tcp, api, admin");
    let said = daemon.said();
    assert!(said.contains("nothing is changed") && said.contains("max_bites"), "{said}");
    Daemon::configure(folder.path(), "", &tcp);
    assert_eq!(daemon.reload().0, 200);
    assert_eq!(configured(&daemon), 1);
    assert!(
        daemon.metrics().get("logtrace_config_last_reload_success_timestamp_seconds")
            > 1_000_000_000
    );
}

fn listening(folder: &Path) -> usize {
    let file = fs::read(folder.join("data/listening.json")).unwrap();
    serde_json::from_slice::<Value>(&file).unwrap().as_object().unwrap().len()
}

#[test]
fn cf_03_the_last_of_many_signals_counts_and_a_stop_is_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::with_listeners(folder.path(), "", &listener("tcp", "tcp", ""));
    let mut open = daemon.connect("tcp");
    for n in 0..200 {
        let more = format!("max_message = \"{} KiB\"", 1 + n);
        let late = if n == 199 { listener("late", "tcp", "") } else { String::new() };
        Daemon::configure(folder.path(), "", &(listener("tcp", "tcp", &more) + &late));
        daemon.signal(Signal::HUP);
        open.write_all(line(n).as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(2));
    }
    wait_for("the last state", || (listening(folder.path()) == 4).then_some(()));
    daemon.look();
    daemon.settle("tcp", 200);
    daemon.send("late", line(200).as_bytes());
    daemon.settle("late", 1);
    // In the middle of a reload, and twice.
    daemon.signal(Signal::HUP);
    daemon.signal(Signal::TERM);
    assert!(daemon.stop().success());

    // During a start: neither signal kills it, and both are obeyed.
    let daemon = Daemon::with_listeners(folder.path(), "", &listener("tcp", "tcp", ""));
    assert_eq!(daemon.query("line").len(), 201);
    assert!(daemon.stop().success());
}

#[test]
fn a_reload_in_a_flood_costs_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let both = |n: usize| {
        let more = format!("max_message = \"{} KiB\"", 64 + n);
        listener("tcp", "tcp", &more) + &listener("udp", "udp", &more)
    };
    let mut daemon = Daemon::with_listeners(folder.path(), "", &both(0));
    let (at, datagrams) = (daemon.address("tcp").to_owned(), daemon.address("udp").to_owned());
    let flood = thread::spawn(move || {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut open = TcpStream::connect(&at).unwrap();
        for n in 0..LINES {
            open.write_all(line(n).as_bytes()).unwrap();
            sender.send_to(line(n).as_bytes(), &datagrams).unwrap();
            if n % 50 == 0 {
                // Nobody who connects in between is refused.
                TcpStream::connect(&at).unwrap().write_all(line(n).as_bytes()).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    for n in 1..=20 {
        Daemon::configure(folder.path(), "", &both(n));
        let (status, answer) = daemon.reload();
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["listeners"]["changed"]["udp"], json!(["max_message"]));
    }
    flood.join().unwrap();
    daemon.settle("tcp", (LINES + LINES / 50) as u64);
    wait_for("all datagrams", || {
        let page = daemon.metrics();
        let dropped = page.get("logtrace_kernel_dropped_total{listener=\"udp\"}");
        let received = page.ledger("udp").received;
        (received + dropped == LINES as u64).then_some(())
    });
}

const LINES: usize = 20_000;

#[test]
fn a_reload_reopens_no_key_forgets_no_block_and_forgives_nothing() {
    well_before_the_next_hour();
    let stranger = Address::add("198.51.100.95");
    let folder = tempfile::tempdir().unwrap();
    let config = |limit: u32, hour: u32| {
        format!(
            "[gate]\nlimits.key = {{ events_per_second = {limit}, burst = \"1h\" }}\n\
             limits.address = {{ events_per_second = 100000 }}\n[gate.requests]\n\
             standard = {{ ingest = {hour}, query = 100 }}\n"
        )
    };
    let listeners = listener("tcp", "tcp", "");
    // One event a second, an hour's worth at once; ten calls an hour.
    let mut daemon = Daemon::with_listeners(folder.path(), &config(1, 10), &listeners);
    let key = |name: &str| daemon.create_key(&json!({"name": name, "scopes": ["write:logs"]}));
    let ((revoked_id, revoked), (_, good)) = (key("revoked"), key("good"));
    let limits = json!({"events_per_second": 100_000});
    let (_, caller) =
        daemon.create_key(&json!({"name": "caller", "scopes": ["write:logs"], "limits": limits}));
    assert_eq!(daemon.call("DELETE", &format!("/v1/keys/{revoked_id}"), None, None).0, 200);
    let block = json!({"net": "198.51.100.95"});
    assert_eq!(daemon.call("POST", "/v1/blocklist", None, Some(&block)).0, 201);
    let mut calls = 0;
    let mut post = |daemon: &Daemon, key: &str| {
        let log = json!({"logs": [{"message": format!("call {calls}")}]});
        calls += 1;
        daemon.call("POST", "/v1/logs/ingest", Some(key), Some(&log)).0
    };
    assert!((0..4).all(|_| post(&daemon, &caller) == 202));
    let lines = format!("<13>1 - h a - - [lt@1 key=\"{good}\"] line\n").repeat(3590);
    daemon.send("tcp", lines.as_bytes());
    daemon.settle("tcp", 3590);
    for (limit, hour) in [(1, 11), (1, 10)] {
        Daemon::configure(folder.path(), &config(limit, hour), &listeners);
        let (status, answer) = daemon.reload();
        assert_eq!((status, &answer["needs_restart"]), (200, &json!([])), "{answer}");
        assert_eq!(post(&daemon, &revoked), 401);
        assert_eq!(stranger.talk(daemon.address("tcp"), line(1).as_bytes()), "");
    }
    // Of an hour's worth of events there is next to nothing left, and six of the calls.
    daemon.send("tcp", lines.as_bytes());
    daemon.settle("tcp", 2 * 3590);
    let ledger = daemon.metrics().ledger("tcp");
    assert!(ledger.stored < 3590 + 100, "{ledger:?}");
    let rest: Vec<_> = (0..8).map(|_| post(&daemon, &caller)).collect();
    assert_eq!(rest, [202, 202, 202, 202, 202, 202, 429, 429]);
    daemon.find_in("blocked", "reason:IP_BLOCKLISTED and endpoint:tcp");
    daemon.find_in("blocked", "reason:API_KEY_REVOKED");
}
