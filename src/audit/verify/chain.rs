//! Entry for entry, up to each root that was signed.

use std::collections::BTreeMap;

use super::{Fault, Trust, Verified};
use crate::audit::Entry;
use crate::audit::note::{Checkpoint, PublicKey, SignedNote};
use crate::audit::tree::{Frontier, Hash};
use crate::time::Timestamp;

/// A log that is verified, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Chain {
    origin: String,
    keys: Vec<PublicKey>,
    anchor: Option<Checkpoint>,
    checkpoints: BTreeMap<u64, Checkpoint>,
    /// The root that it begins with.
    start: Hash,
    /// By the entries.
    log: Frontier,
    /// The hash of the last entry.
    previous: Hash,
    /// The first thing that was wrong since the last root that was right.
    suspect: Option<Fault>,
    last_time: Option<Timestamp>,
    clock_went_back: u64,
    done: Verified,
}

/// Where a chain begins.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) origin: String,
    pub(super) log: Frontier,
    pub(super) previous: Hash,
}

impl Chain {
    /// A log that begins there, and comes with these keys.
    pub(super) fn new(start: Start, keys: &[String], trust: &Trust) -> Result<Self, Fault> {
        let Start { origin, log, previous } = start;
        let mut done = Verified { origin: origin.clone(), from: log.size(), ..Verified::default() };
        let mut own = trust.keys.clone();
        if own.is_empty() {
            own = keys.iter().filter_map(|key| PublicKey::read(key)).collect();
            done.notes.push(
                "the keys are those that came with the log: compare them with `--key`".to_owned(),
            );
        }
        let start = log.root();
        let mut chain = Self { origin, keys: own, start, log, previous, done, ..Self::default() };
        if let Some(anchor) = &trust.anchor {
            let size = anchor.checkpoint.size;
            chain.signer(anchor, &format!("the anchor of {size} entries"))?;
            chain.anchor = Some(anchor.checkpoint.clone());
        }
        Ok(chain)
    }

    /// Takes a checkpoint in, before the entries that it is of.
    pub(super) fn checkpoint(&mut self, size: u64, note: &[u8]) -> Result<(), Fault> {
        let what = format!("the checkpoint of {size} entries");
        let read = std::str::from_utf8(note).ok().and_then(SignedNote::read);
        let note =
            read.ok_or_else(|| Fault::new(format!("{what} was changed: it is no signed note")))?;
        let key = self.signer(&note, &what)?;
        if note.checkpoint.size != size {
            let found = note.checkpoint.size;
            return Err(Fault::new(format!("{what} was changed: it is of {found}")));
        }
        if !self.done.keys.contains(&key) {
            self.done.keys.push(key);
        }
        self.checkpoints.insert(size, note.checkpoint);
        Ok(())
    }

    /// The key that signed a note of this log.
    fn signer(&self, note: &SignedNote, what: &str) -> Result<String, Fault> {
        if note.checkpoint.origin != self.origin {
            let found = &note.checkpoint.origin;
            return Err(Fault::new(format!(
                "{what} is of another log: expected {}, but found {found}",
                self.origin
            )));
        }
        let signer = note.signer(&self.keys).map(PublicKey::to_string);
        signer.ok_or_else(|| Fault::new(format!("{what} was changed, or is signed by a key that is not known: expected a signature by {}, but found none that is right", self.key_names())))
    }

    fn key_names(&self) -> String {
        let names: Vec<_> = self.keys.iter().map(PublicKey::to_string).collect();
        if names.is_empty() { "a known key".to_owned() } else { names.join(" or ") }
    }

    /// The number of the next entry.
    pub(super) fn next(&self) -> u64 {
        self.log.size()
    }

    /// What was wrong first since the last root that was right.
    pub(super) fn suspected(&self) -> Option<Fault> {
        self.suspect.clone()
    }

    /// Says what is wrong behind the last entry that was taken in.
    pub(super) fn suspect(&mut self, what: &str) {
        let at = self.log.size();
        self.suspect.get_or_insert_with(|| Fault::at(at, format!("at entry {at}: {what}")));
    }

    /// Takes the next entry in, with the hash that is kept of it. Returns it, if it is one.
    pub(super) fn entry(
        &mut self,
        bytes: &[u8],
        kept: Option<Hash>,
    ) -> Result<Option<Entry>, Fault> {
        let index = self.log.size();
        let leaf = Hash::of_entry(bytes);
        let entry = Entry::read(bytes).ok();
        let wrong = self.wrong(index, leaf, kept, entry.as_ref());
        if self.suspect.is_none() {
            self.suspect = wrong;
        }
        if let Some(time) = entry.as_ref().and_then(|e| Timestamp::parse_rfc3339(e.time.as_bytes()))
        {
            self.clock_went_back += u64::from(self.last_time.is_some_and(|last| time < last));
            self.last_time = Some(time);
        }
        self.log.push(leaf, |_, _| {});
        self.previous = leaf;
        self.compare()?;
        Ok(entry)
    }

