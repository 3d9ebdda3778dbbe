//! Rows in memory, by column: what readers fill, and what staged batches and blocks are made from.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::bytes::{Damaged, put_varint, put_zigzag};
use super::column::{Column, MAX_VALUES, Parts, Payload, numbers};
use super::digest::Digest;
use super::identity::Identity;
use super::origin::{Origin, Run};
use super::receipts::{Receipt, Receipts};
use super::tokens::Words;
use crate::event::{Event, Field, Kind, Known, Name, Tag, ValueRef};

/// Rows of any origin, each field in a column of its own.
#[derive(Debug, Default)]
pub struct Rows {
    origins: Vec<Arc<Origin>>,
    /// The number of an origin, by its address; `origins` keeps that address its own.
    numbers: FxHashMap<usize, u32>,
    runs: Vec<Run>,
    /// In microseconds since the epoch.
    times: Vec<i64>,
    /// The columns of [`Known`] names, by their number.
    known: [Column; Known::ALL.len()],
    others: Vec<(Box<str>, Column)>,
    names: FxHashMap<Box<str>, usize>,
    bytes: usize,
    tags: Vec<u8>,
    /// What some of the rows are known by.
    identities: Vec<Identity>,
    /// What the messages are known by whose senders wait for an acknowledgement.
    receipts: Receipts,
}

impl Rows {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// About the bytes of memory that the rows take: values, and 8 for the time of each.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether so many names came that there is no column for another: the names that follow share
    /// one, so a new batch should be begun.
    pub fn is_full(&self) -> bool {
        self.others.len() >= MAX_NAMES
    }

    /// Says that the rows pushed from here on came from `origin`, at `received_at` (microseconds).
    pub fn begin(&mut self, origin: &Arc<Origin>, received_at: i64) {
        let last = self.runs.last().filter(|run| run.received_at == received_at);
        let last = last.and_then(|run| self.origins.get(run.origin as usize));
        if last.is_some_and(|last| Arc::ptr_eq(last, origin)) {
            return;
        }
        let address = Arc::as_ptr(origin).addr();
        let next = u32::try_from(self.origins.len()).expect("fewer origins than rows");
        let origin = *self.numbers.entry(address).or_insert_with(|| {
            self.origins.push(Arc::clone(origin));
            next
        });
        match self.runs.last_mut() {
            Some(run) if run.rows == 0 => *run = Run { origin, received_at, rows: 0 },
            Some(run) if run.origin == origin && run.received_at == received_at => {}
            _ => self.runs.push(Run { origin, received_at, rows: 0 }),
        }
    }

    /// Copies `event` in as the next row, of the origin that [`begin`](Self::begin) named.
    pub fn push(&mut self, event: &Event<'_>) {
        let run = self.runs.last_mut().expect("begin comes before push");
        run.rows += 1;
        let time = event.timestamp.map_or(run.received_at, |time| time.as_micros());
        let row = u32::try_from(self.times.len()).expect("a batch is closed long before");
        self.times.push(time);
        self.bytes += 8;
        let mut is_more = false;
        for Field { name, value } in &event.fields {
            match name {
                Name::Other(name) if self.is_full() && self.has_none_for(name) => is_more = true,
                name => self.set(row, name, value.as_ref()),
            }
        }
        if is_more {
            self.set_more(row, event);
        }
        if is_more || !event.tags.is_empty() || !event.labels.is_empty() {
            let mut tags = event.labels.iter().map(|label| &**label).collect::<Vec<_>>();
            tags.extend(event.tags.iter().map(|tag| tag.as_str()));
            tags.extend(is_more.then_some(Tag::TooManyFields.as_str()));
            self.set_tags(row, &tags);
        }
    }

    /// Says what the row is known by that was pushed last.
    pub fn remember(&mut self, identity: Identity) {
        self.identities.push(identity);
    }

    /// Says what messages are known by whose rows were pushed last.
    pub fn receive(&mut self, receipt: Receipt, messages: impl IntoIterator<Item = u64>) {
        self.receipts.push(receipt, messages);
    }

