//! A batch or block opened for reading: only the columns that are asked for are read.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use super::bytes::Damaged;
use super::cache::{Kept, What};
use super::chunk::Unpacker;
use super::column::{Column, Parts, Payload};
use super::head::RowHead;
use super::rows::{Head, times};
use super::segment::{Block, ChunkAt, Segment};
use super::staged::{Opened, Staged};
use super::timeline::Timeline;
use super::tokens::{BlockSet, Token};
use super::{Error, Store};
use crate::db::Family;

/// Something that holds rows: a staged batch, or a block of a segment.
#[derive(Clone, Debug)]
pub enum Source {
    /// Not sealed yet.
    Staged(Arc<Staged>),
    /// The block of that number in the segment.
    Block(Arc<Segment>, u32),
}

/// An opened [`Source`].
#[derive(Debug)]
pub struct View<'s> {
    store: &'s Store,
    rows: u32,
    /// Of a block: read when it is first asked for, as many questions need none of it.
    head: OnceCell<Arc<RowHead>>,
    columns: Columns,
}

#[derive(Debug)]
enum Columns {
    Staged(Box<Opened>),
    Block(Arc<Segment>, u32),
}

impl Source {
    /// The times of its earliest and latest row, in microseconds since the epoch.
    pub fn times(&self) -> (i64, i64) {
        match self {
            Self::Staged(staged) => staged.times,
            Self::Block(segment, _) => self.block().map_or(segment.times, |(_, block)| block.times),
        }
    }

    /// How many rows.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Staged(staged) => staged.rows as u64,
            Self::Block(..) => self.block().map_or(0, |(_, block)| u64::from(block.rows)),
        }
    }

    /// The least and the greatest id of its rows.
    pub fn ids(&self) -> (i64, i64) {
        match self {
            Self::Staged(staged) => {
                let first = staged.first_id.cast_signed();
                (first, first.saturating_add(i64::try_from(staged.rows).unwrap_or(i64::MAX)) - 1)
            }
            Self::Block(..) => self.block().map_or((i64::MAX, i64::MIN), |(_, block)| block.ids),
        }
    }

    /// What the catalog knows of it, where it is sealed.
    pub fn block(&self) -> Option<(&Segment, &Block)> {
        match self {
            Self::Staged(_) => None,
            Self::Block(segment, number) => Some((segment, segment.blocks.get(*number as usize)?)),
        }
    }
}

impl<'s> View<'s> {
    pub(super) fn open(store: &'s Store, source: &Source) -> Result<Self, Error> {
        let (head, rows, columns) = match source {
            Source::Staged(staged) => {
                let opened = with_unpacker(|unpacker| Opened::open(&staged.chunk, unpacker))?;
                let rows = u32::try_from(opened.head.times.len()).unwrap_or(u32::MAX);
                let head = RowHead::new(opened.head.clone(), opened.ids());
                (OnceCell::from(Arc::new(head)), rows, Columns::Staged(Box::new(opened)))
            }
            Source::Block(segment, number) => {
                let rows = source.block().map_or(0, |(_, block)| block.rows);
                (OnceCell::new(), rows, Columns::Block(Arc::clone(segment), *number))
            }
        };
        Ok(Self { store, rows, head, columns })
    }

    /// How many rows.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// What every row has. Of a block it is read when it is first asked for.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is damaged.
    pub fn head(&self) -> Result<&RowHead, Error> {
        self.read_head().inspect_err(|error| self.report(error))
    }

    fn read_head(&self) -> Result<&RowHead, Error> {
        if let (None, Columns::Block(segment, block)) = (self.head.get(), &self.columns) {
            let at = ChunkAt::head(*block);
            let head = match self.store.read.get(segment.id, at, What::Whole) {
                Some(Kept::Head(head)) => head,
                _ => {
                    let (head, ids) = self.decode_head(segment.id, at)?;
                    let head = Arc::new(RowHead::new(head, ids));
                    self.store.read.keep(segment.id, at, Kept::Head(Arc::clone(&head)));
                    head
                }
            };
            drop(self.head.set(head));
        }
        Ok(self.head.get().expect("of a batch it is there, of a block it was just read"))
    }

    fn decode_head(&self, segment: u64, at: ChunkAt) -> Result<(Head, Vec<i64>), Error> {
        let payload = unpack(&self.store.chunk(segment, at)?)?;
        let mut parts = payload.parts();
        let head = self.decode_rows(&mut parts)?;
        let ids = times(&mut parts, head.times.len())?;
        Ok((head, ids))
    }

    /// What stands before the ids.
    fn decode_rows(&self, parts: &mut Parts<'_>) -> Result<Head, Error> {
        let head = Head::decode(parts)?;
        match head.times.len() == self.rows as usize {
            true => Ok(head),
            false => Err(Damaged("a head of as many rows as the catalog says").into()),
        }
    }

    /// When its rows are, of a block; a staged batch is not worth keeping it.
    ///
    /// # Errors
    ///
    /// As [`head`](Self::head).
    pub fn timeline(&self) -> Result<Option<Arc<Timeline>>, Error> {
        let Columns::Block(segment, number) = &self.columns else { return Ok(None) };
        let Some(block) = segment.blocks.get(*number as usize) else { return Ok(None) };
        let at = ChunkAt::head(*number);
        if let Some(Kept::Timeline(timeline)) = self.store.read.get(segment.id, at, What::Timeline)
        {
            return Ok(Some(timeline));
        }
        let read = || {
            let payload = unpack(&self.store.chunk(segment.id, at)?)?;
            let head = self.decode_rows(&mut payload.parts())?;
            Ok(Arc::new(Timeline::of(&head.times, Timeline::step(block.times))))
        };
        let timeline = read().inspect_err(|error| self.report(error))?;
        self.store.read.keep(segment.id, at, Kept::Timeline(Arc::clone(&timeline)));
        Ok(Some(timeline))
    }

