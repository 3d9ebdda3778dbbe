//! A limit of requests an hour, on the journal `access`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::client::Client;
use super::super::failure::Failure;
use super::access::{Piece, Pieces};
use super::args::{ReplayArgs, ReplayBy, ReplayRequests, ReplayTier};
use super::{Answer, most_first};
use crate::time::{SECOND, Timestamp};

/// What a limit of requests an hour would have cut.
pub(super) fn limit(args: &ReplayArgs, most: u64, daemon: &Client) -> Result<Answer, Failure> {
    if args.by != ReplayBy::Key {
        let text = "expected --by key with --requests-per-hour, but found another: requests are \
                    counted for keys alone";
        return Err(Failure::Usage(text.to_owned()));
    }
    let of_tier = args.tier.map(|tier| keys(tier, daemon)).transpose()?;
    let is_wanted =
        |piece: &Piece| kind(&piece.method, &piece.endpoint) == Some(Some(args.requests));
    let pieces = Pieces::read(args, daemon, CALLS, is_wanted)?;
    let mut rows = Vec::new();
    for (sender, of) in &pieces.of {
        if of_tier.as_ref().is_some_and(|keys| !keys.contains(sender)) {
            continue;
        }
        let Replayed { requests, cut, hours, first } = replay(most, of);
        if let Some(first) = first {
            rows.push(json!({
                "sender": sender, "requests": requests, "hours": hours,
                "cut_at_least": cut, "cut_at_most": cut, "first": first.to_string(),
            }));
        }
    }
    let about = "requests that were done, by the hour of UTC; those that failed count against a key \
                 as well, and are not among them";
    Ok(Answer {
        rows: most_first(rows, "cut_at_most"),
        columns: &COLUMNS,
        nobody: "nobody would have been cut",
        notes: pieces.notes(about),
        is_partial: pieces.read.is_partial,
        ..Answer::default()
    })
}

/// What a call is for: `None` where it is no call, `Some(None)` where no limit is about it.
pub(super) fn kind(method: &str, endpoint: &str) -> Option<Option<ReplayRequests>> {
    if !METHODS.contains(&method) || !endpoint.starts_with('/') {
        return None;
    }
    let own = endpoint.strip_prefix("/v1/").or_else(|| endpoint.strip_prefix("/api/v1/settings"));
    let Some(own) = own else { return Some(Some(ReplayRequests::Ingest)) };
    Some(match own {
        // OTLP has a path that looks like one of ours.
        "logs" | "logs/ingest" => Some(ReplayRequests::Ingest),
        "logs/delete" => None,
        _ if READ.iter().any(|path| own.starts_with(path)) => Some(ReplayRequests::Query),
        _ => None,
    })
}

/// What would have become of the requests of a key.
#[derive(Debug, Default, PartialEq)]
struct Replayed {
    requests: u64,
    cut: u64,
    /// In how many hours.
    hours: u64,
    first: Option<Timestamp>,
}

fn replay(most: u64, pieces: &[Piece]) -> Replayed {
    let mut replayed = Replayed::default();
    let mut by_hour: BTreeMap<i64, u64> = BTreeMap::new();
    for piece in pieces {
        replayed.requests += piece.count;
        // It is counted when it comes.
        let began = piece.began();
        let before = by_hour.entry(began.as_micros().div_euclid(3600 * SECOND)).or_default();
        let over = (*before + piece.count).saturating_sub(most.max(*before));
        if over > 0 {
            replayed.cut += over;
            replayed.hours += u64::from(*before <= most);
            replayed.first = Some(replayed.first.map_or(began, |first| first.min(began)));
        }
        *before += piece.count;
    }
    replayed
}

/// The keys of a tier, masked as journals have them.
fn keys(tier: ReplayTier, daemon: &Client) -> Result<BTreeSet<String>, Failure> {
    let name = match tier {
        ReplayTier::Standard => "standard",
        ReplayTier::Enterprise => "enterprise",
    };
    let answer = daemon.get("/v1/keys")?;
    let keys = answer.get("keys").and_then(Value::as_array).into_iter().flatten();
    let of_tier = keys.filter(|key| key.get("tier").and_then(Value::as_str) == Some(name));
    let masked = |key: &Value| Some(key.get("masked")?.as_str()?.to_owned());
    Ok(of_tier.filter_map(masked).collect())
}

const COLUMNS: [(&str, &str); 5] = [
    ("key", "sender"),
    ("requests", "requests"),
    ("cut", "cut_at_most"),
    ("hours", "hours"),
    ("first", "first"),
];

/// Finds entries of calls.
const CALLS: &str = "method:(GET or POST or PUT or DELETE)";

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// Beginnings of paths, behind `/v1/`, of what reads logs and journals.
const READ: [&str; 8] =
    ["logs/", "audit", "access", "advisory", "blocked", "dashboard", "failed", "sessions/journal"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart() {
        let (ingest, query) = (Some(ReplayRequests::Ingest), Some(ReplayRequests::Query));
        for (method, endpoint, want) in [
            ("POST", "/v1/logs/ingest", Some(ingest)),
            ("POST", "/v1/logs", Some(ingest)),
            ("PUT", "/_bulk", Some(ingest)),
            ("POST", "/loki/api/v1/push", Some(ingest)),
            ("POST", "/v1/logs/query", Some(query)),
            ("GET", "/v1/access", Some(query)),
            ("GET", "/v1/keys", Some(None)),
            ("PUT", "/api/v1/settings/logging", Some(None)),
            ("POST", "/v1/logs/delete", Some(None)),
            ("syslog", "syslog-tcp", None),
        ] {
            assert_eq!(kind(method, endpoint), want, "{method} {endpoint}");
        }
    }

    #[test]
    fn what_is_over_in_an_hour_is_cut() {
        let piece = |at: i64, count| Piece {
            ended: Timestamp::from_micros(at * SECOND),
            count,
            ..Piece::default()
        };
        let all = [piece(10, 2), piece(20, 3), piece(30, 1), piece(3601, 3), piece(7201, 9)];
        for (most, cut, hours, first) in
            [(3, 9, 2, Some(20)), (5, 5, 2, Some(30)), (9, 0, 0, None), (0, 18, 3, Some(10))]
        {
            let first = first.map(|first: i64| Timestamp::from_micros(first * SECOND));
            let want = Replayed { requests: 18, cut, hours, first };
            assert_eq!(replay(most, &all), want, "{most}");
        }
    }
}
