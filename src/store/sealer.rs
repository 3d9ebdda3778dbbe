//! Turns rows of staged batches, or of blocks that are merged, into blocks: rows of one project, day
//! and service go together, because like senders compress well (mixing services costs a third). What
//! comes so fast that a batch is nearly a block by itself becomes one as it is, until it is merged.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashMap;
use tracing::warn;

use super::Error;
use super::bytes::Damaged;
use super::chunk::Unpacker;
use super::column::{Column, Layout, Taking};
use super::digest::Digest;
use super::origin::Origin;
use super::row_set::RowSet;
use super::rows::{Head, Rows};
use super::segment::{Builder, Segment, Tools};
use super::services::{Service, Services};
use super::staged::{Opened, Staged, WHOLE_BYTES, span};
use super::witness::Witness;
use crate::db::Db;
use crate::failpoint;
use crate::time::DAY;

/// Rows on their way from staged batches into segments.
#[derive(Debug)]
pub(super) struct Sealer {
    tools: Tools,
    unpacker: Unpacker,
    /// Origins that are equal become one.
    origins: FxHashMap<Origin, Arc<Origin>>,
    groups: Vec<Group>,
    segments: Vec<Builder>,
    /// The number that the next segment will have, whoever makes it.
    next_segment: Arc<AtomicU64>,
    level: i32,
    open_bytes: usize,
    taking: Taking,
}

/// Rows that are to be taken in, with all their columns.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) head: Head,
    pub(super) ids: Vec<i64>,
    pub(super) columns: Vec<(Box<str>, Column)>,
    /// Rows that are left out.
    pub(super) deleted: Option<Arc<RowSet>>,
}

/// Rows that will be a block.
#[derive(Debug)]
struct Group {
    project: Arc<str>,
    day: i64,
    service: Box<[u8]>,
    rows: Rows,
    ids: Vec<i64>,
    /// Whether this seal has rows for it.
    used: bool,
}

/// Rows of a part that go into one group, and the number that the first of them has there; the
/// others follow it.
struct Placed {
    group: usize,
    first: u32,
    rows: Vec<u32>,
}

impl Sealer {
    /// A sealer that holds nothing, and compresses at zstd's `level`; whether to find the shortest
    /// forms of columns as well is for `is_final` to say. All its open blocks together take no more
    /// than `open_bytes`.
    pub(super) fn new(
        level: i32,
        is_final: bool,
        open_bytes: usize,
        next_segment: Arc<AtomicU64>,
    ) -> Self {
        Self {
            tools: Tools::new(level, is_final),
            unpacker: Unpacker::new(),
            origins: FxHashMap::default(),
            groups: Vec::new(),
            segments: Vec::new(),
            next_segment,
            level,
            open_bytes,
            taking: Taking::new(is_final),
        }
    }

    /// Begins anew. What a failed seal left is forgotten, and so are groups that the last seal had
    /// no rows for.
    pub(super) fn begin(&mut self) {
        self.segments.clear();
        self.origins.clear();
        self.groups.retain(|group| group.used);
        for group in &mut self.groups {
            group.rows.clear();
            group.ids.clear();
            group.used = false;
        }
    }

    /// Takes in the rows of a staged batch.
    pub(super) fn add(&mut self, staged: &Staged) -> Result<(), Damaged> {
        let batch = Opened::open(&staged.chunk, &mut self.unpacker)?;
        let all_of = all_of(&batch.head).filter(|_| batch.raw_bytes >= WHOLE_BYTES);
        let digest = all_of.as_ref().and_then(|_| staged.take_digest());
        // Everything is read before anything is taken in: a damaged batch leaves no half of it.
        let columns =
            if digest.is_some() { Vec::new() } else { batch.columns(&mut self.unpacker)? };
        if let Some((project, day)) = all_of {
            let digest = digest.unwrap_or_else(|| {
                let origins = batch.head.origins.iter().map(|origin| &**origin);
                let columns = columns.iter().map(|(name, column)| (&**name, column));
                Digest::of(origins, columns, &mut self.tools.words)
            });
            let (segments, next) = (&mut self.segments, &self.next_segment);
            let builder = open_builder(segments, next, self.level, &project, day);
            builder.add_written(&batch, digest, &mut self.tools);
            return Ok(());
        }
        let ids = batch.ids();
        self.add_part(&Part { columns, head: batch.head, ids, deleted: None });
        Ok(())
    }

