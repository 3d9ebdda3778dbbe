//! Floods of what is refused, from a thousand addresses that a trusted proxy names: good senders do
//! not notice, memory and journals stay small, and nothing is lost count of.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Daemon, wait_for};

const PROXIED: &str = r#"
[[listener]]
name = "flooded"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
require_key = true
proxy = { trusted = ["127.0.0.0/8"] }
"#;

/// How a flood is.
#[derive(Clone, Copy, Debug)]
struct Flood {
    addresses: usize,
    /// Refused messages, all together.
    per_second: usize,
    seconds: usize,
    /// Whether each message has a key of its own, as a guesser's does.
    is_guessing: bool,
}

/// What came of it.
#[derive(Debug)]
struct Outcome {
    sent: u64,
    took: Duration,
    /// The most memory that the daemon has had, in MiB.
    peak: u64,
    /// Bytes by which all that is stored grew, as values in columns.
    grew: u64,
    /// Messages of the good sender, and how late the last of them was stored.
    good: u64,
    late: Duration,
}

impl Flood {
    /// Turns so often in a second.
    const TURNS: usize = 10;

    /// Sends from all addresses, each on a connection of its own; how much was sent.
    fn run(self, to: &str) -> u64 {
        let each = (self.per_second / self.addresses / Self::TURNS).max(1);
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let to = to.to_owned();
                let own = (thread..self.addresses).step_by(THREADS).collect::<Vec<_>>();
                thread::spawn(move || self.send(&to, &own, each))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    }

    fn send(self, to: &str, addresses: &[usize], each: usize) -> u64 {
        let connect = |address: &usize| {
            let mut stream = TcpStream::connect(to).unwrap();
            let ip = format!("10.77.{}.{}", address / 250, address % 250 + 1);
            stream.write_all(format!("PROXY TCP4 {ip} 10.0.0.1 4000 514\r\n").as_bytes()).unwrap();
            (stream, *address, 0)
        };
        let mut streams: Vec<_> = addresses.iter().map(connect).collect();
        let (began, mut sent) = (Instant::now(), 0);
        for turn in 0..self.seconds * Self::TURNS {
            for (stream, address, number) in &mut streams {
                let text: String = (0..each).map(|_| self.line(*address, number)).collect();
                stream.write_all(text.as_bytes()).unwrap();
                sent += each as u64;
            }
            let due = Duration::from_secs(1) * u32::try_from(turn + 1).unwrap() / TURNS_U32;
            thread::sleep(due.saturating_sub(began.elapsed()));
        }
        sent
    }

    fn line(self, address: usize, number: &mut u64) -> String {
        *number += u64::from(self.is_guessing);
        format!("<13>1 - h a - - [lt@1 key=\"lt_live_{address:016x}{number:016x}\"] refused\n")
    }

    /// Floods a daemon in which a good sender goes on meanwhile.
    fn flood(self) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        // Automatic rules would cut most of them off at once.
        let config = "[gate]\nautomatic = []\n";
        let daemon = Daemon::with_listeners(folder.path(), config, PROXIED);
        let good = json!({"name": "good", "scopes": ["write:logs"]});
        let (id, good) = daemon.create_key(&good);
        let to = daemon.address("flooded").to_owned();
        let before = kept(&daemon);
        let began = Instant::now();
        let (sent, good_sent) = thread::scope(|scope| {
            let flood = scope.spawn(|| self.run(&to));
            let steady = scope.spawn(|| {
                let mut stream = TcpStream::connect(&to).unwrap();
                stream.write_all(b"PROXY TCP4 192.0.2.7 10.0.0.1 4000 514\r\n").unwrap();
                let line = format!("<14>1 - h a - - [lt@1 key=\"{good}\"] good\n");
                let (began, mut sent) = (Instant::now(), 0_u64);
                while began.elapsed() < Duration::from_secs(self.seconds as u64) {
                    stream.write_all(line.repeat(GOOD / 10).as_bytes()).unwrap();
                    sent += GOOD as u64 / 10;
                    thread::sleep(Duration::from_millis(100));
                }
                sent
            });
            (flood.join().unwrap(), steady.join().unwrap())
        });
        let took = began.elapsed();
        let ended = Instant::now();
        let series = format!("logtrace_key_stored_total{{key=\"{id}\"}}");
        wait_for("all of the good sender", || {
            (daemon.metrics().get(&series) == good_sent).then_some(())
        });
        let late = ended.elapsed();
        daemon.settle("flooded", sent + good_sent);
        let ledger = daemon.metrics().ledger("flooded");
        assert_eq!((ledger.stored, ledger.blocked), (good_sent, sent), "{ledger:?}");
        // The journal has all of them, by whomever they are shown together.
        wait_for("all refusals in the journal", || (noted(&daemon) == sent).then_some(()));
        let grew = kept(&daemon) - before;
        Outcome { sent, took, peak: peak(&daemon), grew, good: good_sent, late }
    }
}

