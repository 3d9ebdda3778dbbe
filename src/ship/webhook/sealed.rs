//! Keeps the secrets of webhooks in the store so that nobody reads them there, or in a backup.
//!
//! What they are sealed with is a file beside the store, the owner's alone, which is in no backup.
//! Each is laid over a pad that is drawn from that key and the id of its webhook, and used for it
//! alone: an id is drawn once, and its secret never changes. A tag tells whether what comes out is
//! what went in. Where the file is lost, so are the secrets: their receivers need new ones.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::secret::Secret;
use crate::db;

/// What secrets are sealed with.
pub(super) struct Seal([u8; KEY]);

impl Seal {
    /// That of a data folder; drawn where there is none.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written, or is none of ours.
    pub(super) fn open(folder: &Path) -> Result<Self, db::Error> {
        let path = folder.join(NAME);
        let read = match db::read_private(&path) {
            Ok(Some(bytes)) => bytes.try_into().map(Self).map_err(|_| {
                let what = "expected a key of 32 bytes; put it back from where it was kept, or \
                            remove it and make the webhooks anew";
                io::Error::new(ErrorKind::InvalidData, what)
            }),
            Ok(None) => draw(&path),
            Err(error) => Err(error),
        };
        read.map_err(|error| db::Error::File { path, error })
    }

    /// A secret as it is kept.
    pub(super) fn close(&self, webhook: &str, secret: &Secret) -> String {
        let bytes = secret.as_bytes();
        let mut kept = self.tag(webhook, bytes).to_vec();
        kept.extend(self.laid_over(webhook, bytes));
        format!("{PREFIX}{}", STANDARD.encode(kept))
    }

    /// The secret that was kept as this; one that was kept before they were sealed is itself.
    pub(super) fn reveal(&self, webhook: &str, kept: &str) -> Option<Secret> {
        let Some(sealed) = kept.strip_prefix(PREFIX) else {
            return Secret::try_from(kept.to_owned()).ok();
        };
        let kept = STANDARD.decode(sealed).ok()?;
        let (tag, bytes) = kept.split_at_checked(TAG)?;
        let bytes = self.laid_over(webhook, bytes);
        let is_whole = blake3::Hash::from(self.padded(tag)) == self.padded_tag(webhook, &bytes);
        is_whole.then(|| Secret::of(bytes)).flatten()
    }

    /// Whether this is kept as it was before secrets were sealed.
    pub(super) fn is_plain(kept: &str) -> bool {
        !kept.starts_with(PREFIX)
    }

    fn laid_over(&self, webhook: &str, bytes: &[u8]) -> Vec<u8> {
        let mut pad = vec![0; bytes.len()];
        self.hasher(b"pad", webhook).finalize_xof().fill(&mut pad);
        pad.iter().zip(bytes).map(|(pad, byte)| pad ^ byte).collect()
    }

    fn tag(&self, webhook: &str, bytes: &[u8]) -> [u8; TAG] {
        let mut tag = [0; TAG];
        self.hasher(b"tag", webhook).update(bytes).finalize_xof().fill(&mut tag);
        tag
    }

    /// Tags as hashes, which are compared in a time that tells nothing.
    fn padded_tag(&self, webhook: &str, bytes: &[u8]) -> blake3::Hash {
        self.padded(&self.tag(webhook, bytes)).into()
    }

    fn padded(&self, tag: &[u8]) -> [u8; KEY] {
        let mut padded = [0; KEY];
        padded.iter_mut().zip(tag).for_each(|(to, from)| *to = *from);
        padded
    }

    /// A hash with our key, for one purpose and one webhook.
    fn hasher(&self, purpose: &[u8; 3], webhook: &str) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(purpose).update(&(webhook.len() as u64).to_le_bytes());
        hasher.update(webhook.as_bytes());
        hasher
    }
}

impl fmt::Debug for Seal {
    /// Shows nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

/// Draws a key, and keeps it at `path`.
fn draw(path: &Path) -> io::Result<Seal> {
    let mut key = [0; KEY];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    db::write_private(path, &key)?;
    Ok(Seal(key))
}

/// Its name in the data folder.
const NAME: &str = "webhooks.key";

/// Bytes of the key.
const KEY: usize = 32;

/// Bytes of a tag.
const TAG: usize = 16;

/// What a sealed secret begins with.
const PREFIX: &str = "sealed:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_by_its_key_and_webhook_alone() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let seal = Seal::open(folder.path()).unwrap();
        let secret = Secret::draw().unwrap();
        let kept = seal.close("wh_1", &secret);
        assert!(!kept.contains(secret.reveal().strip_prefix("whsec_").unwrap()));
        let again = Seal::open(folder.path()).unwrap();
        assert_eq!(again.reveal("wh_1", &kept).as_ref(), Some(&secret));
        assert_eq!(again.reveal("wh_2", &kept), None);
        assert_eq!(Seal::open(other.path()).unwrap().reveal("wh_1", &kept), None);
        for wrong in ["sealed:", "sealed:AAAA", "sealed:%", "", "whsec_AAAA"] {
            assert_eq!(again.reveal("wh_1", wrong), None, "{wrong}");
        }
        // Two secrets are not laid over the same pad.
        let zero = Secret::of(vec![0; 32]).unwrap();
        assert_ne!(seal.close("wh_1", &zero).get(30..), seal.close("wh_2", &zero).get(30..));
        // What was kept before is itself.
        assert_eq!(seal.reveal("wh_1", &secret.reveal()), Some(secret));
    }

    #[test]
    fn a_damaged_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "short").unwrap();
        let error = Seal::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("webhooks.key") && error.contains("32 bytes"), "{error}");
    }
}
