//! The file of the private key.

use std::path::Path;

use super::AuditError;
use super::note::PrivateKey;
use crate::db::{read_private, write_private};

/// The private key in the data folder, if there is one.
pub(super) fn read(folder: &Path) -> Result<Option<PrivateKey>, AuditError> {
    let path = folder.join(NAME);
    let bad = |found: String| AuditError::Key { path: path.clone(), found };
    let Some(bytes) = read_private(&path).map_err(|error| bad(error.to_string()))? else {
        return Ok(None);
    };
    let damaged = || {
        let what = "something else; put it back from where it was kept, or remove it, and the \
                    next start makes another and says so in the log";
        bad(what.to_owned())
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
    PrivateKey::read(text).map(Some).ok_or_else(damaged)
}

/// Keeps a new one there.
pub(super) fn write(folder: &Path, key: &PrivateKey) -> Result<(), AuditError> {
    let path = folder.join(NAME);
    let written = write_private(&path, key.to_text().as_bytes());
    written.map_err(|error| AuditError::Key { path, found: error.to_string() })
}

/// Its name in the data folder.
const NAME: &str = "audit.key";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_key_is_read_back_and_a_damaged_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap().is_none());
        let key = PrivateKey::new("logtrace/1", [5; 32]);
        write(folder.path(), &key).unwrap();
        assert_eq!(read(folder.path()).unwrap().unwrap().public(), key.public());
        let seed = key.to_text();
        for damaged in [seed.get(1..).unwrap().as_bytes(), b"\xff"] {
            fs::write(folder.path().join(NAME), damaged).unwrap();
            let error = read(folder.path()).unwrap_err().to_string();
            assert!(error.contains("audit.key") && !error.contains("KEY+"), "{error}");
        }
    }
}
