//! Clients whose daemon is killed in the middle, and comes back: nothing that they were told is
//! stored is lost, and where events have an identity, none is there twice.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::json;

use crate::haproxy::passing_on;
use crate::program::{Running, node_of, program_of, python, python_of, start};
use crate::relay::Relay;
use crate::support::{self, Valve, wait_for};
use crate::yard::{COUNT, Yard};

/// The lines in which a client says which of its messages are stored.
fn told(client: &Running) -> BTreeSet<String> {
    let said = client.said();
    said.lines().filter(|line| line.starts_with("number")).map(str::to_owned).collect()
}

/// Runs a client that says which of its numbered messages are stored, through a valve that holds it
/// up after so many bytes. The daemon is killed then. Returns it as it is once the client was told
/// of all.
#[track_caller]
fn over_a_kill(
    yard: &Yard,
    name: &str,
    bytes: u64,
    command: impl FnOnce(&Valve, &str) -> Command,
) -> support::Daemon {
    over_a_kill_behind(yard, &Valve::new(yard.at, bytes), name, command, || true)
}

/// The same, with a valve of its own; the daemon is killed when `is_due`.
#[track_caller]
fn over_a_kill_behind(
    yard: &Yard,
    valve: &Valve,
    name: &str,
    command: impl FnOnce(&Valve, &str) -> Command,
    is_due: impl Fn() -> bool,
) -> support::Daemon {
    let daemon = yard.start();
    let (_, secret) = daemon.create_key(&json!({"name": name, "scopes": ["write:logs"]}));
    let client = start(command(valve, &secret), yard.folder(), name);
    wait_for("the moment", || is_due().then_some(()));
    let first = wait_for("the first that are stored", || {
        Some(told(&client)).filter(|told| !told.is_empty())
    });
    assert!(first.len() < COUNT, "it was held up");
    daemon.kill();
    let daemon = yard.start();
    let stored = yard.stored(&daemon, name);
    assert_eq!(first.difference(&stored).next(), None, "told, and lost");
    valve.open();
    let all = wait_for("all of them", || Some(told(&client)).filter(|told| told.len() == COUNT));
    let stored = yard.stored(&daemon, name);
    assert_eq!(all.difference(&stored).next(), None, "told, and lost");
    assert_eq!(stored.len(), COUNT);
    daemon
}

#[test]
fn elasticsearch_py() {
    let yard = Yard::new("http");
    let daemon = over_a_kill(&yard, "elastic", 8_000, |valve, secret| {
        let mut command = python_of("python-elastic", "elastic_client.py");
        let url = format!("http://{}", valve.address());
        command.args([&url, secret, "elasticsearch", &COUNT.to_string()]);
        command
    });
    // What was stored and not told of came again, with the same id.
    assert_eq!(yard.all_stored(&daemon, "elastic").len(), COUNT);
    assert!(daemon.stop().success());
}

#[test]
fn elasticsearch_js() {
    let yard = Yard::new("http");
    let daemon = over_a_kill(&yard, "elastic", 8_000, |valve, secret| {
        let mut command = node_of("npm-elastic", "elastic.js");
        command.args([&format!("http://{}", valve.address()), secret, &COUNT.to_string()]);
        command
    });
    assert_eq!(yard.all_stored(&daemon, "elastic").len(), COUNT);
    assert!(daemon.stop().success());
}

#[test]
fn ferro_lumberjack() {
    let yard = Yard::new("beats");
    let daemon = over_a_kill(&yard, "ferro", 3_000, |valve, _| {
        let mut command = program_of("ferro/release/ferro-client");
        command.args([&valve.address().to_string(), &COUNT.to_string()]);
        command
    });
    daemon.find("message:\"number 000007 of ferro\" and host.name:\"till-3\"");
    assert!(daemon.stop().success());
}

#[test]
fn pylogbeat() {
    let yard = Yard::new("beats");
    let daemon = unheard(&yard, yard.at);
    // What was stored and not told of came again, and is known.
    assert_eq!(yard.all_stored(&daemon, "pylogbeat").len(), COUNT);
    assert!(daemon.metrics().ledger("push").failed > 0, "nothing came again");
    assert!(daemon.stop().success());
}

/// The same through haproxy, which says by a PROXY header who it is.
#[test]
fn pylogbeat_behind_haproxy() {
    let yard = Yard::with("beats", "proxy = { trusted = [\"127.0.0.1\"] }");
    let server = format!("{} send-proxy-v2", yard.at);
    let (_haproxy, ports) = passing_on(yard.folder(), &[server]);
    let daemon = unheard(&yard, ports[0]);
    assert_eq!(yard.all_stored(&daemon, "pylogbeat").len(), COUNT);
    assert!(daemon.metrics().ledger("push").failed > 0, "nothing came again");
    assert!(daemon.stop().success());
}

/// pylogbeat, of whose windows one is stored, and the answer is lost with the daemon.
#[track_caller]
fn unheard(yard: &Yard, to: SocketAddr) -> support::Daemon {
    let valve = Valve::of_answers(to, 30);
    let command = |valve: &Valve, _: &str| {
        let mut command = python("pylogbeat_numbered.py");
        command.args([&valve.address().port().to_string(), &COUNT.to_string()]);
        command
    };
    over_a_kill_behind(yard, &valve, "pylogbeat", command, || valve.has_held())
}

