//! Why a backup was not made, or not restored.

use std::io;
use std::path::{Path, PathBuf};

/// Why a backup was not made, or not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The system said no.
    #[error("{path}: {error}")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// The folder is no folder of backups, and not empty.
    #[error("{0}: expected an empty folder or one of backups, but found other files")]
    Foreign(PathBuf),
    /// The folder is no folder of backups.
    #[error("{0}: expected a folder of backups, but found none")]
    NoFolder(PathBuf),
    /// The folder has no backup of that name, or none at all.
    #[error("{folder}: expected a backup {wanted}, but found none")]
    NoBackup {
        /// The folder.
        folder: PathBuf,
        /// The name, or what stands for it.
        wanted: String,
    },
    /// A newer version made it.
    #[error("{path}: expected format {known} or older, but found format {found}")]
    Newer {
        /// The marker, manifest or folder.
        path: PathBuf,
        /// The format that this version writes.
        known: u32,
        /// The format found.
        found: u32,
    },
    /// Another process makes a backup in the same folder.
    #[error("{0}: expected a folder that nobody writes to, but found another backup under way")]
    Busy(PathBuf),
    /// A manifest that is not what was written.
    #[error("{0}: expected a manifest as it was written, but found it damaged")]
    Manifest(PathBuf),
    /// A file of a backup that is not there.
    #[error("{path}: expected the file that is {name} in the backup, but found none")]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// Its name in the data folder.
        name: String,
    },
    /// A file of a backup that is not what was written.
    #[error("{path}: expected the bytes that are {name} in the backup, but found others")]
    Damaged {
        /// Where it is.
        path: PathBuf,
        /// Its name in the data folder.
        name: String,
    },
    /// The folder to restore into holds something.
    #[error("{0}: expected an empty folder or none, but found files in it")]
    NotEmpty(PathBuf),
    /// The marker could not be written.
    #[error(transparent)]
    Db(#[from] crate::db::Error),
}

/// Says of an error of the system which file it is about.
pub(super) trait At<T> {
    fn at(self, path: &Path) -> Result<T, BackupError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, BackupError> {
        self.map_err(|error| BackupError::File { path: path.to_owned(), error })
    }
}