    /// Takes in rows.
    pub(super) fn add_part(&mut self, part: &Part) {
        let Part { columns, .. } = part;
        let placed = self.place(part);
        for (name, column) in columns {
            self.copy(name, column, part.head.times.len(), &placed);
        }
        self.close_groups(|group| group.rows.bytes() >= BLOCK_BYTES || group.rows.is_full());
        while self.groups.iter().map(|group| group.rows.bytes()).sum::<usize>() > self.open_bytes {
            let largest = self.groups.iter().map(|group| group.rows.bytes()).max().unwrap_or(0);
            self.close_groups(|group| group.rows.bytes() == largest);
        }
    }

    /// Encodes one of the blocks that are open, if there are any.
    pub(super) fn close_one(&mut self) -> bool {
        let mut is_open = false;
        self.close_groups(|_| !std::mem::replace(&mut is_open, true));
        is_open
    }

    /// Writes all segments into files in `folder` and brings them into `db`. They are not yet
    /// seen: that is for the catalog. Only memory is left for the next time; and of segments of
    /// which some could not be written, nothing, as the next try makes all of them anew.
    pub(super) fn finish(&mut self, db: &Db, folder: &Path) -> Result<Vec<Segment>, Error> {
        self.close_groups(|_| true);
        self.origins.clear();
        let mut sealed: Vec<Segment> = Vec::new();
        for builder in self.segments.drain(..) {
            let (mut segment, chunks) = builder.finish();
            let mut witness = Witness::default();
            for (at, chunk) in &chunks {
                witness.add(&Segment::key(segment.id, *at), chunk);
            }
            segment.hash = Some(witness.finish());
            let chunks = chunks.iter().map(|(at, chunk)| (Segment::key(segment.id, *at), chunk));
            if let Err(error) = db.ingest(&folder.join(format!("{:016x}.sst", segment.id)), chunks)
            {
                sealed.iter().for_each(|segment| take_out(db, segment.id));
                return Err(error.into());
            }
            failpoint::reached("segment-ingested");
            sealed.push(segment);
        }
        Ok(sealed)
    }

