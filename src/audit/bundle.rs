//! A part of the log as one file that proves itself: a tar of plain files.
//!
//! | file                      | content                                                        |
//! |---------------------------|----------------------------------------------------------------|
//! | `bundle.json`             | origin, `from` and `to` (numbers of entries, the last not in it), the hash of the entry before, and the roots of the whole trees that the entries before are made of |
//! | `keys`                    | public keys that ever signed, one a line                       |
//! | `checkpoints/SIZE`        | signed notes; the last is of `to` entries                      |
//! | `consistency/OLD.json`    | what proves that a checkpoint of `OLD` entries, fewer than `from`, is a beginning of this log |
//! | `entries/FIRST.ndjson`    | entries, one a line, exactly as they are hashed                |
//! | `hashes/FIRST`            | their hashes, 32 bytes each                                    |

use std::io::{self, Write};
use std::ops::{ControlFlow, Range};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tar::{Builder, Header};

use super::entry::Entry;
use super::tree::{Hash, Node, peaks};
use super::{Audit, AuditError, rows};
use crate::db::Family;
use crate::time::Timestamp;

/// What is in a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The earliest time of an entry; all from the beginning without it.
    pub from: Option<Timestamp>,
    /// The last time of an entry; all to the end without it.
    pub to: Option<Timestamp>,
    /// The entries of a checkpoint that somebody kept, to be proven to be a beginning of this log.
    pub anchor: Option<u64>,
}

/// What `bundle.json` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) format: u32,
    pub(super) origin: String,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) previous: String,
    pub(super) start: Vec<String>,
}

impl Audit {
    /// Writes the entries of `extent`, and those behind them up to the next checkpoint.
    ///
    /// # Errors
    ///
    /// The log cannot be read, or nobody takes what is written.
    pub fn bundle(
        &self,
        extent: &Extent,
        to: impl Write,
        now: Timestamp,
    ) -> Result<(), BundleError> {
        self.checkpoint()?;
        let range = self.range_of(extent)?;
        let mut tar = Tar { tar: Builder::new(to), now };
        let first = range.start;
        let previous = match first.checked_sub(1) {
            None => Hash::default(),
            Some(last) => self.node(Node { level: 0, number: last })?,
        };
        let start = peaks(first).map(|node| Ok(self.node(node)?.to_string()));
        let head = Head {
            format: FORMAT,
            origin: self.origin().to_owned(),
            from: first,
            to: range.end,
            previous: previous.to_string(),
            start: start.collect::<Result<_, AuditError>>()?,
        };
        tar.add(HEAD, format!("{}\n", json!(head)).as_bytes())?;
        tar.add(
            KEYS,
            format!("{}\n", self.public_keys().map_err(AuditError::from)?.join("\n")).as_bytes(),
        )?;
        self.bundle_checkpoints(&range, &mut tar)?;
        if let Some(old) = extent.anchor.filter(|old| *old < first) {
            let proof = self.consistency(old, range.end)?;
            let proof: Vec<_> = proof.iter().map(Hash::to_string).collect();
            tar.add(&format!("{CONSISTENCY}{old}.json"), format!("{}\n", json!(proof)).as_bytes())?;
        }
        self.bundle_entries(range, &mut tar)?;
        tar.tar.into_inner()?.flush()?;
        Ok(())
    }

    fn bundle_checkpoints(
        &self,
        range: &Range<u64>,
        tar: &mut Tar<impl Write>,
    ) -> Result<(), BundleError> {
        let (from, to) = (rows::checkpoint(range.start), rows::checkpoint(range.end + 1));
        let mut notes = Vec::new();
        self.db()
            .scan_range(Family::Audit, &from, &to, |key, note| {
                notes.extend(rows::number(key).map(|size| (size, note.to_owned())));
                ControlFlow::Continue(())
            })
            .map_err(AuditError::from)?;
        for (size, note) in notes {
            tar.add(&format!("{CHECKPOINTS}{size:020}"), &note)?;
        }
        Ok(())
    }

    fn bundle_entries(
        &self,
        range: Range<u64>,
        tar: &mut Tar<impl Write>,
    ) -> Result<(), BundleError> {
        let mut first = range.start;
        while first < range.end {
            let last = range.end.min(first + CHUNK);
            let (mut lines, mut hashes) = (Vec::new(), Vec::new());
            let (from, to) = (rows::entry(first), rows::entry(last));
            self.db()
                .scan_range(Family::Audit, &from, &to, |_, entry| {
                    lines.extend_from_slice(entry);
                    lines.push(b'\n');
                    ControlFlow::Continue(())
                })
                .map_err(AuditError::from)?;
            let node = |number| rows::node(Node { level: 0, number });
            self.db()
                .scan_range(Family::Audit, &node(first), &node(last), |_, hash| {
                    hashes.extend_from_slice(hash);
                    ControlFlow::Continue(())
                })
                .map_err(AuditError::from)?;
            tar.add(&format!("{ENTRIES}{first:020}.ndjson"), &lines)?;
            tar.add(&format!("{HASHES}{first:020}"), &hashes)?;
            first = last;
        }
        Ok(())
    }

    /// The numbers of the entries from the first in time to the checkpoint behind the last.
    fn range_of(&self, extent: &Extent) -> Result<Range<u64>, AuditError> {
        let size = self.size()?;
        let (mut from, mut to) = (extent.from.map_or(0, |_| size), size);
        if extent.from.is_some() || extent.to.is_some() {
            let mut last = 0;
            let mut at = 0;
            self.db().scan(Family::Audit, rows::ENTRY, |_, bytes| {
                let time = Entry::read(bytes).ok();
                let time = time.and_then(|entry| Timestamp::parse_rfc3339(entry.time.as_bytes()));
                if time.is_some_and(|time| extent.from.is_some_and(|from| time >= from)) {
                    from = from.min(at);
                }
                if time.is_some_and(|time| extent.to.is_none_or(|to| time <= to)) {
                    last = at + 1;
                }
                at += 1;
            })?;
            to = last;
        }
        let (from, to) = (from.min(size), to.max(from).min(size));
        let mut signed = size;
        let end = rows::checkpoint(u64::MAX);
        self.db().scan_range(Family::Audit, &rows::checkpoint(to), &end, |key, _| {
            signed = rows::number(key).unwrap_or(size);
            ControlFlow::Break(())
        })?;
        Ok(from..signed)
    }
}

/// Why a bundle could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The log cannot be read.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Nobody takes what is written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

struct Tar<W: Write> {
    tar: Builder<W>,
    now: Timestamp,
}

impl<W: Write> Tar<W> {
    fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(u64::try_from(self.now.as_micros() / 1_000_000).unwrap_or_default());
        self.tar.append_data(&mut header, name, content)
    }
}

pub(super) const HEAD: &str = "bundle.json";

pub(super) const KEYS: &str = "keys";

pub(super) const CHECKPOINTS: &str = "checkpoints/";

pub(super) const CONSISTENCY: &str = "consistency/";

pub(super) const ENTRIES: &str = "entries/";

pub(super) const HASHES: &str = "hashes/";

/// The form of bundles.
pub(super) const FORMAT: u32 = 1;

/// Entries of one file.
const CHUNK: u64 = 1024;
