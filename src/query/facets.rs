//! The most frequent values of fields.

use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use super::bitmap::Bitmap;
use super::fold::{Asked, Fold, fold};
use super::groups::{Groups, State};
use super::key;
use super::memory::Share;
use super::numbered::{Numbered, Room};
use super::prune::Catalog;
use super::reading::Reading;
use super::request::{Meta, QueryError};
use super::select::{Selector, Stop};
use super::stats::{MAX_GROUPS, millis, too_many};
use super::which::Which;
use crate::store::Store;

/// What is to be counted.
#[derive(Clone, Debug)]
pub struct Facets {
    /// Which events.
    pub which: Which,
    /// The values of which fields, of arrays each scalar. 1 to [`MAX_FACETS`].
    pub fields: Vec<String>,
    /// How many values of each. Range: 1 to [`MAX_VALUES`].
    pub limit: usize,
}

/// What was counted.
#[derive(Clone, Debug, Serialize)]
pub struct FacetsAnswer {
    /// The fields in the order they were asked for.
    pub facets: Vec<Facet>,
    /// What there is to say of it; `count` is of events that match.
    pub meta: Meta,
}

/// The values of a field.
#[derive(Clone, Debug, Serialize)]
pub struct Facet {
    /// Which field.
    pub field: String,
    /// Those of the most events first.
    pub values: Vec<FacetValue>,
    /// How many events have other values; one with several counts for each.
    pub other: u64,
    /// How many have none.
    pub missing: u64,
}

/// A value of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FacetValue {
    /// The value.
    pub value: Value,
    /// The events that have it.
    pub count: u64,
}

/// How many events.
#[derive(Debug, Default)]
struct Count(u64);

struct Folding<'s, 'm> {
    fields: &'s [Reading],
    /// Whether the catalog told all of a field, of the source that is next.
    is_told: Vec<bool>,
    counts: Vec<Groups<'m, Count>>,
    missing: Vec<u64>,
}

/// Counts the values of fields.
///
/// # Errors
///
/// When there is something wrong with what is asked.
pub fn facets(store: &Store, asked: &Facets) -> Result<FacetsAnswer, QueryError> {
    let started = Instant::now();
    let which = &asked.which;
    which.check()?;
    let many = |field, what, max, found| Err(QueryError::Many { field, what, max, found });
    if !(1..=MAX_FACETS).contains(&asked.fields.len()) {
        return many("fields", "fields, and one at least", MAX_FACETS, asked.fields.len());
    }
    if !(1..=MAX_VALUES).contains(&asked.limit) {
        return many("limit", "values, and one at least", MAX_VALUES, asked.limit);
    }
    let fields: Vec<Reading> = asked.fields.iter().map(|name| Reading::new(name)).collect();
    let sources = store.sources(&which.project, which.from.as_micros(), which.to.as_micros());
    let groups = || Groups::new(MAX_GROUPS, Share::new(&which.budget.memory));
    let begin = |_| Folding {
        fields: &fields,
        is_told: vec![false; fields.len()],
        counts: fields.iter().map(|_| groups()).collect(),
        missing: vec![0; fields.len()],
    };
    let mut folded = fold(store, which, &sources, &fields, begin)?;
    let mut facets = Vec::new();
    let Folding { counts, missing, .. } = folded.fold;
    for ((field, counts), missing) in asked.fields.iter().zip(counts).zip(missing) {
        let (mut values, mut rest) = counts.finish();
        if rest.is_used {
            folded.tally.note(too_many("values"));
        }
        for (_, count) in values.drain(asked.limit.min(values.len())..) {
            rest.state.merge(count);
        }
        let value = |(key, count): &(Box<[u8]>, Count)| FacetValue {
            value: key::shown(key).into_iter().next().unwrap_or_default(),
            count: count.0,
        };
        let values = values.iter().map(value).collect();
        facets.push(Facet { field: field.clone(), values, other: rest.state.0, missing });
    }
    let mut meta = folded.tally.into_meta();
    (meta.count, meta.took_ms) = (folded.matched, millis(started));
    Ok(FacetsAnswer { facets, meta })
}

impl State for Count {
    fn merge(&mut self, other: Self) {
        self.0 += other.0;
    }

    fn weight(&self) -> u64 {
        self.0
    }

    fn bytes(&self) -> usize {
        0
    }
}

impl Fold for Folding<'_, '_> {
    fn next(&mut self) {
        self.is_told.fill(false);
    }

    fn whole(&mut self, asked: &Asked<'_>, block: Catalog<'_>) -> Option<u64> {
        // Each field by itself: the catalog may tell of one by other parts than of the next;
        // what it does not tell is read.
        let mut matched = None;
        for (number, field) in self.fields.iter().enumerate() {
            let parts = asked.parts(block, |part| part.constant(field).is_some());
            let is_told = parts.is_some();
            if let Some(told) = self.is_told.get_mut(number) {
                *told = is_told;
            }
            let Some(parts) = parts else { continue };
            matched = Some(parts.iter().map(|part| u64::from(part.rows())).sum());
            for part in parts {
                let rows = u64::from(part.rows());
                match part.constant(field).flatten() {
                    Some(value) => self.add(number, &key::of(Some(value)), rows),
                    None => self.add_missing(number, rows),
                }
            }
        }
        matched.filter(|_| !self.is_told.contains(&false))
    }

    fn rows(&mut self, selector: &mut Selector<'_>, found: &Bitmap) -> Result<(), Stop> {
        for (number, field) in self.fields.iter().enumerate() {
            if self.is_told.get(number) == Some(&true) {
                continue;
            }
            let Some(counts) = self.counts.get(number) else { continue };
            let mut room = Room::new(counts.more_room(), size_of::<u64>());
            let numbered = Numbered::of(field, selector, found, &mut room)?;
            let mut counts = vec![0_u64; numbered.len()];
            for group in found.iter().flat_map(|row| numbered.of_row(row)) {
                if let Some(count) = counts.get_mut(group as usize) {
                    *count += 1;
                }
            }
            drop(room);
            let missing = key::of(None);
            for (key, count) in numbered.into_keys().zip(counts) {
                match key {
                    Some(key) if key == missing => self.add_missing(number, count),
                    Some(key) => self.add(number, &key, count),
                    None => self.add_rest(number, count),
                }
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(own, other)| own.merge(other));
        self.missing.iter_mut().zip(other.missing).for_each(|(own, other)| *own += other);
    }
}

impl Folding<'_, '_> {
    fn add_rest(&mut self, number: usize, count: u64) {
        if let Some(counts) = self.counts.get_mut(number) {
            counts.add_rest(Count(count));
        }
    }

    fn add(&mut self, number: usize, key: &[u8], count: u64) {
        if let Some(counts) = self.counts.get_mut(number) {
            counts.add(key, Count(count));
        }
    }

    fn add_missing(&mut self, number: usize, count: u64) {
        if let Some(missing) = self.missing.get_mut(number) {
            *missing += count;
        }
    }
}

/// The most fields.
pub const MAX_FACETS: usize = 32;

/// The most values of a field.
pub const MAX_VALUES: usize = 1_000;
