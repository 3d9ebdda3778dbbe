//! Rows as they are shown: flat JSON objects with dotted names (SPEC §2.2).
//!
//! Of a row that was found all columns are read that are to be shown, one after the other, for all
//! rows of a source at once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::memory::Share;
use super::place::{Computed, Place, VERSION, Via, id_text, peer_text};
use super::projection::Projection;
use super::request::Budget;
use super::search::Tally;
use super::select::each_run;
use super::top::Pick;
use super::workers::walk;
use crate::event::{Kind, Known, ValueRef};
use crate::parse::structured_data;
use crate::store::{self, Origin, RowHead, Run, Source, Store};
use crate::time::Timestamp;

/// Shows rows of sources.
#[derive(Debug)]
pub(super) struct Renderer<'r> {
    pub(super) store: &'r Store,
    pub(super) sources: &'r [Source],
    pub(super) projection: Projection,
    pub(super) budget: &'r Budget,
    /// The most memory that rows may take, in bytes, roughly.
    pub(super) max_bytes: usize,
}

/// A row, and which of the picks it is.
type Shown = (usize, Map<String, Value>);

/// What one thread shows.
struct Part<'r> {
    shown: Vec<Shown>,
    tally: Tally,
    room: Room<'r>,
}

/// The memory that rows may take.
struct Room<'r> {
    /// Of the whole answer; none for a single row, which is shown however large it is.
    all: Option<&'r AtomicUsize>,
    own: Share<'r>,
}

/// Why rows are not shown.
enum Stop {
    Unreadable(store::Error),
    TooMuch,
}

impl Renderer<'_> {
    /// The rows that `picks` names, in their order, each with the number of its pick; and how many
    /// of the picks that covers, for rows that together are too large are not all shown.
    pub(super) fn show(&self, picks: &[Pick], tally: &mut Tally) -> (Vec<Shown>, usize) {
        let mut count = picks.len();
        loop {
            let picks = picks.get(..count).unwrap_or(picks);
            match self.attempt(picks, tally) {
                Some(shown) => return (shown, count),
                None => count /= 2,
            }
        }
    }

    /// `None` if that is too much. A single row never is.
    fn attempt(&self, picks: &[Pick], tally: &mut Tally) -> Option<Vec<Shown>> {
        let mut picks: Vec<(usize, Pick)> = picks.iter().copied().enumerate().collect();
        picks.sort_unstable_by_key(|(_, pick)| (pick.source, pick.row));
        let room = (picks.len() > 1).then(|| AtomicUsize::new(self.max_bytes));
        let is_too_much = AtomicBool::new(false);
        let groups: Vec<&[(usize, Pick)]> =
            picks.chunk_by(|(_, a), (_, b)| a.source == b.source).collect();
        let begin = || Part {
            shown: Vec::new(),
            tally: Tally::default(),
            room: Room { all: room.as_ref(), own: Share::new(&self.budget.memory) },
        };
        let each = |part: &mut Part<'_>, _: usize, group: &&[(usize, Pick)]| {
            let Some(source) = group.first().and_then(|(_, pick)| self.sources.get(pick.source))
            else {
                return ControlFlow::Continue(());
            };
            if self.budget.is_cancelled() {
                let reason = "expected somebody to wait for the answer, but found nobody";
                part.tally.note(reason.to_owned());
                return ControlFlow::Break(());
            }
            match self.group(source, group, &mut part.room) {
                Ok(rows) => part.shown.extend(rows),
                Err(Stop::TooMuch) => {
                    is_too_much.store(true, Ordering::Relaxed);
                    return ControlFlow::Break(());
                }
                Err(Stop::Unreadable(error)) => part.tally.unreadable(source, &error),
            }
            ControlFlow::Continue(())
        };
        let parts = walk(&self.budget.workers, &groups, begin, each);
        if is_too_much.into_inner() {
            return None;
        }
        let mut shown = Vec::with_capacity(picks.len());
        for part in parts {
            shown.extend(part.shown);
            tally.merge(part.tally);
        }
        shown.sort_unstable_by_key(|(number, _)| *number);
        Some(shown)
    }

    /// The rows of one source, in the order of their numbers.
    fn group(
        &self,
        source: &Source,
        picks: &[(usize, Pick)],
        room: &mut Room<'_>,
    ) -> Result<Vec<Shown>, Stop> {
        let view = self.store.view(source).map_err(Stop::Unreadable)?;
        let own = Place::own().filter(|(name, _)| self.projection.shows(name)).count();
        room.take_beside(picks.len() * own * OWN_BYTES)?;
        let mut rows: Vec<Map<String, Value>> = picks.iter().map(|_| Map::new()).collect();
        for name in view.names() {
            let is_kept = matches!(Place::of(name), Place::Column(_) | Place::Computed(_));
            if !is_kept || !self.projection.reads(name) {
                continue;
            }
            let Some(column) = view.column(name).map_err(Stop::Unreadable)? else { continue };
            for (row, (_, pick)) in rows.iter_mut().zip(picks) {
                let shown = column.with(pick.row, |value| {
                    room.take(name.len() + value.bytes.len() + FIELD_BYTES)?;
                    put(row, name, value);
                    Ok(())
                });
                shown.unwrap_or(Ok(()))?;
            }
        }
        let head = view.head().map_err(Stop::Unreadable)?;
        let runs = runs(head);
        for (row, (_, pick)) in rows.iter_mut().zip(picks) {
            let run = runs.partition_point(|(end, ..)| *end <= pick.row);
            if let Some((_, run, origin)) = runs.get(run) {
                self.complete(row, head, pick.row, *run, origin);
            }
        }
        Ok(picks.iter().map(|(number, _)| *number).zip(rows).collect())
    }

    /// Adds what no column holds, and takes out what is not to be shown.
    fn complete(
        &self,
        row: &mut Map<String, Value>,
        head: &RowHead,
        number: u32,
        run: Run,
        origin: &Origin,
    ) {
        for (name, place) in Place::own() {
            if !self.projection.shows(name) {
                continue;
            }
            let value = match place {
                Place::Id => Some(id_text(head.id(number).unwrap_or_default()).into()),
                Place::Time => {
                    head.time(number).map(|at| Timestamp::from_micros(at).to_string().into())
                }
                Place::Version => Some(VERSION.into()),
                Place::Origin(field) => field.shown(run, origin).map(Value::from),
                Place::Computed(computed) => value_of(computed, row, origin),
                Place::Column(_) => None,
            };
            if let Some(value) = value {
                row.insert(name.to_owned(), value);
            }
        }
        let tags = match row.remove(TAGS) {
            None => Value::Array(Vec::new()),
            Some(tags @ Value::Array(_)) => tags,
            Some(tag) => Value::Array(vec![tag]),
        };
        row.insert(TAGS.to_owned(), tags);
        row.retain(|name, _| self.projection.shows(name));
    }
}

