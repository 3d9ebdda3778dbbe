//! The whole daemon, measured from outside, as its users meet it: `make bench`, or
//! `cargo bench --bench end_to_end -- --messages 3000000 --connections 4`.
//!
//! Starts the daemon with an empty data folder, floods it with lines that were rendered before,
//! waits until its own metric says that all are stored, and prints messages a second, processor
//! time, memory and disk; then asks it questions, and how soon a line is found at full load.
//! `--help` lists what can be chosen. Set `TMPDIR` to choose the disk.

#![allow(clippy::print_stdout, reason = "its tables are what it is for")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures to be read"
)]

mod daemon;
mod flood;
mod idle;
mod journals;
mod latency;
#[path = "../lines/mod.rs"]
mod lines;
#[path = "../lumberjack/mod.rs"]
mod lumberjack;
mod queries;
mod reload;
mod sender;
mod table;

use std::error::Error;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use self::daemon::Daemon;
use self::flood::{Format, Pool, Sent, Until, Way, flood, pools};
use self::latency::percentile;
use self::table::{Table, millis, per};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the whole daemon on this machine.
#[derive(Clone, Debug, Parser)]
struct Args {
    /// Messages of the flood.
    #[arg(long, default_value_t = 5_000_000)]
    messages: u64,
    /// Connections, or sockets, that send them.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=1000))]
    connections: u64,
    /// Different lines that are rendered before; they are sent again and again, with new times.
    #[arg(long, default_value_t = 500_000)]
    lines: u64,
    /// What they are written in.
    #[arg(long, value_enum, default_value = "5424")]
    format: Format,
    /// Every line has a sender's key: in structured data, or as a member of the object.
    #[arg(long)]
    key: bool,
    /// Over UDP, so many a second; otherwise over TCP, as fast as they are taken.
    #[arg(long, value_name = "RATE")]
    udp: Option<u64>,
    /// Seconds of waiting for merges to end; 0: none.
    #[arg(long, default_value_t = 120)]
    settle: u64,
    /// Seconds of full load in which lines are looked for; 0: none.
    #[arg(long, default_value_t = 20)]
    latency: u64,
    /// Only compares floods with all journals on and off, in so many rounds of both.
    #[arg(long, value_name = "ROUNDS")]
    journals: Option<u64>,
    /// Only compares a flood with reloads every half second to one without.
    #[arg(long)]
    reloads: bool,
    /// Only opens so many connections, and says what they cost.
    #[arg(long, value_name = "CONNECTIONS")]
    idle: Option<u64>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    println!("{}", machine());
    // What merges cost at some time is no cost of the turn that they fall into.
    let settings: &[&str] = if args.journals.is_some() { &["store.merge_rate=0"] } else { &[] };
    if args.idle.is_some() {
        idle::allow_many()?;
    }
    let mut daemon = Daemon::start(settings)?;
    if let Some(count) = args.idle {
        return idle::measure(&mut daemon, &args.listener(), count);
    }
    let key = args.key.then(|| daemon.create_key()).transpose()?;
    let lines = args.lines.min(args.messages) / args.connections;
    let mut pools = pools(args.connections, lines, args.format, key.as_deref());
    if let Some(rounds) = args.journals {
        return journals::compare(&args, &mut daemon, &mut pools, rounds);
    }
    if args.reloads {
        return reload::compare(&args, &mut daemon, &mut pools);
    }
    take(&args, &mut daemon, &mut pools)?;
    if args.settle > 0 {
        settle(&mut daemon, Duration::from_secs(args.settle))?;
    }
    queries::ask_all(&daemon)?.print();
    if args.latency > 0 {
        find(&args, &daemon, &mut pools)?;
    }
    daemon.is_alive()?;
    println!("\nmost memory, all in all: {} MiB", daemon.peak_memory()? >> 20);
    println!("load average: {}", load());
    Ok(())
}

/// Floods the daemon, and says what that took.
fn take(args: &Args, daemon: &mut Daemon, pools: &mut [Pool]) -> Outcome<()> {
    let (began, before) = (Instant::now(), daemon.cpu()?);
    let each = args.messages / args.connections;
    let sent = flood(args.way(daemon, &args.listener())?, pools, Until::Sent(each))?;
    let (stored, took) = wait_for_stored(daemon, sent, began)?;
    let cpu = daemon.cpu()? - before;
    let memory = daemon.peak_memory()?;
    wait_for_sealed(daemon)?;
    let sealed = daemon.cpu()? - before;
    let micros = |cpu: Duration| format!("{:.3}", cpu.as_secs_f64() * 1e6 / stored.max(1) as f64);
    let mut table = Table::new(["flood", ""]);
    for (name, value) in [
        ("messages sent", sent.messages.to_string()),
        ("messages stored", stored.to_string()),
        ("dropped by the kernel", dropped(daemon)?.to_string()),
        ("bytes a message", per(sent.bytes, sent.messages)),
        ("seconds until stored", format!("{:.2}", took.as_secs_f64())),
        ("messages a second", format!("{:.0}", stored as f64 / took.as_secs_f64())),
        ("CPU µs a message until stored", micros(cpu)),
        ("CPU µs a message until sealed", micros(sealed)),
        ("most memory, MiB", (memory >> 20).to_string()),
        ("bytes on disk a message", per(daemon.disk(), stored)),
        ("of them in segments", in_segments(daemon)?),
    ] {
        table.row([name.to_owned(), value]);
    }
    table.print();
    Ok(())
}

