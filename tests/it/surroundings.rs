//! What the daemon finds around it, and what fails there or in itself.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use rustix::process::{Resource, Rlimit, Signal, prlimit};
use serde_json::json;

use crate::support::{Daemon, LISTENERS, wait_for};

/// Says much on standard error.
const LOUD: &str = "log.level = \"debug\"\n";

fn line(text: &str) -> Vec<u8> {
    format!("<13>1 - h a - - - {text}\n").into_bytes()
}

fn lost(daemon: &Daemon) -> u64 {
    daemon.metrics().get("logtrace_log_lines_lost_total")
}

/// Starts a daemon whose standard error is what `to` of a shell says, and has it say more than a
/// pipe holds.
#[track_caller]
fn loud(folder: &Path, to: &str) -> Daemon {
    let script = format!("exec \"$0\" \"$@\" {}", to.replace("FOLDER", folder.to_str().unwrap()));
    let by = ["sh", "-c", &script];
    let daemon = Daemon::try_start_by(folder, LOUD, LISTENERS, &[], &by).unwrap();
    for number in 0..2000 {
        daemon.send("tcp", &line(&format!("n{number}")));
    }
    daemon.settle("tcp", 2000);
    daemon
}

#[test]
fn cf_06_standard_error_that_is_closed_full_or_gone_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    assert!(loud(folder.path(), "2>&- >&- <&-").stop().success());

    // A disk without room for the log.
    let daemon = loud(folder.path(), "2>/dev/full >/dev/full");
    wait_for("lines that are missing", || (lost(&daemon) > 1000).then_some(()));
    assert!(daemon.stop().success());

    // A pipe that nobody reads, and then that nobody has.
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let reader = File::options().read(true).write(true).open(&pipe).unwrap();
    let daemon = loud(folder.path(), "2>FOLDER/pipe");
    wait_for("lines that are missing", || (lost(&daemon) > 0).then_some(()));
    assert_eq!(daemon.query("n1999").len(), 3);
    drop(reader);
    let before = lost(&daemon);
    daemon.send("tcp", &line("nobody reads"));
    wait_for("more of them", || (lost(&daemon) > before).then_some(()));
    assert!(daemon.stop().success());
}

/// A daemon that fails says so at its end, but does not wait for ever for someone to read it.
#[test]
fn cf_06_a_failure_ends_it_though_nobody_reads_why() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Daemon::start(folder.path(), "").stop().success());
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let mut held = File::options().read(true).write(true).open(&pipe).unwrap();
    // Full to the last byte.
    rustix::fs::fcntl_setfl(&held, rustix::fs::OFlags::NONBLOCK).unwrap();
    while held.write(&[b'x'; 512]).is_ok() {}
    let script = format!("exec \"$0\" \"$@\" 2>{}", pipe.display());
    let variables = [("LOGTRACE_FAILPOINT", "journals:1:panic")];
    let by = ["sh", "-c", &script];
    let started = Daemon::try_start_by(folder.path(), "", LISTENERS, &variables, &by);
    let ended = started.map_or_else(|ended| ended, Daemon::ended);
    assert_eq!(ended.code(), Some(1));
}

#[test]
fn cf_07_what_the_machine_gives_lowers_the_ceilings_and_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let by = ["prlimit", "--nofile=400:400"];
    let daemon = Daemon::try_start_by(folder.path(), "", LISTENERS, &[], &by).unwrap();
    let said = daemon.said();
    assert!(said.contains("400 descriptors: "), "{said}");
    // More connections than there may be: the others wait, and the store has what it needs.
    let mut open: Vec<_> = (0..400).map(|_| daemon.connect("tcp")).collect();
    for (number, stream) in open.iter_mut().enumerate() {
        stream.write_all(&line(&format!("c{number}"))).unwrap();
    }
    let logs = json!({"logs": [{"message": "meanwhile"}]});
    assert_eq!(daemon.call("POST", "/v1/logs/ingest", None, Some(&logs)).0, 202);
    assert!(daemon.metrics().get("logtrace_connections{listener=\"tcp\"}") < 200);
    drop(open);
    daemon.settle("tcp", 400);
    assert!(!daemon.said().contains("cannot accept"), "{}", daemon.said());
    assert!(daemon.stop().success());
}

