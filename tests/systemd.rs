//! The units in `systemd/`, judged by systemd's own tools, and what they count on in the daemon.

#![cfg(test)]

#[path = "support/port.rs"]
mod port;
#[expect(dead_code, reason = "others use more of it")]
#[path = "support/wait.rs"]
mod wait;

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Output};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, kill_process};

use self::port::free_address;
use self::wait::{PATIENCE, wait_for};

/// The most that `systemd-analyze security` may find exposed, of 10, in tenths.
const MAX_EXPOSURE: u32 = 15;

#[test]
fn cf_10_the_service_is_confined() {
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--offline=true", "--no-pager"]);
    command.arg(format!("--threshold={MAX_EXPOSURE}")).arg(units().join("logtrace.service"));
    let output = run(command);
    let page = String::from_utf8_lossy(&output.stdout);
    let overall = page.lines().last().unwrap_or_default();
    println!("{overall}");
    assert!(output.status.success(), "{page}{}", String::from_utf8_lossy(&output.stderr));
    let figure = overall.split_once("logtrace.service: ").map(|(_, figure)| figure);
    let figure: f64 = figure.and_then(|text| text.split(' ').next()?.parse().ok()).unwrap();
    assert!(figure * 10.0 <= f64::from(MAX_EXPOSURE), "{page}");
    // What receives datagrams may go ahead of other work (`sched(7)`): no filter forbids the call.
    assert!(page.contains("setpriority is allowed"), "{page}");
    let unit = fs::read_to_string(units().join("logtrace.service")).unwrap();
    assert!(unit.lines().any(|line| line == "LimitNICE=-10"), "{unit}");
}

/// In a folder where the program that the service starts is the one that was built.
#[test]
fn the_units_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    for unit in ["logtrace.service", "logtrace.socket"] {
        let text = fs::read_to_string(units().join(unit)).unwrap();
        let text = text.replace("/usr/bin/logtrace", env!("CARGO_BIN_EXE_logtrace"));
        fs::write(folder.path().join(unit), text).unwrap();
    }
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "--recursive-errors=no"]);
    command.args(["logtrace.service", "logtrace.socket"].map(|unit| folder.path().join(unit)));
    let output = run(command);
    let complaints = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<_> = complaints.lines().filter(|line| line.contains("logtrace")).collect();
    assert!(output.status.success() && ours.is_empty(), "{complaints}");
}

/// `Type=notify`: it says when it is ready, that it stops, and ends with 0.
#[test]
fn the_daemon_tells_the_service_manager() {
    let folder = tempfile::tempdir().unwrap();
    let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let config = folder.path().join("logtrace.toml");
    let sections = ["api", "admin"].map(|name| format!("[{name}]\nlisten = \"127.0.0.1:0\"\n"));
    fs::write(&config, format!("listener = []\n{}", sections.concat())).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_logtrace"));
    command.arg("serve").arg("--config").arg(config);
    command.arg("--data").arg(folder.path().join("data"));
    command.env("NOTIFY_SOCKET", folder.path().join("notify"));
    let mut daemon = command.spawn().unwrap();
    let said = |wanted: &str| {
        let mut buf = [0; 512];
        let len = manager.recv(&mut buf).unwrap_or_else(|error| panic!("no {wanted}: {error}"));
        let text = String::from_utf8_lossy(&buf[..len]).into_owned();
        assert!(text.lines().any(|line| line == wanted), "expected {wanted}, but found {text}");
    };
    said("READY=1");
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    said("STOPPING=1");
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
}

/// `logtrace.socket`: the daemon takes the socket that the manager holds, and the line that waits
/// in it.
#[test]
fn a_socket_that_is_handed_over_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let free = free_address();
    let config = folder.path().join("logtrace.toml");
    let sections = ["api", "admin"].map(|name| format!("[{name}]\nlisten = \"127.0.0.1:0\"\n"));
    let listener = format!(
        "[[listener]]\nname = \"handed\"\nprotocol = \"syslog\"\ntransport = \"tcp\"\nlisten = \"{free}\"\n"
    );
    fs::write(&config, sections.concat() + &listener).unwrap();
    let data = folder.path().join("data");
    let mut command = Command::new("systemd-socket-activate");
    command.arg(format!("--listen={free}")).arg(env!("CARGO_BIN_EXE_logtrace"));
    command.arg("serve").arg("--config").arg(&config).arg("--data").arg(&data);
    let mut daemon = command.spawn().expect("`make test` installs systemd's tools");
    // Only a first connection makes the manager start the daemon.
    let mut sender = wait_for("the socket", || TcpStream::connect(free).ok());
    sender.write_all(b"<13>1 - h a - - - waited for the daemon\n").unwrap();
    let addresses: serde_json::Value = wait_for("the daemon", || {
        serde_json::from_slice(&fs::read(data.join("listening.json")).ok()?).ok()
    });
    assert_eq!(addresses["handed"], free.to_string());
    let metrics = format!("http://{}/metrics", addresses["admin"].as_str().unwrap());
    wait_for("the line", || {
        let page = ureq::get(&metrics).call().ok()?.body_mut().read_to_string().ok()?;
        let stored = "logtrace_stored_total{listener=\"handed\"} 1";
        page.lines().any(|line| line == stored).then_some(())
    });
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
}

