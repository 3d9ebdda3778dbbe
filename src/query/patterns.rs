//! Which templates messages are made from, how often, since when and until when.

use std::time::Instant;

use serde::Serialize;

use super::bitmap::Bitmap;
use super::fold::{Asked, Fold, fold};
use super::groups::{Groups, State};
use super::prune::Catalog;
use super::request::{Meta, QueryError};
use super::select::{Selector, Stop};
use super::stats::{MAX_GROUPS, millis, too_many};
use super::which::Which;
use crate::event::{Known, ValueRef};
use crate::store::Store;
use crate::time::Timestamp;

/// What is to be counted.
#[derive(Clone, Debug)]
pub struct Patterns {
    /// The messages of which events.
    pub which: Which,
    /// How many templates. Range: 1 to [`MAX_PATTERNS`].
    pub limit: usize,
}

/// What was counted.
#[derive(Clone, Debug, Serialize)]
pub struct PatternsAnswer {
    /// Those of the most events first.
    pub patterns: Vec<Pattern>,
    /// How many events have other templates.
    pub other: u64,
    /// What there is to say of it; `count` is of events that match, with a message or without.
    pub meta: Meta,
}

/// A template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pattern {
    /// The text, with `<*>` for each token that holds a digit.
    pub pattern: String,
    /// The events that it is the template of.
    pub count: u64,
    /// The time of the first of them.
    pub first_seen: String,
    /// The time of the last.
    pub last_seen: String,
    /// The message of the last.
    pub example: String,
}

/// What is known of a template.
#[derive(Debug)]
struct Seen {
    count: u64,
    /// In microseconds since the epoch.
    first: i64,
    last: i64,
    example: Box<[u8]>,
}

struct Folding<'m> {
    seen: Groups<'m, Seen>,
}

/// Counts the templates of messages.
///
/// # Errors
///
/// When there is something wrong with what is asked.
pub fn patterns(store: &Store, asked: &Patterns) -> Result<PatternsAnswer, QueryError> {
    let started = Instant::now();
    let which = &asked.which;
    which.check()?;
    if !(1..=MAX_PATTERNS).contains(&asked.limit) {
        let what = "patterns, and one at least";
        return Err(QueryError::Many {
            field: "limit",
            what,
            max: MAX_PATTERNS,
            found: asked.limit,
        });
    }
    let sources = store.sources(&which.project, which.from.as_micros(), which.to.as_micros());
    let begin = |share| Folding { seen: Groups::new(MAX_GROUPS, share) };
    let mut folded = fold(store, which, &sources, &[], begin)?;
    let (mut seen, mut rest) = folded.fold.seen.finish();
    if rest.is_used {
        folded.tally.note(too_many("patterns"));
    }
    for (_, other) in seen.drain(asked.limit.min(seen.len())..) {
        rest.state.merge(other);
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let time = |micros| Timestamp::from_micros(micros).to_string();
    let pattern = |(template, seen): &(Box<[u8]>, Seen)| Pattern {
        pattern: text(template),
        count: seen.count,
        first_seen: time(seen.first),
        last_seen: time(seen.last),
        example: text(&seen.example),
    };
    let mut meta = folded.tally.into_meta();
    (meta.count, meta.took_ms) = (folded.matched, millis(started));
    Ok(PatternsAnswer {
        patterns: seen.iter().map(pattern).collect(),
        other: rest.state.count,
        meta,
    })
}

impl Default for Seen {
    fn default() -> Self {
        Self { count: 0, first: i64::MAX, last: i64::MIN, example: Box::default() }
    }
}

impl State for Seen {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        // Of those of one time the least: whichever thread saw it.
        let (own, others) = ((!self.last, &self.example), (!other.last, &other.example));
        if others < own {
            self.example = other.example;
        }
        self.last = self.last.max(other.last);
    }

    fn weight(&self) -> u64 {
        self.count
    }

    fn bytes(&self) -> usize {
        self.example.len()
    }
}

impl Fold for Folding<'_> {
    fn whole(&mut self, asked: &Asked<'_>, block: Catalog<'_>) -> Option<u64> {
        // A block without any match is none to be read; templates are not in the catalog.
        asked.parts(block, |_| false).map(|_| 0)
    }

    fn rows(&mut self, selector: &mut Selector<'_>, found: &Bitmap) -> Result<(), Stop> {
        let Some(column) = selector.column(MESSAGE)? else { return Ok(()) };
        let view = selector.shared_view();
        let head = view.head()?;
        let mut seen: Vec<(Seen, u32)> = Vec::new();
        let wanted = |row| found.contains(row);
        let templates = column.templates(VARIABLE, wanted, |number, row| {
            let time = head.time(row).unwrap_or_default();
            if seen.len() <= number {
                seen.resize_with(number + 1, || (Seen::default(), row));
            }
            let Some((seen, last)) = seen.get_mut(number) else { return };
            seen.count += 1;
            seen.first = seen.first.min(time);
            if time > seen.last {
                (seen.last, *last) = (time, row);
            }
        });
        for (template, (mut seen, last)) in templates.iter().zip(seen) {
            if seen.count == 0 {
                continue;
            }
            let cut = |example: ValueRef<'_>| {
                let len = example.bytes.len().min(MAX_EXAMPLE);
                example.bytes.get(..len).unwrap_or_default().into()
            };
            seen.example = column.with(last, cut).unwrap_or_default();
            self.seen.add(template, seen);
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.seen.merge(other.seen);
    }
}

/// What stands in a template for each token that holds a digit.
const VARIABLE: &[u8] = b"<*>";

const MESSAGE: &str = Known::Message.as_str();

/// The most templates in an answer.
pub const MAX_PATTERNS: usize = 1_000;

/// The most of an example that is shown, in bytes.
const MAX_EXAMPLE: usize = 1_024;
