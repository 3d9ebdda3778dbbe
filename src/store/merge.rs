//! Fewer, larger segments: small ones of a project and day are rewritten as one, and what nobody
//! adds to any more is compressed harder, once.
//!
//! A segment that was merged replaces its sources in one synced commit. Until then they are what
//! readers see; a merge that a crash or a deletion overtook leaves nothing but a file to remove.
//!
//! Why by size? Segments of like size are each rewritten a logarithmic number of times, whatever
//! the order in which they come. Why a bound? A segment is held in memory while it is written.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::deletes::Tombstones;
use super::recover::{LEVEL, catalog_row, segment_key};
use super::sealer::{OPEN_BYTES, Part, Sealer};
use super::segment::Segment;
use super::view::Source;
use super::{Error, Store, witness};
use crate::db::{Family, Write};
use crate::failpoint;

/// How much there should be to merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// So many small segments that they slow queries down.
    Pressing,
    /// A few segments of like size.
    Small,
    /// Also what is compressed for speed, of days that nobody writes to just now: compressed for
    /// size, once.
    Last,
}

/// Rows on their way from segments into larger ones.
#[derive(Debug)]
pub(super) struct Merger {
    /// What makes segments, and for which kind of merge. It holds memory as long as merges of the
    /// same kind follow.
    sealer: Option<(Kind, Sealer)>,
    /// Segments that could not be read, or of which merging makes no fewer: they stay as they are
    /// until the next start.
    left: HashSet<u64>,
    next_segment: Arc<AtomicU64>,
}

/// How much a merge may cost, and what it makes of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Little, while events arrive: what it writes is soon written anew.
    Quick,
    /// As much as a seal, and the shortest forms of columns.
    Short,
    /// What is compressed for size, once.
    Last,
}

/// Segments that will be one.
struct Due {
    segments: Vec<Arc<Segment>>,
    kind: Kind,
    /// Whether it is one that is written anew as it is, for its token map.
    mends: bool,
}

impl Merger {
    pub(super) fn new(next_segment: &Arc<AtomicU64>) -> Self {
        Self { sealer: None, left: HashSet::new(), next_segment: Arc::clone(next_segment) }
    }

    /// What makes segments of one kind; the memory of the others is given back first.
    fn sealer(&mut self, kind: Kind) -> &mut Sealer {
        if self.sealer.as_ref().is_none_or(|(own, _)| *own != kind) {
            self.sealer = None;
        }
        let next_segment = &self.next_segment;
        let make = || {
            let (level, open_bytes) = match kind {
                Kind::Quick => (LEVEL, OPEN_BYTES / 2),
                Kind::Short => (LEVEL, OPEN_BYTES),
                Kind::Last => (LAST_LEVEL, OPEN_BYTES),
            };
            let is_final = kind != Kind::Quick;
            (kind, Sealer::new(level, is_final, open_bytes, Arc::clone(next_segment)))
        };
        &mut self.sealer.get_or_insert_with(make).1
    }
}

impl Kind {
    /// That of a merge which takes its time, of segments that were compressed for size or not.
    fn of(is_last: bool) -> Self {
        if is_last { Self::Last } else { Self::Short }
    }
}

impl Store {
    /// Merges some segments, if any are due; says whether any were. `pace` is called after each
    /// block that was read, with about the bytes of its values, and after each that was written
    /// since, with none; it may wait, and end the merge.
    ///
    /// # Errors
    ///
    /// When a segment cannot be read, which is left alone from then on, or the disk does not take
    /// the new one; nothing has changed then.
    pub fn merge(
        &self,
        what: Merge,
        mut pace: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        let merger = &mut *self.merging.lock();
        let Some(due) = self.due(what, &merger.left) else {
            merger.sealer = None; // it holds as much as all of what is open at once
            return Ok(false);
        };
        let sealer = merger.sealer(due.kind);
        let deleted: Vec<_> = due.segments.iter().map(|old| self.tombstones_of(old.id)).collect();
        sealer.begin();
        for segment in &due.segments {
            let bytes = segment.raw_bytes / (segment.blocks.len() as u64).max(1);
            for number in 0..u32::try_from(segment.blocks.len()).unwrap_or(u32::MAX) {
                let source = Source::Block(Arc::clone(segment), number);
                match self.part(&source) {
                    Ok(part) => sealer.add_part(&part),
                    Err(error) => {
                        merger.left.insert(segment.id);
                        return Err(error);
                    }
                }
                if pace(bytes).is_break() {
                    return Ok(false);
                }
            }
        }
        // What is still open is compressed a block at a time, too.
        while sealer.close_one() {
            if pace(0).is_break() {
                return Ok(false);
            }
        }
        let made = self.folder().and_then(|folder| sealer.finish(&self.db, &folder))?;
        failpoint::reached("merge-ingested");
        // To compress harder is worth a round of its own; to do what was done before is not.
        if due.mends {
            due.segments.iter().for_each(|segment| self.mended(segment.id));
        } else if made.len() >= due.segments.len()
            && (due.kind != Kind::Last || due.segments.iter().all(is_last))
        {
            merger.left.extend(made.iter().map(|segment| segment.id));
        }
        self.replace(&due.segments, &deleted, made)?;
        drop(due); // so that nobody holds them but readers
        self.drop_condemned()?;
        Ok(true)
    }