    /// Finds or makes the group of each row of `part`, and gives the row its place there.
    fn place(&mut self, part: &Part) -> Vec<Placed> {
        let services = Services::of(part);
        let origins: Vec<Arc<Origin>> =
            part.head.origins.iter().map(|origin| self.intern(origin)).collect();
        let mut numbers: FxHashMap<(usize, i64, Service<'_>), usize> = FxHashMap::default();
        // Of the project and day of the row before.
        let mut last = (0, i64::MIN);
        let mut by_code = [None; Services::CODES];
        let mut placed: Vec<Placed> = Vec::new();
        let mut row = 0_u32;
        for run in &part.head.runs {
            let Some(origin) = origins.get(run.origin as usize) else { continue };
            let project = origin.project.as_ptr().addr();
            let received_day = run.received_at.div_euclid(DAY);
            for row in row..row.saturating_add(run.rows) {
                if part.deleted.as_ref().is_some_and(|deleted| deleted.contains(row)) {
                    continue;
                }
                let time = part.head.times.get(row as usize).copied().unwrap_or(run.received_at);
                let day = day_kept_by(time.div_euclid(DAY), received_day);
                if last != (project, day) {
                    (last, by_code) = ((project, day), [None; Services::CODES]);
                }
                let service = services.at(row);
                let known = service.code().and_then(|code| by_code.get(code).copied().flatten());
                let number = known.unwrap_or_else(|| {
                    *numbers.entry((project, day, service)).or_insert_with(|| {
                        let group = self.group(&origin.project, day, services.name(service));
                        // Services may share a group.
                        let known = placed.iter().position(|placed| placed.group == group);
                        known.unwrap_or_else(|| {
                            placed.push(self.begin_group(group));
                            placed.len() - 1
                        })
                    })
                });
                if let Some(known) = service.code().and_then(|code| by_code.get_mut(code)) {
                    *known = Some(number);
                }
                let to = placed.get_mut(number).expect("made or found");
                to.rows.push(row);
                let group = self.groups.get_mut(to.group).expect("made or found");
                group.rows.begin(origin, run.received_at);
                group.rows.add_row(time);
                group.ids.push(part.ids.get(row as usize).copied().unwrap_or_default());
            }
            row = row.saturating_add(run.rows);
        }
        placed
    }

    /// Where the next rows go in a group.
    fn begin_group(&mut self, number: usize) -> Placed {
        let group = self.groups.get_mut(number).expect("made or found");
        group.used = true;
        let first = u32::try_from(group.rows.len()).expect("a block is closed long before");
        Placed { group: number, first, rows: Vec::new() }
    }

    /// Copies a column's values to where their rows went. Only groups that get one have the column.
    fn copy(&mut self, name: &str, column: &Column, rows: usize, placed: &[Placed]) {
        let layout = Layout::of(column, rows);
        for Placed { group, first, rows } in placed {
            let group = self.groups.get_mut(*group).expect("made or found");
            if layout.has_any(rows) {
                let own = group.rows.column_mut(name);
                let bytes = own.take(*first, &layout, rows, &mut self.taking);
                group.rows.grew(bytes + rows.len());
            }
        }
    }

    fn intern(&mut self, origin: &Arc<Origin>) -> Arc<Origin> {
        if let Some(known) = self.origins.get(&**origin) {
            return Arc::clone(known);
        }
        // One allocation for each project, so that its address stands for it.
        let project = self.origins.values().find(|known| known.project == origin.project);
        let project = project.map_or_else(|| origin.project.clone(), |known| known.project.clone());
        let own = Arc::new(Origin { project, ..(**origin).clone() });
        self.origins.insert((*own).clone(), Arc::clone(&own));
        own
    }

    /// The number of a group; services past the bound share one.
    fn group(&mut self, project: &Arc<str>, day: i64, service: &[u8]) -> usize {
        let same = |group: &Group, service: &[u8]| {
            group.day == day && group.project == *project && *group.service == *service
        };
        let known = self.groups.iter().position(|group| same(group, service));
        // Those that an earlier seal left, or a merge of another project, take no room from it.
        let used = self.groups.iter().filter(|group| group.used).count();
        let service = if used < MAX_GROUPS { service } else { b"" };
        let found = known.or_else(|| self.groups.iter().position(|group| same(group, service)));
        found.unwrap_or_else(|| {
            self.groups.push(Group {
                project: Arc::clone(project),
                day,
                service: service.into(),
                rows: Rows::default(),
                ids: Vec::new(),
                used: false,
            });
            self.groups.len() - 1
        })
    }

    /// Encodes the groups that `due` says as blocks, and empties them.
    fn close_groups(&mut self, mut due: impl FnMut(&Group) -> bool) {
        for group in &mut self.groups {
            if group.rows.is_empty() || !due(group) {
                continue;
            }
            let (segments, next) = (&mut self.segments, &self.next_segment);
            let builder = open_builder(segments, next, self.level, &group.project, group.day);
            builder.add(&group.rows, &group.ids, &mut self.tools);
            group.rows.clear();
            group.ids.clear();
        }
    }
}

/// The segment that is being made for a project and day, if one has room, or else a new one.
fn open_builder<'s>(
    segments: &'s mut Vec<Builder>,
    next_segment: &AtomicU64,
    level: i32,
    project: &Arc<str>,
    day: i64,
) -> &'s mut Builder {
    let is_open = |builder: &Builder| {
        let segment = &builder.segment;
        segment.project == *project && segment.day == day && !builder.too_wide()
    };
    let open = segments.iter().position(is_open).unwrap_or_else(|| {
        let id = next_segment.fetch_add(1, Ordering::Relaxed);
        segments.push(Builder::new(id, Arc::clone(project), day, level));
        segments.len() - 1
    });
    segments.get_mut(open).expect("found or pushed")
}