    /// Says that nothing need be known any longer of connections whose ids these are.
    pub fn forget(&mut self, connections: &mut Vec<u64>) {
        self.receipts.ended.append(connections);
    }

    /// What messages are known by.
    pub(super) fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    /// What rows are known by, in their order.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// Takes the last rows out again, so that `len` are left.
    pub fn truncate(&mut self, len: usize) {
        let Ok(row) = u32::try_from(len) else { return };
        if len == 0 {
            return self.clear();
        }
        let mut surplus = self.times.len().saturating_sub(len);
        self.bytes = self.bytes / self.times.len().max(1) * len.min(self.times.len());
        self.times.truncate(len);
        self.known.iter_mut().for_each(|column| column.truncate(row));
        self.others.iter_mut().for_each(|(_, column)| column.truncate(row));
        while let Some(run) = self.runs.last_mut().filter(|_| surplus > 0) {
            let rows = u32::try_from(surplus).unwrap_or(u32::MAX).min(run.rows);
            run.rows -= rows;
            surplus -= rows as usize;
            if run.rows == 0 {
                self.runs.pop();
            }
        }
    }

    /// All columns that have a value, with their names.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Column)> {
        let known = Known::ALL.iter().zip(&self.known).map(|(known, c)| (known.as_str(), c));
        let others = self.others.iter().map(|(name, column)| (&**name, column));
        known.chain(others).filter(|(_, column)| !column.is_empty())
    }

    /// What a block of these rows has to know of them. `words` is only memory.
    pub(super) fn digest(&self, words: &mut Words) -> Digest {
        let origins = self.by_origin().map(|(origin, _)| &**origin);
        Digest::of(origins, self.columns(), words)
    }

    /// For each origin of these rows, how many of them are its own.
    pub fn by_origin(&self) -> impl Iterator<Item = (&Arc<Origin>, u64)> {
        let mut counts = vec![0; self.origins.len()];
        for run in &self.runs {
            if let Some(count) = counts.get_mut(run.origin as usize) {
                *count += u64::from(run.rows);
            }
        }
        self.origins.iter().zip(counts)
    }

    /// The time of each row.
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// Forgets the rows and keeps the memory, unless a sender filled it with odd names.
    pub fn clear(&mut self) {
        self.origins.clear();
        self.numbers.clear();
        self.runs.clear();
        self.times.clear();
        self.known.iter_mut().for_each(Column::clear);
        if self.others.len() > KEPT_NAMES {
            self.others.clear();
            self.names.clear();
        }
        self.others.iter_mut().for_each(|(_, column)| column.clear());
        self.identities.clear();
        self.receipts.clear();
        self.bytes = 0;
    }

    pub(super) fn set(&mut self, row: u32, name: &Name<'_>, value: ValueRef<'_>) {
        self.bytes += value.bytes.len() + 1;
        match name {
            Name::Known(known) => {
                if let Some(column) = self.known.get_mut(*known as usize) {
                    column.push(row, value);
                }
            }
            Name::Other(name) => self.other(name).push(row, value),
        }
    }

    /// Adds a row whose values follow by [`set`](Self::set).
    pub(super) fn add_row(&mut self, time: i64) -> u32 {
        let row = u32::try_from(self.times.len()).expect("a block is closed long before");
        if let Some(run) = self.runs.last_mut() {
            run.rows += 1;
        }
        self.times.push(time);
        self.bytes += 8;
        row
    }

    /// The column of a name, by a handle that is quicker to use again than the name.
    pub(super) fn column_mut(&mut self, name: &str) -> &mut Column {
        match Known::named(name) {
            Some(known) => self.known.get_mut(known as usize).expect("one column for each"),
            None => self.other(name),
        }
    }

    pub(super) fn grew(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Appends origins, runs and times.
    pub(super) fn encode_head(&self, payload: &mut Payload) {
        let out = &mut payload.soft;
        put_varint(out, self.times.len() as u64);
        put_varint(out, self.origins.len() as u64);
        self.origins.iter().for_each(|origin| origin.encode(out));
        put_varint(out, self.runs.len() as u64);
        let mut before = 0;
        for run in &self.runs {
            put_varint(out, u64::from(run.origin));
            put_zigzag(out, run.received_at.wrapping_sub(before));
            put_varint(out, u64::from(run.rows));
            before = run.received_at;
        }
        put_times(payload, &self.times);
    }

    fn other(&mut self, name: &str) -> &mut Column {
        let next = self.others.len();
        let index = match self.names.get(name) {
            Some(index) => *index,
            None => {
                self.names.insert(name.into(), next);
                self.bytes += COLUMN_BYTES;
                self.others.push((name.into(), Column::default()));
                next
            }
        };
        &mut self.others.get_mut(index).expect("names and others agree").1
    }

    fn has_none_for(&self, name: &str) -> bool {
        !self.names.contains_key(name)
    }

    /// Puts the fields for which there is no column left into the one that they share.
    #[cold]
    fn set_more(&mut self, row: u32, event: &Event<'_>) {
        let mut more = Map::new();
        for Field { name, value } in &event.fields {
            if let Name::Other(name) = name
                && self.has_none_for(name)
            {
                more.insert(name.to_string(), value.as_ref().to_json());
            }
        }
        let more = Value::Object(more).to_string();
        self.set(row, &Name::Known(Known::More), ValueRef::new(Kind::Json, more.as_bytes()));
    }

    fn set_tags(&mut self, row: u32, tags: &[&str]) {
        let mut json = std::mem::take(&mut self.tags);
        json.clear();
        serde_json::to_writer(&mut json, tags).expect("text always becomes JSON");
        self.set(row, &Name::Known(Known::Tags), ValueRef::new(Kind::Json, &json));
        self.tags = json;
    }
}

