//! A limit of events a second, on what is stored.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::client::Client;
use super::super::failure::Failure;
use super::Answer;
use super::args::{ReplayArgs, ReplayBy};
use super::rate::Proposed;

/// What a limit of events would have cut.
pub(super) fn limit(args: &ReplayArgs, rate: f64, daemon: &Client) -> Result<Answer, Failure> {
    if !(rate.is_finite() && rate >= 0.0) {
        let text = format!("expected --events-per-second from 0, but found {rate}");
        return Err(Failure::Usage(text));
    }
    let proposed = Proposed { per_second: rate, burst: burst(args)? };
    let (histogram, interval) = histogram(args, daemon)?;
    let buckets = histogram.get("buckets").and_then(Value::as_array);
    let buckets: Vec<&Value> = buckets.into_iter().flatten().collect();
    let mut senders: Vec<(Value, Vec<u64>)> = Vec::new();
    if args.by == ReplayBy::Project {
        let count = |bucket: &&Value| bucket.get("count").and_then(Value::as_u64).unwrap_or(0);
        senders.push((json!("(all)"), buckets.iter().map(count).collect()));
    }
    for series in histogram.get("series").and_then(Value::as_array).into_iter().flatten() {
        let counts = series.get("counts").and_then(Value::as_array).into_iter().flatten();
        let counts = counts.map(|count| count.as_u64().unwrap_or(0)).collect();
        senders.push((series.get("value").cloned().unwrap_or_default(), counts));
    }
    let mut rows = Vec::new();
    for (sender, counts) in senders {
        let replayed = proposed.replay(&counts, interval);
        if replayed.most == 0 {
            continue;
        }
        let first = replayed.first.and_then(|number| buckets.get(number)?.get("time").cloned());
        rows.push(json!({
            "sender": sender,
            "events": replayed.all,
            "cut_at_least": replayed.least,
            "cut_at_most": replayed.most,
            "first": first,
        }));
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.get("cut_at_most").and_then(Value::as_u64)));
    let interval = humantime::format_duration(interval).to_string();
    let note = format!(
        "events in intervals of {interval}, counted by their own time; those that were turned \
         away are not among them"
    );
    Ok(Answer {
        rows,
        columns: &COLUMNS,
        nobody: "nobody would have been cut",
        notes: vec![note],
        interval: Some(interval),
        not_looked_at: others(&histogram),
        is_partial: is_partial(&histogram),
    })
}

/// How much may come at once.
pub(super) fn burst(args: &ReplayArgs) -> Result<Duration, Failure> {
    humantime::parse_duration(&args.burst)
        .map_err(|error| Failure::Usage(format!("--burst: {error}")))
}

/// How many events are of groups that are not told.
pub(super) fn others(answer: &Value) -> u64 {
    answer.pointer("/other/count").and_then(Value::as_u64).unwrap_or(0)
}

/// Whether something could not be read.
pub(super) fn is_partial(answer: &Value) -> bool {
    answer.pointer("/meta/partial") == Some(&Value::Bool(true))
}

/// Counts by the shortest interval of which there are not too many.
fn histogram(args: &ReplayArgs, daemon: &Client) -> Result<(Value, Duration), Failure> {
    let by = match args.by {
        ReplayBy::Key => Some("key"),
        ReplayBy::Address => Some("peer.ip"),
        ReplayBy::Project => None,
    };
    let mut refused = None;
    for (text, seconds) in INTERVALS {
        let asked = json!({
            "filter": args.filter, "from": args.from, "to": args.to,
            "interval": text, "by": by, "limit": MOST_SENDERS,
        });
        match daemon.post("/v1/logs/histogram", &asked) {
            Ok(answer) => return Ok((answer, Duration::from_secs(seconds))),
            Err(error) => {
                let is_too_short = error.text().is_some_and(|text| text.contains("buckets"));
                refused = Some(error);
                if !is_too_short {
                    break;
                }
            }
        }
    }
    Err(refused.expect("one interval at the least was asked for"))
}

/// Of rates.
const COLUMNS: [(&str, &str); 5] = [
    ("sender", "sender"),
    ("events", "events"),
    ("cut at least", "cut_at_least"),
    ("at most", "cut_at_most"),
    ("first", "first"),
];

/// Intervals to count by, and their seconds: a histogram has no more than so many.
const INTERVALS: [(&str, u64); 5] =
    [("1s", 1), ("10s", 10), ("1m", 60), ("10m", 600), ("1h", 3600)];

/// Senders with counts of their own: those who sent most.
const MOST_SENDERS: u32 = 100;