#[test]
fn what_waits_over_a_stop_is_taken_by_the_next() {
    stopped_where_the_manager_holds_its_sockets(false);
}

#[test]
fn what_waits_over_a_stop_is_taken_by_the_next_after_a_restart() {
    stopped_where_the_manager_holds_its_sockets(true);
}

/// The manager holds the sockets over a stop: who waits there then is for the daemon that comes next.
/// That is known of them after a restart that hands them over as well.
#[track_caller]
fn stopped_where_the_manager_holds_its_sockets(is_restarted: bool) {
    let folder = tempfile::tempdir().unwrap();
    let here = free_address();
    let streams = TcpListener::bind(here).unwrap();
    let datagrams = UdpSocket::bind(here).unwrap();
    let sections = ["api", "admin"].map(|name| format!("[{name}]\nlisten = \"127.0.0.1:0\"\n"));
    let listeners = ["tcp", "udp"].map(|transport| {
        format!(
            "[[listener]]\nname = \"{transport}\"\nprotocol = \"syslog\"\n\
             transport = \"{transport}\"\nlisten = \"{here}\"\n"
        )
    });
    let config = folder.path().join("logtrace.toml");
    fs::write(&config, sections.concat() + &listeners.concat()).unwrap();
    let data = folder.path().join("data");
    let start = || {
        let handed =
            [OwnedFd::from(streams.try_clone().unwrap()), datagrams.try_clone().unwrap().into()];
        let mappings = handed.into_iter().zip(3..);
        let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
        let mut command = Command::new("sh");
        command.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=2 exec \"$0\" \"$@\""]);
        command.arg(env!("CARGO_BIN_EXE_logtrace")).arg("serve").arg("--config").arg(&config);
        command.arg("--data").arg(&data).fd_mappings(mappings.collect()).unwrap();
        let daemon = command.spawn().unwrap();
        let addresses: serde_json::Value = wait_for("the daemon", || {
            serde_json::from_slice(&fs::read(data.join("listening.json")).ok()?).ok()
        });
        (daemon, addresses["api"].as_str().unwrap().to_owned())
    };
    let stop = |mut daemon: Child| {
        let pid = Pid::from_child(&daemon);
        for signal in [Signal::TERM, Signal::CONT] {
            kill_process(pid, signal).unwrap();
        }
        assert_eq!(daemon.wait().unwrap().code(), Some(0));
    };
    let (daemon, _) = start();
    if is_restarted {
        let listening = data.join("listening.json");
        fs::remove_file(&listening).unwrap();
        kill_process(Pid::from_child(&daemon), Signal::USR2).unwrap();
        wait_for("the next program", || listening.exists().then_some(()));
    }
    // While it stands still, all of it comes before the order to stop.
    kill_process(Pid::from_child(&daemon), Signal::STOP).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |number: usize| {
        let line = format!("<13>1 - h a - - - number {number}\n");
        TcpStream::connect(here).unwrap().write_all(line.as_bytes()).unwrap();
        sender.send_to(line.as_bytes(), here).unwrap();
    };
    (0..50).for_each(send);
    stop(daemon);
    (50..100).for_each(send);
    let (daemon, api) = start();
    let question = serde_json::json!({"filter": "number", "limit": 1000});
    wait_for("all that was sent", || {
        let call = ureq::post(format!("http://{api}/v1/logs/query"));
        let call = call.header("content-type", "application/json").send(&question.to_string());
        let answer = call.unwrap().body_mut().read_to_string().unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        (answer["logs"].as_array().unwrap().len() == 2 * 100).then_some(())
    });
    stop(daemon);
}

/// `RestartPreventExitStatus=78`: it is not started again and again with what it cannot read.
#[test]
fn a_wrong_configuration_is_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("logtrace.toml");
    fs::write(&config, "[api]\nlisen = \"127.0.0.1:0\"\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_logtrace"));
    command.arg("serve").arg("--config").arg(&config);
    let output = run(command);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{errors}");
    let place = format!("{}:2", config.display());
    assert!(errors.contains(&place) && errors.contains("lisen"), "{errors}");
    let service = fs::read_to_string(units().join("logtrace.service")).unwrap();
    assert!(service.lines().any(|line| line == "RestartPreventExitStatus=78"));
}

fn run(mut command: Command) -> Output {
    let output = command.output();
    output.unwrap_or_else(|error| {
        let name = command.get_program().display();
        panic!("cannot start {name}, {error}: run `make test`, which installs it")
    })
}

fn units() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("systemd")
}
