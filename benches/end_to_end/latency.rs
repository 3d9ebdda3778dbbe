//! How soon a line is found: at full load, from the time that is written in it to the answer that
//! holds it.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
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
    /// What the others sent meanwhile, and for how long.
    pub(crate) flood: (Sent, Duration),
}

/// Floods for `lasting`, and meanwhile sends a line with a word of its own every 50 ms over a
/// connection of its own, which is asked for until it is found.
pub(crate) fn measure(
    daemon: &Daemon,
    pools: &mut [Pool],
    lasting: Duration,
    way: Way<'_>,
) -> Outcome<Latency> {
    let stop = AtomicBool::new(false);
    let (sender, words) = mpsc::channel();
    let words = Mutex::new(words);
    thread::scope(|scope| {
        let began = Instant::now();
        let flood = scope.spawn(|| flood(way, pools, Until::Told(&stop)));
        let seekers: Vec<_> = (0..SEEKERS).map(|_| scope.spawn(|| seek(daemon, &words))).collect();
        let sent = send(daemon, lasting, |word| sender.send(word).is_ok());
        stop.store(true, Ordering::Relaxed);
        drop(sender);
        let flood = flood.join().map_err(|_| "expected the flood to end, but it panicked")??;
        let flood = (flood, began.elapsed());
        let (mut times, mut missed) = (Vec::new(), 0);
        for seeker in seekers {
            let found = seeker.join().map_err(|_| "expected answers, but asking panicked")??;
            missed += found.iter().filter(|time| time.is_none()).count();
            times.extend(found.into_iter().flatten());
        }
        sent?;
        times.sort();
        Ok(Latency { times, missed, flood })
    })
}

impl Latency {
    /// The time that so many of a hundred lines were found in.
    pub(crate) fn percentile(&self, of_hundred: usize) -> Duration {
        let at = (self.times.len() * of_hundred).div_ceil(100).max(1) - 1;
        self.times.get(at).copied().unwrap_or_default()
    }
}

/// Sends the lines that are looked for.
fn send(daemon: &Daemon, lasting: Duration, mut tell: impl FnMut(String) -> bool) -> Outcome<()> {
    thread::sleep(RUN_UP);
    let mut stream = TcpStream::connect(daemon.address("5424-tcp")?)?;
    stream.set_nodelay(true)?;
    let began = Instant::now();
    let mut due = Duration::ZERO;
    while due < lasting {
        thread::sleep(due.saturating_sub(began.elapsed()));
        let now = now();
        let word = format!("probe{now:x}");
        let at = stamp(now);
        let line = format!("<134>1 {at} bench.example probe 1 - - {word} sent_us={now}\n");
        stream.write_all(line.as_bytes())?;
        if !tell(word) {
            break;
        }
        due += EVERY;
    }
    Ok(())
}

/// Asks for one word after the other; for each, how long it took to be found, if it was.
fn seek(daemon: &Daemon, words: &Mutex<Receiver<String>>) -> Outcome<Vec<Option<Duration>>> {
    let mut found = Vec::new();
    loop {
        let word = words.lock().recv();
        let Ok(word) = word else { return Ok(found) };
        let until = Instant::now() + PATIENCE;
        found.push(loop {
            let asked = json!({"filter": format!("message:{word}"), "from": "-15m", "limit": 1});
            let answer = daemon.call("/v1/logs/query", &asked)?;
            let message = answer.pointer("/logs/0/message").and_then(Value::as_str);
            let sent = message.and_then(|message| message.rsplit_once('=')?.1.parse::<i64>().ok());
            if let Some(sent) = sent {
                break Some(Duration::from_micros(u64::try_from(now() - sent).unwrap_or_default()));
            }
            if Instant::now() > until {
                break None;
            }
            thread::sleep(PAUSE);
        });
    }
}

/// Between lines.
const EVERY: Duration = Duration::from_millis(50);

/// The flood alone, before the first line.
const RUN_UP: Duration = Duration::from_secs(2);

/// How many words are asked for at the same time.
const SEEKERS: usize = 8;

/// Between two questions for a word.
const PAUSE: Duration = Duration::from_millis(5);

/// How long a word is looked for.
const PATIENCE: Duration = Duration::from_secs(30);
