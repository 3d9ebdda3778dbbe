//! What is sent again because nobody answered is there once, and what is said twice is there twice.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::relp::session::Session;
use crate::support::{Beats, Daemon, LISTENERS, RELP, wait_for, yesterday};

#[track_caller]
fn start(folder: &Path, failpoint: Option<&str>) -> Daemon {
    let variables: Vec<_> = failpoint.iter().map(|at| ("LOGTRACE_FAILPOINT", *at)).collect();
    let started = Daemon::try_start(folder, "", &format!("{LISTENERS}{RELP}"), &variables);
    started.expect("it lives until it has stored something")
}

fn texts(what: &str, numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|n| json!({"message": format!("resent {what} {n}")}).to_string()).collect()
}

/// How often each message is stored.
fn stored(daemon: &Daemon) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for event in daemon.query("message:resent") {
        *times.entry(event["message"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    times
}

#[track_caller]
fn each_is_there(daemon: &Daemon, count: usize, times: usize) {
    let stored = stored(daemon);
    assert_eq!(stored.len(), count, "{stored:?}");
    assert!(stored.values().all(|found| *found == times), "{stored:?}");
}

fn send_window(daemon: &Daemon, texts: &[String]) -> Beats {
    let mut beats = Beats::connect(daemon.address("beats")).unwrap();
    beats.window(1, texts).unwrap();
    beats
}

#[test]
fn a_window_whose_connection_broke_before_the_answer_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path(), None);
    // They bear a time: whether an answer that has arrived was read is not known.
    let time = format!("{}T11:59:58.123Z", yesterday());
    let text = |n: u32| json!({"@timestamp": time, "message": format!("resent beats {n}")});
    let texts: Vec<String> = (0..50).map(|n| text(n).to_string()).collect();
    drop(send_window(&daemon, &texts));
    wait_for("it to be stored", || (stored(&daemon).len() == 50).then_some(()));
    for round in 1..4_u64 {
        // Each time the connection breaks again, but for the last.
        let mut beats = send_window(&daemon, &texts);
        if round == 3 {
            assert_eq!(beats.acknowledged().unwrap().0, 50);
            beats.window(51, &self::texts("beats", 50..60)).unwrap();
            assert_eq!(beats.acknowledged().unwrap().0, 60);
        }
        drop(beats);
        daemon.settle("beats", 50 + 50 * round + if round == 3 { 10 } else { 0 });
    }
    each_is_there(&daemon, 60, 1);
    let metrics = daemon.metrics();
    assert_eq!(metrics.ledger("beats").failed, 150, "all copies are accounted for");
    // All is answered: what is said now is said a second time.
    let mut beats = send_window(&daemon, &texts);
    assert_eq!(beats.acknowledged().unwrap().0, 50);
    assert_eq!(stored(&daemon)["resent beats 7"], 2);
}

#[test]
fn frames_whose_session_broke_before_the_answer_are_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path(), None);
    let say = |session: &mut Session, numbers: std::ops::Range<u32>| {
        for n in numbers {
            session.message(&format!("resent relp {n}"));
        }
    };
    let mut session = Session::open(&daemon);
    say(&mut session, 0..30);
    session.acknowledged_from(2);
    say(&mut session, 30..100);
    drop(session);
    wait_for("it to be stored", || (stored(&daemon).len() == 100).then_some(()));
    // What was not answered, under new numbers, and more.
    let mut session = Session::open(&daemon);
    say(&mut session, 30..120);
    session.acknowledged_from(2);
    each_is_there(&daemon, 120, 1);
    daemon.settle("relp", 190);
    assert_eq!(daemon.metrics().ledger("relp").failed, 70);
}

#[test]
fn rp_05_killed_between_sync_and_answer_what_is_sent_again_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let day = yesterday();
    let line = |n: u32| format!("<13>1 {day}T11:59:58.123Z h a - - - resent relp {n}");
    // Frames that nobody has answered, sent again in each session first of all.
    let mut unanswered = Vec::new();
    let mut next = 0;
    for place in ["stage-committed:7", "stage-committed:3", "stage-committed:1", ""] {
        let daemon = start(folder.path(), Some(place).filter(|place| !place.is_empty()));
        let mut session = Session::open(&daemon);
        let mut first = session.last + 1;
        for n in std::mem::take(&mut unanswered).into_iter().chain(next..next + 40) {
            session.frame("syslog", &line(n));
            unanswered.push(n);
        }
        next += 40;
        'session: for _ in 0..20 {
            while first <= session.last {
                let Some((number, _, data)) = session.answer() else { break 'session };
                assert_eq!((number, &*data), (first, "200 OK"));
                first += 1;
                unanswered.remove(0);
            }
            for _ in 0..8 {
                let n = next;
                let frame = crate::relp::session::frame(session.last + 1, "syslog", &line(n));
                if std::io::Write::write_all(session.socket(), frame.as_bytes()).is_err() {
                    break 'session;
                }
                session.last += 1;
                unanswered.push(n);
                next = n + 1;
            }
        }
        if !place.is_empty() {
            daemon.kill();
            continue;
        }
        session.acknowledged_from(first);
        each_is_there(&daemon, next as usize, 1);
    }
    assert!(next > 100, "only {next} were sent");
}

#[test]
fn what_was_answered_and_is_said_again_after_the_daemon_was_killed_is_there_twice() {
    let folder = tempfile::tempdir().unwrap();
    let beat = texts("heartbeat", 0..1);
    for round in 1..=3 {
        let daemon = start(folder.path(), None);
        let mut beats = send_window(&daemon, &beat);
        assert_eq!(beats.acknowledged().unwrap().0, 1);
        let mut session = Session::open(&daemon);
        session.message("resent tick");
        session.acknowledged_from(2);
        wait_for("both", || (stored(&daemon).values().sum::<usize>() == 2 * round).then_some(()));
        daemon.kill();
    }
}

#[test]
fn connections_of_one_sender_take_nothing_from_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path(), None);
    let one = texts("shared", 0..20);
    // Two that are alike and alive: each is a message of its own.
    let (mut a, mut b) = (send_window(&daemon, &one), send_window(&daemon, &one));
    assert_eq!((a.acknowledged().unwrap().0, b.acknowledged().unwrap().0), (20, 20));
    each_is_there(&daemon, 20, 2);
    // One of them breaks; what it left has one copy, whoever brings it, and once.
    a.window(21, &texts("left", 0..20)).unwrap();
    drop(a);
    wait_for("it to be stored", || (stored(&daemon).len() == 40).then_some(()));
    let left = texts("left", 0..20);
    let mut first = send_window(&daemon, &left);
    assert_eq!(first.acknowledged().unwrap().0, 20);
    assert_eq!(stored(&daemon)["resent left 3"], 1);
    let mut second = send_window(&daemon, &left);
    assert_eq!(second.acknowledged().unwrap().0, 20);
    assert_eq!(stored(&daemon)["resent left 3"], 2);
    // A connection that was open before goes on; what it says is its own.
    b.window(21, &left).unwrap();
    assert_eq!(b.acknowledged().unwrap().0, 40);
    assert_eq!(stored(&daemon)["resent left 3"], 3);
}
