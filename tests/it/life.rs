//! Starting, stopping, and configurations that make no sense.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Daemon, LISTENERS, SmallDisk, wait_for};

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
        (b"[batch]\nmax_bites = 1\n", "check.toml:2: batch.max_bites: expected a known key"),
        (
            b"[batch]\nmax_bytes = \"9999 TiB\"\n",
            "check.toml:2: batch.max_bytes: expected 64 KiB to 16 MiB",
        ),
        (b"[batch]\nmax_bytes = -1\n", "check.toml:2: batch.max_bytes: "),
        (b"[api]\nlisten = 5\n", "check.toml:2: api.listen: "),
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

/// A listener of that transport at that address.
fn listener_at(number: usize, transport: &str, at: &str) -> String {
    format!(
        "[[listener]]\nname = \"l{number}\"\nprotocol = \"syslog\"\ntransport = \"{transport}\"\n\
         listen = \"{at}\"\nallow_anonymous = true\n"
    )
}

#[test]
fn cf_05_all_that_cannot_be_had_is_named_at_once_and_nothing_is_half_started() {
    let folder = tempfile::tempdir().unwrap();
    let streams = TcpListener::bind("127.0.0.1:0").unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let calls = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = |at: std::io::Result<std::net::SocketAddr>| at.unwrap().to_string();
    let (taken, taken_udp) = (address(streams.local_addr()), address(datagrams.local_addr()));
    let taken_api = address(calls.local_addr());
    let wrong = [
        ("tcp", &*taken),
        ("udp", &taken_udp),
        ("tcp", "192.0.2.1:5514"),
        ("udp", "[2001:db8::1]:5514"),
    ];
    let listeners = (0..).zip(wrong).map(|(n, (transport, at))| listener_at(n, transport, at));
    let listeners: String = listeners.chain([listener_at(9, "tcp", "127.0.0.1:0")]).collect();
    let config =
        format!("api.listen = \"{taken_api}\"\nadmin.listen = \"192.0.2.9:9514\"\n{listeners}");
    let file = folder.path().join("logtrace.toml");
    fs::write(&file, config).unwrap();
    let data = folder.path().join("data");
    let (file, data_dir) = (file.to_str().unwrap(), data.to_str().unwrap());
    let output = logtrace(&["serve", "--config", file, "--data", data_dir]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let ports = wrong.map(|(_, at)| at);
    for at in ports.into_iter().chain([&*taken_api, "192.0.2.9:9514"]) {
        assert!(said(&output).contains(at), "{at} in {}", said(&output));
    }
    assert!(!data.join("listening.json").exists());
}

/// In a network of its own without IPv6, and without the right to low ports.
#[test]
fn cf_05_low_ports_and_ipv6_that_is_off_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let listeners = listener_at(0, "tcp", "127.0.0.1:514") + &listener_at(1, "udp", "[::1]:5514");
    let script = "ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && \
                  exec setpriv --inh-caps=-all --bounding-set=-net_bind_service \"$0\" \"$@\"";
    let by = ["unshare", "--net", "--mount", "sh", "-c", script];
    let ended = Daemon::try_start_by(folder.path(), "", &listeners, &[], &by);
    assert_eq!(ended.map(|_| ()).unwrap_err().code(), Some(1));
    let said = fs::read_to_string(folder.path().join("daemon.log")).unwrap();
    assert!(said.contains("127.0.0.1:514") && said.contains("Permission denied"), "{said}");
    assert!(said.contains("[::1]:5514") && said.contains("Cannot assign"), "{said}");
}

/// What earlier versions were configured with, each with all of its settings. None of them has
/// another name by now; one that gets another is to be named here, with the new one.
#[test]
fn up_06_a_configuration_of_an_earlier_version_is_taken() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files = 0;
    for file in fs::read_dir(fixtures).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "toml") {
            let output = logtrace(&["check", "--config", file.to_str().unwrap()]);
            assert!(output.status.success(), "{}", said(&output));
            assert_eq!(said(&output), "", "{}", file.display());
            files += 1;
        }
    }
    assert_eq!(files, 3);
    // A name that there never was, or no longer is: the one that it is most like.
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = check(folder.path(), "[store]\nseal_byte = \"1 MiB\"\n");
    assert_eq!(code, Some(78));
    assert!(said.contains("seal_byte") && said.contains("did you mean `seal_bytes`"), "{said}");
}

/// It works all the same. A folder on NFS is not tried: a server of it is not to be had without
/// modules of the kernel that few machines for tests have; what is warned of there is told by
/// statfs(2), beside `Space::doubts`.
#[test]
fn st_18_a_store_on_two_file_systems_is_warned_of() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), SmallDisk::new(64));
    let config = "[store]\nseal_after = \"100ms\"\n[store.disk]\nmin_free = \"8 MiB\"\n";
    let daemon = Daemon::start(folder.path(), config);
    assert!(!daemon.said().contains("file system"), "{}", daemon.said());
    assert!(daemon.stop().success());
    let (db, elsewhere) = (folder.path().join("data/db"), disk.path().join("db"));
    let copied = Command::new("cp").arg("-a").arg(&db).arg(&elsewhere).status().unwrap();
    assert!(copied.success());
    // For the daemon alone: it ends with it.
    let (db, elsewhere) = (db.display(), elsewhere.display());
    let script = format!("mount --bind {elsewhere} {db} && exec \"$0\" \"$@\"");
    let by = ["unshare", "--mount", "sh", "-c", &script];
    for round in 0..2 {
        let started = Daemon::try_start_by(folder.path(), config, LISTENERS, &[], &by);
        let daemon = started.unwrap_or_else(|ended| panic!("{ended}"));
        assert!(daemon.said().contains("is on another file system than"), "{}", daemon.said());
        daemon.send("tcp", format!("<13>1 - h a - - - number {round}\n").as_bytes());
        daemon.find(&format!("message:\"number {round}\""));
        wait_for("a segment", || (daemon.metrics().get("logtrace_segments") > 0).then_some(()));
        assert_eq!(daemon.query("message:number").len(), round + 1);
        daemon.kill();
    }
}

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
