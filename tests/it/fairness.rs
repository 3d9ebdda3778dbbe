//! A key that floods a listener, and another one beside it: what the other waits for its
//! acknowledgement does not grow, by whatever protocol and whatever becomes of the flood.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::fluent;
use crate::relp::session::frame;
use crate::support::{Beats, Daemon, PATIENCE, event, wait_for, window};

const WAYS: &str = r#"
[[listener]]
name = "syslog"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "relp"
protocol = "relp"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "beats"
protocol = "beats"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "fluent"
protocol = "fluent"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "web"
protocol = "http"
transport = "tcp"
listen = "127.0.0.1:0"
"#;

/// Events a second that the key which floods may send.
const RATE: usize = 1000;

/// Connections that the flood comes over: more than there are threads to serve them, so that none
/// may hold its thread while it waits.
const FLOODS: usize = 4;

/// Events that the other one sends, one by one, alone and then beside the flood.
const CALLS: usize = 50;

/// How often it is tried.
const ATTEMPTS: usize = 10;

/// Writes what senders of one protocol do.
struct Writer<'a> {
    way: &'a str,
    key: &'a str,
    /// The number of the last frame.
    number: u32,
}

impl Writer<'_> {
    /// What a connection begins with.
    fn hello(&mut self) -> Vec<u8> {
        if self.way != "relp" {
            return Vec::new();
        }
        self.number = 1;
        frame(1, "open", "relp_version=0\nrelp_software=test\ncommands=syslog").into_bytes()
    }

    /// So many events, in what the protocol acknowledges at once where it can.
    fn events(&mut self, count: usize) -> Vec<u8> {
        let Self { way, key, .. } = *self;
        let line = format!("<14>1 - h a - - [lt@1 key=\"{key}\"] an event");
        let object = json!({"message": "an event", "api_key": key}).to_string();
        match way {
            "syslog" => format!("{line}\n").repeat(count).into_bytes(),
            "relp" => (0..count)
                .flat_map(|_| {
                    self.number += 1;
                    frame(self.number, "syslog", &line).into_bytes()
                })
                .collect(),
            "beats" => {
                let events = (1..=u32::try_from(count).unwrap())
                    .flat_map(|sequence| event(sequence, &object));
                window(b'2', count).into_iter().chain(events).collect()
            }
            "fluent" => {
                self.number += 1;
                let record = ["message", "an event", "api_key", key].map(fluent::text).concat();
                let entry = [&b"\x92\x01\x82"[..], &record].concat();
                fluent::message(&entry.repeat(count), &format!("chunk {}", self.number))
            }
            _ => {
                let body = format!("{{\"create\":{{}}}}\n{object}\n").repeat(count);
                let length = body.len();
                let head = "POST /_bulk HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-ndjson";
                format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
            }
        }
    }

    /// Waits until the last event is acknowledged; syslog has no word for it.
    fn acknowledged(&self, stream: &mut TcpStream, daemon: &Daemon, id: &str, sent: usize) {
        match self.way {
            "syslog" => wait_for("the event", || (stored(daemon, id) >= sent as u64).then_some(())),
            "relp" => while answered(stream) < self.number {},
            "beats" => drop(Beats(&*stream).acknowledged().unwrap()),
            "fluent" => {
                let chunk = format!("chunk {}", self.number);
                assert_eq!(fluent::acknowledged(stream), Some(chunk));
            }
            _ => until(stream, "}]}"),
        }
    }
}

/// Reads an answer of RELP; the number of the frame that it is to.
fn answered(stream: &mut TcpStream) -> u32 {
    let mut words = [0, 1, 2].map(|_| {
        let (mut word, mut byte) = (String::new(), [0]);
        while stream.read_exact(&mut byte).is_ok() && byte != *b" " {
            word.push(char::from(byte[0]));
        }
        word
    });
    let [number, command, len] = &mut words;
    assert_eq!(command, "rsp");
    stream.read_exact(&mut vec![0; len.parse::<usize>().unwrap() + 1]).unwrap();
    number.parse().unwrap()
}

/// Reads until this came.
fn until(stream: &mut TcpStream, what: &str) {
    let (mut came, mut chunk) = (Vec::new(), [0; 4096]);
    while !came.ends_with(what.as_bytes()) {
        let len = match stream.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.unwrap(),
        };
        assert!(len > 0, "it ended: {}", String::from_utf8_lossy(&came));
        came.extend_from_slice(chunk.get(..len).unwrap());
    }
}

/// Sends ten times the limit for as long as it is to; what is not taken at once is sent later, as a
/// sender does that is read more slowly.
fn flood(daemon: &Daemon, way: &str, key: &str, is_done: &AtomicBool) {
    let mut stream = daemon.connect(way);
    let mut answers = stream.try_clone().unwrap();
    let reading = thread::spawn(move || while answers.read(&mut [0; 65536]).unwrap_or(0) > 0 {});
    stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut writer = Writer { way, key, number: 0 };
    let mut left = writer.hello();
    while !is_done.load(Ordering::Relaxed) {
        let began = Instant::now();
        left.extend(writer.events(RATE / FLOODS));
        while !left.is_empty() && !is_done.load(Ordering::Relaxed) {
            match stream.write(&left) {
                Ok(len) => drop(left.drain(..len)),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) => {}
                Err(error) => panic!("{way} closes on one who is over a limit: {error}"),
            }
        }
        thread::sleep(Duration::from_millis(100).saturating_sub(began.elapsed()));
    }
    let _ended = stream.shutdown(Shutdown::Both).is_ok();
    reading.join().unwrap();
}

