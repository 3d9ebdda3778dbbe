//! `logtrace tail`, the program, at a real daemon.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Daemon, PATIENCE, wait_for};

/// A running `logtrace tail`, and what it writes.
struct Tail {
    child: Child,
    lines: Receiver<String>,
}

impl Tail {
    fn start(daemon: &Daemon, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_logtrace"))
            .args(["tail", "--server", &format!("http://{}", daemon.address("api"))])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// Sends lines until the first of them is seen: a tail shows what comes once it is there.
    fn catch_up(&self, daemon: &Daemon) {
        wait_for("the tail", || {
            daemon.send("tcp", b"<13>1 - h probe - - - are you there\n");
            match self.lines.try_recv() {
                Ok(line) => {
                    assert!(line.contains("are you there"), "{line}");
                    Some(())
                }
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => panic!("the tail has ended"),
            }
        });
    }

    /// The next line that is no probe.
    #[track_caller]
    fn next(&self) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("a line in time");
            if !line.contains("are you there") {
                return line;
            }
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _gone = self.child.kill().is_err();
        let _reaped = self.child.wait().is_ok();
    }
}

#[test]
fn it_writes_each_event_as_it_comes_until_it_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let mut tail = Tail::start(&daemon, &["--json", "not message:noise"]);
    tail.catch_up(&daemon);
    for number in 0..50 {
        let noise = "<13>1 - h app - - - noise\n";
        daemon.send("tcp", format!("{noise}<11>1 - h app - - - line {number}\n").as_bytes());
        let event: Value = serde_json::from_str(&tail.next()).unwrap();
        assert_eq!(event["message"], format!("line {number}"), "{event}");
        assert_eq!((&event["service"], &event["level"]), (&"app".into(), &"ERROR".into()));
    }
    // What comes in one read comes in its order.
    let lines: String = (0..500).map(|n| format!("<13>1 - h app - - - many {n}\n")).collect();
    daemon.send("tcp", lines.as_bytes());
    for number in 0..500 {
        let event: Value = serde_json::from_str(&tail.next()).unwrap();
        assert_eq!(event["message"], format!("many {number}"));
    }
    kill_process(Pid::from_child(&tail.child), Signal::INT).unwrap();
    let ended = wait_for("the end of the tail", || tail.child.try_wait().unwrap());
    assert_eq!(ended.code(), None, "by the signal");
    // The daemon does not mind.
    daemon.send("tcp", b"<13>1 - h app - - - afterwards\n");
    daemon.find("message:afterwards");
}

#[test]
fn co_18_no_escape_reaches_the_terminal_and_the_end_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let mut tail = Tail::start(&daemon, &[]);
    tail.catch_up(&daemon);
    daemon.send("tcp", b"<13>1 - host app - - - red \x1b[31m and \x07 bell\n");
    let line = tail.next();
    assert!(line.contains("host") && line.contains("red"), "{line}");
    assert!(!line.chars().any(char::is_control), "{line:?}");
    assert!(daemon.stop().success());
    let ended = wait_for("the end of the tail", || tail.child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(1));
    let errors = BufReader::new(tail.child.stderr.take().unwrap()).lines();
    let errors: Vec<String> = errors.map_while(Result::ok).collect();
    assert!(errors.join("\n").contains("stopping"), "{errors:?}");
}
