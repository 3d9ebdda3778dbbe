//! rsyslog, forwarding with `omfwd`.

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{unpacked, unpacked_folder};
use crate::relay::{Relay, brief};

/// Starts rsyslog with `actions`, and certificates.
pub(crate) fn rsyslog(daemon: &Daemon, actions: &str) -> Relay {
    let folder = daemon.folder().display();
    let certificates = format!(
        r#"global(defaultNetstreamDriverCAFile="{folder}/ca.pem"
               defaultNetstreamDriverCertFile="{folder}/client.pem"
               defaultNetstreamDriverKeyFile="{folder}/client.key")"#
    );
    rsyslog_alone(daemon, &format!("{certificates}\n{actions}"))
}

/// The same without certificates.
pub(crate) fn rsyslog_alone(daemon: &Daemon, actions: &str) -> Relay {
    let config = format!(
        r#"
        global(workDirectory="{folder}")
        module(load="imuxsock" SysSock.Use="off")
        input(type="imuxsock" Socket="{input}" CreatePath="on" UseSpecialParser="off"
              ParseHostname="on" UseSysTimeStamp="off" RateLimit.Interval="0")
        {actions}
        "#,
        folder = daemon.folder().display(),
        input = Relay::input(daemon.folder(), "rsyslog"),
    );
    let mut command = unpacked("usr/sbin/rsyslogd");
    command.args(["-n", "-C", "-f", &daemon.file("rsyslog.conf")]);
    command.args(["-i", &daemon.file("rsyslog.pid")]);
    let multiarch = format!("usr/lib/{}-linux-gnu/rsyslog", std::env::consts::ARCH);
    command.arg("-M").arg(unpacked_folder(&multiarch));
    Relay::start(daemon.folder(), "rsyslog", &config, command)
}

/// An `omfwd` action.
fn forward(daemon: &Daemon, listener: &str, settings: &str) -> String {
    let port = daemon.port(listener);
    format!(r#"action(type="omfwd" target="localhost" port="{port}" {settings})"#)
}

const TLS: &str = r#"protocol="tcp" StreamDriver="gtls" StreamDriverMode="1"
    StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost""#;

#[test]
fn over_tcp_line_by_line() {
    let daemon = Daemon::start();
    let action = forward(&daemon, "tcp", r#"protocol="tcp" TCP_Framing="traditional""#);
    let rsyslog = rsyslog(&daemon, &action);
    rsyslog.log("as lines");
    rsyslog.log("and another");
    // What omfwd sends when not told otherwise: RFC 3164, with the structured data lost.
    for message in ["as lines", "and another"] {
        daemon.find(message).is_whole().has(brief(message));
    }
}

#[test]
fn over_tcp_octet_counted() {
    let daemon = Daemon::start();
    let settings = r#"protocol="tcp" TCP_Framing="octet-counted""#;
    let rfc5424 = format!(r#"{settings} template="RSYSLOG_SyslogProtocol23Format""#);
    let actions = ["tcp", "counted"].map(|listener| forward(&daemon, listener, &rfc5424));
    let rsyslog = rsyslog(&daemon, &actions.concat());
    // The count of rsyslog holds the line feed at the end.
    rsyslog.log("counted one");
    rsyslog.log("counted two");
    for listener in ["tcp", "counted"] {
        for message in ["counted one", "counted two"] {
            daemon.find_at(listener, message).is_whole().has(full(message));
        }
    }
}

#[test]
fn over_udp() {
    let daemon = Daemon::start();
    let settings = r#"protocol="udp" template="RSYSLOG_ForwardFormat""#;
    let rsyslog = rsyslog(&daemon, &forward(&daemon, "udp", settings));
    rsyslog.log("as a datagram");
    // RFC 3164 with the time of RFC 3339, and fractions of a second.
    let event = daemon.find("as a datagram");
    event.is_whole().has(json!({
        "message": "as a datagram",
        "log.syslog.priority": 28,
        "log.syslog.appname": "app",
        "log.syslog.procid": "77",
        "level": "WARN",
    }));
    assert!(event.text("@timestamp").contains('.'), "{}", event.text("@timestamp"));
}

#[test]
fn over_tls_with_and_without_a_certificate_of_its_own() {
    let daemon = Daemon::start();
    let settings = format!(r#"{TLS} template="RSYSLOG_SyslogProtocol23Format""#);
    let counted = format!(r#"{settings} TCP_Framing="octet-counted""#);
    let actions = [forward(&daemon, "tls", &settings), forward(&daemon, "mtls", &counted)];
    let rsyslog = rsyslog(&daemon, &actions.concat());
    rsyslog.log("in private");
    for listener in ["tls", "mtls"] {
        daemon.find_at(listener, "in private").is_whole().has(full("in private"));
    }
}

/// All of a message, where the format can carry it: rsyslog passes on what `logger` says of the time.
fn full(message: &str) -> serde_json::Value {
    let mut full = crate::relay::full(message);
    full["log.syslog.structured_data"]["timeQuality"] = json!({"tzKnown": "1"});
    full
}