/// How long so many events of one key take, each: the slowest but the slowest tenth, which a machine
/// has that does much else.
fn p90(daemon: &Daemon, way: &str, (id, key): (&str, &str)) -> Duration {
    let before = usize::try_from(stored(daemon, id)).unwrap();
    let mut stream = daemon.connect(way);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut writer = Writer { way, key, number: 0 };
    let hello = writer.hello();
    stream.write_all(&hello).unwrap();
    if !hello.is_empty() {
        assert_eq!(answered(&mut stream), 1);
    }
    let one = |sent| {
        let began = Instant::now();
        stream.write_all(&writer.events(1)).unwrap();
        writer.acknowledged(&mut stream, daemon, id, before + sent);
        began.elapsed()
    };
    let mut took: Vec<_> = (1..=CALLS).map(one).collect();
    took.sort_unstable();
    took[CALLS - 1 - CALLS / 10]
}

/// Events of a key that are stored.
fn stored(daemon: &Daemon, id: &str) -> u64 {
    daemon.metrics().sum("logtrace_key_stored_total", id)
}

/// Events that were over the limit of a key so far.
fn over(daemon: &Daemon) -> u64 {
    daemon.metrics().sum("logtrace_limited_total", "limit:key:events")
}

#[test]
fn rl_01_a_flood_on_a_shared_listener_delays_no_acknowledgement_of_another_key() {
    for way in ["syslog", "relp", "beats", "fluent", "web"] {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::with_listeners(folder.path(), "", WAYS);
        for policy in ["drop", "sample", "queue", "pace"] {
            let limits = json!({"events_per_second": RATE, "queue": "1s"});
            let (_, loud) = daemon.create_key(&json!({
                "name": "loud", "scopes": ["write:logs"], "policy": policy, "limits": limits,
            }));
            let (id, quiet) =
                daemon.create_key(&json!({"name": "quiet", "scopes": ["write:logs"]}));
            // A machine that has much else to do may hold up anyone, but not each time.
            let is_fair = (1..=ATTEMPTS).any(|attempt| {
                let alone = p90(&daemon, way, (&id, &quiet));
                let (is_done, before) = (AtomicBool::new(false), over(&daemon));
                let beside = thread::scope(|scope| {
                    for _ in 0..FLOODS {
                        scope.spawn(|| flood(&daemon, way, &loud, &is_done));
                    }
                    wait_for("the flood", || (over(&daemon) > before).then_some(()));
                    let beside = p90(&daemon, way, (&id, &quiet));
                    is_done.store(true, Ordering::Relaxed);
                    beside
                });
                println!("{way} {policy}: {beside:.1?} beside a flood, {alone:.1?} alone");
                let sent = 2 * CALLS * attempt;
                assert_eq!(stored(&daemon, &id), sent as u64, "{way} {policy}: it has no limit");
                // Who waits for another's pause, or behind its queue, waits for seconds.
                beside < 25 * alone.max(Duration::from_millis(4))
            });
            assert!(is_fair, "{way} {policy}");
        }
    }
}

#[test]
fn rl_08_who_is_paced_loses_nothing_and_is_not_cut_off() {
    const BURSTS: usize = 6;
    const ENOUGH: usize = 100;
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", WAYS);
    for way in ["syslog", "relp", "beats", "fluent", "web"] {
        let limits = json!({"events_per_second": 400});
        let new = json!({
            "name": way, "scopes": ["write:logs"], "policy": "pace", "limits": limits,
        });
        let (id, key) = daemon.create_key(&new);
        let before = over(&daemon);
        let mut stream = daemon.connect(way);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut writer = Writer { way, key: &key, number: 0 };
        let hello = writer.hello();
        stream.write_all(&hello).unwrap();
        assert!(hello.is_empty() || answered(&mut stream) == 1);
        let began = Instant::now();
        let mut sent = 0;
        // A machine that is slow enough sends no more than it may.
        for burst in (1..=ENOUGH).take_while(|n| *n <= BURSTS || over(&daemon) == before) {
            sent = 200 * burst;
            stream.write_all(&writer.events(200)).unwrap();
            writer.acknowledged(&mut stream, &daemon, &id, sent);
        }
        // After a second's worth at once, what is over it is waited for: more than a second.
        assert!(began.elapsed() > Duration::from_millis(700), "{way} was not paced");
        assert_eq!(stored(&daemon, &id), sent as u64, "{way}");
        assert!(over(&daemon) > before, "{way}");
        let ledger = daemon.metrics().ledger(way);
        assert_eq!((ledger.blocked, ledger.failed), (0, 0), "{way}: {ledger:?}");
    }
}
