//! What the journals cost: the same flood with all of them on, and with all of them off, in turn.
//!
//! Turns of one daemon are compared, so that what the machine does meanwhile, and what the store has
//! grown by, is the same for both.

use std::time::{Duration, Instant};

use serde_json::json;

use super::daemon::Daemon;
use super::flood::{Pool, Until, flood};
use super::table::Table;
use super::{Args, Outcome, wait_for_sealed, wait_for_stored};

/// One flood.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// Of the processor, for a message, until all are sealed.
    micros: f64,
    per_second: f64,
}

/// Floods `rounds` times with journals and without.
pub(crate) fn compare(
    args: &Args,
    daemon: &mut Daemon,
    pools: &mut [Pool],
    rounds: u64,
) -> Outcome<()> {
    let (mut on, mut off) = (Vec::new(), Vec::new());
    turn(args, daemon, pools, true)?; // the first one finds everything cold
    for round in 0..rounds {
        for is_on in [round % 2 == 0, round % 2 == 1] {
            let turn = turn(args, daemon, pools, is_on)?;
            if is_on { on.push(turn) } else { off.push(turn) }
        }
    }
    let mut table = Table::new([
        "median and quartiles of the rounds",
        "journals on",
        "journals off",
        "on / off",
    ]);
    for (name, of) in [
        ("CPU µs a message until sealed", (|turn| turn.micros) as fn(&Turn) -> f64),
        ("messages a second", |turn| turn.per_second),
    ] {
        let ratio = format!("{:.3}", quantile(&on, of, 2) / quantile(&off, of, 2));
        let shown = |turns: &[Turn]| {
            let [low, median, high] = [1, 2, 3].map(|quarter| quantile(turns, of, quarter));
            format!("{median:.3} ({low:.3} to {high:.3})")
        };
        table.row([name.to_owned(), shown(&on), shown(&off), ratio]);
    }
    table.print();
    Ok(())
}

fn turn(args: &Args, daemon: &mut Daemon, pools: &mut [Pool], is_on: bool) -> Outcome<Turn> {
    daemon.put(
        "/v1/settings/logging",
        &json!({
            "log_dashboard_activities": is_on,
            "log_api_calls": is_on,
            "log_failed_api_calls": is_on,
            "log_blocklisted_api_calls": is_on,
        }),
    )?;
    let before = stored(daemon)?;
    let (began, cpu) = (Instant::now(), daemon.cpu()?);
    let each = args.messages / args.connections;
    let mut sent = flood(args.way(daemon, &args.listener())?, pools, Until::Sent(each))?;
    sent.messages += before;
    let (stored, took) = wait_for_stored(daemon, sent, began)?;
    wait_for_sealed(daemon)?;
    let messages = (stored - before).max(1) as f64;
    let micros = (daemon.cpu()? - cpu).as_secs_f64() * 1e6 / messages;
    Ok(Turn { micros, per_second: messages / took.max(Duration::from_millis(1)).as_secs_f64() })
}

fn stored(daemon: &Daemon) -> Outcome<u64> {
    Ok(daemon.metrics()?.sum(super::STORED))
}

/// The value that so many quarters of the turns lie below.
fn quantile(turns: &[Turn], of: fn(&Turn) -> f64, quarters: usize) -> f64 {
    let mut values: Vec<f64> = turns.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() * quarters / 4).copied().unwrap_or_default()
}
