//! The log in a bundle.

use std::io::Read;

use super::chain::{Chain, Start};
use super::{Fault, Trust, Verified};
use crate::audit::bundle::{CHECKPOINTS, CONSISTENCY, ENTRIES, FORMAT, HASHES, HEAD, Head, KEYS};
use crate::audit::tree::{Frontier, Hash};

/// A bundle as far as it was read.
struct Bundle<'t> {
    trust: &'t Trust,
    head: Option<Head>,
    chain: Option<Chain>,
    /// Entries whose hashes are still to come.
    lines: Vec<Vec<u8>>,
    proof: Option<Vec<Hash>>,
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
    let mut bundle = Bundle { trust, head: None, chain: None, lines: Vec::new(), proof: None };
    let broken = |error| Fault::new(format!("expected a whole bundle, but found: {error}"));
    let mut archive = tar::Archive::new(read);
    for member in archive.entries().map_err(broken)? {
        let mut member = member.map_err(broken)?;
        let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        if member.size() > MAX_MEMBER {
            return Err(Fault::new(format!(
                "expected files of at most {MAX_MEMBER} bytes, but found {name}"
            )));
        }
        let mut content = Vec::new();
        member.read_to_end(&mut content).map_err(broken)?;
        bundle.take(&name, &content)?;
        each(bundle.chain.as_ref().map_or(0, Chain::next));
    }
    bundle.finish()
}

impl Bundle<'_> {
    fn take(&mut self, name: &str, content: &[u8]) -> Result<(), Fault> {
        let text = || String::from_utf8_lossy(content);
        if name == HEAD {
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
            let keys: Vec<_> = text().lines().map(str::to_owned).collect();
            self.chain = Some(Chain::new(self.start()?, &keys, self.trust)?);
        } else if let Some(size) = name.strip_prefix(CHECKPOINTS) {
            let size = size.parse().map_err(|_| {
                Fault::new(format!("expected the name of a checkpoint, but found {name}"))
            })?;
            self.chain()?.checkpoint(size, content)?;
        } else if name.starts_with(CONSISTENCY) {
            let proof: Vec<String> = serde_json::from_slice(content).unwrap_or_default();
            self.proof = Some(proof.iter().filter_map(|hash| Hash::from_hex(hash)).collect());
        } else if name.starts_with(ENTRIES) {
            self.verify(&[])?;
            self.lines = lines(content);
        } else if name.starts_with(HASHES) {
            let (hashes, _) = content.as_chunks();
            let hashes: Vec<_> = hashes.iter().copied().map(Hash).collect();
            self.verify(&hashes)?;
        }
        Ok(())
    }

    /// Verifies the entries that were read, against their hashes.
    fn verify(&mut self, hashes: &[Hash]) -> Result<(), Fault> {
        let lines = std::mem::take(&mut self.lines);
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

fn lines(content: &[u8]) -> Vec<Vec<u8>> {
    let lines = content.strip_suffix(b"\n").unwrap_or(content);
    if lines.is_empty() {
        return Vec::new();
    }
    lines.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Bytes of a file in a bundle: more than its entries take.
const MAX_MEMBER: u64 = 256 << 20;
