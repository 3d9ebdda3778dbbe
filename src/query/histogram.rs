//! How many events there are over time, of all or for each of the most frequent values of a field.

use std::mem::replace;
use std::time::Instant;

use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::Value;

use super::bitmap::Bitmap;
use super::fold::{Asked, Fold, fold};
use super::groups::{Groups, Rest, State};
use super::interval::Interval;
use super::key;
use super::numbered::{Numbered, Room};
use super::prune::Catalog;
use super::reading::Reading;
use super::request::{Meta, QueryError};
use super::select::{Selector, Stop};
use super::stats::{MAX_GROUPS, millis, too_many};
use super::which::Which;
use crate::store::{Source, Store, Timeline};
use crate::time::Timestamp;

/// What is to be counted.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Which events.
    pub which: Which,
    /// How wide a bucket is; `None` is one that makes about a hundred of them.
    pub interval: Option<Interval>,
    /// For each value of this field.
    pub by: Option<String>,
    /// For how many values, those of the most events. Range: 1 to [`MAX_SERIES`].
    pub limit: usize,
}

/// What was counted.
#[derive(Clone, Debug, Serialize)]
pub struct HistogramAnswer {
    /// How wide the buckets are.
    pub interval: String,
    /// All buckets, the empty ones too, of the time that was asked for; where it has no beginning
    /// or no end, from the first to the last with an event.
    pub buckets: Vec<Bucket>,
    /// For each value of the field, those of the most events first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<Vec<Series>>,
    /// All other values as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Series>,
    /// What there is to say of it; `count` is of events that match.
    pub meta: Meta,
}

/// A stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// When it begins.
    pub time: String,
    /// The events in it.
    pub count: u64,
}

/// The events with one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Series {
    /// The value; `null` are the events without one, and all others.
    pub value: Value,
    /// Its events.
    pub count: u64,
    /// The same for each of the buckets.
    pub counts: Vec<u64>,
}

/// Finds the buckets of times that come one after the other: nearly always the one before.
struct Place {
    interval: Interval,
    bucket: i64,
    times: std::ops::Range<i64>,
}

/// Events by the number of their bucket.
#[derive(Clone, Debug, Default)]
struct Times {
    counts: FxHashMap<i64, u64>,
    /// The bucket of the latest, and how many in it are not among `counts` yet: most come after one of
    /// the same bucket.
    latest: (i64, u64),
    rows: u64,
    /// Whether there were more buckets than there may be.
    is_over: bool,
}

struct Folding<'s, 'm> {
    interval: Interval,
    by: Option<&'s Reading>,
    all: Times,
    series: Groups<'m, Times>,
}

