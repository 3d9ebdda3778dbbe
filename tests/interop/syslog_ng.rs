//! syslog-ng, with its drivers `network()` and `syslog()`.

use std::path::Path;

use crate::daemon::Daemon;
use crate::program::{unpacked, unpacked_folder};
use crate::relay::{Relay, brief, full};

/// Starts syslog-ng with destinations.
pub(crate) fn syslog_ng(daemon: &Daemon, destinations: &[String]) -> Relay {
    let destinations: String = (0..)
        .zip(destinations)
        .map(|(n, driver)| {
            let driver = driver.replace("NAME", &format!("d{n}"));
            format!(
                "destination d{n} {{ {driver}; }};\nlog {{ source(s_src); destination(d{n}); }};\n"
            )
        })
        .collect();
    syslog_ng_as(daemon, &destinations)
}

/// Starts syslog-ng with this behind its source `s_src`.
pub(crate) fn syslog_ng_as(daemon: &Daemon, destinations: &str) -> Relay {
    syslog_ng_in(daemon.folder(), "", destinations)
}

/// Starts syslog-ng in a folder, with further options and one destination.
pub(crate) fn syslog_ng_to(folder: &Path, options: &str, driver: &str) -> Relay {
    let destination = format!("log {{ source(s_src); destination {{ {driver}; }}; }};\n");
    syslog_ng_in(folder, options, &destination)
}

fn syslog_ng_in(folder: &Path, options: &str, destinations: &str) -> Relay {
    let input = Relay::input(folder, "syslog-ng");
    let config = format!(
        "@version: 3.38\n\
         options {{ stats-freq(0); keep-hostname(yes); {options} }};\n\
         source s_src {{ unix-dgram(\"{input}\" flags(syslog-protocol)); }};\n\
         {destinations}"
    );
    let mut command = unpacked("usr/sbin/syslog-ng");
    command.args(["--foreground", "--no-caps", "--cfgfile"]).arg(folder.join("syslog-ng.conf"));
    command.arg("--persist-file").arg(folder.join("syslog-ng.persist"));
    command.arg("--pidfile").arg(folder.join("syslog-ng.pid"));
    command.arg("--control").arg(folder.join("syslog-ng.ctl"));
    command.arg("--module-path").arg(unpacked_folder("usr/lib/syslog-ng/3.38"));
    Relay::start(folder, "syslog-ng", &config, command)
}

fn driver(daemon: &Daemon, driver: &str, listener: &str, settings: &str) -> String {
    let port = daemon.port(listener);
    format!("{driver}(\"localhost\" port({port}) persist-name(\"NAME\") {settings})")
}

#[test]
fn network_over_tcp_and_udp() {
    let daemon = Daemon::start();
    let tcp = driver(&daemon, "network", "tcp", "transport(\"tcp\")");
    let udp = driver(&daemon, "network", "udp", "transport(\"udp\")");
    let syslog_ng = syslog_ng(&daemon, &[tcp, udp]);
    syslog_ng.log("over the network");
    syslog_ng.log("and again");
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
    let syslog_ng = syslog_ng(&daemon, &[to("tcp"), to("counted")]);
    syslog_ng.log("one of two");
    syslog_ng.log("two of two");
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
    let syslog_ng = syslog_ng(&daemon, &destinations);
    syslog_ng.log("in private");
    daemon.find_at("tls", "in private").is_whole().has(brief("in private"));
    daemon.find_at("mtls", "in private").is_whole().has(full("in private"));
}