/// What [`Rows::encode_head`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) origins: Vec<Arc<Origin>>,
    pub(super) runs: Vec<Run>,
    pub(super) times: Vec<i64>,
}

impl Head {
    pub(super) fn decode(parts: &mut Parts<'_>) -> Result<Self, Damaged> {
        let reader = &mut parts.soft;
        let rows = usize::try_from(reader.varint()?).map_err(|_| Damaged("a count"))?;
        if rows > MAX_VALUES {
            return Err(Damaged("that many rows"));
        }
        let mut origins = Vec::new();
        for _ in 0..reader.count()? {
            origins.push(Arc::new(Origin::decode(reader)?));
        }
        let (mut runs, mut received_at, mut left) = (Vec::new(), 0_i64, rows);
        for _ in 0..reader.count()? {
            let origin = reader.u32()?;
            received_at = received_at.wrapping_add(reader.zigzag()?);
            let count = reader.u32()?;
            left = left.checked_sub(count as usize).ok_or(Damaged("runs of those rows"))?;
            if origin as usize >= origins.len() {
                return Err(Damaged("an origin"));
            }
            runs.push(Run { origin, received_at, rows: count });
        }
        if left != 0 {
            return Err(Damaged("runs of all rows"));
        }
        let times = times(parts, rows)?;
        Ok(Self { origins, runs, times })
    }

    /// Origins, some of them more than once, and how many rows are their own.
    pub(super) fn by_origin(&self) -> impl Iterator<Item = (&Arc<Origin>, u64)> {
        let of = |run: &Run| Some((self.origins.get(run.origin as usize)?, u64::from(run.rows)));
        self.runs.iter().filter_map(of)
    }
}

/// Appends times or ids.
pub(super) fn put_times(out: &mut Payload, times: &[i64]) {
    let times: Vec<u64> = times.iter().map(|time| time.cast_unsigned()).collect();
    numbers::encode(&times, out);
}

/// Reads `count` of them back.
pub(super) fn times(parts: &mut Parts<'_>, count: usize) -> Result<Vec<i64>, Damaged> {
    let times = numbers::decode(parts, count)?;
    Ok(times.into_iter().map(u64::cast_signed).collect())
}

/// Names beyond those that the daemon knows, in one batch. A sender can make names up, and each
/// costs a column in memory and a chunk on disk.
const MAX_NAMES: usize = 1000;

/// About what a column takes beside its values.
const COLUMN_BYTES: usize = 256;

/// Names whose columns are kept for the next batch.
const KEPT_NAMES: usize = 64;
