//! Connections that are many, say little, or come and go.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, prlimit, setrlimit};
use serde_json::json;
use socket2::SockRef;

use crate::support::{Daemon, LISTENERS, wait_for};

/// Connections that are open together.
const MANY: usize = 1000;

/// The same where they bring next to nothing, or nothing at all.
const SLOW: usize = 5000;
const IDLE: usize = 10_000;

/// A line of so many bytes, its end included.
fn line(len: usize) -> Vec<u8> {
    let mut line = b"<13>1 - h a - - - ".to_vec();
    line.resize(len - 1, b'x');
    line.push(b'\n');
    line
}

fn allow_many() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// The descriptors that the daemon has open.
fn descriptors(daemon: &Daemon) -> usize {
    fs::read_dir(format!("/proc/{}/fd", daemon.pid().as_raw_nonzero())).unwrap().count()
}

/// Those of sockets: files of the store come and go as it likes.
fn sockets(daemon: &Daemon) -> usize {
    let folder = fs::read_dir(format!("/proc/{}/fd", daemon.pid().as_raw_nonzero())).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let to = paths.filter_map(|path| fs::read_link(path).ok());
    to.filter(|to| to.to_string_lossy().starts_with("socket:")).count()
}

/// Its resident memory, in bytes.
fn resident(daemon: &Daemon) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid().as_raw_nonzero()));
    let status = status.unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
}

fn open(daemon: &Daemon, listener: &str, count: usize) -> Vec<TcpStream> {
    let open: Vec<_> = (0..count).map(|_| daemon.connect(listener)).collect();
    let gauge = format!("logtrace_connections{{listener=\"{listener}\"}}");
    wait_for("all to be accepted", || (daemon.metrics().get(&gauge) >= count as u64).then_some(()));
    open
}

#[test]
fn fr_15_a_good_sender_is_served_beside_those_that_say_an_octet_at_a_time() {
    allow_many();
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let mut slow = open(&daemon, "tcp", SLOW);
    let silent = open(&daemon, "json", 100);
    let whole = line(40);
    for (number, octet) in whole.iter().take(5).enumerate() {
        for stream in &mut slow {
            stream.write_all(&[*octet]).unwrap();
        }
        daemon.send("tcp", &line(64));
        daemon.settle("tcp", number as u64 + 1);
    }
    // What they have begun is theirs to end.
    for stream in &mut slow {
        stream.write_all(&whole[5..]).unwrap();
    }
    daemon.settle("tcp", 5 + SLOW as u64);
    drop((slow, silent));
    assert!(daemon.stop().success());
}

#[test]
fn fr_15_ten_thousand_idle_connections_cost_less_than_100_megabytes() {
    allow_many();
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    daemon.send("tcp", &line(64));
    daemon.settle("tcp", 1);
    let before = resident(&daemon);
    let open = open(&daemon, "tcp", IDLE);
    let cost = || resident(&daemon).saturating_sub(before);
    wait_for("connections to be small", || (cost() < 100_000_000).then_some(()));
    daemon.send("tcp", &line(64));
    daemon.settle("tcp", 2);
    drop(open);
    assert!(daemon.stop().success());
}

#[test]
fn fr_13_messages_without_an_end_are_bounded_and_others_are_served() {
    endless(4 << 20);
}

#[test]
#[ignore = "takes minutes: make slow-tests"]
fn fr_13_slow_messages_of_a_gibibyte_are_bounded_and_others_are_served() {
    endless(1 << 30);
}