impl Room<'_> {
    fn take(&mut self, bytes: usize) -> Result<(), Stop> {
        let Some(all) = self.all else { return Ok(()) };
        let less = |left: usize| left.checked_sub(bytes);
        let has_room = all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
        if has_room { self.take_beside(bytes + NODE_BYTES) } else { Err(Stop::TooMuch) }
    }

    /// Takes what is of the memory of all answers, and no part of the length of this one.
    fn take_beside(&mut self, bytes: usize) -> Result<(), Stop> {
        if self.all.is_none() || self.own.take(bytes) { Ok(()) } else { Err(Stop::TooMuch) }
    }
}

/// Adds a value of a column as it is shown.
fn put(row: &mut Map<String, Value>, name: &str, value: ValueRef<'_>) {
    let is_text = std::str::from_utf8(value.bytes).is_ok();
    let shown = match Known::named(name) {
        Some(Known::StructuredData) if value.kind == Kind::Text && is_text => {
            let object = structured_data(&value.to_text());
            if object.is_empty() { value.to_json() } else { Value::Object(object) }
        }
        Some(Known::Original) if value.kind == Kind::Bytes && !is_text => {
            let octets = STANDARD.encode(value.bytes);
            row.insert("event.original_base64".to_owned(), octets.into());
            value.to_json()
        }
        _ => value.to_json(),
    };
    row.insert(name.to_owned(), shown);
}

/// The value of a computed field, from the columns that are already there.
fn value_of(computed: Computed, row: &Map<String, Value>, origin: &Origin) -> Option<Value> {
    let from = |(name, via): (&str, Via)| {
        let value = row.get(name)?;
        if via == Via::Itself {
            return Some(value.clone());
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some(via.read(ValueRef::text(&text))?.to_json())
    };
    let peer = || match computed {
        Computed::HostName => origin.peer.map(|peer| peer_text(peer).into()),
        _ => None,
    };
    computed.steps().find_map(from).or_else(peer)
}

/// The runs of a source, each with the number of the row behind it.
fn runs(head: &RowHead) -> Vec<(u32, Run, &Origin)> {
    let mut runs = Vec::new();
    each_run(head, |run, origin, rows| runs.push((rows.end, run, origin)));
    runs
}

const TAGS: &str = Known::Tags.as_str();

/// The memory that a field takes beside its name and its value, in bytes, roughly.
const FIELD_BYTES: usize = 64;

/// What there is besides of places in maps that no field takes, and of a field that no column holds.
const NODE_BYTES: usize = 48;
const OWN_BYTES: usize = 160;
