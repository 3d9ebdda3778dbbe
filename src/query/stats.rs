//! Counts, sums, quantiles and the like, of all events that match or of each group of them.

use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};

use super::aggregate::Aggregate;
use super::bitmap::Bitmap;
use super::cell::{Cell, Wants};
use super::fold::{Asked, Fold, fold};
use super::groups::{Groups, State};
use super::key;
use super::numbered::{Numbered, Room};
use super::prune::Catalog;
use super::reading::Reading;
use super::request::{Meta, QueryError};
use super::select::{Selector, Stop};
use super::which::Which;
use crate::store::Store;

/// What is to be computed.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Of which events.
    pub which: Which,
    /// For each combination of values of these fields; of an array each scalar is one, and an
    /// event without any is in the group of `null`; it is in the first thousand of those groups. At
    /// most [`MAX_BY`].
    pub by: Vec<String>,
    /// What of each group. 1 to [`MAX_AGGREGATES`], no two of one name, none called `by`.
    pub aggregates: Vec<Aggregate>,
    /// The most groups in the answer, those of the most events. Range: 1 to [`MAX_GROUPS`].
    pub limit: usize,
}

/// What was computed.
#[derive(Clone, Debug, Serialize)]
pub struct StatsAnswer {
    /// Those of the most events first: `by` has the values of its fields, and beside it stand the
    /// aggregates by their names.
    pub groups: Vec<Map<String, Value>>,
    /// All other groups as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Map<String, Value>>,
    /// What there is to say of it; `count` is of events that match.
    pub meta: Meta,
}

/// What is computed, made ready.
#[derive(Debug)]
struct Spec {
    by: Vec<Reading>,
    /// The fields that are aggregated, and what is wanted of each.
    fields: Vec<(Reading, Wants)>,
    /// For each aggregate the number of its field.
    of: Vec<Option<usize>>,
}

/// What is known of a group: its events, and a cell for each field.
#[derive(Debug, Default)]
struct Group {
    rows: u64,
    cells: Vec<Cell>,
}

struct Folding<'s, 'm> {
    spec: &'s Spec,
    groups: Groups<'m, Group>,
}

/// Computes `stats` of what is staged and sealed at this moment.
///
/// # Errors
///
/// When there is something wrong with what is asked.
pub fn stats(store: &Store, stats: &Stats) -> Result<StatsAnswer, QueryError> {
    let started = Instant::now();
    stats.check()?;
    let spec = Spec::new(stats);
    let which = &stats.which;
    let sources = store.sources(&which.project, which.from.as_micros(), which.to.as_micros());
    let fields: Vec<Reading> =
        spec.by.iter().chain(spec.fields.iter().map(|(field, _)| field)).cloned().collect();
    let begin = |share| Folding { spec: &spec, groups: Groups::new(MAX_GROUPS, share) };
    let mut folded = fold(store, which, &sources, &fields, begin)?;
    let (mut groups, mut rest) = folded.fold.groups.finish();
    if rest.is_used {
        folded.tally.note(too_many("groups"));
    }
    for (_, group) in groups.drain(stats.limit.min(groups.len())..) {
        rest.is_used = true;
        rest.state.merge(group);
    }
    if groups.is_empty() && stats.by.is_empty() {
        groups.push((Box::from([]), Group::default()));
    }
    let shown = |(key, group): &(Box<[u8]>, Group)| stats.shown(&spec, Some(key), group);
    let mut meta = folded.tally.into_meta();
    (meta.count, meta.took_ms) = (folded.matched, millis(started));
    Ok(StatsAnswer {
        groups: groups.iter().map(shown).collect(),
        other: rest.is_used.then(|| stats.shown(&spec, None, &rest.state)),
        meta,
    })
}

impl Stats {
    fn check(&self) -> Result<(), QueryError> {
        self.which.check()?;
        let bounds = [
            ("by", "fields to group by", 0, MAX_BY, self.by.len()),
            (
                "aggregates",
                "aggregates, and one at least",
                1,
                MAX_AGGREGATES,
                self.aggregates.len(),
            ),
            ("limit", "groups, and one at least", 1, MAX_GROUPS, self.limit),
        ];
        for (field, what, least, max, found) in bounds {
            if !(least..=max).contains(&found) {
                return Err(QueryError::Many { field, what, max, found });
            }
        }
        for (number, aggregate) in self.aggregates.iter().enumerate() {
            let before = self.aggregates.iter().take(number);
            if aggregate.name() == "by" || before.clone().any(|b| b.name == aggregate.name) {
                return Err(QueryError::Name(aggregate.name().to_owned()));
            }
        }
        Ok(())
    }

    fn shown(&self, spec: &Spec, key: Option<&[u8]>, group: &Group) -> Map<String, Value> {
        let mut shown = Map::new();
        if let Some(key) = key {
            let by = self.by.iter().cloned().zip(key::shown(key)).collect();
            shown.insert("by".to_owned(), Value::Object(by));
        }
        let empty = Cell::default();
        for (aggregate, field) in self.aggregates.iter().zip(&spec.of) {
            let result = match field {
                None => group.rows.into(),
                Some(field) => group.cells.get(*field).unwrap_or(&empty).result(aggregate.function),
            };
            shown.insert(aggregate.name.to_string(), result);
        }
        shown
    }
}

