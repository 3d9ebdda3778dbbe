//! rsyslog and syslog-ng as receivers of journals, over TLS with certificates on both sides.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::program::{start, unpacked, unpacked_folder};
use crate::support::{Daemon, free_address, wait_for};

#[test]
fn rsyslog_has_all_entries_though_both_were_killed() {
    receives("rsyslog", "rfc5424", rsyslog);
}

#[test]
fn syslog_ng_has_all_entries_though_both_were_killed() {
    receives("syslog-ng", "cef", syslog_ng);
}

/// Forwards `blocked` to a receiver that comes late and is killed in the middle, as the daemon is:
/// while the receiver is away, and while it takes entries.
fn receives(name: &str, format: &str, receiver: fn(&Path, u16) -> Command) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_address().port();
    let config = format!(
        r#"
        [[forward]]
        name = "siem"
        journals = ["blocked"]
        to = "tls://localhost:{port}"
        format = "{format}"

        [forward.tls]
        ca = "FOLDER/ca.pem"
        cert = "FOLDER/client.pem"
        key = "FOLDER/client.key"
        "#
    );
    let daemon = Daemon::start(folder.path(), &config);
    let begin = |folder: &TempDir| start(receiver(folder.path(), port), folder.path(), name);
    refuse(&daemon, 0..10);
    let running = begin(&folder);
    came(&folder, 0..10);
    // What it has read it would not write down any longer: it stands still before.
    kill_process(Pid::from_child(&running.child), Signal::STOP).unwrap();
    refuse(&daemon, 10..30);
    drop(running); // kill -9
    refuse(&daemon, 30..40);
    daemon.kill(); // kill -9
    let daemon = Daemon::start(folder.path(), &config);
    let _running = begin(&folder);
    refuse(&daemon, 40..60);
    daemon.kill();
    let daemon = Daemon::start(folder.path(), &config);
    refuse(&daemon, 60..65);
    came(&folder, 0..65);
    let text = fs::read_to_string(folder.path().join("siem.log")).unwrap();
    let needle = match format {
        "cef" => "CEF:0|logtrace|logtrace|",
        _ => "blocked [logtrace@32473 ",
    };
    assert!(text.contains(needle), "{text}");
    wait_for("the receiver's word", || {
        (daemon.metrics().sum("logtrace_forwarded_total", "siem") >= 5).then_some(())
    });
}

/// Has so many calls refused, each an entry of its own.
fn refuse(daemon: &Daemon, numbers: std::ops::Range<u32>) {
    for n in numbers.clone() {
        let unknown = format!("lt_live_{}", "0".repeat(32));
        let (status, _) = daemon.call("GET", &format!("/v1/keys/n{n}"), Some(&unknown), None);
        assert_eq!(status, 401);
    }
    daemon.find_in("blocked", &format!("endpoint:\"/v1/keys/n{}\"", numbers.end - 1));
}

/// Waits until the receiver has written all of them down.
fn came(folder: &TempDir, numbers: std::ops::Range<u32>) {
    let wanted: BTreeSet<String> = numbers.map(|n| format!("/v1/keys/n{n}")).collect();
    wait_for("all entries", || {
        let text = fs::read_to_string(folder.path().join("siem.log")).ok()?;
        let of_a_path = |c: char| !(c.is_ascii_alphanumeric() || c == '/');
        let found: BTreeSet<_> = text.split(of_a_path).collect();
        wanted.iter().all(|path| found.contains(path.as_str())).then_some(())
    });
}

fn rsyslog(folder: &Path, port: u16) -> Command {
    let config = format!(
        r#"
        global(workDirectory="{folder}" defaultNetstreamDriverCAFile="{folder}/ca.pem"
               defaultNetstreamDriverCertFile="{folder}/server.pem"
               defaultNetstreamDriverKeyFile="{folder}/server.key")
        module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1"
               StreamDriver.AuthMode="x509/name" PermittedPeer=["sender"])
        input(type="imtcp" address="127.0.0.1" port="{port}")
        template(name="all" type="string" string="%msgid% %structured-data% %msg%\n")
        action(type="omfile" file="{folder}/siem.log" template="all")
        "#,
        folder = folder.display(),
    );
    let file = folder.join("receiver.conf");
    fs::write(&file, config).unwrap();
    let mut command = unpacked("usr/sbin/rsyslogd");
    command.args(["-n", "-C", "-f"]).arg(file).arg("-i").arg(folder.join("receiver.pid"));
    // It does not start over what one that was killed left.
    fs::remove_file(folder.join("receiver.pid")).ok();
    let multiarch = format!("usr/lib/{}-linux-gnu/rsyslog", std::env::consts::ARCH);
    command.arg("-M").arg(unpacked_folder(&multiarch));
    command
}

fn syslog_ng(folder: &Path, port: u16) -> Command {
    let config = format!(
        r#"@version: 3.38
        options {{ stats-freq(0); keep-hostname(yes); }};
        source s {{ syslog(ip("127.0.0.1") port({port}) transport("tls")
            tls(key-file("{folder}/server.key") cert-file("{folder}/server.pem")
                ca-file("{folder}/ca.pem") peer-verify(required-trusted))); }};
        destination d {{ file("{folder}/siem.log" template("$MSGID $SDATA $MSG\n")); }};
        log {{ source(s); destination(d); }};
        "#,
        folder = folder.display(),
    );
    let file = folder.join("receiver.conf");
    fs::write(&file, config).unwrap();
    let mut command = unpacked("usr/sbin/syslog-ng");
    command.args(["--foreground", "--no-caps", "--cfgfile"]).arg(file);
    command.arg("--persist-file").arg(folder.join("receiver.persist"));
    command.arg("--pidfile").arg(folder.join("receiver.pid"));
    command.arg("--control").arg(folder.join("receiver.ctl"));
    command.arg("--module-path").arg(unpacked_folder("usr/lib/syslog-ng/3.38"));
    command
}
