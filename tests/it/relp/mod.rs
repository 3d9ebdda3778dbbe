//! RELP: what is acknowledged is stored, and a session that breaks loses nothing.

pub(crate) mod session;

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::json;

use self::session::{Session, frame};
use crate::support::{Daemon, LISTENERS, RELP, SmallDisk, wait_for};

#[track_caller]
fn start(folder: &Path, config: &str) -> Daemon {
    Daemon::with_listeners(folder, config, &format!("{LISTENERS}{RELP}"))
}

#[test]
fn a_session_from_open_to_close() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path(), "");
    let mut session = Session::open(&daemon);
    for n in 0..100 {
        session.message(&format!("number {n}"));
    }
    session.acknowledged_from(2);
    session.frame("close", "");
    assert_eq!(session.answer(), Some((102, "rsp".to_owned(), String::new())));
    assert_eq!(session.answer(), Some((0, "serverclose".to_owned(), String::new())));
    assert_eq!(session.answer(), None, "it is closed");
    let event = daemon.find("message:\"number 99\"");
    assert_eq!((&event["listener"], &event["service"]), (&json!("relp"), &json!("a")));
    daemon.settle("relp", 100);
    assert!(daemon.stop().success());
}

#[test]
fn a_key_in_the_structured_data_and_one_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let listeners = format!("{LISTENERS}{RELP}require_key = true\n");
    let daemon = Daemon::with_listeners(folder.path(), "", &listeners);
    let (_, secret) = daemon.create_key(&json!({"name": "relay", "scopes": ["write:logs"]}));
    let mut session = Session::open(&daemon);
    session.frame("syslog", &format!("<13>1 - h a - - [lt@32473 key=\"{secret}\"] let in"));
    session.frame("syslog", "<13>1 - h a - - [lt@32473 key=\"lt_live_none\"] kept out");
    // Without an answer they would be sent forever.
    session.acknowledged_from(2);
    daemon.find("message:\"let in\"");
    daemon.settle("relp", 2);
    assert_eq!(daemon.metrics().ledger("relp").blocked, 1);
}

#[test]
fn rp_01_rp_02_rp_03_broken_sessions_are_named_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path(), "");
    let mut other = Session::open(&daemon);
    #[rustfmt::skip]
    let table = [
        ("3 syslog 5 <13>a\n",              None,                           "expected the number after 1, but found 3"),
        ("2 syslog 1 ab\n",                 None,                           "expected a line feed behind the data"),
        ("2 syslog 1234567890 a",           None,                           "expected a length of 1 to 9 digits"),
        ("2 open 0\n",                      Some("500 protocol error: "),   "expected one open"),
        ("2 eventlog 0\n",                  Some("500 command not "),       "expected open, syslog or close"),
    ];
    for (bytes, refused, noted) in table {
        let mut session = Session::open(&daemon);
        session.write(bytes.as_bytes());
        if let Some(refused) = refused {
            let (number, command, data) = session.answer().expect("a refusal");
            assert_eq!((number, &*command), (2, "rsp"), "{bytes}");
            assert!(data.starts_with(refused), "{data}");
        }
        assert_eq!(session.answer(), Some((0, "serverclose".to_owned(), String::new())), "{bytes}");
        assert_eq!(session.answer(), None, "{bytes}");
        daemon.find_in("failed", &format!("message:\"{noted}\""));
    }
    let mut silent = Session::connect(&daemon);
    silent.frame("syslog", "<13>a");
    assert_eq!(silent.answer().expect("a refusal").2, "500 protocol error: connection not open");
    other.message("not disturbed");
    other.acknowledged_from(2);
    daemon.settle("relp", 1 + 6);
    assert_eq!(daemon.metrics().ledger("relp").stored, 1);
}