/// Counts events over time.
///
/// # Errors
///
/// When there is something wrong with what is asked: more buckets than [`MAX_BUCKETS`], too.
pub fn histogram(store: &Store, asked: &Histogram) -> Result<HistogramAnswer, QueryError> {
    let started = Instant::now();
    let which = &asked.which;
    asked.check()?;
    let (from, to) = (which.from.as_micros(), which.to.as_micros());
    let sources = store.sources(&which.project, from, to);
    let ends = (which.from != Timestamp::MIN, which.to != Timestamp::MAX);
    let interval = asked.interval.unwrap_or_else(|| fitting(&sources, (from, to), ends));
    let by = asked.by.as_deref().map(Reading::new);
    if ends == (true, true) {
        buckets(interval, (interval.bucket(from), interval.bucket(to)))?;
    }
    let begin = |share| Folding {
        interval,
        by: by.as_ref(),
        all: Times::default(),
        series: Groups::new(MAX_GROUPS, share),
    };
    let fields = by.as_slice();
    let mut folded = fold(store, which, &sources, fields, begin)?;
    let Folding { all, series, .. } = folded.fold;
    if all.is_over {
        return Err(QueryError::Buckets { max: MAX_BUCKETS, interval: interval.text() });
    }
    let (first, last) = all.ends().unzip();
    let first = if ends.0 { Some(interval.bucket(from)) } else { first };
    let last = if ends.1 { Some(interval.bucket(to)) } else { last };
    let range = match first.zip(last) {
        Some(range) => buckets(interval, range)?,
        None => 0..0,
    };
    let (mut series, mut rest) = series.finish();
    if rest.is_used {
        folded.tally.note(too_many("values"));
    }
    for (_, times) in series.drain(asked.limit.min(series.len())..) {
        rest = Rest { is_used: true, ..rest };
        rest.state.merge(times);
    }
    let shown = |value, times: &Times| Series {
        value,
        count: times.rows,
        counts: range.clone().map(|bucket| times.of(bucket)).collect(),
    };
    let value = |key: &[u8]| key::shown(key).into_iter().next().unwrap_or_default();
    let series = series.iter().map(|(key, times)| shown(value(key), times)).collect();
    let mut meta = folded.tally.into_meta();
    (meta.count, meta.took_ms) = (folded.matched, millis(started));
    let bucket = |bucket| Bucket {
        time: Timestamp::from_micros(interval.start(bucket)).to_string(),
        count: all.of(bucket),
    };
    Ok(HistogramAnswer {
        interval: interval.text(),
        buckets: range.clone().map(bucket).collect(),
        series: by.is_some().then_some(series),
        other: rest.is_used.then(|| shown(Value::Null, &rest.state)),
        meta,
    })
}

/// The numbers of buckets from the first to the last, if they are not too many.
fn buckets(
    interval: Interval,
    (first, last): (i64, i64),
) -> Result<std::ops::Range<i64>, QueryError> {
    match usize::try_from(last.saturating_sub(first)) {
        Ok(more) if more < MAX_BUCKETS => Ok(first..last.saturating_add(1)),
        _ => Err(QueryError::Buckets { max: MAX_BUCKETS, interval: interval.text() }),
    }
}

/// An interval for the time that is asked for; where that has no beginning or no end (`ends`), for
/// what there is.
fn fitting(sources: &[Source], (from, to): (i64, i64), ends: (bool, bool)) -> Interval {
    let first = sources.iter().map(|source| source.times().0).min().unwrap_or(0).max(from);
    let last = sources.iter().map(|source| source.times().1).max().unwrap_or(0).min(to);
    let (first, last) = (if ends.0 { from } else { first }, if ends.1 { to } else { last });
    Interval::fitting(last.saturating_sub(first))
}

impl Histogram {
    fn check(&self) -> Result<(), QueryError> {
        self.which.check()?;
        if (1..=MAX_SERIES).contains(&self.limit) {
            return Ok(());
        }
        let (field, what) = ("limit", "values, and one at least");
        Err(QueryError::Many { field, what, max: MAX_SERIES, found: self.limit })
    }
}

impl Place {
    const fn new(interval: Interval) -> Self {
        Self { interval, bucket: 0, times: 0..0 }
    }

    fn bucket(&mut self, time: i64) -> i64 {
        if !self.times.contains(&time) {
            self.bucket = self.interval.bucket(time);
            let start = self.interval.start(self.bucket);
            self.times = start..start.saturating_add(self.interval.micros());
        }
        self.bucket
    }
}

impl Times {
    fn add(&mut self, bucket: i64, count: u64) {
        self.rows += count;
        if bucket == self.latest.0 {
            self.latest.1 += count;
        } else {
            let (before, count) = replace(&mut self.latest, (bucket, count));
            self.put(before, count);
        }
    }

    fn put(&mut self, bucket: i64, count: u64) {
        if self.is_over || count == 0 {
            return;
        }
        *self.counts.entry(bucket).or_default() += count;
        if self.counts.len() > MAX_BUCKETS {
            self.is_over = true;
            self.counts = FxHashMap::default();
        }
    }