/// Waits until nothing that was sent is on its way any more; how much is stored, and when the last
/// of it was.
fn wait_for_stored(daemon: &mut Daemon, sent: Sent, began: Instant) -> Outcome<(u64, Duration)> {
    let (mut stored, mut took) = (0, began.elapsed());
    loop {
        let metrics = daemon.metrics()?;
        let (now, dropped) = (metrics.sum(STORED), metrics.sum(DROPPED));
        if now > stored {
            (stored, took) = (now, began.elapsed());
        }
        if stored + dropped >= sent.messages || began.elapsed() - took > STALLED {
            return Ok((stored, took));
        }
        daemon.is_alive()?;
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until nothing is staged any more, or for long enough.
fn wait_for_sealed(daemon: &Daemon) -> Outcome<()> {
    let until = Instant::now() + SEALING;
    while daemon.metrics()?.sum("logtrace_staged_events") > 0 && Instant::now() < until {
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Waits until nothing has changed for a while, and says what merges have made of it.
fn settle(daemon: &mut Daemon, patience: Duration) -> Outcome<()> {
    let (began, before) = (Instant::now(), daemon.cpu()?);
    let (mut seen, mut since) = ((0, 0), Instant::now());
    while began.elapsed() < patience && since.elapsed() < SETTLED {
        let metrics = daemon.metrics()?;
        let now = (metrics.sum("logtrace_segments"), metrics.sum("logtrace_segment_bytes"));
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        daemon.is_alive()?;
        thread::sleep(Duration::from_millis(500));
    }
    let stored = daemon.metrics()?.sum(STORED);
    let cpu = (daemon.cpu()? - before).as_secs_f64() * 1e6 / stored.max(1) as f64;
    let is_done = since.elapsed() >= SETTLED;
    let mut table = Table::new(["after merges", ""]);
    for (name, value) in [
        ("waited, seconds", began.elapsed().as_secs().to_string()),
        ("merges had ended", if is_done { "yes" } else { "no" }.to_owned()),
        ("segments", seen.0.to_string()),
        ("CPU µs a message of merges", format!("{cpu:.3}")),
        ("bytes on disk a message", per(daemon.disk(), stored)),
        ("of them in segments", in_segments(daemon)?),
    ] {
        table.row([name.to_owned(), value]);
    }
    table.print();
    Ok(())
}

/// Looks for lines at full load, and says how soon they were found.
fn find(args: &Args, daemon: &Daemon, pools: &mut [Pool]) -> Outcome<()> {
    let way = args.way(daemon, &args.listener())?;
    let found = latency::measure(daemon, pools, Duration::from_secs(args.latency), way)?;
    let (sent, took) = found.flood;
    let mut table = Table::new(["sent until found, at full load", ""]);
    for (name, value) in [
        ("lines looked for", (found.times.len() + found.missed).to_string()),
        ("not found", found.missed.to_string()),
        ("half of them in, ms", millis(percentile(&found.times, 50))),
        ("99 of 100 in, ms", millis(percentile(&found.times, 99))),
        ("worst of them, ms", millis(percentile(&found.times, 100))),
        ("questions asked", found.questions.len().to_string()),
        ("half of the answers in, ms", millis(percentile(&found.questions, 50))),
        ("99 of 100 answers in, ms", millis(percentile(&found.questions, 99))),
        (
            "meanwhile, messages a second",
            format!("{:.0}", sent.messages as f64 / took.as_secs_f64()),
        ),
    ] {
        table.row([name.to_owned(), value]);
    }
    table.print();
    Ok(())
}

impl Args {
    fn listener(&self) -> String {
        let format = match self.format {
            Format::Beats | Format::BeatsCompressed => return "beats".to_owned(),
            Format::Relp => return "relp".to_owned(),
            Format::Json => "json",
            Format::Syslog => "5424",
        };
        format!("{format}-{}", if self.udp.is_some() { "udp" } else { "tcp" })
    }

    fn way<'d>(&self, daemon: &'d Daemon, listener: &str) -> Outcome<Way<'d>> {
        let address = daemon.address(listener)?;
        Ok(match self.udp {
            Some(rate) => Way::Udp(address, rate),
            None if self.format.is_acknowledged() => Way::Acknowledged(address, self.format),
            None => Way::Tcp(address),
        })
    }
}

fn dropped(daemon: &Daemon) -> Outcome<u64> {
    Ok(daemon.metrics()?.sum(DROPPED))
}

/// Bytes of a message in the segments.
fn in_segments(daemon: &Daemon) -> Outcome<String> {
    let metrics = daemon.metrics()?;
    Ok(per(metrics.sum("logtrace_segment_bytes"), metrics.sum("logtrace_segment_events")))
}

/// What this is measured on.
fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, model)| model);
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}, load average {}", kernel.trim(), load())
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

const STORED: &str = "logtrace_stored_total";
const DROPPED: &str = "logtrace_kernel_dropped_total";

/// How long the count may stand still before what is missing is given up.
const STALLED: Duration = Duration::from_secs(10);

/// How long it may take to seal what is stored.
const SEALING: Duration = Duration::from_secs(30);

/// How long nothing must have changed: longer than the daemon waits for quiet before it compresses
/// harder, and than it takes to do that to one segment.
const SETTLED: Duration = Duration::from_secs(40);
