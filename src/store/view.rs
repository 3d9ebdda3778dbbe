//! A batch or block opened for reading: only the columns that are asked for are read.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use super::bytes::Damaged;
use super::chunk::Unpacker;
use super::column::Column;
use super::origin::{Origin, Run};
use super::rows::Head;
use super::segment::{Block, ChunkAt, Segment, decode_head};
use super::staged::{Opened, Staged};
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
    head: OnceCell<RowHead>,
    columns: Columns,
    unpacker: RefCell<Unpacker>,
}

/// What every row of a source has: a time, an id, an origin.
#[derive(Debug)]
pub struct RowHead {
    head: Head,
    ids: Vec<i64>,
}

#[derive(Debug)]
enum Columns {
    Staged(Opened),
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
        let mut unpacker = Unpacker::new();
        let (head, rows, columns) = match source {
            Source::Staged(staged) => {
                let opened = Opened::open(&staged.chunk, &mut unpacker)?;
                let first = staged.first_id.cast_signed();
                let ids = (first..).take(opened.head.times.len()).collect();
                let rows = u32::try_from(opened.head.times.len()).unwrap_or(u32::MAX);
                let head = RowHead { head: opened.head.clone(), ids };
                (OnceCell::from(head), rows, Columns::Staged(opened))
            }
            Source::Block(segment, number) => {
                let rows = source.block().map_or(0, |(_, block)| block.rows);
                (OnceCell::new(), rows, Columns::Block(Arc::clone(segment), *number))
            }
        };
        Ok(Self { store, rows, head, columns, unpacker: RefCell::new(unpacker) })
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
            let chunk = self.store.chunk(segment.id, ChunkAt::head(*block))?;
            let (head, ids) = decode_head(&self.unpacker.borrow_mut().unpack(&chunk)?)?;
            if head.times.len() != self.rows as usize {
                return Err(Damaged("a head of as many rows as the catalog says").into());
            }
            drop(self.head.set(RowHead { head, ids }));
        }
        Ok(self.head.get().expect("of a batch it is there, of a block it was just read"))
    }

    /// What every row has, and the ids, for who keeps them.
    pub(super) fn into_head(self) -> Result<(Head, Vec<i64>), Error> {
        self.head()?;
        let RowHead { head, ids } = self.head.into_inner().expect("it was just read");
        Ok((head, ids))
    }

    /// The names of all columns.
    pub fn names(&self) -> Vec<&str> {
        match &self.columns {
            Columns::Staged(opened) => opened.names().collect(),
            Columns::Block(segment, block) => {
                let block = segment.blocks.get(*block as usize);
                let columns = block.into_iter().flat_map(|block| &block.columns);
                columns.filter_map(|c| Some(&**segment.names.get(usize::from(c.name))?)).collect()
            }
        }
    }

    /// Reads a column, if any row has a value in it.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is damaged.
    pub fn column(&self, name: &str) -> Result<Option<Column>, Error> {
        self.read_column(name).inspect_err(|error| self.report(error))
    }

    /// Sets the block aside, where an error is of damage.
    fn report(&self, error: &Error) {
        if let Columns::Block(segment, block) = &self.columns {
            self.store.report_damage(segment.id, Some(*block), error);
        }
    }

    fn read_column(&self, name: &str) -> Result<Option<Column>, Error> {
        match &self.columns {
            Columns::Staged(opened) => Ok(opened.column(name)?),
            Columns::Block(segment, number) => {
                let place = segment.names.iter().position(|other| **other == *name);
                let place = place.and_then(|place| u16::try_from(place).ok());
                let block = segment.blocks.get(*number as usize);
                let Some(place) = place.filter(|p| block.is_some_and(|b| b.column(*p).is_some()))
                else {
                    return Ok(None);
                };
                let chunk = self.store.chunk(segment.id, ChunkAt::column(place, *number))?;
                let payload = self.unpacker.borrow_mut().unpack(&chunk)?;
                Ok(Some(Column::decode(payload.parts())?))
            }
        }
    }
}

impl RowHead {
    /// The time of each row, in microseconds since the epoch.
    pub fn times(&self) -> &[i64] {
        &self.head.times
    }

    /// The id of each row: unique in the store, in the order of commits.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// Which rows came from where.
    pub fn runs(&self) -> &[Run] {
        &self.head.runs
    }

    /// The origin of a run.
    pub fn origin(&self, run: Run) -> Option<&Arc<Origin>> {
        self.head.origins.get(run.origin as usize)
    }
}

impl Store {
    /// The blocks of `segment` that may hold the word of `token`.
    ///
    /// # Errors
    ///
    /// When its token map cannot be read, or is damaged.
    pub fn blocks_with(&self, segment: &Segment, token: Token) -> Result<BlockSet, Error> {
        let at = ChunkAt::bucket(segment.tokens.bucket_of(token));
        Ok(segment.tokens.lookup(&self.chunk(segment.id, at)?, token)?)
    }

    fn chunk(&self, segment: u64, at: ChunkAt) -> Result<Vec<u8>, Error> {
        let chunk = self.db.get(Family::Segments, &Segment::key(segment, at))?;
        chunk.ok_or(Error::ChunkMissing { segment })
    }
}
