//! How soon a line is found: at full load, from the time that is written in it to the answer that
//! holds it.
//!
//! One question at a time asks for a word that all of them have, from the time of the oldest that
//! was not found yet: so a store that is slow to show lines is not slowed further by being asked
//! more. What is found is told apart by the number in it.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Outcome;
use super::daemon::Daemon;
use super::flood::{Pool, Sent, Until, Way, flood, now};
use super::lines::stamp;

/// What was found.
pub(crate) struct Latency {
    /// The shortest first.
    pub(crate) times: Vec<Duration>,
    /// Lines that were not found in time.
    pub(crate) missed: usize,
    /// How long each question took, the shortest first.
    pub(crate) questions: Vec<Duration>,
    /// What the others sent meanwhile, and for how long.
    pub(crate) flood: (Sent, Duration),
}

/// Floods for `lasting`, and meanwhile sends a line every 50 ms over a connection of its own,
/// which is asked for until it is found.
pub(crate) fn measure(
    daemon: &Daemon,
    pools: &mut [Pool],
    lasting: Duration,
    way: Way<'_>,
) -> Outcome<Latency> {
    let stop = AtomicBool::new(false);
    let (sender, lines) = mpsc::channel();
    thread::scope(|scope| {
        let began = Instant::now();
        let flood = scope.spawn(|| flood(way, pools, Until::Told(&stop)));
        let seeker = scope.spawn(|| seek(daemon, lines));
        let sent = send(daemon, lasting, |sent| sender.send(sent).is_ok());
        stop.store(true, Ordering::Relaxed);
        drop(sender);
        let flood = flood.join().map_err(|_| "expected the flood to end, but it panicked")??;
        let lasted = began.elapsed();
        let found = seeker.join().map_err(|_| "expected answers, but asking panicked")??;
        sent?;
        Ok(Latency { flood: (flood, lasted), ..found })
    })
}

/// The time that so many of a hundred fit in.
pub(crate) fn percentile(times: &[Duration], of_hundred: usize) -> Duration {
    let at = (times.len() * of_hundred).div_ceil(100).max(1) - 1;
    times.get(at).copied().unwrap_or_default()
}

/// Sends the lines that are looked for.
fn send(daemon: &Daemon, lasting: Duration, mut tell: impl FnMut(i64) -> bool) -> Outcome<()> {
    thread::sleep(RUN_UP);
    let mut stream = TcpStream::connect(daemon.address("5424-tcp")?)?;
    stream.set_nodelay(true)?;
    let began = Instant::now();
    let mut due = Duration::ZERO;
    while due < lasting {
        thread::sleep(due.saturating_sub(began.elapsed()));
        let now = now();
        let at = stamp(now);
        let line = format!("<134>1 {at} bench.example probe 1 - - searchprobe sent_us={now}\n");
        stream.write_all(line.as_bytes())?;
        if !tell(now) {
            break;
        }
        due += EVERY;
    }
    Ok(())
}

/// Asks for the lines until each is found, or patience ends.
fn seek(daemon: &Daemon, lines: Receiver<i64>) -> Outcome<Latency> {
    let (mut times, mut questions) = (Vec::new(), Vec::new());
    let (mut missing, mut until) = (Vec::new(), None);
    loop {
        loop {
            match lines.try_recv() {
                Ok(sent) => missing.push(sent),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    until.get_or_insert_with(|| Instant::now() + PATIENCE);
                    break;
                }
            }
        }
        if until.is_some_and(|until| missing.is_empty() || Instant::now() > until) {
            break;
        }
        if !missing.is_empty() {
            let asked = Instant::now();
            let from = missing.iter().min().copied().unwrap_or_default();
            let body =
                json!({"filter": "message:searchprobe", "from": stamp(from), "limit": LIMIT});
            let answer = daemon.call("/v1/logs/query", &body)?;
            questions.push(asked.elapsed());
            let now = now();
            let logs = answer.get("logs").and_then(Value::as_array);
            for log in logs.into_iter().flatten() {
                let message = log.get("message").and_then(Value::as_str).unwrap_or_default();
                let Some((_, sent)) = message.split_once(" sent_us=") else { continue };
                if let Some(at) = missing.iter().position(|other| other.to_string() == sent) {
                    let sent = missing.swap_remove(at);
                    let micros = u64::try_from(now - sent).unwrap_or_default();
                    times.push(Duration::from_micros(micros));
                }
            }
        }
        thread::sleep(PAUSE);
    }
    times.sort();
    questions.sort();
    Ok(Latency { times, missed: missing.len(), questions, flood: Default::default() })
}

/// Between lines.
const EVERY: Duration = Duration::from_millis(50);

/// The flood alone, before the first line.
const RUN_UP: Duration = Duration::from_secs(2);

/// Lines of an answer.
const LIMIT: usize = 1000;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(5);

/// How long lines are looked for after the last was sent.
const PATIENCE: Duration = Duration::from_secs(30);