impl Outcome {
    #[track_caller]
    fn check(&self) {
        let Self { sent, took, peak, grew, good, late } = self;
        println!(
            "{sent} refused in {took:.1?}; {good} good, the last of them {late:.1?} after the end; \
             {grew} bytes stored, {peak} MiB of memory"
        );
        assert!(*grew < LIMIT && *peak < CEILING, "{self:?}");
    }
}

/// Refusals that the journal has, folded ones counted each.
fn noted(daemon: &Daemon) -> u64 {
    let ask = json!({
        "journal": "blocked",
        "filter": "reason:INVALID_API_KEY",
        "from": "-1h",
        "aggregates": ["sum(count)"],
    });
    let (status, answer) = daemon.call("POST", "/v1/logs/stats", None, Some(&ask));
    assert_eq!(status, 200, "{answer}");
    // There is no sum of nothing.
    find_number(&answer, "sum(count)").unwrap_or(0)
}

/// A number of that name, wherever in the answer it is.
fn find_number(value: &Value, name: &str) -> Option<u64> {
    match value {
        Value::Object(members) => members.iter().find_map(|(known, value)| match value {
            #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a count")]
            Value::Number(number) if known == name => number.as_f64().map(|number| number as u64),
            other => find_number(other, name),
        }),
        Value::Array(all) => all.iter().find_map(|value| find_number(value, name)),
        _ => None,
    }
}

/// Bytes of all that is stored, sealed and not.
fn kept(daemon: &Daemon) -> u64 {
    let metrics = daemon.metrics();
    metrics.get("logtrace_segment_bytes") + metrics.get("logtrace_staged_bytes")
}

/// The most memory that the daemon has had so far, in MiB (proc(5), `VmHWM`).
fn peak(daemon: &Daemon) -> u64 {
    let pid = daemon.pid().as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() / 1024
}

#[test]
fn bl_08_refusals_from_many_addresses_are_counted_to_the_last() {
    let flood = Flood { addresses: 100, per_second: 5000, seconds: 2, is_guessing: false };
    flood.flood().check();
}

#[test]
fn au_01_guesses_from_many_addresses_are_counted_to_the_last() {
    let flood = Flood { addresses: 100, per_second: 2000, seconds: 2, is_guessing: true };
    flood.flood().check();
}

#[test]
#[ignore = "takes a minute and all of the machine"]
fn bl_08_slow_a_minute_of_refusals_from_a_thousand_addresses() {
    let flood = Flood { addresses: 1000, per_second: 200_000, seconds: 60, is_guessing: false };
    flood.flood().check();
}

#[test]
#[ignore = "takes a minute and all of the machine"]
fn au_01_slow_a_minute_of_guesses_from_a_thousand_addresses() {
    let flood = Flood { addresses: 1000, per_second: 10_000, seconds: 60, is_guessing: true };
    flood.flood().check();
}

/// Threads that send.
const THREADS: usize = 4;

const TURNS_U32: u32 = 10;

/// Messages a second of the good sender.
const GOOD: usize = 1000;

/// Bytes by which all that is stored may grow: the journal, and what the good sender brought.
const LIMIT: u64 = 20_000_000;

/// Resident memory of the daemon, in MiB.
const CEILING: u64 = 256;
