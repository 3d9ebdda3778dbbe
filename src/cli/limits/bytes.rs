//! A limit of bytes a second, on the journal `access`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use serde_json::json;

use super::super::client::Client;
use super::super::failure::Failure;
use super::access::{Piece, Pieces};
use super::args::ReplayArgs;
use super::events::burst;
use super::rate::{Proposed, Replayed};
use super::{Answer, most_first};
use crate::time::{SECOND, Timestamp};

/// What a limit of bytes would have cut.
pub(super) fn limit(args: &ReplayArgs, rate: ByteSize, daemon: &Client) -> Result<Answer, Failure> {
    let per_second = super::rate::as_number(rate.as_u64());
    let proposed = Proposed { per_second, burst: burst(args)? };
    let pieces = Pieces::read(args, daemon, "request_bytes > 0", is_of_senders)?;
    let mut rows = Vec::new();
    for (sender, of) in &pieces.of {
        let (replayed, first) = replay(proposed, of);
        if replayed.most > 0 {
            rows.push(json!({
                "sender": sender,
                "bytes": replayed.all,
                "cut_at_least": replayed.least,
                "cut_at_most": replayed.most,
                "first": first.map(|first| first.to_string()),
            }));
        }
    }
    let about = "bytes that were accepted: by the second where a sender makes calls alone, and else \
                 by the minute, as the journal has them; what was turned away is not among them";
    Ok(Answer {
        rows: most_first(rows, "cut_at_most"),
        columns: &COLUMNS,
        nobody: "nobody would have been cut",
        notes: pieces.notes(about),
        is_partial: pieces.read.is_partial,
        ..Answer::default()
    })
}

/// Calls that read, and those of administrators, are under no such limit.
fn is_of_senders(piece: &Piece) -> bool {
    super::requests::kind(&piece.method, &piece.endpoint)
        .is_none_or(|kind| kind == Some(super::args::ReplayRequests::Ingest))
}

/// What would have become of the bytes of one sender, and the first moment of that.
fn replay(proposed: Proposed, pieces: &[Piece]) -> (Replayed, Option<Timestamp>) {
    // A minute of a connection says no more than that; a call says when it was.
    let is_short = pieces.iter().all(|piece| piece.lasted <= Duration::from_secs(1));
    let interval = if is_short { 1 } else { 60 };
    let place = |at: Timestamp| at.as_micros().div_euclid(interval * SECOND);
    let mut by_place: BTreeMap<i64, u64> = BTreeMap::new();
    for piece in pieces {
        let bytes = by_place.entry(place(piece.ended)).or_default();
        *bytes = bytes.saturating_add(piece.bytes);
    }
    let mut all = Replayed::default();
    let mut first = None;
    let interval_of = Duration::from_secs(interval.unsigned_abs());
    // Between two of them that are far apart the whole burst comes back.
    for run in runs(&by_place, proposed, interval) {
        let counts: Vec<u64> = run.iter().map(|(_, bytes)| *bytes).collect();
        let replayed = proposed.replay(&counts, interval_of);
        all.all = all.all.saturating_add(replayed.all);
        all.least = all.least.saturating_add(replayed.least);
        all.most = all.most.saturating_add(replayed.most);
        if first.is_none() {
            let at = replayed.first.and_then(|number| run.get(number));
            first = at.map(|(place, _)| Timestamp::from_micros(place * interval * SECOND));
        }
    }
    (all, first)
}

/// Intervals that are near each other, those without bytes between them among them.
fn runs(by_place: &BTreeMap<i64, u64>, proposed: Proposed, interval: i64) -> Vec<Vec<(i64, u64)>> {
    let far = i64::try_from(proposed.burst.as_secs()).unwrap_or(i64::MAX) / interval + 2;
    let mut runs: Vec<Vec<(i64, u64)>> = Vec::new();
    for (place, bytes) in by_place {
        match runs.last_mut().and_then(|run| Some((run.last()?.0, run))) {
            Some((last, run)) if place - last <= far => {
                run.extend((last + 1..*place).map(|place| (place, 0)));
                run.push((*place, *bytes));
            }
            _ => runs.push(vec![(*place, *bytes)]),
        }
    }
    runs
}

const COLUMNS: [(&str, &str); 5] = [
    ("sender", "sender"),
    ("bytes", "bytes"),
    ("cut at least", "cut_at_least"),
    ("at most", "cut_at_most"),
    ("first", "first"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(of: &[(i64, u64, u64)]) -> Vec<Piece> {
        let piece = |(at, lasted, bytes): &(i64, u64, u64)| Piece {
            ended: Timestamp::from_micros(at * SECOND),
            lasted: Duration::from_secs(*lasted),
            bytes: *bytes,
            ..Piece::default()
        };
        of.iter().map(piece).collect()
    }

    #[test]
    fn what_a_limit_of_bytes_would_have_cut() {
        let proposed = Proposed { per_second: 100.0, burst: Duration::from_secs(1) };
        // At, how long it lasted, bytes; least, most, first.
        let table: [(&[_], _); 5] = [
            (&[(10, 0, 100), (11, 0, 100)], (0, 0, None)),
            (&[(10, 0, 500), (5000, 0, 100)], (300, 400, Some(10))),
            (&[(10, 0, 100), (5000, 0, 250)], (50, 150, Some(5000))),
            (&[(60, 60, 6000)], (0, 5900, Some(60))),
            (&[(60, 60, 6000), (120, 60, 60_000)], (53_900, 65_800, Some(60))),
        ];
        for (of, want) in table {
            let (replayed, first) = replay(proposed, &pieces(of));
            let first = first.map(|first| first.as_micros() / SECOND);
            assert_eq!((replayed.least, replayed.most, first), want, "{of:?}");
        }
    }
}
