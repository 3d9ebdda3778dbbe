//! The log in a bundle.

use std::io::Read;

use super::chain::{Chain, Start};
use super::members::Members;
use super::{Fault, Trust, Verified};
use crate::audit::bundle::{CHECKPOINTS, CONSISTENCY, ENTRIES, FORMAT, HASHES, HEAD, Head, KEYS};
use crate::audit::tree::{Frontier, Hash};

/// A bundle as far as it was read.
struct Bundle<'t> {
    trust: &'t Trust,
    head: Option<Head>,
    chain: Option<Chain>,
    /// Entries whose hashes are still to come.
    lines: Option<Vec<Vec<u8>>>,
    /// The file that was read last: they have an order.
    last: (Part, u64),
    proof: Option<Vec<Hash>>,
}

/// A kind of file, in the order in which they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    #[default]
    Nothing,
    Head,
    Keys,
    Checkpoint,
    Consistency,
    Entries,
}

/// Verifies a bundle. `each` hears how many entries were verified.
///
/// # Errors
///
/// What is wrong with it.
pub fn bundle(
    read: impl Read,
    trust: &Trust,
    mut each: impl FnMut(u64),
) -> Result<Verified, Fault> {
    let last = (Part::Nothing, 0);
    let mut bundle = Bundle { trust, head: None, chain: None, lines: None, last, proof: None };
    let mut members = Members::new(read);
    while let Some((name, content)) = members.next()? {
        bundle.take(&name, &content)?;
        each(bundle.chain.as_ref().map_or(0, Chain::next));
    }
    bundle.finish()
}

impl Bundle<'_> {
    fn take(&mut self, name: &str, content: &[u8]) -> Result<(), Fault> {
        let text = || String::from_utf8_lossy(content);
        if let Some(first) = number(name, HASHES, "") {
            return self.hashes(name, first, content);
        }
        self.verify(&[])?;
        if let Some(first) = number(name, ENTRIES, ".ndjson") {
            if self.chain()?.next() != first {
                return Err(self.misplaced(name));
            }
            self.last = (Part::Entries, first);
            self.lines = Some(lines(content));
            return Ok(());
        }
        if name == HEAD {
            self.follow(name, Part::Head, 0)?;
            let head: Result<Head, _> = serde_json::from_slice(content);
            let head = head.map_err(|error| Fault::new(format!("{HEAD} was changed: {error}")))?;
            if head.format != FORMAT {
                return Err(Fault::new(format!(
                    "expected a bundle of format {FORMAT}, but found {}",
                    head.format
                )));
            }
            self.head = Some(head);
        } else if name == KEYS {
            self.follow(name, Part::Keys, 0)?;
            let keys: Vec<_> = text().lines().map(str::to_owned).collect();
            self.chain = Some(Chain::new(self.start()?, &keys, self.trust)?);
        } else if let Some(size) = number(name, CHECKPOINTS, "") {
            self.follow(name, Part::Checkpoint, size)?;
            self.chain()?.checkpoint(size, content)?;
        } else if name.starts_with(CONSISTENCY) {
            self.follow(name, Part::Consistency, 0)?;
            let proof: Vec<String> = serde_json::from_slice(content).unwrap_or_default();
            self.proof = Some(proof.iter().filter_map(|hash| Hash::from_hex(hash)).collect());
        } else {
            return Err(self.misplaced(name));
        }
        Ok(())
    }

    /// Takes note of a file that stands behind the one before, as they are written.
    fn follow(&mut self, name: &str, part: Part, number: u64) -> Result<(), Fault> {
        if (part, number) <= self.last {
            return Err(self.misplaced(name));
        }
        self.last = (part, number);
        Ok(())
    }

    /// A file that is not where it was written; behind the checkpoints it is known of which entry.
    fn misplaced(&self, name: &str) -> Fault {
        if let Some(before) = self.chain.as_ref().and_then(Chain::suspected) {
            return before;
        }
        let is_behind = self.last.0 == Part::Entries
            || [ENTRIES, HASHES].iter().any(|folder| name.starts_with(folder));
        let entry = self.chain.as_ref().filter(|_| is_behind).map(Chain::next);
        let what = "the files of the bundle were changed, dropped or reordered";
        Fault { entry, what: format!("{what}: {name:?} is not where it belongs") }
    }

    /// Takes in the hashes of the entries that were read.
    fn hashes(&mut self, name: &str, first: u64, content: &[u8]) -> Result<(), Fault> {
        let next = self.chain()?.next();
        let Some(lines) = self.lines.as_ref().filter(|_| first == next) else {
            return Err(self.misplaced(name));
        };
        let is_more = content.len() > lines.len() * size_of::<Hash>();
        let (hashes, _) = content.as_chunks();
        let hashes: Vec<_> = hashes.iter().copied().map(Hash).collect();
        self.verify(&hashes)?;
        if is_more {
            self.chain()?.suspect("there are hashes of entries that are not there");
        }
        Ok(())
    }

    /// Verifies the entries that were read, against their hashes.
    fn verify(&mut self, hashes: &[Hash]) -> Result<(), Fault> {
        let Some(lines) = self.lines.take() else { return Ok(()) };
        let chain = self.chain()?;
        for (n, line) in lines.iter().enumerate() {
            chain.entry(line, hashes.get(n).copied())?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Verified, Fault> {
        self.verify(&[])?;
        let expected = self.head.as_ref().map_or(0, |head| head.to);
        let (chain, proof) = (self.chain.take(), self.proof.take());
        let chain =
            chain.ok_or_else(|| Fault::new("expected a bundle of an audit log, but found none"))?;
        let found = chain.next();
        let done = chain.finish(true, proof.as_deref())?;
        match found == expected {
            true => Ok(done),
            false => Err(Fault::at(
                found.min(expected),
                format!(
                    "entry {found} and those behind it were cut off: the bundle says that it ends with {expected}"
                ),
            )),
        }
    }

    fn chain(&mut self) -> Result<&mut Chain, Fault> {
        self.chain.as_mut().ok_or_else(|| {
            Fault::new(format!("expected {HEAD} and {KEYS} first, but found something else"))
        })
    }

    fn start(&self) -> Result<Start, Fault> {
        let wrong =
            || Fault::new(format!("{HEAD} was changed: it does not say where the bundle begins"));
        let head = self.head.as_ref().ok_or_else(wrong)?;
        let peaks: Option<Vec<_>> = head.start.iter().map(|hash| Hash::from_hex(hash)).collect();
        let log = peaks.and_then(|peaks| Frontier::new(head.from, peaks)).ok_or_else(wrong)?;
        let previous = Hash::from_hex(&head.previous).ok_or_else(wrong)?;
        Ok(Start { origin: head.origin.clone(), log, previous })
    }
}

/// The number in the name of a file, which is written with twenty digits.
fn number(name: &str, before: &str, behind: &str) -> Option<u64> {
    let digits = name.strip_prefix(before)?.strip_suffix(behind)?;
    let number = digits.parse().ok()?;
    (digits == format!("{number:020}")).then_some(number)
}

fn lines(content: &[u8]) -> Vec<Vec<u8>> {
    let lines = content.strip_suffix(b"\n").unwrap_or(content);
    if lines.is_empty() {
        return Vec::new();
    }
    lines.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}