    /// All rows of a block.
    fn part(&self, source: &Source) -> Result<Part, Error> {
        let view = self.view(source)?;
        let columns = view.all_columns()?;
        let (head, ids) = view.last_head()?;
        Ok(Part { head, ids, columns, deleted: self.deleted(source) })
    }

    /// Puts segments in the place of others, for good and for readers; unless one of those is gone
    /// meanwhile, and its rows with it, or has rows that were `deleted` since.
    fn replace(
        &self,
        old: &[Arc<Segment>],
        deleted: &[Option<Arc<Tombstones>>],
        made: Vec<Segment>,
    ) -> Result<(), Error> {
        let _nothing_else_changes = self.sealing.lock();
        let made: Vec<_> = made.into_iter().map(Arc::new).collect();
        let is_there = |segment: &Arc<Segment>| {
            let current = self.state.read().segments.get(&segment.id).cloned();
            current.is_some_and(|current| Arc::ptr_eq(&current, segment))
        };
        let now = old.iter().map(|segment| self.tombstones_of(segment.id));
        if !now.eq(deleted.iter().cloned()) || !old.iter().all(is_there) {
            self.state.write().condemned.extend(made);
            return Ok(());
        }
        let mut write = Write::default();
        for segment in &made {
            write.put(Family::Catalog, segment_key(segment.id), catalog_row(segment)?);
        }
        for segment in old {
            write.delete(Family::Catalog, segment_key(segment.id));
            self.forget_marks(segment, &mut write);
        }
        write.remark(witness::merged(old, &made));
        self.db.commit(&write)?;
        failpoint::reached("merge-committed");
        let mut state = self.state.write();
        old.iter().for_each(|segment| drop(state.segments.remove(&segment.id)));
        state.segments.extend(made.into_iter().map(|segment| (segment.id, segment)));
        state.condemned.extend(old.iter().cloned());
        Ok(())
    }

    /// The segments that had best be merged next.
    fn due(&self, what: Merge, left: &HashSet<u64>) -> Option<Due> {
        let mut days: BTreeMap<(Arc<str>, i64), Vec<Arc<Segment>>> = BTreeMap::new();
        let damaged: HashSet<u64> = self.quarantined().iter().map(|of| of.segment).collect();
        for segment in self.state.read().segments.values() {
            if !left.contains(&segment.id) && !damaged.contains(&segment.id) {
                let day = days.entry((Arc::clone(&segment.project), segment.day)).or_default();
                day.push(Arc::clone(segment));
            }
        }
        let may = |id: u64| !left.contains(&id) && !damaged.contains(&id);
        if what != Merge::Pressing
            && let Some(segment) = self.to_mend(may)
        {
            let kind = Kind::of(is_last(&segment));
            return Some(Due { segments: vec![segment], kind, mends: true });
        }
        let alike = days.values().find_map(|segments| alike(segments, what));
        alike.or_else(|| {
            let newest = days.keys().map(|(_, day)| *day).max();
            let settled = days.iter().find_map(|((_, day), segments)| {
                let is_past = Some(*day) < newest;
                last(segments, is_past).or_else(|| rest(segments).filter(|_| is_past))
            });
            settled.filter(|_| what == Merge::Last)
        })
    }
}

