//! `logtrace limits replay`: what a limit or a list would have done to what is stored.
//!
//! It asks a daemon for counts by key, address or project, and works them out here. What is stored
//! is what was let in: events that were turned away at the time are not among them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::args::ServerArgs;
use super::client::Client;
use super::failure::Failure;
use super::replay::Proposed;
use super::table::table;
use crate::gate::parse_net;

#[derive(Debug, Args)]
pub(super) struct LimitsArgs {
    #[command(subcommand)]
    pub(super) action: LimitsAction,
}

#[derive(Debug, Subcommand)]
pub(super) enum LimitsAction {
    /// Say who would have been cut by a limit or a list that is proposed
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Propose a limit of so many events a second, for each sender
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(super) events_per_second: Option<f64>,
    /// How much may come at once, as time at that rate
    #[arg(long, default_value = "1s")]
    pub(super) burst: String,
    /// What a sender is
    #[arg(long, value_enum, default_value_t)]
    pub(super) by: ReplayBy,
    /// Propose to block these networks, with commas between them
    #[arg(long, value_name = "NET", value_delimiter = ',')]
    pub(super) block: Vec<String>,
    /// Propose to block those of a file, one a line
    #[arg(long, value_name = "FILE")]
    pub(super) block_file: Option<PathBuf>,
    /// The first time, such as -24h or 2026-06-15
    #[arg(long, default_value = "-24h", allow_hyphen_values = true)]
    pub(super) from: String,
    /// The last time
    #[arg(long, default_value = "now", allow_hyphen_values = true)]
    pub(super) to: String,
    /// Only events that this query finds, in KQL
    #[arg(long, default_value = "")]
    pub(super) filter: String,
    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ReplayBy {
    /// Each key
    #[default]
    Key,
    /// Each source address
    Address,
    /// All of the project together
    Project,
}

/// Replays what was asked for.
pub(super) fn run(args: &LimitsArgs) -> Result<(), Failure> {
    let LimitsAction::Replay(replay) = &args.action;
    let daemon = Client::new(&replay.server);
    let nets = nets(replay)?;
    let answer = match (replay.events_per_second, nets.is_empty()) {
        (Some(rate), true) => limit(replay, rate, &daemon)?,
        (None, false) => list(replay, &nets, &daemon)?,
        _ => {
            let text = "expected --events-per-second, or --block or --block-file, \
                        but found none or both";
            return Err(Failure::Usage(text.to_owned()));
        }
    };
    show(replay, &answer, &mut io::stdout().lock(), &mut io::stderr().lock())
}

/// What a limit of events would have cut.
fn limit(args: &ReplayArgs, per_second: f64, daemon: &Client) -> Result<Value, Failure> {
    if !(per_second.is_finite() && per_second >= 0.0) {
        let text = format!("expected --events-per-second from 0, but found {per_second}");
        return Err(Failure::Usage(text));
    }
    let burst = humantime::parse_duration(&args.burst)
        .map_err(|error| Failure::Usage(format!("--burst: {error}")))?;
    let proposed = Proposed { per_second, burst };
    let (histogram, interval) = histogram(args, daemon)?;
    let buckets = histogram.get("buckets").and_then(Value::as_array);
    let buckets: Vec<&Value> = buckets.into_iter().flatten().collect();
    let counts = |of: &Value| -> Vec<u64> {
        let counts = of.get("counts").and_then(Value::as_array);
        counts.into_iter().flatten().map(|count| count.as_u64().unwrap_or(0)).collect()
    };
    let mut senders: Vec<(Value, Vec<u64>)> = Vec::new();
    if args.by == ReplayBy::Project {
        let count = |bucket: &&Value| bucket.get("count").and_then(Value::as_u64).unwrap_or(0);
        senders.push((json!("(all)"), buckets.iter().map(count).collect()));
    }
    for series in histogram.get("series").and_then(Value::as_array).into_iter().flatten() {
        senders.push((series.get("value").cloned().unwrap_or_default(), counts(series)));
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
            "events": replayed.events,
            "cut_at_least": replayed.least,
            "cut_at_most": replayed.most,
            "first": first,
        }));
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.get("cut_at_most").and_then(Value::as_u64)));
    let others = histogram.get("other").and_then(|other| other.get("count")).cloned();
    Ok(json!({
        "interval": humantime::format_duration(interval).to_string(),
        "cut": rows,
        "not_looked_at": others.unwrap_or(json!(0)),
        "meta": histogram.get("meta"),
    }))
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

