//! Clients of protocols without acknowledgements, whose daemon is killed in the middle: what was stored
//! stays, what they send after it came back is stored, and nothing is there twice.

use std::collections::BTreeSet;
use std::process::Command;

use crate::program::{node_of, python_of, start};
use crate::support::{self, wait_for};
use crate::syslog_ng::syslog_ng_to;
use crate::yard::Yard;

/// How many numbered messages are stored at least, before a daemon is killed and after it came back.
const SOME: usize = 30;

/// Kills a daemon while `send` goes on, which is called again and again.
#[track_caller]
fn over_a_kill(yard: &Yard, daemon: support::Daemon, name: &str, mut send: impl FnMut()) {
    let mut some = |daemon: &support::Daemon, but: usize| {
        wait_for("some of the messages", || {
            send();
            let stored = yard.all_stored(daemon, name);
            (stored.len() >= but + SOME).then_some(stored)
        })
    };
    let before = some(&daemon, 0);
    daemon.kill();
    let daemon = yard.start();
    let after = some(&daemon, yard.all_stored(&daemon, name).len());
    assert!(before.iter().all(|message| after.contains(message)), "stored, and lost");
    let last = before.iter().max().unwrap();
    assert!(after.iter().filter(|message| *message > last).count() >= SOME);
    let stored = yard.all_stored(&daemon, name);
    let each: BTreeSet<_> = stored.iter().collect();
    assert_eq!(each.len(), stored.len(), "something is there twice");
    assert!(daemon.stop().success());
}

fn gelf(name: &str, mut command: Command) {
    let yard = Yard::new("gelf");
    let daemon = yard.start();
    command.arg(yard.at.port().to_string());
    let _client = start(command, yard.folder(), name);
    over_a_kill(&yard, daemon, name, || ());
}

fn gelf_of_python(name: &str) {
    let mut command = python_of("python-gelf", "gelf_numbered.py");
    command.arg(name);
    gelf(name, command);
}

#[test]
fn pygelf() {
    gelf_of_python("pygelf");
}

#[test]
fn graypy() {
    gelf_of_python("graypy");
}

#[test]
fn gelf_pro() {
    gelf("gelf-pro", node_of("npm-gelf", "gelf_pro_numbered.js"));
}

/// syslog-ng to the socket of `/dev/log`: it keeps what it cannot write while nobody is there.
#[test]
fn syslog_ng() {
    let yard = Yard::local();
    let daemon = yard.start();
    let path = yard.folder().join("log");
    let driver = format!("unix-dgram(\"{}\" persist-name(\"d\"))", path.display());
    let syslog_ng = syslog_ng_to(yard.folder(), "time-reopen(1);", &driver);
    let mut number = 0;
    over_a_kill(&yard, daemon, "syslog-ng", || {
        for _ in 0..10 {
            syslog_ng.log(&format!("number {number:06} of syslog-ng"));
            number += 1;
        }
    });
}
