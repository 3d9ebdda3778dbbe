//! The daemon is told to stop: under load, at its start, while it mends its store, and again.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::channel;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::acknowledged::Acknowledged;
use crate::support::{Beats, Daemon, LISTENERS, RELP, wait_for};

/// Sends frames until nobody takes them, so many ahead of their answers as librelp, and reads answers
/// until there are no more: the texts of those that were acknowledged.
fn relp(address: &str, name: &str) -> BTreeSet<String> {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let (answered, waiting) = channel();
    let of = name.to_owned();
    let writing = thread::spawn(move || {
        let open = "1 open 30 relp_version=0\ncommands=syslog\n";
        let mut sent = writer.write_all(open.as_bytes());
        let mut allowed = 128;
        for number in 2.. {
            while allowed == 0 {
                match waiting.recv() {
                    Ok(more) => allowed += more,
                    Err(_) => return,
                }
            }
            if sent.is_err() {
                return;
            }
            allowed -= 1;
            let text = format!("<13>1 - h a - - - {of}n{number}");
            sent = writer.write_all(format!("{number} syslog {} {text}\n", text.len()).as_bytes());
        }
    });
    let (mut answers, mut piece) = (Vec::new(), [0; 4096]);
    // At the end there may be something that the daemon had not read: then it is a reset.
    while let Ok(len @ 1..) = stream.read(&mut piece) {
        answers.extend_from_slice(&piece[..len]);
        let ends = piece[..len].iter().filter(|byte| **byte == b'\n').count();
        let _gone = answered.send(ends).is_err();
    }
    drop(answered);
    writing.join().unwrap();
    let answers = String::from_utf8(answers).unwrap();
    let numbers = answers.lines().filter_map(|line| line.strip_suffix(" rsp 6 200 OK"));
    numbers.map(|number| format!("{name}n{number}")).collect()
}

/// Sends windows one after the other until there is no answer: what was acknowledged.
fn beats(address: &str, name: &str) -> BTreeSet<String> {
    let mut beats = Beats::connect(address).unwrap();
    let mut acknowledged = BTreeSet::new();
    for window in 0.. {
        let texts: Vec<_> = (0..100).map(|n| format!("{name}n{}", window * 100 + n)).collect();
        let events: Vec<_> =
            texts.iter().map(|text| json!({"message": text}).to_string()).collect();
        if beats.window(1, &events).is_err() {
            break;
        }
        let Ok((number, _)) = beats.acknowledged() else { break };
        acknowledged.extend(texts.into_iter().take(usize::try_from(number).unwrap()));
    }
    acknowledged
}

/// The messages of all events of `service` that are stored, page by page.
fn stored(daemon: &Daemon, listener: &str) -> BTreeSet<String> {
    let mut query = json!({
        "filter": format!("listener:{listener}"), "from": "-1d", "limit": 10_000,
        "fields": ["message"],
    });
    let mut found = BTreeSet::new();
    loop {
        let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&query));
        assert_eq!(status, 200, "{answer}");
        for log in answer["logs"].as_array().unwrap() {
            assert!(found.insert(log["message"].as_str().unwrap().to_owned()), "twice: {log}");
        }
        query["cursor"] = answer["meta"]["next_cursor"].clone();
        if query["cursor"].is_null() {
            return found;
        }
    }
}

#[test]
fn cf_04_a_stop_under_flood_stores_and_answers_what_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let listeners = format!("{LISTENERS}{RELP}");
    let daemon = Daemon::with_listeners(folder.path(), "shutdown.grace = \"2m\"\n", &listeners);
    let at = |listener: &str| daemon.address(listener).to_owned();
    let mut senders = Vec::new();
    for number in 0..2 {
        let (relp_at, beats_at, tcp_at) = (at("relp"), at("beats"), at("tcp"));
        senders.push(thread::spawn(move || relp(&relp_at, &format!("r{number}"))));
        senders.push(thread::spawn(move || beats(&beats_at, &format!("b{number}"))));
        senders.push(thread::spawn(move || {
            let lines: String = (0..100).map(|n| format!("<13>1 - h a - - - t{n}\n")).collect();
            let mut stream = TcpStream::connect(tcp_at).unwrap();
            while stream.write_all(lines.as_bytes()).is_ok() {}
            BTreeSet::new()
        }));
    }
    // And some who say nothing, or stop in the middle.
    let idle = daemon.connect("tcp");
    let mut half = daemon.connect("relp");
    half.write_all(b"1 open 30 relp_ver").unwrap();
    for listener in ["relp", "beats", "tcp"] {
        let enough = || daemon.metrics().ledger(listener).stored > 1000;
        wait_for("a flood", || enough().then_some(()));
    }
    assert_eq!(daemon.stop().code(), Some(0));
    drop((idle, half));
    let acknowledged: BTreeSet<_> =
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
    let said = fs::read_to_string(folder.path().join("daemon.log")).unwrap();
    assert!(!said.contains("were cut"), "{said}");
    assert!(!folder.path().join("data/listening.json").exists());

    let daemon = Daemon::with_listeners(folder.path(), "", &listeners);
    let of = |first: char| -> BTreeSet<String> {
        acknowledged.iter().filter(|text| text.starts_with(first)).cloned().collect()
    };
    let (relp, beats) = (stored(&daemon, "relp"), stored(&daemon, "beats"));
    // Not only is what was acknowledged stored: what was stored was acknowledged.
    assert!(relp == of('r'), "{} stored, {} acknowledged", relp.len(), of('r').len());
    assert!(beats == of('b'), "{} stored, {} acknowledged", beats.len(), of('b').len());
    assert!(relp.len() > 1000 && beats.len() > 1000);
}