/// Whom a blocklist would have turned away.
fn list(args: &ReplayArgs, nets: &[IpNet], daemon: &Client) -> Result<Value, Failure> {
    let asked = json!({
        "filter": args.filter, "from": args.from, "to": args.to, "by": ["peer.ip", "key"],
    });
    let answer = daemon.post("/v1/logs/stats", &asked)?;
    // The longest network that holds an address is the one that speaks.
    let mut by_len: BTreeMap<u8, Vec<IpNet>> = BTreeMap::new();
    nets.iter().for_each(|net| by_len.entry(net.prefix_len()).or_default().push(*net));
    by_len.values_mut().for_each(|nets| nets.sort_unstable());
    let rule = |address: IpAddr| {
        by_len.iter().rev().find_map(|(len, nets)| {
            let net = IpNet::new(address.to_canonical(), *len).ok()?.trunc();
            nets.binary_search(&net).ok().map(|_| net.to_string())
        })
    };
    let mut rows = Vec::new();
    for group in answer.get("groups").and_then(Value::as_array).into_iter().flatten() {
        let by = group.get("by").unwrap_or(&Value::Null);
        let value = |name: &str| by.get(name).cloned().unwrap_or_default();
        let address = value("peer.ip").as_str().and_then(|text| text.parse().ok());
        if let Some(net) = address.and_then(rule) {
            rows.push(json!({
                "sender": value("peer.ip"), "key": value("key"), "rule": net,
                "events": group.get("count"), "cut_at_least": group.get("count"),
                "cut_at_most": group.get("count"),
            }));
        }
    }
    let others = answer.get("other").and_then(|other| other.get("count")).cloned();
    let others = others.unwrap_or(json!(0));
    Ok(json!({"cut": rows, "not_looked_at": others, "meta": answer.get("meta")}))
}

/// The networks that are proposed to be blocked.
fn nets(args: &ReplayArgs) -> Result<Vec<IpNet>, Failure> {
    let mut texts = args.block.clone();
    if let Some(file) = &args.block_file {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::new(format_args!("{}: {error}", file.display())))?;
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        texts.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
    }
    let net = |text: &String| {
        let what = || format!("expected an address or a network, but found {text:?}");
        parse_net(text).map(|net| net.trunc()).ok_or_else(|| Failure::Usage(what()))
    };
    texts.iter().map(net).collect()
}

/// Writes the table to `output`, and what there is to say of it to `notes`.
fn show(
    args: &ReplayArgs,
    answer: &Value,
    output: &mut impl Write,
    notes: &mut impl Write,
) -> Result<(), Failure> {
    if args.json {
        return Ok(writeln!(output, "{answer}")?);
    }
    let rows = answer.get("cut").and_then(Value::as_array).into_iter().flatten();
    let rows: Vec<Map<_, _>> = rows.filter_map(Value::as_object).cloned().collect();
    if rows.is_empty() {
        writeln!(output, "nobody would have been cut")?;
    } else {
        let columns: &[_] = if rows.iter().any(|row| row.contains_key("rule")) {
            &[("address", "sender"), ("key", "key"), ("network", "rule"), ("events", "events")]
        } else {
            &[
                ("sender", "sender"),
                ("events", "events"),
                ("cut at least", "cut_at_least"),
                ("at most", "cut_at_most"),
                ("first", "first"),
            ]
        };
        writeln!(output, "{}", table(columns, &rows))?;
    }
    output.flush()?;
    if let Some(interval) = answer.get("interval").and_then(Value::as_str) {
        let what = "counted by their own time; those that were turned away are not among them";
        writeln!(notes, "logtrace: events in intervals of {interval}, {what}")?;
    }
    if let Some(1..) = answer.get("not_looked_at").and_then(Value::as_u64) {
        let rest = answer.get("not_looked_at").cloned().unwrap_or_default();
        writeln!(notes, "logtrace: {rest} events of those who sent least were not looked at")?;
    }
    let partial = answer.get("meta").and_then(|meta| meta.get("partial"));
    if partial == Some(&Value::Bool(true)) {
        writeln!(notes, "logtrace: events may be missing")?;
    }
    Ok(())
}

/// Intervals to count by, and their seconds: a histogram has no more than so many.
const INTERVALS: [(&str, u64); 5] =
    [("1s", 1), ("10s", 10), ("1m", 60), ("10m", 600), ("1h", 3600)];

/// Senders with counts of their own: those who sent most.
const MOST_SENDERS: u32 = 100;
