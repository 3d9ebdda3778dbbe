//! Files with secrets in the folder of a store: the owner's alone, and whole or not there.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tracing::warn;

/// What the file at `path` holds; `None` if there is none. One that others could read is closed to them,
/// and that is told.
///
/// # Errors
///
/// It cannot be read, or not be closed; but where nothing can be changed, it stays as it is.
pub(crate) fn read_private(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        match fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY)) {
            Ok(()) => {
                warn!(file = %path.display(), "a secret was open to others: it is the owner's alone again");
            }
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {
                warn!(file = %path.display(), %error, "a secret is open to others");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Some(bytes))
}

/// Has the file at `path` hold these bytes, synced, or what it held before.
///
/// # Errors
///
/// It cannot be written.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let draft = folder.join(name);
    // One that a crash left may have another mode.
    if let Err(error) = fs::remove_file(&draft)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

const OWNER_ONLY: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert_eq!(read_private(&path).unwrap(), None);
        fs::write(folder.path().join("secret.new"), "left by a crash").unwrap();
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        for bytes in [&b"one"[..], b"two"] {
            write_private(&path, bytes).unwrap();
            assert_eq!(mode(), OWNER_ONLY);
            fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
            assert_eq!(read_private(&path).unwrap().as_deref(), Some(bytes));
            assert_eq!(mode(), OWNER_ONLY);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
