//! syslog-ng, with its drivers `network()` and `syslog()`.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::program::{Running, installed, run, start, unpacked, unpacked_folder};
use crate::support::wait_for;

/// Starts syslog-ng with an input of its own, a unix socket that takes RFC 5424, and destinations.
fn syslog_ng(daemon: &Daemon, destinations: &[String]) -> Running {
    let input = daemon.file("syslog-ng.sock");
    let destinations: String = (0..)
        .zip(destinations)
        .map(|(n, driver)| {
            let driver = driver.replace("NAME", &format!("d{n}"));
            format!("destination d{n} {{ {driver}; }};\nlog {{ source(s); destination(d{n}); }};\n")
        })
        .collect();
    let config = format!(
        "@version: 3.38\n\
         options {{ stats-freq(0); keep-hostname(yes); }};\n\
         source s {{ unix-dgram(\"{input}\" flags(syslog-protocol)); }};\n\
         {destinations}"
    );
    std::fs::write(daemon.folder().join("syslog-ng.conf"), config).unwrap();
    let mut command = unpacked("usr/sbin/syslog-ng");
    command.args(["--foreground", "--no-caps", "--cfgfile", &daemon.file("syslog-ng.conf")]);
    command.args(["--persist-file", &daemon.file("syslog-ng.persist")]);
    command.args(["--pidfile", &daemon.file("syslog-ng.pid")]);
    command.args(["--control", &daemon.file("syslog-ng.ctl")]);
    command.arg("--module-path").arg(unpacked_folder("usr/lib/syslog-ng/3.38"));
    let running = start(command, daemon.folder(), "syslog-ng");
    wait_for("syslog-ng", || std::fs::exists(&input).unwrap().then_some(()));
    running
}

/// Gives syslog-ng a message to pass on.
fn log(daemon: &Daemon, message: &str) {
    let mut command = installed("logger");
    command.args(["--socket", &daemon.file("syslog-ng.sock"), "--socket-errors=on", "--rfc5424"]);
    command.args(["--tag", "app", "--id=77", "--msgid", "M1", "--priority", "daemon.warning"]);
    command.args(["--sd-id", "zoo@32473", "--sd-param", r#"a="b \"c\"""#, message]);
    run(command);
}

fn driver(daemon: &Daemon, driver: &str, listener: &str, settings: &str) -> String {
    let port = daemon.port(listener);
    format!("{driver}(\"localhost\" port({port}) persist-name(\"NAME\") {settings})")
}

/// What is left of a message of [`log`] in RFC 3164.
fn brief(message: &str) -> Value {
    json!({
        "message": message,
        "log.syslog.priority": 28,
        "log.syslog.facility.name": "daemon",
        "log.syslog.severity.name": "Warning",
        "log.syslog.appname": "app",
        "log.syslog.procid": "77",
        "log.syslog.structured_data": null,
        "service": "app",
        "level": "WARN",
    })
}

/// All of it, in RFC 5424.
fn full(message: &str) -> Value {
    json!({
        "message": message,
        "log.syslog.priority": 28,
        "log.syslog.appname": "app",
        "log.syslog.procid": "77",
        "log.syslog.msgid": "M1",
        "log.syslog.structured_data": {"zoo@32473": {"a": "b \"c\""}},
        "service": "app",
        "level": "WARN",
    })
}

#[test]
fn network_over_tcp_and_udp() {
    let daemon = Daemon::start();
    let tcp = driver(&daemon, "network", "tcp", "transport(\"tcp\")");
    let udp = driver(&daemon, "network", "udp", "transport(\"udp\")");
    let _syslog_ng = syslog_ng(&daemon, &[tcp, udp]);
    log(&daemon, "over the network");
    log(&daemon, "and again");
    for listener in ["tcp", "udp"] {
        for message in ["over the network", "and again"] {
            daemon.find_at(listener, message).is_whole().has(brief(message));
        }
    }
}

#[test]
fn syslog_counts_octets() {
    let daemon = Daemon::start();
    let to = |listener| driver(&daemon, "syslog", listener, "transport(\"tcp\")");
    let _syslog_ng = syslog_ng(&daemon, &[to("tcp"), to("counted")]);
    log(&daemon, "one of two");
    log(&daemon, "two of two");
    for listener in ["tcp", "counted"] {
        for message in ["one of two", "two of two"] {
            daemon.find_at(listener, message).is_whole().has(full(message));
        }
    }
}

#[test]
fn over_tls_with_and_without_a_certificate_of_its_own() {
    let daemon = Daemon::start();
    let folder = daemon.folder().display();
    let trust = format!("ca-file(\"{folder}/ca.pem\") peer-verify(required-trusted)");
    let own = format!("cert-file(\"{folder}/client.pem\") key-file(\"{folder}/client.key\")");
    let to = |driver_name, listener, tls: &str| {
        driver(&daemon, driver_name, listener, &format!("transport(\"tls\") tls({tls})"))
    };
    let destinations =
        [to("network", "tls", &trust), to("syslog", "mtls", &format!("{trust} {own}"))];
    let _syslog_ng = syslog_ng(&daemon, &destinations);
    log(&daemon, "in private");
    daemon.find_at("tls", "in private").is_whole().has(brief("in private"));
    daemon.find_at("mtls", "in private").is_whole().has(full("in private"));
}
