//! A folder of backups on disk.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::{At, BackupError};
use super::manifest::{Entry, FORMAT, Manifest, refuse_newer};

/// A folder of backups.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Locked by whoever writes.
    _lock: Option<File>,
}

/// The backups of the folder `path`, the oldest first. Damaged manifests are left out.
///
/// # Errors
///
/// When it is no folder of backups, or cannot be read.
pub fn list(path: &Path) -> Result<Vec<Manifest>, BackupError> {
    Folder::open(path)?.manifests()
}

impl Folder {
    /// Opens the folder `path` to read it.
    pub(super) fn open(path: &Path) -> Result<Self, BackupError> {
        let marker = path.join(MARKER);
        match fs::read_to_string(&marker) {
            Ok(text) => {
                let format = text.trim().strip_prefix("format ").and_then(|n| n.parse().ok());
                refuse_newer(&marker, FORMAT, format.unwrap_or(FORMAT))?;
                Ok(Self { path: path.to_owned(), _lock: None })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(BackupError::NoFolder(path.to_owned()))
            }
            Err(error) => Err(BackupError::File { path: marker, error }),
        }
    }

    /// Opens the folder `path` to add to it, and makes it where it is not, or is empty.
    pub(super) fn open_to_write(path: &Path) -> Result<Self, BackupError> {
        make_folder(path)?;
        let is_used = |entry: fs::DirEntry| entry.file_name() != "lost+found";
        let found = fs::read_dir(path).at(path)?.flatten().any(is_used);
        if found {
            let known = Self::open(path);
            if matches!(known, Err(BackupError::NoFolder(_))) {
                return Err(BackupError::Foreign(path.to_owned()));
            }
            known?;
        } else {
            write_whole(&path.join(MARKER), format!("format {FORMAT}\n").as_bytes())?;
        }
        let marker = path.join(MARKER);
        let lock = File::open(&marker).at(&marker)?;
        if lock.try_lock().is_err() {
            return Err(BackupError::Busy(path.to_owned()));
        }
        let folder = Self { path: path.to_owned(), _lock: Some(lock) };
        let files = folder.path.join(FILES);
        make_folder(&files)?;
        for entry in fs::read_dir(&files).at(&files)?.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == PART) {
                fs::remove_file(&path).at(&path)?; // of a backup that was cut short
            }
        }
        Ok(folder)
    }

    /// Where the bytes of an entry lie.
    pub(super) fn file(&self, blake3: &str) -> PathBuf {
        self.path.join(FILES).join(blake3)
    }

    /// Where the manifest of the backup of that name lies.
    pub(super) fn manifest_path(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}{JSON}"))
    }

    /// All backups that can be read, the oldest first.
    pub(super) fn manifests(&self) -> Result<Vec<Manifest>, BackupError> {
        let mut manifests = Vec::new();
        for id in self.ids()? {
            match self.manifest(&id) {
                Ok(manifest) => manifests.push(manifest),
                Err(BackupError::Manifest(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(manifests)
    }

    /// The names of all backups, the oldest first.
    pub(super) fn ids(&self) -> Result<Vec<String>, BackupError> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.path).at(&self.path)?.flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            ids.extend(name.strip_suffix(JSON).filter(|id| is_id(id)).map(str::to_owned));
        }
        ids.sort_unstable_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        ids.sort_by(|a, b| a.get(..SECOND).cmp(&b.get(..SECOND)));
        Ok(ids)
    }

    /// The backup of that name.
    pub(super) fn manifest(&self, id: &str) -> Result<Manifest, BackupError> {
        let wanted = || BackupError::NoBackup { folder: self.path.clone(), wanted: id.to_owned() };
        if !is_id(id) {
            return Err(wanted());
        }
        let path = self.manifest_path(id);
        match fs::read(&path) {
            Ok(text) => Manifest::parse(&path, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(wanted()),
            Err(error) => Err(BackupError::File { path, error }),
        }
    }

    /// The last backup, or the one that is named.
    pub(super) fn chosen(&self, id: Option<&str>) -> Result<Manifest, BackupError> {
        let last =
            || BackupError::NoBackup { folder: self.path.clone(), wanted: "to restore".into() };
        match id {
            Some(id) => self.manifest(id),
            None => self.manifest(&self.ids()?.pop().ok_or_else(last)?),
        }
    }

    /// Makes a backup of what was put: from here on there is one.
    pub(super) fn finish(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let files = self.path.join(FILES);
        sync(&files)?;
        let path = self.manifest_path(&manifest.id);
        write_whole(&path, manifest.to_text().as_bytes())
    }

    /// Forgets all backups but the newest `keep`, and every file that none of these has.
    pub(super) fn forget(&self, keep: usize) -> Result<usize, BackupError> {
        let mut ids = self.ids()?;
        let old: Vec<_> = ids.drain(..ids.len().saturating_sub(keep)).collect();
        for id in &old {
            let path = self.manifest_path(id);
            fs::remove_file(&path).at(&path)?;
        }
        sync(&self.path)?;
        // A manifest that cannot be read says not what it needs: then nothing is removed.
        let kept: Result<Vec<Manifest>, _> = ids.iter().map(|id| self.manifest(id)).collect();
        let Ok(kept) = kept else { return Ok(old.len()) };
        let needed: BTreeSet<&str> =
            kept.iter().flat_map(|m| &m.files).map(|file| &*file.blake3).collect();
        let files = self.path.join(FILES);
        for entry in fs::read_dir(&files).at(&files)?.flatten() {
            if !entry.file_name().to_str().is_some_and(|name| needed.contains(name)) {
                fs::remove_file(entry.path()).at(&entry.path())?;
            }
        }
        Ok(old.len())
    }

    /// Reads the bytes of an entry, hands them to `each`, and compares them with its hash.
    pub(super) fn read(
        &self,
        entry: &Entry,
        mut each: impl FnMut(&[u8]) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let path = self.file(&entry.blake3);
        let name = || entry.name.clone();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(BackupError::Missing { path, name: name() });
            }
            Err(error) => return Err(BackupError::File { path, error }),
        };
        let mut hasher = blake3::Hasher::new();
        pieces(&path, &mut file, |piece| {
            hasher.update(piece);
            each(piece)
        })?;
        if hasher.finalize().to_hex().as_str() != entry.blake3 {
            return Err(BackupError::Damaged { path, name: name() });
        }
        Ok(())
    }
}

