//! What a backup holds, as JSON.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::error::BackupError;
use crate::db;

/// A backup: what it holds, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of this manifest and of the folder around it.
    pub format: u32,
    /// Its name: the time as `YYYYMMDDTHHMMSSZ`, and a number where there were several in a second.
    pub id: String,
    /// When the copying began; everything acknowledged before is in it. RFC 3339.
    pub made_at: String,
    /// The version that made it.
    pub version: String,
    /// The on-disk format of the store.
    pub store_format: u32,
    /// The BLAKE3 of this manifest, with nothing here.
    pub digest: String,
    /// The files, by name.
    pub files: Vec<Entry>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in the data folder, such as `db/000012.sst`.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last changed, in nanoseconds since the epoch.
    pub modified: u64,
    /// Its hash, in hexadecimal digits.
    pub blake3: String,
}

impl Manifest {
    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The text of the manifest, with its digest.
    pub(super) fn to_text(&self) -> String {
        Self { digest: self.digest(), ..self.clone() }.as_text()
    }

    /// Reads what [`to_text`](Self::to_text) wrote into the file `path`.
    pub(super) fn parse(path: &Path, text: &[u8]) -> Result<Self, BackupError> {
        let damaged = || BackupError::Manifest(path.to_owned());
        let versioned: Versioned = serde_json::from_slice(text).map_err(|_| damaged())?;
        refuse_newer(path, FORMAT, versioned.format)?;
        let manifest: Self = serde_json::from_slice(text).map_err(|_| damaged())?;
        refuse_newer(path, db::FORMAT, manifest.store_format)?;
        if manifest.digest != manifest.digest() || !manifest.files.iter().all(Entry::is_sound) {
            return Err(damaged());
        }
        Ok(manifest)
    }

    fn digest(&self) -> String {
        let without = Self { digest: String::new(), ..self.clone() };
        blake3::hash(without.as_text().as_bytes()).to_hex().to_string()
    }

    fn as_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts and numbers are always JSON")
    }
}

impl Entry {
    /// Whether it names a file inside of the engine's folder, and a file beside the manifest:
    /// restoring writes nowhere else, whoever wrote the manifest.
    fn is_sound(&self) -> bool {
        let mut parts = Path::new(&self.name).components();
        let is_inside = parts.next() == Some(Component::Normal(db::ENGINE.as_ref()))
            && matches!(parts.next(), Some(Component::Normal(_)))
            && parts.next().is_none();
        is_inside && blake3::Hash::from_hex(&self.blake3).is_ok()
    }
}

/// What every format of a manifest has.
#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

/// Refuses what only a newer version can read.
pub(super) fn refuse_newer(path: &Path, known: u32, found: u32) -> Result<(), BackupError> {
    if found <= known {
        return Ok(());
    }
    Err(BackupError::Newer { path: path.to_owned(), known, found })
}

/// The format of manifests and folders that this version writes.
pub(super) const FORMAT: u32 = 1;
