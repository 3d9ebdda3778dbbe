//! What a reload in the middle of a flood costs: whether a line is lost, and how long a sender is
//! held up, beside the same flood without reloads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::daemon::Daemon;
use super::flood::{Pool, Until, flood};
use super::latency::percentile;
use super::table::{Table, millis};
use super::{Args, Outcome, wait_for_sealed, wait_for_stored};

/// One flood.
struct Turn {
    sent: u64,
    stored: u64,
    /// How long each write of the senders took, the shortest first.
    writes: Vec<Duration>,
    /// How long each reload took, the shortest first.
    reloads: Vec<Duration>,
}

/// What a row of the table shows of a flood.
type Row = (&'static str, fn(&Turn) -> String);

/// Floods without reloads, and with one every half second that opens or closes a listener.
pub(crate) fn compare(args: &Args, daemon: &mut Daemon, pools: &mut [Pool]) -> Outcome<()> {
    turn(args, daemon, pools, false)?; // the first one finds everything cold
    let (without, with) = (turn(args, daemon, pools, false)?, turn(args, daemon, pools, true)?);
    let mut table = Table::new(["a flood", "without reloads", "with reloads"]);
    let rows: [Row; 8] = [
        ("messages sent", |turn| turn.sent.to_string()),
        ("messages stored", |turn| turn.stored.to_string()),
        ("writes of senders", |turn| turn.writes.len().to_string()),
        ("99 of 100 writes in, ms", |turn| millis(percentile(&turn.writes, 99))),
        ("longest write, ms", |turn| millis(percentile(&turn.writes, 100))),
        ("reloads", |turn| turn.reloads.len().to_string()),
        ("half of the reloads in, ms", |turn| millis(percentile(&turn.reloads, 50))),
        ("longest reload, ms", |turn| millis(percentile(&turn.reloads, 100))),
    ];
    for (name, of) in rows {
        table.row([name.to_owned(), of(&without), of(&with)]);
    }
    table.print();
    Ok(())
}

fn turn(args: &Args, daemon: &mut Daemon, pools: &mut [Pool], reloads: bool) -> Outcome<Turn> {
    let before = daemon.metrics()?.sum(super::STORED);
    let (began, is_over) = (Instant::now(), AtomicBool::new(false));
    let each = args.messages / args.connections;
    let way = args.way(daemon, &args.listener())?;
    let (sent, reloads) = thread::scope(|scope| -> Outcome<_> {
        let reloading =
            scope.spawn(|| if reloads { reload(daemon, &is_over) } else { Ok(Vec::new()) });
        let sent = flood(way, pools, Until::Sent(each));
        is_over.store(true, Ordering::Relaxed);
        let reloads = reloading.join().map_err(|_| "expected reloads to end, but they panicked")?;
        Ok((sent?, reloads?))
    })?;
    let mut writes: Vec<Duration> = pools.iter_mut().flat_map(Pool::writes).collect();
    writes.sort_unstable();
    let mut all = sent;
    all.messages += before;
    let (stored, _) = wait_for_stored(daemon, all, began)?;
    wait_for_sealed(daemon)?;
    Ok(Turn { sent: sent.messages, stored: stored - before, writes, reloads })
}

/// Reloads with a listener more or less, again and again.
fn reload(daemon: &Daemon, is_over: &AtomicBool) -> Outcome<Vec<Duration>> {
    let mut took = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(EVERY);
        let more = if took.len() % 2 == 0 { MORE } else { "" };
        daemon.configure(more)?;
        let began = Instant::now();
        let answer = daemon.call("/v1/reload", &json!({}))?;
        took.push(began.elapsed());
        if answer.get("changes").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            return Err(format!("expected a change, but found {answer}").into());
        }
    }
    took.sort_unstable();
    Ok(took)
}

/// Between two reloads.
const EVERY: Duration = Duration::from_millis(500);

/// A listener that comes and goes.
const MORE: &str = r#"
[[listener]]
name = "more"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
"#;
