//! Unix sockets: `logger`, Python, syslog-ng, and what logs to `/dev/log`.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::event::Event;
use crate::program::{installed, python, run};
use crate::relay::{brief, full};
use crate::syslog_ng::syslog_ng;

/// That an event has no address, and was sent by a process of this user.
fn is_local(event: &Event) {
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    event.is_sound().has(json!({"peer.uid": uid, "peer.ip": null, "auth.method": "anonymous"}));
    assert!(event.0["peer.pid"].as_i64().is_some_and(|pid| pid > 1), "{:#}", event.0);
}

#[test]
fn logger() {
    let daemon = Daemon::start();
    for listener in ["unix", "log"] {
        let mut command = installed("logger");
        command.args(["--socket", daemon.address(listener), "--socket-errors=on"]);
        run({
            command.args(["--tag", "app", "--priority", "daemon.warning", "local"]);
            command
        });
        let event = daemon.find_at(listener, "local");
        is_local(&event);
        event.has(json!({"message": "local", "service": "app", "level": "WARN"}));
        let mut command = installed("logger");
        command.args(["--socket", daemon.address(listener), "--rfc5424", "--tag", "app", "newer"]);
        run(command);
        is_local(&daemon.find_at(listener, "newer"));
    }
}

#[test]
fn python_syslog_handler() {
    let daemon = Daemon::start();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for listener in ["unix", "log"] {
        let mut command = python("syslog_handler.py");
        command.args([daemon.address(listener), listener]);
        run(command);
        let event = daemon.find_at(listener, "from python");
        is_local(&event);
        event.has(json!({"message": "from python", "level": "ERROR", "host.name": host.trim()}));
        daemon
            .find_at(listener, "lines of warning")
            .has(json!({"message": "two\nlines of warning"}));
    }
}

#[test]
fn syslog_ng_writes_to_it() {
    let daemon = Daemon::start();
    let to = |driver: &str, listener: &str| {
        let path = daemon.address(listener);
        format!("{driver}(\"{path}\" persist-name(\"NAME\"))")
    };
    let counted = {
        let path = daemon.address("unix");
        format!("unix-stream(\"{path}\" persist-name(\"NAME\") flags(syslog-protocol))")
    };
    let syslog_ng = syslog_ng(&daemon, &[to("unix-dgram", "log"), counted]);
    syslog_ng.log("through a socket");
    let event = daemon.find_at("log", "through a socket");
    is_local(&event);
    event.has(brief("through a socket"));
    let event = daemon.find_at("unix", "through a socket");
    is_local(&event);
    event.has(full("through a socket"));
}

/// Programs that use syslog(3) know no other place than `/dev/log`: in a name space of mounts, where
/// it is the daemon's.
#[test]
fn dev_log() {
    let daemon = Daemon::start();
    let dev = daemon.file("dev");
    let script = format!(
        "set -e; mkdir {dev}; mount -t tmpfs none {dev}; cp -a /dev/null /dev/urandom {dev}; \
         ln -s {} {dev}/log; mount --move {dev} /dev; \
         python3 -c 'import syslog; syslog.openlog(\"app\", syslog.LOG_PID, syslog.LOG_DAEMON); \
         syslog.syslog(syslog.LOG_WARNING, \"by syslog(3)\")'; logger --tag app 'by logger'",
        daemon.address("log")
    );
    let mut command = installed("unshare");
    command.args(["--mount", "sh", "-c", &script]);
    run(command);
    let event = daemon.find_at("log", "by syslog");
    is_local(&event);
    let pid = event.0["peer.pid"].to_string();
    event.has(json!({
        "message": "by syslog(3)",
        "log.syslog.priority": 28,
        "log.syslog.appname": "app",
        "log.syslog.procid": pid,
        "log.syslog.hostname": Value::Null,
        "service": "app",
        "level": "WARN",
    }));
    is_local(&daemon.find_at("log", "by logger"));
}
