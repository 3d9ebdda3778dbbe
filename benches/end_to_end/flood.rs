//! Senders: lines that were rendered before, written as fast as they are taken or at a rate, each
//! with the time at which it is sent.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Outcome;
use super::lines::{Line, Random, STAMP_LEN, stamp};
use super::sender;

/// What the lines are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// RFC 5424, a line each.
    #[value(name = "5424")]
    Syslog,
    /// Logstash's `json_lines`.
    Json,
    /// Beats: the same events, in windows that are acknowledged.
    Beats,
    /// Beats, each window compressed.
    BeatsCompressed,
    /// RELP: RFC 5424 lines in frames that are acknowledged.
    Relp,
}

/// Where the lines go, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way<'a> {
    /// As fast as they are taken.
    Tcp(&'a str),
    /// So many a second.
    Udp(&'a str, u64),
    /// By a protocol that acknowledges, as fast as it does.
    Acknowledged(&'a str, Format),
}

/// Lines of one sender, one after the other.
pub(crate) struct Pool {
    bytes: Vec<u8>,
    /// Where each line ends, its line feed included.
    ends: Vec<usize>,
    /// Where in a line the time begins.
    stamp_at: usize,
    /// How long each write took since it was last asked.
    writes: Vec<Duration>,
}

/// When a flood ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until<'a> {
    /// Each sender has sent so many.
    Sent(u64),
    /// This is set.
    Told(&'a AtomicBool),
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// The lines of `senders`, `lines` of each.
pub(crate) fn pools(senders: u64, lines: u64, format: Format, key: Option<&str>) -> Vec<Pool> {
    (0..senders).map(|seed| Pool::render(seed, lines, format, key)).collect()
}

/// Sends from all pools at once, each over a connection of its own.
pub(crate) fn flood(way: Way<'_>, pools: &mut [Pool], until: Until<'_>) -> Outcome<Sent> {
    let senders = pools.len() as u64;
    thread::scope(|scope| {
        let send = |pool| scope.spawn(move || send(way, pool, until, senders));
        let threads: Vec<_> = pools.iter_mut().map(send).collect();
        let mut all = Sent::default();
        for thread in threads {
            let sent = thread.join().map_err(|_| "expected a sender to end, but it panicked")??;
            all = Sent { messages: all.messages + sent.messages, bytes: all.bytes + sent.bytes };
        }
        Ok(all)
    })
}

/// The present, in microseconds since the epoch.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

fn send(way: Way<'_>, pool: &mut Pool, until: Until<'_>, senders: u64) -> Outcome<Sent> {
    match way {
        Way::Acknowledged(address, format) => {
            let mut sender = sender::connect(address, format)?;
            let sent = pool.each(until, WINDOW, |bytes, _| sender.send(bytes))?;
            sender.finish()?;
            Ok(sent)
        }
        Way::Tcp(address) => {
            let mut stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            pool.each(until, WRITE, |bytes, _| Ok(stream.write_all(bytes)?))
        }
        Way::Udp(address, rate) => {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(address)?;
            let began = Instant::now();
            let each = Duration::from_secs(senders).div_f64(rate.max(1) as f64);
            pool.each(until, 0, |bytes, before| {
                let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
                let due = each.mul_f64(before as f64).saturating_sub(began.elapsed());
                if due > LEAST_PAUSE {
                    thread::sleep(due);
                }
                Ok(socket.send(line).map(|_| ())?)
            })
        }
    }
}

impl Format {
    /// Whether the daemon says what it has stored.
    pub(crate) fn is_acknowledged(self) -> bool {
        matches!(self, Self::Beats | Self::BeatsCompressed | Self::Relp)
    }
}

impl Pool {
    fn render(seed: u64, lines: u64, format: Format, key: Option<&str>) -> Self {
        let mut random = Random::new(seed);
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..lines.max(1) {
            let line = Line::random(&mut random);
            let text = match format {
                Format::Syslog | Format::Relp => line.syslog(&stamp(0), key),
                _ => line.json(&stamp(0), key),
            };
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(b'\n');
            ends.push(bytes.len());
        }
        let stamp_at = match format {
            Format::Syslog | Format::Relp => "<128>1 ".len(),
            _ => "{\"@timestamp\":\"".len(),
        };
        Self { bytes, ends, stamp_at, writes: Vec::new() }
    }

    /// How long each write took since this was last asked.
    pub(crate) fn writes(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.writes)
    }

    /// Hands out the lines, about `size` bytes of them at a time, from the front again at the end,
    /// with how many were handed out before.
    fn each(
        &mut self,
        until: Until<'_>,
        size: usize,
        mut write: impl FnMut(&[u8], u64) -> Outcome<()>,
    ) -> Outcome<Sent> {
        let (mut sent, mut from, mut line) = (Sent::default(), 0, 0);
        loop {
            let left = match until {
                Until::Sent(all) => all - sent.messages,
                Until::Told(stop) => u64::from(!stop.load(Ordering::Relaxed)) * u64::MAX,
            };
            if left == 0 {
                return Ok(sent);
            }
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            let ends = self.ends.iter().skip(line).take(left);
            let fit = ends.take_while(|end| **end - from <= size).count().max(1);
            let end = self.ends.get(line + fit - 1).copied().unwrap_or_default();
            self.stamp(line, fit, from);
            let began = Instant::now();
            write(self.bytes.get(from..end).unwrap_or_default(), sent.messages)?;
            if size > 0 {
                self.writes.push(began.elapsed());
            }
            sent.messages += fit as u64;
            sent.bytes += (end - from) as u64;
            (line, from) = (line + fit, end);
            if line == self.ends.len() {
                (line, from) = (0, 0);
            }
        }
    }

    /// Writes the present into so many lines, each a microsecond after the one before.
    fn stamp(&mut self, first: usize, lines: usize, start: usize) {
        let mut start = start;
        let mut text = Vec::new();
        let (now, mut second) = (now(), i64::MIN);
        for (time, end) in (now..).zip(self.ends.iter().skip(first).take(lines)) {
            if time / 1_000_000 != second {
                second = time / 1_000_000;
                text = stamp(time).into_bytes();
            }
            let mut micros = time % 1_000_000;
            for digit in text.iter_mut().rev().skip(1).take(6) {
                *digit = b'0' + u8::try_from(micros % 10).unwrap_or_default();
                micros /= 10;
            }
            let at = start + self.stamp_at;
            if let Some(place) = self.bytes.get_mut(at..at + STAMP_LEN) {
                place.copy_from_slice(&text);
            }
            start = *end;
        }
    }
}

/// Bytes of a window: some 2,000 events, as Filebeat has them.
const WINDOW: usize = 512 << 10;

/// Bytes of a write.
const WRITE: usize = 64 << 10;

/// Shorter pauses are added up.
const LEAST_PAUSE: Duration = Duration::from_micros(500);