impl Spec {
    fn new(stats: &Stats) -> Self {
        let by = stats.by.iter().map(|name| Reading::new(name)).collect();
        let mut fields: Vec<(Reading, Wants)> = Vec::new();
        let mut of = Vec::new();
        for Aggregate { function, field, .. } in &stats.aggregates {
            let Some(field) = field else {
                of.push(None);
                continue;
            };
            let place = fields.iter().position(|(reading, _)| reading.name() == &**field);
            let place = place.unwrap_or_else(|| {
                fields.push((Reading::new(field), Wants::default()));
                fields.len() - 1
            });
            if let Some((_, wants)) = fields.get_mut(place) {
                wants.add(*function);
            }
            of.push(Some(place));
        }
        Self { by, fields, of }
    }
}

impl Fold for Folding<'_, '_> {
    fn counted(&mut self, rows: u64) -> bool {
        let is_count = self.spec.by.is_empty() && self.spec.fields.is_empty();
        if is_count {
            self.groups.add(&[], Group { rows, cells: Vec::new() });
        }
        is_count
    }

    fn whole(&mut self, asked: &Asked<'_>, block: Catalog<'_>) -> Option<u64> {
        let Spec { by, fields, .. } = self.spec;
        let fields = fields.iter().map(|(field, _)| field);
        let parts = asked.parts(block, |part| {
            by.iter().chain(fields.clone()).all(|field| part.constant(field).is_some())
        })?;
        let (mut matched, mut key) = (0, Vec::new());
        for part in parts {
            let rows = u64::from(part.rows());
            matched += rows;
            key.clear();
            by.iter().for_each(|field| key::put(&mut key, part.constant(field).flatten()));
            let mut group = Group { rows, cells: vec![Cell::default(); self.spec.fields.len()] };
            for ((field, wants), cell) in self.spec.fields.iter().zip(&mut group.cells) {
                if let Some(value) = part.constant(field).flatten() {
                    cell.add(*wants, value, rows);
                }
            }
            self.groups.add(&key, group);
        }
        Some(matched)
    }

    fn rows(&mut self, selector: &mut Selector<'_>, found: &Bitmap) -> Result<(), Stop> {
        let cells = self.spec.fields.len();
        let each = size_of::<Group>() + cells * size_of::<Cell>();
        let mut room = Room::new(self.groups.more_room(), each);
        let mut numbered: Option<Numbered> = None;
        for field in &self.spec.by {
            let next = Numbered::of(field, selector, found, &mut room)?;
            numbered = Some(match numbered {
                None => next,
                Some(before) => before.and(&next, found, &mut room),
            });
        }
        let numbered = numbered.unwrap_or_else(|| Numbered::one(found.rows()));
        let empty = || Group { rows: 0, cells: vec![Cell::default(); cells] };
        let mut groups: Vec<Group> = (0..numbered.len()).map(|_| empty()).collect();
        let mut each = |row, then: &mut dyn FnMut(&mut Group)| {
            for group in numbered.of_row(row) {
                groups.get_mut(group as usize).into_iter().for_each(&mut *then);
            }
        };
        found.iter().for_each(|row| each(row, &mut |group| group.rows += 1));
        for (number, (field, wants)) in self.spec.fields.iter().enumerate() {
            field.each(selector, found, &mut |row, _, value| {
                each(row, &mut |group| {
                    if let Some(cell) = group.cells.get_mut(number) {
                        cell.add(*wants, value, 1);
                    }
                });
            })?;
        }
        drop(room);
        for (key, group) in numbered.into_keys().zip(groups) {
            match key {
                Some(key) => self.groups.add(&key, group),
                None => self.groups.add_rest(group),
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.groups.merge(other.groups);
    }
}

impl State for Group {
    fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        if self.cells.is_empty() {
            self.cells = other.cells;
            return;
        }
        self.cells.iter_mut().zip(other.cells).for_each(|(own, other)| own.merge(other));
    }

    fn weight(&self) -> u64 {
        self.rows
    }

    fn bytes(&self) -> usize {
        self.cells.iter().map(|cell| size_of::<Cell>() + cell.bytes()).sum()
    }
}

/// That there were more than are told apart.
pub(super) fn too_many(what: &str) -> String {
    format!("expected at most {MAX_GROUPS} {what} and room for them, but found more")
}

/// How long ago that was, in milliseconds.
pub(super) fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The most fields to group by.
pub const MAX_BY: usize = 8;

/// The most aggregates of a group.
pub const MAX_AGGREGATES: usize = 64;

/// The most groups that are told apart; the smallest of any more are taken together.
pub const MAX_GROUPS: usize = 10_000;