#[test]
fn fluent_logger_of_node() {
    let yard = Yard::new("fluent");
    let daemon = over_a_kill(&yard, "fluent", 4_000, |valve, _| {
        let mut command = node_of("npm-fluent", "fluent_logger.js");
        command.args([&valve.address().port().to_string(), "Message", "-", &COUNT.to_string()]);
        command
    });
    assert!(daemon.stop().success());
}

/// It asks for no acknowledgement, and takes what the system took for sent: what was on its way is
/// lost with the daemon. What was stored stays, and all that comes later is stored.
#[test]
fn fluent_logger_of_python() {
    let yard = Yard::new("fluent");
    let daemon = yard.start();
    let mut command = python_of("python-fluent", "fluent_logger.py");
    let steps = yard.folder().join("steps");
    command.args([&yard.at.port().to_string(), "none", &COUNT.to_string()]).arg(&steps);
    let client = start(command, yard.folder(), "fluent");
    // It goes on to the next third when it is told to.
    let third = COUNT / 3;
    wait_for("the first third", || (yard.stored(&daemon, "fluent").len() == third).then_some(()));
    daemon.kill();
    std::fs::write(steps.with_extension("1"), "").unwrap();
    wait_for("the second third", || client.said().contains("second").then_some(()));
    let daemon = yard.start();
    assert_eq!(yard.stored(&daemon, "fluent").len(), third);
    std::fs::write(steps.with_extension("2"), "").unwrap();
    // What it could not send it has kept, and sends before what comes next.
    let all = || (yard.stored(&daemon, "fluent").len() == COUNT).then_some(());
    wait_for("all of them", all);
    assert_eq!(yard.all_stored(&daemon, "fluent").len(), COUNT);
    assert!(daemon.stop().success());
}

/// What keeps what it was not told is stored, and says nothing of it: all of it is stored in the end.
#[track_caller]
fn kept_over_a_kill(
    protocol: &str,
    name: &str,
    valve: impl FnOnce(SocketAddr) -> Valve,
    command: impl FnOnce(&Yard, &Valve, &str) -> Command,
) -> (support::Daemon, Yard) {
    let yard = Yard::new(protocol);
    let daemon = yard.start();
    let (_, secret) = daemon.create_key(&json!({"name": name, "scopes": ["write:logs"]}));
    let valve = valve(yard.at);
    let _client = start(command(&yard, &valve, &secret), yard.folder(), name);
    wait_for("something to be held up", || valve.has_held().then_some(()));
    let some = || Some(yard.stored(&daemon, name)).filter(|stored| !stored.is_empty());
    let first = wait_for("the first that are stored", some);
    assert!(first.len() < COUNT, "it was held up");
    daemon.kill();
    let daemon = yard.start();
    valve.open();
    wait_for("all of them", || (yard.stored(&daemon, name).len() == COUNT).then_some(()));
    (daemon, yard)
}

#[test]
fn winston_loki() {
    let valve = |at| Valve::new(at, 4_000);
    let (daemon, _) = kept_over_a_kill("http", "loki", valve, |_, valve, secret| {
        let mut command = node_of("npm-push", "winston_loki.js");
        let url = format!("http://{}", valve.address());
        command.args([&url, secret, "json", &COUNT.to_string()]);
        command
    });
    assert!(daemon.stop().success());
}

#[test]
fn logstash_async_over_http() {
    let valve = |at| Valve::new(at, 30_000);
    let (daemon, _) = kept_over_a_kill("http", "logstash", valve, |yard, valve, secret| {
        let mut command = python_of("python", "logstash_async_http.py");
        command.args([&valve.address().port().to_string(), secret, &COUNT.to_string()]);
        command.arg(yard.folder().join("queue.db"));
        command
    });
    assert!(daemon.stop().success());
}

/// It opens a connection for each of its batches, and sends all of a batch again of which anything
/// failed: here the answer to the last window of the second.
#[test]
fn logstash_async_over_beats() {
    let valve = |at| Valve::of_answers(at, 30);
    let (daemon, yard) = kept_over_a_kill("beats", "logstash", valve, |yard, valve, _| {
        let mut command = python("logstash_async_http.py");
        command.args([&valve.address().port().to_string(), "", &COUNT.to_string()]);
        command.arg(yard.folder().join("queue.db")).arg("beats");
        command
    });
    assert_eq!(yard.all_stored(&daemon, "logstash").len(), COUNT);
    assert!(daemon.metrics().ledger("push").failed > 0, "nothing came again");
    assert!(daemon.stop().success());
}

#[test]
fn omelasticsearch() {
    let yard = Yard::new("http");
    let daemon = yard.start();
    let (_, secret) = daemon.create_key(&json!({"name": "rsyslog", "scopes": ["write:logs"]}));
    let valve = Valve::new(yard.at, 8_000);
    let rsyslog = Relay::elasticsearch(yard.folder(), valve.address().port(), &secret);
    for number in 0..COUNT {
        rsyslog.log(&format!("number {number:06} of rsyslog"));
    }
    let some = || Some(yard.stored(&daemon, "rsyslog")).filter(|stored| !stored.is_empty());
    let first = wait_for("the first that are stored", some);
    assert!(first.len() < COUNT, "it was held up");
    daemon.kill();
    let daemon = yard.start();
    valve.open();
    wait_for("all of them", || (yard.stored(&daemon, "rsyslog").len() == COUNT).then_some(()));
    // Each has its text for an id: what came again is there once.
    assert_eq!(yard.all_stored(&daemon, "rsyslog").len(), COUNT);
    assert!(daemon.stop().success());
}
