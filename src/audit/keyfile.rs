//! The file of the private key.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tracing::warn;

use super::AuditError;
use super::note::PrivateKey;

/// The private key in the data folder, if there is one.
pub(super) fn read(folder: &Path) -> Result<Option<PrivateKey>, AuditError> {
    let path = folder.join(NAME);
    let bad = |found: String| AuditError::Key { path: path.clone(), found };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(error.to_string())),
    };
    let mode = fs::metadata(&path).map_or(OWNER_ONLY, |found| found.permissions().mode());
    if mode & 0o077 != 0 {
        warn!(file = %path.display(), "the audit log's private key was open to others: it is the owner's alone again");
        let closed = fs::set_permissions(&path, Permissions::from_mode(OWNER_ONLY));
        closed.map_err(|error| bad(error.to_string()))?;
    }
    let damaged = || {
        let what = "something else; put it back from where it was kept, or remove it, and the \
                    next start makes another and says so in the log";
        bad(what.to_owned())
    };
    PrivateKey::read(&text).map(Some).ok_or_else(damaged)
}

/// Keeps a new one there, synced, and the owner's alone.
pub(super) fn write(folder: &Path, key: &PrivateKey) -> Result<(), AuditError> {
    let (path, draft) = (folder.join(NAME), folder.join(DRAFT));
    let written = (|| -> io::Result<()> {
        DirBuilder::new().recursive(true).create(folder)?;
        // One that a crash left may have another mode.
        if let Err(error) = fs::remove_file(&draft)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&draft)?;
        file.write_all(key.to_text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(folder)?.sync_all()
    })();
    written.map_err(|error| AuditError::Key { path, found: error.to_string() })
}

/// Its name in the data folder.
const NAME: &str = "audit.key";

const DRAFT: &str = "audit.key.new";

const OWNER_ONLY: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap().is_none());
        fs::write(folder.path().join(DRAFT), "left by a crash").unwrap();
        let key = PrivateKey::new("logtrace/1", [5; 32]);
        write(folder.path(), &key).unwrap();
        let path = folder.path().join(NAME);
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read(folder.path()).unwrap().unwrap().public(), key.public());
        assert_eq!(mode(), 0o600);
        let seed = key.to_text();
        fs::write(&path, seed.get(1..).unwrap()).unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("audit.key") && !error.contains("KEY+"), "{error}");
    }
}