    /// What every row has, and the ids, of a block that will not be read again.
    pub(super) fn last_head(&self) -> Result<(Head, Vec<i64>), Error> {
        let head = match &self.columns {
            Columns::Block(segment, block) => self.decode_head(segment.id, ChunkAt::head(*block)),
            Columns::Staged(opened) => Ok((opened.head.clone(), opened.ids())),
        };
        head.inspect_err(|error| self.report(error))
    }

    /// The names of all columns.
    pub fn names(&self) -> Vec<&str> {
        match &self.columns {
            Columns::Staged(opened) => opened.names().collect(),
            Columns::Block(segment, block) => {
                let block = segment.blocks.get(*block as usize);
                let columns = block.into_iter().flat_map(|block| block.columns.iter());
                columns.filter_map(|c| Some(&**segment.names.get(usize::from(c.name))?)).collect()
            }
        }
    }

    /// Reads a column, if any row has a value in it. It may have been read before.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is damaged.
    pub fn column(&self, name: &str) -> Result<Option<Arc<Column>>, Error> {
        let kept = self.place(name).and_then(|(segment, at)| {
            self.store.read.get(segment, at, What::Whole).map(|kept| (segment, at, kept))
        });
        if let Some((.., Kept::Column(column))) = kept {
            return Ok(Some(column));
        }
        let column = self.open_column(name).inspect_err(|error| self.report(error))?;
        let column = column.map(Arc::new);
        if let Some((column, (segment, at))) = column.as_ref().zip(self.place(name)) {
            self.store.read.keep(segment, at, Kept::Column(Arc::clone(column)));
        }
        Ok(column)
    }

    /// Where a column of a block is, if any row has a value in it.
    fn place(&self, name: &str) -> Option<(u64, ChunkAt)> {
        let Columns::Block(segment, number) = &self.columns else { return None };
        let place = segment.names.iter().position(|other| **other == *name)?;
        let place = u16::try_from(place).ok()?;
        segment.blocks.get(*number as usize)?.columns.get(place)?;
        Some((segment.id, ChunkAt::column(place, *number)))
    }

    /// Reads all columns, that will not be read again: in time that does not depend on how many
    /// names the segment has.
    pub(super) fn all_columns(&self) -> Result<Vec<(Box<str>, Column)>, Error> {
        let Columns::Block(segment, number) = &self.columns else {
            let column = |name: &str| Some((name.into(), self.open_column(name).transpose()?));
            let columns = self.names().into_iter().filter_map(column);
            return columns.map(|(name, column)| Ok((name, column?))).collect();
        };
        let block = segment.blocks.get(*number as usize);
        let columns = block.into_iter().flat_map(|block| block.columns.iter());
        let named =
            columns.filter_map(|c| Some((c.name, &**segment.names.get(usize::from(c.name))?)));
        let read = |(place, name): (u16, &str)| {
            let column = self.read_chunk(segment.id, ChunkAt::column(place, *number));
            Ok((name.into(), column.inspect_err(|error| self.report(error))?))
        };
        named.map(read).collect()
    }

    fn read_chunk(&self, segment: u64, at: ChunkAt) -> Result<Column, Error> {
        let payload = unpack(&self.store.chunk(segment, at)?)?;
        Ok(Column::decode(payload.parts())?)
    }

    /// Sets the block aside, where an error is of damage.
    fn report(&self, error: &Error) {
        if let Columns::Block(segment, block) = &self.columns {
            self.store.report_damage(segment.id, Some(*block), error);
        }
    }

    /// Reads a column to be looked at.
    fn open_column(&self, name: &str) -> Result<Option<Column>, Error> {
        match &self.columns {
            Columns::Staged(opened) => Ok(with_unpacker(|unpacker| opened.column(name, unpacker))?),
            Columns::Block(..) => {
                let Some((segment, at)) = self.place(name) else { return Ok(None) };
                Ok(Some(Column::open(unpack(&self.store.chunk(segment, at)?)?)?))
            }
        }
    }
}

impl Store {
    /// The blocks of `segment` that may hold the word of `token`.
    ///
    /// # Errors
    ///
    /// When its token map cannot be read, or is damaged; then it is soon made anew.
    pub fn blocks_with(&self, segment: &Segment, token: Token) -> Result<BlockSet, Error> {
        let at = ChunkAt::bucket(segment.tokens.bucket_of(token));
        let bucket = self.chunk(segment.id, at);
        let found = bucket.and_then(|bucket| Ok(segment.tokens.lookup(&bucket, token)?));
        found.inspect_err(|error| self.mend_tokens(segment.id, error))
    }

    fn chunk(&self, segment: u64, at: ChunkAt) -> Result<Vec<u8>, Error> {
        let chunk = self.db.get(Family::Segments, &Segment::key(segment, at))?;
        chunk.ok_or(Error::ChunkMissing { segment })
    }
}

fn unpack(chunk: &[u8]) -> Result<Payload, Damaged> {
    with_unpacker(|unpacker| unpacker.unpack(chunk))
}

fn with_unpacker<T>(then: impl FnOnce(&mut Unpacker) -> T) -> T {
    UNPACKER.with_borrow_mut(|unpacker| then(unpacker.get_or_insert_with(Unpacker::new)))
}

thread_local! {
    /// Made when the thread first reads: what zstd needs is large, and the same for all chunks.
    static UNPACKER: RefCell<Option<Unpacker>> = const { RefCell::new(None) };
}
