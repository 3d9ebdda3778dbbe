//! A limit of open connections, on the journal `access`.
//!
//! It has an entry for each minute in which a connection brought something, from its first message in
//! that minute on, and one for what was left at its end. So of two entries whose times overlap it is
//! known that both connections were open; of one that brought nothing, nothing is known.

use serde_json::json;

use super::super::client::Client;
use super::super::failure::Failure;
use super::access::{Piece, Pieces};
use super::args::ReplayArgs;
use super::{Answer, most_first};
use crate::time::Timestamp;

/// How far above a limit the connections of senders were.
pub(super) fn limit(args: &ReplayArgs, most: u32, daemon: &Client) -> Result<Answer, Failure> {
    let is_stream = |piece: &Piece| {
        // Calls come over connections that nobody notes.
        super::requests::kind(&piece.method, &piece.endpoint).is_none()
    };
    let pieces = Pieces::read(args, daemon, STREAMS, is_stream)?;
    let mut rows = Vec::new();
    for (sender, of) in &pieces.of {
        let Seen { peak, first } = seen(most, of);
        if let Some(first) = first {
            rows.push(json!({
                "sender": sender, "peak": peak, "cut_at_least": peak - u64::from(most),
                "cut_at_most": null, "first": first.to_string(),
            }));
        }
    }
    let about = "connections that brought something in the same minute; those that were silent, \
                 those of HTTP, and how many in all would have been cut, the journal cannot tell";
    let mut notes = pieces.notes(about);
    if args.by != super::args::ReplayBy::Key {
        notes.push("a connection with many keys counts once for each".to_owned());
    }
    Ok(Answer {
        rows: most_first(rows, "peak"),
        columns: &COLUMNS,
        nobody: "nobody is known to have been above it",
        notes,
        is_partial: pieces.read.is_partial,
        ..Answer::default()
    })
}

/// How many connections were seen open at once.
struct Seen {
    peak: u64,
    /// When they were above the limit first.
    first: Option<Timestamp>,
}

fn seen(most: u32, pieces: &[Piece]) -> Seen {
    // What ends where another begins may be the same connection.
    let begins = pieces.iter().map(|piece| (piece.began(), true));
    let ends = pieces.iter().map(|piece| (piece.ended, false));
    let mut all: Vec<_> = begins.chain(ends).collect();
    all.sort_unstable();
    let mut seen = Seen { peak: 0, first: None };
    let mut open = 0_u64;
    for (at, begins) in all {
        open = if begins { open + 1 } else { open.saturating_sub(1) };
        seen.peak = seen.peak.max(open);
        if open > u64::from(most) && seen.first.is_none() {
            seen.first = Some(at);
        }
    }
    seen
}

const COLUMNS: [(&str, &str); 4] = [
    ("sender", "sender"),
    ("open at once", "peak"),
    ("cut at least", "cut_at_least"),
    ("first", "first"),
];

/// Leaves out datagrams, which have no connections, and calls.
const STREAMS: &str = "status:(open or closed) and duration_us > 0";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::time::SECOND;

    #[test]
    fn what_overlaps_was_open_at_once() {
        let piece = |(from, to): &(i64, i64)| Piece {
            ended: Timestamp::from_micros(to * SECOND),
            lasted: Duration::from_secs((to - from).unsigned_abs()),
            ..Piece::default()
        };
        let table: [(&[_], _, _, _); 4] = [
            (&[(0, 60), (60, 120), (120, 150)], 1, 1, None),
            (&[(0, 60), (30, 90), (59, 70)], 2, 3, Some(59)),
            (&[(0, 60), (30, 90), (61, 70)], 1, 2, Some(30)),
            (&[], 0, 0, None),
        ];
        for (of, most, peak, first) in table {
            let pieces: Vec<_> = of.iter().map(piece).collect();
            let seen = seen(most, &pieces);
            let at = seen.first.map(|first| first.as_micros() / SECOND);
            assert_eq!((seen.peak, at), (peak, first), "{of:?}");
        }
    }
}