/// Sends a message of so many bytes, and no end of it, over each of many connections.
fn endless(bytes: usize) {
    const ENDLESS: usize = 200;
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    daemon.send("tcp", &line(64));
    daemon.settle("tcp", 1);
    let before = resident(&daemon);
    let mut open = open(&daemon, "tcp", ENDLESS);
    let piece = vec![b'x'; 64 << 10];
    let mut peak = 0;
    for stream in &mut open {
        stream.write_all(b"<13>1 - h a - - - endless ").unwrap();
    }
    thread::scope(|scope| {
        let (daemon, piece) = (&daemon, &piece);
        let sending: Vec<_> = open
            .chunks_mut(ENDLESS / 4)
            .map(|streams| {
                scope.spawn(move || {
                    for _ in 0..bytes / piece.len() {
                        streams.iter_mut().for_each(|stream| stream.write_all(piece).unwrap());
                    }
                })
            })
            .collect();
        let mut good = 1;
        while !sending.iter().all(thread::ScopedJoinHandle::is_finished) {
            peak = peak.max(resident(daemon));
            daemon.send("json", b"{\"message\":\"meanwhile\"}\n");
            daemon.settle("json", good);
            good += 1;
        }
    });
    // A message of up to 256 KiB each, in a buffer that may be twice as long; and what those who
    // are served meanwhile need.
    let held = peak.saturating_sub(before);
    assert!(held < ENDLESS * (768 << 10) + (64 << 20), "{held} bytes for what has no end");
    drop(open);
    daemon.settle("tcp", 1 + ENDLESS as u64);
    let found = daemon.query_with(&json!({
        "filter": "message:endless and tags:truncated", "from": "-1d", "limit": 1000,
        "fields": ["event.original_length"],
    }));
    assert_eq!(found.len(), ENDLESS, "cut once each");
    let sent = bytes / piece.len() * piece.len() + "<13>1 - h a - - - endless ".len();
    assert!(found.iter().all(|event| event["event.original_length"] == sent), "{}", found[0]);
    assert!(daemon.stop().success());
}

#[test]
fn fr_15_connections_cost_little_while_nothing_comes_whatever_came_before() {
    allow_many();
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    // What the first event of all needs is not theirs.
    daemon.send("tcp", &line(64).repeat(10_000));
    daemon.settle("tcp", 10_000);
    let before = resident(&daemon);
    let mut open = open(&daemon, "tcp", MANY);
    let cost = |daemon: &Daemon| resident(daemon).saturating_sub(before) / MANY;
    // Of 10,000 all of the daemon is to take less than 100 MB.
    wait_for("connections to be small", || (cost(&daemon) < 7000).then_some(()));
    for stream in &mut open {
        stream.write_all(&line(1 << 10).repeat(100)).unwrap();
    }
    daemon.settle("tcp", 10_000 + 100 * MANY as u64);
    // A buffer that was read into has up to 256 KiB; what is stored meanwhile has its own share.
    wait_for("buffers to be given back", || (cost(&daemon) < 50_000).then_some(()));
    drop(open);
    assert!(daemon.stop().success());
}

#[test]
fn fr_15_who_says_nothing_in_time_is_gone_and_so_is_all_that_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let more = r#"
[[listener]]
name = "impatient"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
idle_timeout = "200ms"

[[listener]]
name = "shaken"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
handshake_timeout = "200ms"
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }

[[listener]]
name = "narrow"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
idle_timeout = "200ms"
max_connections = 2
"#;
    let daemon = Daemon::with_listeners(folder.path(), "", &format!("{LISTENERS}{more}"));
    daemon.metrics(); // opens what it needs itself
    let before = sockets(&daemon);
    for (listener, begins) in [("impatient", &b""[..]), ("impatient", b"<1"), ("shaken", b"\x16")] {
        let mut stream = daemon.connect(listener);
        // Who says it late finds nobody there.
        let _in_time = stream.write_all(begins).is_ok();
        assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0, "{listener}");
    }
    // Those who say nothing lock nobody out for longer than that.
    let silent: Vec<_> = (0..4).map(|_| daemon.connect("narrow")).collect();
    // Whoever is too slow to speak is one of them.
    wait_for("a line to be taken", || {
        let _in_time = daemon.connect("narrow").write_all(&line(64)).is_ok();
        (daemon.metrics().ledger("narrow").stored > 0).then_some(())
    });
    drop(silent);
    wait_for("sockets to return", || (sockets(&daemon) <= before).then_some(()));
    assert!(daemon.stop().success());
}

#[test]
fn fr_16_those_that_come_and_go_leave_nothing_behind() {
    come_and_go(|number| number < 2000);
}