/// The project and the day of all rows, if they share both.
fn all_of(head: &Head) -> Option<(Arc<str>, i64)> {
    let project = &head.origins.first()?.project;
    let (first, last) = span(&head.times);
    let day = first.div_euclid(DAY);
    let is_kept_by = |received: i64| day_kept_by(day, received.div_euclid(DAY)) == day;
    let is_one = last.div_euclid(DAY) == day
        && head.origins.iter().all(|origin| origin.project == *project)
        && head.runs.iter().all(|run| is_kept_by(run.received_at));
    is_one.then(|| (Arc::clone(project), day))
}

/// Removes a segment that no catalog row will name.
fn take_out(db: &Db, id: u64) {
    if let Err(error) = db.drop_segments(&id.to_be_bytes(), &(id + 1).to_be_bytes()) {
        warn!(segment = id, %error, "a segment that is not needed stays until the next start");
    }
}

/// The day that a row is kept by: its own, unless its sender's clock is so far off that days
/// without number would be opened; then the day it was received.
fn day_kept_by(day: i64, received: i64) -> i64 {
    if (received - DAYS_LATE..=received + DAYS_EARLY).contains(&day) { day } else { received }
}

/// Days that an event may be late and still be kept by its own day.
pub(super) const DAYS_LATE: i64 = 7;

/// Days that it may be ahead.
pub(super) const DAYS_EARLY: i64 = 1;

/// A block is closed once its values take this much.
const BLOCK_BYTES: usize = 2 << 20;

/// Bytes of values that all open blocks together may take.
pub(super) const OPEN_BYTES: usize = 16 << 20;

/// Groups that may be open at once, for each seal.
const MAX_GROUPS: usize = 128;

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::super::tests::{all, batch, open, origin};
    use super::*;
    use crate::event::Event;

    /// The rows of each block, by segment.
    fn blocks(store: &Store) -> Vec<Vec<u32>> {
        let rows = |segment: &Arc<Segment>| segment.blocks.iter().map(|block| block.rows).collect();
        store.state.read().segments.values().map(rows).collect()
    }

    #[test]
    fn a_large_batch_becomes_a_block_as_it_is_unless_its_rows_belong_apart() {
        let (a, b) = (origin("a"), origin("b"));
        let mut of_two = batch(&a, 0..200, 0);
        of_two.begin(&b, 0);
        of_two.push(&Event::default());
        // The batch, and the rows of the blocks of each segment that it becomes.
        let table: [(Rows, &[&[u32]]); 5] = [
            (batch(&a, 0..300, 0), &[&[300]]),
            (batch(&a, 0..30, 0), &[&[10, 10, 10]]),
            (batch(&a, DAY - 150..DAY + 150, 0), &[&[50, 50, 50], &[50, 50, 50]]),
            (batch(&a, 0..300, 20 * DAY), &[&[100, 100, 100]]), // kept by the day of receipt
            (of_two, &[&[67, 67, 66], &[1]]),
        ];
        for (rows, want) in table {
            let folder = tempfile::tempdir().unwrap();
            let store = open(folder.path());
            store.stage([&rows]).unwrap();
            let staged = all(&store, "a");
            store.seal().unwrap();
            assert_eq!(blocks(&store), want);
            assert_eq!(all(&store, "a"), staged);
        }
    }
}
