//! `logtrace limits replay`: what a limit, a list or a rule would have done.
//!
//! It asks a daemon for what it has, and works it out here:
//!
//! | proposed | told by |
//! |---|---|
//! | events a second | the events that are stored, by their own time, counted by the second or more |
//! | bytes a second, requests an hour, connections | the journal `access` |
//! | networks to block, countries, addresses of a key | the addresses of the events that are stored |
//! | networks to allow | the journal `blocked` |
//! | client software | the journal `access` |
//! | literals, expressions | the texts of the events that are stored |
//!
//! What is stored is what was let in: what was turned away at the time is not among it. What cannot
//! be told is said beside the answer.

mod access;
mod allowed;
mod args;
mod bytes;
mod connections;
mod entries;
mod events;
mod networks;
mod rate;
mod requests;
mod show;
mod sources;
mod texts;

pub(super) use self::args::LimitsArgs;

use std::io;

use serde_json::Value;

use self::args::{LimitsAction, ReplayArgs};
use super::client::Client;
use super::failure::Failure;

/// What is answered: rows of those who would have been cut, and what there is to say of them.
#[derive(Debug, Default)]
struct Answer {
    /// Those who would have been cut, the most first.
    rows: Vec<Value>,
    /// The columns of the table: their titles, and the names in the rows.
    columns: &'static [(&'static str, &'static str)],
    /// What nobody means.
    nobody: &'static str,
    /// What cannot be told, or how it was.
    notes: Vec<String>,
    /// The length of intervals, where there are some.
    interval: Option<String>,
    /// How many events or entries were not looked at.
    not_looked_at: u64,
    /// Whether something could not be read.
    is_partial: bool,
}

/// Replays what was asked for.
pub(super) fn run(args: &LimitsArgs) -> Result<(), Failure> {
    let LimitsAction::Replay(replay) = &args.action;
    let answer = answer(replay, &Client::new(&replay.server))?;
    show::show(replay, &answer, &mut io::stdout().lock(), &mut io::stderr().lock())
}

fn answer(args: &ReplayArgs, daemon: &Client) -> Result<Answer, Failure> {
    let proposal = &args.proposal;
    if let Some(rate) = proposal.events_per_second {
        return events::limit(args, rate, daemon);
    }
    if let Some(rate) = proposal.bytes_per_second {
        return bytes::limit(args, rate, daemon);
    }
    if let Some(most) = proposal.requests_per_hour {
        return requests::limit(args, most, daemon);
    }
    if let Some(most) = proposal.connections {
        return connections::limit(args, most, daemon);
    }
    if !proposal.country.is_empty() {
        return sources::countries(args, daemon);
    }
    if let Some(agent) = &proposal.user_agent {
        return texts::agents(args, agent, daemon);
    }
    if proposal.literal.is_some() || proposal.regex.is_some() {
        return texts::events(args, daemon);
    }
    if !proposal.allow.is_empty() || proposal.allow_file.is_some() {
        return allowed::list(args, daemon);
    }
    sources::list(args, daemon)
}

/// Those with the most of what is called `by`, the most first.
fn most_first(mut rows: Vec<Value>, by: &str) -> Vec<Value> {
    rows.sort_by_key(|row| std::cmp::Reverse(row.get(by).and_then(Value::as_u64)));
    rows.truncate(MOST_ROWS);
    rows
}

/// How many of those who would have been cut most are told.
const MOST_ROWS: usize = 10_000;