#[test]
#[ignore = "takes a minute: make slow-tests"]
fn fr_16_slow_a_minute_of_those_that_come_and_go_leaves_nothing_behind() {
    let began = Instant::now();
    come_and_go(|_| began.elapsed() < Duration::from_secs(60));
}

/// Opens and closes connections, in four threads, each as long as it is told to go on behind so
/// many.
fn come_and_go(goes_on: impl Fn(u32) -> bool + Sync) {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    daemon.metrics();
    let before = sockets(&daemon);
    let address: SocketAddr = daemon.address("tcp").parse().unwrap();
    let (began, all) = (Instant::now(), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in (0..).take_while(|number| goes_on(*number)) {
                    let mut stream = TcpStream::connect(address).unwrap();
                    if number % 3 == 0 {
                        stream.write_all(b"<13>").unwrap();
                    }
                    // Most without a word, so that this side has no port that waits; of those that
                    // do, no more than there are ports.
                    if number % 8 != 0 || number > 8000 {
                        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                    }
                    all.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let all = all.into_inner();
    println!("{all} connections, {:.0} a second", f64::from(all) / began.elapsed().as_secs_f64());
    // Some may still wait to be accepted.
    wait_for("all to be closed", || (closing(address) == 0).then_some(()));
    wait_for("sockets to return", || (sockets(&daemon) <= before).then_some(()));
    let gauge = "logtrace_connections{listener=\"tcp\"}";
    wait_for("the end of all", || (daemon.metrics().get(gauge) == 0).then_some(()));
    daemon.send("tcp", b"<13>1 - h a - - - good\n");
    daemon.find("good");
    assert!(daemon.stop().success());
}

/// Connections to `address` whose peers are gone and that nobody has closed (`proc_net_tcp(5)`).
fn closing(address: SocketAddr) -> usize {
    let ours = format!(":{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let is_closing = |line: &&str| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|local| local.ends_with(&ours)) && words.nth(1) == Some("08")
    };
    table.lines().filter(is_closing).count()
}

#[test]
fn fr_17_without_descriptors_it_waits_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let mut known = open(&daemon, "tcp", 1);
    let used = descriptors(&daemon) as u64;
    let limit = |current| {
        let limit = Rlimit { current: Some(current), ..getrlimit(Resource::Nofile) };
        prlimit(Some(daemon.pid()), Resource::Nofile, limit).unwrap()
    };
    // Not by the daemon's own count: somebody has taken them away.
    let before = limit(used);
    let ticks = ticks(&daemon);
    let mut others: Vec<_> = (0..20).map(|_| daemon.connect("tcp")).collect();
    wait_for("it to be said", || daemon.said().contains("cannot accept").then_some(()));
    // It says so as often as it tries: it does not spin.
    let tries = || daemon.said().matches("cannot accept").count();
    let first = tries();
    wait_for("another try", || (tries() > first).then_some(()));
    assert!(tries() < 200, "{} tries", tries());
    assert!(self::ticks(&daemon) - ticks < 200, "two seconds of work, for nothing");
    known[0].write_all(b"<13>1 - h a - - - known\n").unwrap();
    for stream in &mut others {
        stream.write_all(b"<13>1 - h a - - - other\n").unwrap();
    }
    limit(before.current.unwrap());
    daemon.settle("tcp", 21);
    let mut end = [0; 1];
    known[0].set_nonblocking(true).unwrap();
    assert_eq!(known[0].read(&mut end).unwrap_err().kind(), ErrorKind::WouldBlock, "still open");
    drop((known, others));
    assert!(daemon.stop().success());
}

/// Processor time that the daemon has used, in hundredths of a second (`proc_pid_stat(5)`).
fn ticks(daemon: &Daemon) -> u64 {
    let stat = format!("/proc/{}/stat", daemon.pid().as_raw_nonzero());
    let stat = fs::read_to_string(stat).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_whitespace().skip(11).take(2).map(|word| word.parse::<u64>().unwrap()).sum()
}
