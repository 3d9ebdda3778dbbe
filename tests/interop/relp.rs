//! rsyslog, forwarding with `omrelp`.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread;

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{Running, start, unpacked, unpacked_folder};
use crate::support::{self, free_address, wait_for};

/// What is sent from this test on belongs to it alone.
const TEMPLATE: &str = r#"template="RSYSLOG_SyslogProtocol23Format""#;

/// Starts rsyslog with `actions`; it takes messages at the unix socket `in.sock` of `folder`.
fn rsyslog(folder: &Path, actions: &str) -> Running {
    let config = format!(
        r#"
        global(workDirectory="{folder}")
        module(load="omrelp")
        module(load="imuxsock" SysSock.Use="off")
        input(type="imuxsock" Socket="{folder}/in.sock" CreatePath="on" UseSpecialParser="off"
              ParseHostname="on" UseSysTimeStamp="off" RateLimit.Interval="0")
        {actions}
        "#,
        folder = folder.display(),
    );
    let file = folder.join("rsyslog.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = unpacked("usr/sbin/rsyslogd");
    command.args(["-n", "-C", "-f"]).arg(&file).arg("-i").arg(folder.join("rsyslog.pid"));
    let multiarch = format!("usr/lib/{}-linux-gnu/rsyslog", std::env::consts::ARCH);
    command.arg("-M").arg(unpacked_folder(&multiarch));
    let running = start(command, folder, "rsyslog");
    let input = folder.join("in.sock");
    wait_for("rsyslog", || std::fs::exists(&input).unwrap().then_some(()));
    running
}

/// Gives rsyslog a message.
fn log(folder: &Path, message: &str) {
    let socket = UnixDatagram::unbound().unwrap();
    let line = format!("<28>1 {}T12:15:58.5Z web-1 app 77 M1 - {message}", support::yesterday());
    socket.send_to(line.as_bytes(), folder.join("in.sock")).unwrap();
}

#[test]
fn plain_and_over_tls() {
    let daemon = Daemon::start();
    let folder = daemon.folder();
    let port = |listener| daemon.port(listener).to_owned();
    // Without a certificate of its own librelp asks for anonymous TLS, which is no longer safe.
    let actions = format!(
        r#"
        action(type="omrelp" target="127.0.0.1" port="{plain}" {TEMPLATE})
        action(type="omrelp" target="localhost" port="{tls}" {TEMPLATE} tls="on"
               tls.caCert="{folder}/ca.pem" tls.myCert="{folder}/client.pem"
               tls.myPrivKey="{folder}/client.key" tls.authMode="name" tls.permittedPeer=["localhost"])
        "#,
        plain = port("relp"),
        tls = port("relp-tls"),
        folder = folder.display(),
    );
    let _rsyslog = rsyslog(folder, &actions);
    log(folder, "over relp");
    for listener in ["relp", "relp-tls"] {
        daemon.find_at(listener, "over relp").is_whole().has(json!({
            "message": "over relp",
            "log.syslog.priority": 28,
            "log.syslog.appname": "app",
            "log.syslog.procid": "77",
            "log.syslog.msgid": "M1",
            "host.name": "web-1",
        }));
    }
}

#[test]
fn a_daemon_that_is_killed_loses_nothing_and_rsyslog_sends_again() {
    killed("", |port, _| format!(r#"target="127.0.0.1" port="{port}""#));
}

#[test]
fn the_same_over_tls() {
    let tls = "tls = { cert = \"FOLDER/server.pem\", key = \"FOLDER/server.key\" }\n";
    killed(tls, |port, folder| {
        format!(
            r#"target="localhost" port="{port}" tls="on" tls.caCert="{folder}/ca.pem"
               tls.myCert="{folder}/client.pem" tls.myPrivKey="{folder}/client.key"
               tls.authMode="name" tls.permittedPeer=["localhost"]"#
        )
    });
}

/// Kills a daemon three times while rsyslog sends to it: each message is there in the end, and once.
#[track_caller]
fn killed(settings: &str, target: impl FnOnce(u16, &str) -> String) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // The same port after each start.
    let port = free_address().port();
    let listener = format!(
        "[[listener]]\nname = \"relp\"\nprotocol = \"relp\"\ntransport = \"tcp\"\n\
         listen = \"127.0.0.1:{port}\"\n{settings}"
    );
    let config = "[store]\nseal_after = \"100ms\"\n";
    let begin = || support::Daemon::with_listeners(folder, config, &listener);
    let mut daemon = begin();
    let target = target(port, &folder.display().to_string());
    let actions = format!(
        r#"action(type="omrelp" {target} {TEMPLATE} timeout="60"
                  action.resumeRetryCount="-1" action.resumeInterval="1"
                  queue.type="LinkedList" queue.size="100000")"#
    );
    let _rsyslog = rsyslog(folder, &actions);
    let messages = 20_000;
    let inside = folder.to_owned();
    let sending = thread::spawn(move || {
        (0..messages).for_each(|n| log(&inside, &format!("numbered {n} of all")));
    });
    for _ in 0..3 {
        // In the middle of its work, however fast that is; or behind all of it.
        wait_for("some of them", || {
            let some = daemon.metrics().ledger("relp").stored >= 1500;
            (some || stored(&daemon).len() == messages).then_some(())
        });
        daemon.kill();
        daemon = begin();
    }
    sending.join().unwrap();
    // All of them in the end, and each once: what was stored, and its answer was on its way, came
    // again and was known.
    let stored = wait_for("all messages", || {
        let stored = stored(&daemon);
        (stored.len() == messages).then_some(stored)
    });
    let twice: Vec<_> = stored.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{} messages are stored twice: {:?}", twice.len(), twice.first());
    assert!(daemon.stop().success());
}

/// How often each message is stored.
fn stored(daemon: &support::Daemon) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut query = json!({
        "filter": "message:numbered", "from": "2020-01-01", "to": "2100-01-01",
        "limit": 10_000, "fields": ["message"],
    });
    loop {
        let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&query));
        assert_eq!(status, 200, "{answer}");
        let logs = answer["logs"].as_array().unwrap();
        for log in logs {
            *found.entry(log["message"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        query["cursor"] = answer["meta"]["next_cursor"].clone();
        if query["cursor"].is_null() || logs.is_empty() {
            return found;
        }
    }
}