/// Starts a daemon and returns as soon as it hears signals: long before it listens.
fn starting(folder: &Path, config: &str) -> Child {
    let file = Daemon::configure(folder, config, LISTENERS);
    let log = folder.join("daemon.log");
    let log = fs::File::options().create(true).append(true).open(log).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_logtrace"));
    let child = command.arg("serve").arg("--config").arg(file).stderr(log).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    // SIGHUP, SIGUSR2 and SIGTERM are caught (proc(5), `SigCgt`).
    let mask = 1 << 0 | 1 << 11 | 1 << 14_u64;
    let hears = || {
        let status = fs::read_to_string(&status).ok()?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        (caught & mask == mask).then_some(())
    };
    // Without a pause: it is to be early.
    while hears().is_none() {
        thread::yield_now();
    }
    child
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn ended(child: &mut Child) -> ExitStatus {
    wait_for("the end of the daemon", || child.try_wait().unwrap())
}

#[test]
fn cf_03_a_stop_while_it_starts_or_mends_is_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    drop(Daemon::start(folder.path(), ""));
    let acknowledged = Acknowledged::new("kept", 0);
    for round in 0..6 {
        let daemon = Daemon::start(folder.path(), "");
        for _ in 0..5 {
            assert!(acknowledged.send(&daemon, 500));
        }
        // What it finds next time is to be mended first.
        daemon.kill();
        let mut child = starting(folder.path(), "");
        if round % 2 == 0 {
            signal(&child, Signal::HUP);
        }
        signal(&child, Signal::TERM);
        if round == 5 {
            signal(&child, Signal::TERM);
        }
        let ended = ended(&mut child);
        assert!(ended.success(), "round {round}: {ended}");
    }
    acknowledged.assert_stored_once(&Daemon::start(folder.path(), ""));
}

#[test]
fn cf_03_a_configuration_that_changes_during_the_start_counts() {
    let folder = tempfile::tempdir().unwrap();
    drop(Daemon::start(folder.path(), ""));
    let mut child = starting(folder.path(), "");
    let late = LISTENERS.replace("name = \"udp\"", "name = \"late\"");
    Daemon::configure(folder.path(), "", &late);
    signal(&child, Signal::HUP);
    signal(&child, Signal::PIPE);
    let listening = folder.path().join("data/listening.json");
    wait_for("the last state", || {
        fs::read_to_string(&listening).is_ok_and(|text| text.contains("\"late\"")).then_some(())
    });
    signal(&child, Signal::TERM);
    assert!(ended(&mut child).success());
}

#[test]
fn cf_03_told_twice_it_stops_at_once_and_keeps_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let config = "shutdown.grace = \"10m\"\napi.body_timeout = \"10m\"\n";
    let daemon = Daemon::start(folder.path(), config);
    let acknowledged = Acknowledged::new("twice", 0);
    assert!(acknowledged.send(&daemon, 500));
    // A call that does not end: once, it is waited for.
    let mut call = TcpStream::connect(daemon.address("api")).unwrap();
    let head = "POST /v1/logs/ingest HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 1000\r\n\r\n{\"logs\":";
    call.write_all(head.as_bytes()).unwrap();
    daemon.signal(Signal::TERM);
    wait_for("the stop", || daemon.said().contains("stopping").then_some(()));
    daemon.signal(Signal::TERM);
    assert!(daemon.ended().success());
    acknowledged.assert_stored_once(&Daemon::start(folder.path(), config));
}
