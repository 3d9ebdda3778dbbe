//! `openssl s_client`: TLS with what else openssl can do.

use std::process::{Command, Output};

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{installed, output_of, run_with};

fn s_client(daemon: &Daemon, listener: &str, arguments: &[&str]) -> Command {
    let mut command = installed("openssl");
    command.args(["s_client", "-connect", daemon.address(listener), "-servername", "localhost"]);
    command.args(["-CAfile", &daemon.file("ca.pem"), "-verify_return_error"]);
    command.args(["-verify_hostname", "localhost", "-quiet", "-no_ign_eof"]).args(arguments);
    command
}

#[test]
fn every_version_of_tls_that_is_still_good() {
    let daemon = Daemon::start();
    for version in ["tls1_2", "tls1_3"] {
        let line = format!("<134>1 - web nginx 7 - - by {version}\n");
        run_with(s_client(&daemon, "tls", &[&format!("-{version}")]), line.as_bytes());
        daemon.find(&format!("by {version}")).is_whole().has(json!({
            "message": format!("by {version}"),
            "log.syslog.priority": 134,
            "log.syslog.hostname": "web",
            "log.syslog.appname": "nginx",
            "log.syslog.procid": "7",
        }));
    }
    for version in ["-tls1", "-tls1_1"] {
        let arguments = [version, "-cipher", "ALL:@SECLEVEL=0"];
        let output = output_of(s_client(&daemon, "tls", &arguments), b"");
        assert!(!output.status.success(), "{version} was accepted");
    }
}

#[test]
fn a_client_without_the_certificate_asked_for_is_refused() {
    let daemon = Daemon::start();
    let line = b"<134>1 - web nginx - - - with a certificate\n";
    let (pem, key) = (daemon.file("client.pem"), daemon.file("client.key"));
    run_with(s_client(&daemon, "mtls", &["-cert", &pem, "-key", &key]), line);
    daemon.find("with a certificate").is_whole();
    // In TLS 1.3 the client has finished before it is refused, and learns it when it reads.
    let without = |version: &str| -> Output {
        let line = b"<134>1 - web nginx - - - without any\n";
        output_of(s_client(&daemon, "mtls", &[version]), line)
    };
    let output = without("-tls1_2");
    assert!(!output.status.success(), "a client without a certificate was let in");
    without("-tls1_3");
    run_with(s_client(&daemon, "mtls", &["-cert", &pem, "-key", &key]), b"<134>1 - - - - - last\n");
    daemon.find("last");
    daemon.expect_count("listener:mtls", 2);
}

/// `R` has openssl ask for another handshake, and wait for it with what it was given to send.
#[test]
fn tl_02_another_handshake_on_the_same_connection_is_refused() {
    let daemon = Daemon::start();
    let mut command = installed("openssl");
    command.args(["s_client", "-connect", daemon.address("tls"), "-servername", "localhost"]);
    command.args(["-CAfile", &daemon.file("ca.pem"), "-tls1_2"]);
    let output = output_of(command, b"R\n<134>1 - web nginx - - - in another\n");
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("RENEGOTIATING") && said.contains("no renegotiation"), "{said}");
    let last = b"<134>1 - web nginx - - - last\n";
    run_with(s_client(&daemon, "tls", &["-tls1_2"]), last);
    daemon.find("last");
    daemon.expect_count("listener:tls", 1);
}
