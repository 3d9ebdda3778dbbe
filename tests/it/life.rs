//! Starting, stopping, and configurations that make no sense.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Daemon, wait_for};

fn logtrace(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logtrace")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn check(folder: &Path, config: impl AsRef<[u8]>) -> (Option<i32>, String) {
    let file = folder.join("check.toml");
    fs::write(&file, config).unwrap();
    let output = logtrace(&["check", "--config", file.to_str().unwrap()]);
    (output.status.code(), said(&output))
}

#[test]
fn cf_01_a_wrong_configuration_exits_with_78_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let table: [(&[u8], &str); 7] = [
        (b"[batch]\nmax_bites = 1\n", "check.toml:2: max_bites: expected a known key"),
        (
            b"[batch]\nmax_bytes = \"9999 TiB\"\n",
            "check.toml:2: batch.max_bytes: expected 64 KiB to 16 MiB",
        ),
        (b"[batch]\nmax_bytes = -1\n", "check.toml:2: max_bytes: "),
        (b"[api]\nlisten = 5\n", "check.toml:2: listen: "),
        (b"\xff\xfe", "check.toml: expected a readable file"),
        (b"\n", "check.toml: expected settings, but found an empty file"),
        (b"[[listener]]\nname = \"x\"\n", "check.toml:1: "),
    ];
    for (config, want) in table {
        let (code, said) = check(folder.path(), config);
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains(want), "expected {want}, but found {said}");
        let file = folder.path().join("check.toml");
        let serve = logtrace(&["serve", "--config", file.to_str().unwrap()]);
        assert_eq!(serve.status.code(), Some(78), "check and serve agree");
    }
    for missing in ["/nonexistent/logtrace.toml", folder.path().to_str().unwrap()] {
        let output = logtrace(&["check", "--config", missing]);
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    }
    let (code, said) = check(folder.path(), "# the defaults");
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn cf_01_an_unknown_variable_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_logtrace"))
        .args(["check"])
        .env("LOGTRACE_BATCH__MAX_BITES", "1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(said(&output).contains("LOGTRACE_BATCH__MAX_BITES"), "{}", said(&output));
}

#[test]
fn cf_05_ports_that_are_taken_are_all_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken =
        [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let ports = taken.each_ref().map(|socket| socket.local_addr().unwrap().to_string());
    let listener = |port: &String| {
        format!(
            "[[listener]]\nname = \"at-{}\"\nprotocol = \"syslog\"\ntransport = \"tcp\"\nlisten = \"{port}\"\n",
            port.strip_prefix("127.0.0.1:").unwrap()
        )
    };
    let file = folder.path().join("logtrace.toml");
    fs::write(&file, ports.iter().map(listener).collect::<String>()).unwrap();
    let data = folder.path().join("data");
    let output = logtrace(&[
        "serve",
        "--config",
        file.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
        "--set",
        "api.listen=127.0.0.1:0",
        "--set",
        "admin.listen=127.0.0.1:0",
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(ports.iter().all(|port| said(&output).contains(port)), "{}", said(&output));
}

/// A folder on NFS is not tried: a server of it is not to be had without modules of the kernel that
/// few machines for tests have. What is done there is a warning, from what statfs(2) says.
#[test]
fn st_18_a_second_daemon_is_refused_and_the_first_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let data = folder.path().join("data");
    let output = logtrace(&[
        "serve",
        "--data",
        data.to_str().unwrap(),
        "--set",
        "api.listen=127.0.0.1:0",
        "--set",
        "admin.listen=127.0.0.1:0",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let pid = daemon.pid().as_raw_nonzero().to_string();
    assert!(said(&output).contains(&format!("process {pid}")), "{}", said(&output));
    // Nor does a command that works on the folder.
    let output = logtrace(&["keys", "create", "--name", "x", "--data", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(&format!("process {pid}")), "{}", said(&output));
    // A lock that a killed daemon left is no obstacle.
    daemon.kill();
    assert!(Daemon::start(folder.path(), "").stop().success());
}

#[test]
fn a_stop_stores_what_has_arrived() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let mut stream = daemon.connect("tcp");
    let lines: String = (0..5000).map(|n| format!("<13>1 - h a - - - line {n}\n")).collect();
    stream.write_all(lines.as_bytes()).unwrap();
    wait_for("the first of them", || (daemon.metrics().ledger("tcp").received > 0).then_some(()));
    // The stream stays open: what the kernel holds is read once more.
    assert!(daemon.stop().success());
    let daemon = Daemon::start(folder.path(), "");
    assert_eq!(daemon.query("line").len(), 5000);
    assert!(!folder.path().join("data/listening.json.new").exists());
}

#[test]
fn health_and_readiness_answer() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let admin = daemon.address("admin").to_owned();
    for path in ["livez", "readyz", "health", "metrics"] {
        let answer = ureq::get(format!("http://{admin}/{path}")).call().unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    let (status, health) = daemon.call("GET", "/v1/health", None, None);
    assert_eq!((status, &health["status"]), (200, &serde_json::json!("healthy")));
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
}