    /// The first and the last bucket with an event.
    fn ends(&self) -> Option<(i64, i64)> {
        let latest = (self.latest.1 > 0).then_some(self.latest.0);
        let buckets = || self.counts.keys().copied().chain(latest);
        buckets().min().zip(buckets().max())
    }

    fn of(&self, bucket: i64) -> u64 {
        let latest = if bucket == self.latest.0 { self.latest.1 } else { 0 };
        self.counts.get(&bucket).copied().unwrap_or(0) + latest
    }
}

impl State for Times {
    fn merge(&mut self, other: Self) {
        self.is_over |= other.is_over;
        self.rows += other.rows;
        let counts = other.counts.into_iter().chain([other.latest]);
        counts.for_each(|(bucket, count)| self.put(bucket, count));
    }

    fn weight(&self) -> u64 {
        self.rows
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * 17
    }
}

impl Fold for Folding<'_, '_> {
    fn whole(&mut self, asked: &Asked<'_>, block: Catalog<'_>) -> Option<u64> {
        let (first, last) = block.times();
        let bucket = self.interval.bucket(first);
        if bucket != self.interval.bucket(last) {
            return None;
        }
        let parts = asked
            .parts(block, |part| self.by.is_none_or(|field| part.constant(field).is_some()))?;
        let mut matched = 0;
        for part in parts {
            let rows = u64::from(part.rows());
            matched += rows;
            self.all.add(bucket, rows);
            if let Some(field) = self.by {
                let mut times = Times::default();
                times.add(bucket, rows);
                self.series.add(&key::of(part.constant(field).flatten()), times);
            }
        }
        Some(matched)
    }

    fn wants_times(&self, block: Catalog<'_>) -> bool {
        let is_of_steps = self.interval.micros() % Timeline::step(block.times()) == 0;
        is_of_steps && self.by.is_none_or(|field| block.constant(field).is_some())
    }

    fn times(&mut self, _: &Asked<'_>, block: Catalog<'_>, timeline: &Timeline) -> Option<u64> {
        // All rows match: only by which value they are counted is still to be told.
        let value = self.by.map(|field| block.constant(field)).map_or(Some(None), |one| one)?;
        let (mut times, mut at) = (Times::default(), Place::new(self.interval));
        timeline.iter().for_each(|(time, count)| times.add(at.bucket(time), u64::from(count)));
        let rows = times.rows;
        if self.by.is_some() {
            self.series.add(&key::of(value), times.clone());
        }
        self.all.merge(times);
        Some(rows)
    }

    fn rows(&mut self, selector: &mut Selector<'_>, found: &Bitmap) -> Result<(), Stop> {
        let mut room = Room::new(self.series.more_room(), size_of::<Times>());
        let by = self.by.map(|field| Numbered::of(field, selector, found, &mut room));
        let numbered = by.transpose()?;
        let head = selector.view().head()?;
        let mut at = Place::new(self.interval);
        let mut bucket = |row: u32| head.time(row).map_or(0, |time| at.bucket(time));
        found.iter().for_each(|row| self.all.add(bucket(row), 1));
        let Some(numbered) = numbered else { return Ok(()) };
        let mut series: Vec<Times> = (0..numbered.len()).map(|_| Times::default()).collect();
        for row in found.iter() {
            let bucket = bucket(row);
            for group in numbered.of_row(row) {
                if let Some(times) = series.get_mut(group as usize) {
                    times.add(bucket, 1);
                }
            }
        }
        drop(room);
        for (key, times) in numbered.into_keys().zip(series) {
            match key {
                Some(key) => self.series.add(&key, times),
                None => self.series.add_rest(times),
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.all.merge(other.all);
        self.series.merge(other.series);
    }
}

/// The most buckets.
pub const MAX_BUCKETS: usize = 10_000;

/// The most values of a field that have counts of their own.
pub const MAX_SERIES: usize = 100;