/// Segments of like size, the oldest of them first, if there are many.
fn alike(segments: &[Arc<Segment>], what: Merge) -> Option<Due> {
    let is_pressing = what == Merge::Pressing;
    let (many, most) =
        if is_pressing { (PRESSING, MAX_BYTES_PRESSING) } else { (FAN_IN, MAX_BYTES) };
    let mut tiers: BTreeMap<(bool, u32), Vec<Arc<Segment>>> = BTreeMap::new();
    for segment in segments.iter().filter(|segment| segment.stored_bytes < most / 2) {
        let tier = (segment.raw_bytes / LEAST_TIER).max(1).ilog(FAN_IN as u64);
        tiers.entry((is_last(segment), tier)).or_default().push(Arc::clone(segment));
    }
    let ((is_last, _), tier) = tiers.into_iter().find(|(_, tier)| tier.len() >= many)?;
    let kind = if is_pressing && !is_last { Kind::Quick } else { Kind::of(is_last) };
    Some(Due { segments: that_fit(tier, most), kind, mends: false })
}

/// Segments that are compressed for speed, if they are worth another round: by their size, or
/// because they are much beside what has had its round. So small days settle too, and yet seldom:
/// what is rewritten grows with what is there.
fn last(segments: &[Arc<Segment>], is_past: bool) -> Option<Due> {
    let (done, left): (Vec<_>, Vec<_>) = segments.iter().cloned().partition(is_last);
    let stored: u64 = left.iter().map(|segment| segment.stored_bytes).sum();
    let raw = |of: &[Arc<Segment>]| of.iter().map(|segment| segment.raw_bytes).sum::<u64>();
    let is_much = raw(&left).saturating_mul(MUCH) >= raw(&done).max(1);
    let is_worth_it = stored >= WORTH || is_much && (is_past || raw(&left) >= LEAST_WORTH);
    is_worth_it.then(|| Due { segments: that_fit(left, MAX_BYTES), kind: Kind::Last, mends: false })
}

/// Segments of a day that is past, the smallest first, if there are many of which none is far
/// larger than all before it together.
fn rest(segments: &[Arc<Segment>]) -> Option<Due> {
    let mut small: Vec<_> =
        segments.iter().filter(|s| s.stored_bytes < MAX_BYTES / 2).cloned().collect();
    small.sort_unstable_by_key(|segment| segment.raw_bytes);
    let (mut run, mut bytes) = (Vec::new(), 0_u64);
    for segment in small {
        if segment.raw_bytes > bytes.saturating_mul(FAN_IN as u64) && !run.is_empty() {
            if run.len() >= FAN_IN {
                break;
            }
            run.clear();
            bytes = 0;
        }
        bytes += segment.raw_bytes;
        run.push(segment);
    }
    (run.len() >= FAN_IN).then(|| Due {
        segments: that_fit(run, MAX_BYTES),
        kind: Kind::Last,
        mends: false,
    })
}

/// As many of the first as fit into one segment of `most` bytes, at least one.
fn that_fit(mut segments: Vec<Arc<Segment>>, most: u64) -> Vec<Arc<Segment>> {
    let mut bytes = 0;
    let fit = segments.iter().take_while(|segment| {
        bytes += segment.stored_bytes;
        bytes <= most
    });
    let fit = fit.count().clamp(1, MAX_FAN_IN);
    segments.truncate(fit);
    segments
}

fn is_last(segment: &Arc<Segment>) -> bool {
    segment.level >= LAST_LEVEL
}

/// Segments of like size are merged once there are so many.
const FAN_IN: usize = 4;

/// Segments that are merged at once.
const MAX_FAN_IN: usize = 32;

/// While events arrive without a pause, so many of like size are left to lie.
const PRESSING: usize = 128;

/// Bytes of values below which all segments are of like size. Of values, because many small events
/// take hardly more room on disk than few; and not many, because what is of like size as what it
/// became is rewritten with each new segment.
const LEAST_TIER: u64 = 4 << 10;

/// Bytes on disk of a merged segment: it is held in memory while it is made.
const MAX_BYTES: u64 = 32 << 20;

/// The same while events arrive without a pause, and memory is needed for them.
const MAX_BYTES_PRESSING: u64 = 16 << 20;

/// Bytes on disk that are worth to be compressed harder.
const WORTH: u64 = 1 << 20;

/// Bytes of values that are worth it on a day that has not much more.
const LEAST_WORTH: u64 = 64 << 10;

/// Values are much when they are one in so many of those that were compressed harder before.
const MUCH: u64 = 8;

/// zstd's level for what stays: smaller than at the first, for many times the work.
const LAST_LEVEL: i32 = 15;