/// Hands all of a file to `each`, piece by piece.
pub(super) fn pieces(
    path: &Path,
    file: &mut File,
    mut each: impl FnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut buffer = vec![0; PIECE];
    loop {
        match file.read(&mut buffer).at(path)? {
            0 => return Ok(()),
            len => each(buffer.get(..len).unwrap_or_default())?,
        }
    }
}

/// A new file that only its owner reads.
pub(super) fn create(path: &Path) -> Result<File, BackupError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).at(path)
}

/// A folder that only its owner reads, if there is none.
pub(super) fn make_folder(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).at(path)
}

/// Makes names in a folder durable.
pub(super) fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|folder| folder.sync_all()).at(path)
}

/// Writes a file, whole or not at all.
fn write_whole(path: &Path, text: &[u8]) -> Result<(), BackupError> {
    let draft = path.with_extension("new");
    let _left = fs::remove_file(&draft).is_ok();
    let mut file = create(&draft)?;
    let written = file.write_all(text).and_then(|()| file.sync_all()).at(&draft);
    let named = written.and_then(|()| fs::rename(&draft, path).at(path));
    if named.is_err() {
        let _gone = fs::remove_file(&draft).is_ok();
    }
    named?;
    path.parent().map_or(Ok(()), sync)
}

/// Whether a text can be the name of a backup.
fn is_id(id: &str) -> bool {
    let (time, number) = id.split_once('-').unwrap_or((id, "1"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = time.strip_suffix('Z').and_then(|time| time.split_once('T'));
    parts.is_some_and(|(day, time)| digits(day) && digits(time)) && digits(number)
}

const MARKER: &str = "LOGTRACE-BACKUP";
const FILES: &str = "files";
const JSON: &str = ".json";

/// The extension of a file that is being copied.
pub(super) const PART: &str = "part";

/// The length of the time in a name.
const SECOND: usize = "20261121T083448Z".len();

/// What is read at a time, in bytes.
const PIECE: usize = 1 << 20;