#[test]
fn cf_07_rights_that_are_too_wide_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mode = |mode| {
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let daemon = Daemon::start(folder.path(), "");
    let of_root = rustix::process::geteuid().is_root();
    assert_eq!(daemon.said().contains("runs as root"), of_root, "{}", daemon.said());
    assert!(daemon.stop().success());
    let made = std::fs::metadata(&data).unwrap().permissions().mode();
    assert_eq!(made & 0o777, 0o700, "a folder that the daemon made");
    for (given, warned) in [(0o755, true), (0o700, false), (0o750, false)] {
        mode(given);
        std::fs::write(folder.path().join("daemon.log"), "").unwrap();
        let daemon = Daemon::start(folder.path(), "");
        let said = daemon.said();
        assert_eq!(said.contains("can read the data folder"), warned, "{given:o}: {said}");
        assert!(daemon.stop().success());
    }
}

#[test]
fn cf_08_an_admin_port_for_everyone_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (at, warned) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let text = format!(
            "data_dir = \"{}\"\napi.listen = \"127.0.0.1:0\"\nadmin.listen = \"{at}\"\n\
             listener = []\n",
            data.display()
        );
        let _before = std::fs::remove_file(folder.path().join("daemon.log")).is_ok();
        let daemon = Daemon::with_text(folder.path(), &text);
        let said = daemon.said();
        assert_eq!(said.contains("everyone can reach the admin port"), warned, "{at}: {said}");
        assert!(daemon.stop().success());
    }
}

/// What is in memory stays out of core dumps, whatever the system would write.
#[test]
fn cf_07_no_core_is_dumped() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let any = Rlimit { current: None, maximum: None };
    prlimit(Some(daemon.pid()), Resource::Core, any).unwrap();
    daemon.signal(Signal::ABORT);
    let ended: ExitStatus = daemon.ended();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
}

/// The daemon's end after a panic at `place`.
#[track_caller]
fn panics_at(place: &str) -> (ExitStatus, String) {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("LOGTRACE_FAILPOINT", place)];
    let config = "[store]\nseal_after = \"100ms\"\n";
    let started = Daemon::try_start(folder.path(), config, LISTENERS, &variables);
    let ended = started.map_or_else(
        |ended| ended,
        |daemon| {
            // It may be gone before it has answered.
            if let Ok(mut stream) = std::net::TcpStream::connect(daemon.address("tcp")) {
                let _gone = stream.write_all(&line("to be sealed")).is_err();
            }
            daemon.ended()
        },
    );
    let said = std::fs::read_to_string(folder.path().join("daemon.log")).unwrap();
    // What was stored before is there, and all is well again.
    let daemon = Daemon::start(folder.path(), config);
    daemon.send("tcp", &line("after"));
    daemon.find("message:after");
    (ended, said)
}

#[test]
fn cf_11_whatever_it_cannot_live_without_ends_it_loudly() {
    let table = [
        ("segment-written:1:panic", "the sealer ended in a panic"),
        ("stage-committed:1:panic", "the writer ended in a panic"),
        ("journals:1:panic", "the task \"journals\" ended in a panic"),
        ("every-second:1:panic", "the task \"every-second\" ended in a panic"),
        ("audit:1:panic", "the task \"audit\" ended in a panic"),
        ("keys:1:panic", "the task \"keys\" ended in a panic"),
        ("certificates:1:panic", "the task \"certificates\" ended in a panic"),
        ("webhooks:1:panic", "the task \"webhooks\" ended in a panic"),
        ("api:1:panic", "the task \"api\" ended in a panic"),
        ("accept:1:panic", "ended in a panic"),
    ];
    for (place, want) in table {
        let (ended, said) = panics_at(place);
        assert_eq!(ended.code(), Some(1), "{place}: {said}");
        assert!(said.contains(want) && said.contains("a panic"), "{place}: {said}");
        assert!(said.contains("src/failpoint.rs"), "{place}: {said}");
    }
}

#[test]
fn cf_11_a_connection_that_panics_is_counted_and_alone() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("LOGTRACE_FAILPOINT", "connection:2:panic")];
    let daemon = Daemon::try_start(folder.path(), "", LISTENERS, &variables).unwrap();
    let mut before = daemon.connect("tcp");
    before.write_all(&line("before")).unwrap();
    daemon.find("message:before");
    let mut broken = daemon.connect("tcp");
    assert!(matches!(broken.read(&mut [0]), Ok(0) | Err(_)));
    before.write_all(&line("meanwhile")).unwrap();
    daemon.send("tcp", &line("after"));
    daemon.settle("tcp", 3);
    wait_for("the count", || (daemon.metrics().get("logtrace_panics_total") == 1).then_some(()));
    let open = || daemon.metrics().get("logtrace_connections{listener=\"tcp\"}");
    wait_for("its place to be free again", || (open() == 1).then_some(()));
    assert!(daemon.stop().success());
}