#[test]
fn rp_04_a_sender_that_reads_no_answers_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path(), "");
    let mut session = Session::open(&daemon);
    // More answers than the kernel keeps for one who does not read them.
    socket2::SockRef::from(&*session.socket()).set_recv_buffer_size(64 << 10).unwrap();
    let last = 1_000_001;
    let flood = |n| frame(n, "syslog", "<13>1 - h a - - - flood").into_bytes();
    let frames: Vec<u8> = (2..=last).flat_map(flood).collect();
    let before = daemon.metrics().get("logtrace_resident_memory_bytes");
    session.socket().set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut sent = 0;
    while sent < frames.len() {
        match session.socket().write(&frames[sent..]) {
            Ok(len) => sent += len,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
                break;
            }
        }
    }
    let grown = daemon.metrics().get("logtrace_resident_memory_bytes").saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
    assert!(sent < frames.len(), "it was read all the same");
    // Once it reads, all are answered, and nothing was lost on the way.
    session.last = last;
    let rest = frames[sent..].to_vec();
    let mut writer = session.socket().try_clone().unwrap();
    writer.set_write_timeout(None).unwrap();
    let writing = std::thread::spawn(move || writer.write_all(&rest).unwrap());
    session.acknowledged_from(2);
    writing.join().unwrap();
    daemon.settle("relp", 1_000_000);
}

#[test]
fn rp_05_a_session_that_breaks_in_a_frame_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path(), "");
    let mut session = Session::open(&daemon);
    session.message("before");
    session.acknowledged_from(2);
    session.write(b"3 syslog 28 <13>1 - h a - - - in the mi");
    drop(session);
    let mut session = Session::open(&daemon);
    session.frame("syslog", "<13>1 - h a - - - in the middle");
    session.acknowledged_from(2);
    // Half a frame is no message: it was not acknowledged, and comes again.
    daemon.find("message:\"in the middle\"");
    daemon.settle("relp", 2);
    assert_eq!(daemon.query("message:mi").len(), 0);
}

#[test]
fn rp_05_acknowledged_is_stored_however_often_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..6 {
        let daemon = start(folder.path(), "[store]\nseal_after = \"100ms\"\n");
        let mut session = Session::open(&daemon);
        let (pid, answers) = (daemon.pid(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&answers);
        let killer = std::thread::spawn(move || {
            // In the middle of its work, however fast that is.
            let enough = || (counted.load(Ordering::Relaxed) >= 100 + 150 * round).then_some(());
            wait_for("acknowledgements", enough);
            kill_process(pid, Signal::KILL).unwrap();
        });
        let text = |n: u32| format!("round {round} number {n}");
        'session: loop {
            let from = session.last + 1;
            let numbers = from..from + 128;
            let window: String = numbers
                .clone()
                .map(|n| frame(n, "syslog", &format!("<13>1 - h a - - - {}", text(n))))
                .collect();
            if session.socket().write_all(window.as_bytes()).is_err() {
                break;
            }
            for number in numbers {
                let Some((answered, _, data)) = session.answer() else { break 'session };
                assert_eq!((answered, &*data), (number, "200 OK"));
                acknowledged.insert(text(number));
                answers.fetch_add(1, Ordering::Relaxed);
                session.last = number;
            }
        }
        killer.join().unwrap();
        daemon.kill();
    }
    let daemon = start(folder.path(), "");
    let mut stored = BTreeSet::new();
    let mut query = json!({"from": "-1d", "limit": 10_000, "fields": ["message"]});
    loop {
        let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&query));
        assert_eq!(status, 200, "{answer}");
        let logs = answer["logs"].as_array().unwrap();
        stored.extend(logs.iter().map(|log| log["message"].as_str().unwrap().to_owned()));
        query["cursor"] = answer["meta"]["next_cursor"].clone();
        if query["cursor"].is_null() || logs.is_empty() {
            break;
        }
    }
    assert!(acknowledged.len() > 500, "only {} acknowledged", acknowledged.len());
    let lost: Vec<_> = acknowledged.difference(&stored).take(5).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

#[test]
fn rp_06_a_full_disk_delays_answers_and_refuses_nothing() {
    let config = "[store.disk]\nmin_free = \"8 MiB\"\nmin_free_percent = 0\nballast = \"4 MiB\"\n";
    let disk = SmallDisk::new(96);
    let daemon = start(disk.path(), config);
    let mut session = Session::open(&daemon);
    session.message("before");
    session.acknowledged_from(2);
    let filler = disk.fill(2 << 20);
    let is_full = |full| (daemon.metrics().get("logtrace_disk_full") == full).then_some(());
    wait_for("the disk to be full", || is_full(1));
    let first = session.message("meanwhile");
    session.message("and another");
    assert!(session.is_silent_for(Duration::from_secs(1)), "it is neither stored nor refused");
    drop(filler);
    session.acknowledged_from(first);
    wait_for("room", || is_full(0));
    daemon.find("message:meanwhile");
    daemon.settle("relp", 3);
}