    /// What is wrong with an entry, as far as it can be told by itself.
    fn wrong(
        &self,
        index: u64,
        leaf: Hash,
        kept: Option<Hash>,
        entry: Option<&Entry>,
    ) -> Option<Fault> {
        let Some(entry) = entry else {
            return Some(Fault::at(
                index,
                format!("entry {index} was changed: it is no entry any more"),
            ));
        };
        let found = entry.index;
        let is_as_kept = kept == Some(leaf);
        if found > index && !is_as_kept {
            return Some(Fault::at(
                index,
                format!("entry {index} was dropped or moved: entry {found} is in its place"),
            ));
        }
        if found < index && !is_as_kept {
            return Some(Fault::at(
                index,
                format!("entry {index} was moved or written over: entry {found} is in its place"),
            ));
        }
        match kept {
            Some(kept) if kept != leaf => Some(Fault::at(
                index,
                format!("entry {index} was changed: it is not what its hash says"),
            )),
            None => Some(Fault::at(
                index,
                format!("the hash that is kept of entry {index} was dropped"),
            )),
            Some(_) if found != index => Some(Fault::at(
                index,
                format!("entry {index} was changed: it says that it is entry {found}"),
            )),
            Some(_) if entry.previous != self.previous.to_string() => {
                let before = index.saturating_sub(1);
                Some(Fault::at(
                    index,
                    format!(
                        "entry {index} does not follow entry {before}: one of them was changed, dropped or reordered"
                    ),
                ))
            }
            Some(_) => None,
        }
    }

    /// Compares with what was signed of so many entries, if anything was.
    fn compare(&mut self) -> Result<(), Fault> {
        let (size, root) = (self.log.size(), self.log.root());
        let signed = self.checkpoints.get(&size).map(|signed| ("a checkpoint", signed));
        let anchor = self.anchor.as_ref().filter(|anchor| anchor.size == size);
        let all: Vec<_> =
            signed.into_iter().chain(anchor.map(|anchor| ("the anchor", anchor))).collect();
        for (what, signed) in &all {
            if signed.root != root {
                let first = self.done.signed.max(self.done.from);
                let last = size.saturating_sub(1);
                let unknown = Fault::at(
                    first,
                    format!(
                        "entries {first} to {last} are not what {what} of {size} entries says: entry {first}, or one behind it, was changed, dropped or reordered"
                    ),
                );
                return Err(self.suspect.take().unwrap_or(unknown));
            }
        }
        if all.is_empty() {
            return Ok(());
        }
        (self.done.signed, self.done.checkpoints) =
            (size, self.done.checkpoints + all.len() as u64);
        // The entries are as they were signed; then it is a hash that was changed, or the log was
        // written wrong.
        match self.suspect.take() {
            None => Ok(()),
            Some(Fault { entry: Some(entry), .. }) => Err(Fault::at(
                entry,
                format!(
                    "what is kept beside entry {entry} was changed: the entry is as it was signed, its hash or its place is not"
                ),
            )),
            Some(fault) => Err(fault),
        }
    }

    /// What is wrong with the whole, once all is in. `must_end_signed` where nothing may be left
    /// without a checkpoint; `proof` is that the anchor, where it is older than the first entry, is
    /// a beginning of this log.
    pub(super) fn finish(
        mut self,
        must_end_signed: bool,
        proof: Option<&[Hash]>,
    ) -> Result<Verified, Fault> {
        let size = self.log.size();
        if let Some(fault) = self.suspect.take() {
            return Err(fault);
        }
        let last = self.checkpoints.keys().next_back().copied().unwrap_or(0);
        if last > size {
            return Err(Fault::at(
                size,
                format!(
                    "entry {size} and those behind it were cut off: a checkpoint is of {last} entries"
                ),
            ));
        }
        if let Some(anchor) = self.anchor.take() {
            self.expect_anchor(&anchor, size, proof)?;
        }
        let signed = self.done.signed.max(self.done.from);
        if self.done.signed < size || self.done.checkpoints == 0 {
            let rest = size - signed;
            if must_end_signed {
                return Err(Fault::at(
                    signed,
                    format!(
                        "no checkpoint is of all {size} entries: {rest} from entry {signed} on are not signed"
                    ),
                ));
            }
            self.done.notes.push(format!("{rest} entries from {signed} on are not signed yet: they follow each other, and no more is known of them"));
        }
        if self.clock_went_back > 0 {
            self.done.notes.push(format!("the clock went back {} times between entries: their order is that of their numbers", self.clock_went_back));
        }
        self.done.to = size;
        Ok(self.done)
    }

    fn expect_anchor(
        &self,
        anchor: &Checkpoint,
        size: u64,
        proof: Option<&[Hash]>,
    ) -> Result<(), Fault> {
        let old = anchor.size;
        if old > size {
            return Err(Fault::at(
                size,
                format!(
                    "entry {size} and those behind it were cut off: the anchor is of {old} entries"
                ),
            ));
        }
        if old == 0 || old > self.done.from {
            return Ok(()); // of nothing, or compared on the way
        }
        let other = || {
            Fault::at(
                0,
                format!(
                    "an entry before {old} was changed, dropped or reordered: the log does not begin with what the anchor says"
                ),
            )
        };
        if old == self.done.from {
            return if anchor.root == self.start { Ok(()) } else { Err(other()) };
        }
        let Some(proof) = proof else {
            return Err(Fault::new(format!(
                "the anchor is of {old} entries, and the bundle begins with entry {}: expected a bundle that was made with this anchor, or from the beginning",
                self.done.from
            )));
        };
        match crate::audit::is_consistent((old, anchor.root), (size, self.log.root()), proof) {
            true => Ok(()),
            false => Err(other()),
        }
    }
}
