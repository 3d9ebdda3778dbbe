//! A set of rows of one block, small on disk and in memory.

use roaring::RoaringBitmap;

use super::bytes::Damaged;

/// Rows, by their number in a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowSet(RoaringBitmap);

impl RowSet {
    /// Adds a row.
    pub fn insert(&mut self, row: u32) {
        self.0.insert(row);
    }

    /// Adds the rows of `other`.
    pub fn union(&mut self, other: &Self) {
        self.0 |= &other.0;
    }

    /// Whether a row is in it.
    pub fn contains(&self, row: u32) -> bool {
        self.0.contains(row)
    }

    /// How many rows.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how much memory it takes, in bytes.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.0.serialized_size()
    }

    /// The rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter()
    }

    /// As it lies on disk: format, then the portable form of roaring bitmaps.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        self.0.serialize_into(&mut bytes).expect("memory takes what is written");
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        let (format, bytes) = bytes.split_first().ok_or(Damaged("a set of rows"))?;
        if *format != FORMAT {
            return Err(Damaged("a set of rows of this format"));
        }
        RoaringBitmap::deserialize_from(bytes).map(Self).map_err(|_| Damaged("a set of rows"))
    }
}

impl FromIterator<u32> for RowSet {
    fn from_iter<I: IntoIterator<Item = u32>>(rows: I) -> Self {
        let mut rows: RoaringBitmap = rows.into_iter().collect();
        rows.optimize(); // rows that follow one another, often all of them, take next to nothing
        Self(rows)
    }
}

/// The first byte on disk.
const FORMAT: u8 = 1;
