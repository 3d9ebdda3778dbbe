//! GELF: pygelf, graypy and gelf-pro.

use std::process::Command;

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{node_of, python_of, run};

fn python(daemon: &Daemon, library: &str, listener: &str) -> Command {
    let mut command = python_of("python-gelf", "gelf_client.py");
    command.args([library, daemon.port(listener), listener]);
    command
}

/// What every one of them sends: two lines, with a stack trace behind the second.
fn is_there(daemon: &Daemon, listener: &str, name: &str) {
    let wanted = json!({
        "message": format!("{name}: order 7 failed"), "level": "ERROR", "order": 7, "shop": "naïve",
        "version": null, "short_message": null, "full_message": null,
    });
    daemon.find_at(listener, "order 7 failed").is_whole().has(wanted);
    let long = daemon.find_at(listener, "and the rest of it");
    long.is_whole();
    assert!(long.text("message").len() > 50_000, "{}", long.text("message").len());
}

#[test]
fn pygelf() {
    for listener in ["gelf", "gelf-udp"] {
        let daemon = Daemon::start();
        run(python(&daemon, "pygelf", listener));
        is_there(&daemon, listener, "pygelf");
    }
}

/// A message in each call, with the key as a field. It does not wait for an answer, and is gone before.
#[test]
fn pygelf_over_http() {
    let daemon = Daemon::start();
    let key = daemon.key();
    let mut command = python(&daemon, "pygelf", "web");
    command.arg(&key.secret);
    run(command);
    let event = daemon.find_at("web", "order 7 failed");
    event
        .is_sound()
        .has(json!({"message": "pygelf: order 7 failed", "key": key.id, "token": null}));
    daemon.find_at("web", "and the rest of it").is_sound();
}

#[test]
fn graypy() {
    for listener in ["gelf", "gelf-udp"] {
        let daemon = Daemon::start();
        run(python(&daemon, "graypy", listener));
        is_there(&daemon, listener, "graypy");
    }
}

#[test]
fn gelf_pro() {
    for listener in ["gelf", "gelf-udp"] {
        let daemon = Daemon::start();
        let mut command = node_of("npm-gelf", "gelf_pro.js");
        command.args([daemon.port(listener), listener]);
        run(command);
        is_there(&daemon, listener, "gelf-pro");
    }
}
