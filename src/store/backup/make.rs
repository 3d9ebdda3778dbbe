//! Makes a backup of a checkpoint.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::Progress;
use super::error::{At, BackupError};
use super::folder::{Folder, PART, create, pieces};
use super::manifest::{Entry, FORMAT, Manifest};
use crate::db;
use crate::time::Timestamp;

/// How a backup is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How many backups to leave in the folder, this one among them, at least 1. `None`: all.
    pub keep: Option<usize>,
    /// Whether to read every file, even one that an earlier backup has by name, length and time.
    pub full: bool,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Its name.
    pub id: String,
    /// Files in it.
    pub files: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Files that the folder did not have yet.
    pub copied_files: usize,
    /// Bytes of them.
    pub copied_bytes: u64,
    /// Older backups that were forgotten.
    pub forgotten: usize,
}

/// A file that is to be in the backup.
struct Found {
    path: PathBuf,
    name: String,
    size: u64,
    modified: u64,
}

/// Copies the checkpoint `from` (the folder of the engine's files) into the folder of backups `to`.
///
/// That is made where it is not there. `now` is the time of the backup. `each` hears how far it is,
/// a few times a second or more often.
///
/// # Errors
///
/// When a file cannot be read or written: there is then no backup, and what was there before is as
/// it was.
pub fn backup(
    from: &Path,
    to: &Path,
    options: Options,
    now: Timestamp,
    mut each: impl FnMut(&Progress),
) -> Result<Done, BackupError> {
    let folder = Folder::open_to_write(to)?;
    let mut made = Vec::new();
    let done = write(&folder, from, options, now, &mut made, &mut each);
    if done.is_err() {
        // It may be for want of room: what no backup has gives it back, a manifest first.
        made.push(folder.file(COPYING).with_extension(PART));
        made.iter().for_each(|path| drop(fs::remove_file(path)));
    }
    done
}

/// Adds a backup to `folder`; the files that it puts there are in `made`.
fn write(
    folder: &Folder,
    from: &Path,
    options: Options,
    now: Timestamp,
    made: &mut Vec<PathBuf>,
    each: &mut impl FnMut(&Progress),
) -> Result<Done, BackupError> {
    let found = found(from)?;
    let known = if options.full { HashMap::new() } else { known(folder)? };
    let mut progress = Progress {
        all_files: found.len(),
        all_bytes: found.iter().map(|file| file.size).sum(),
        ..Progress::default()
    };
    let mut files = Vec::with_capacity(found.len());
    let (mut copied_files, mut copied_bytes) = (0, 0);
    for file in found {
        let same = known.get(&(file.name.clone(), file.size, file.modified));
        let has = |blake3: &str| has(folder, blake3, file.size);
        let entry = match same.filter(|blake3| has(blake3)) {
            Some(blake3) => {
                progress.bytes += file.size;
                Entry {
                    name: file.name,
                    size: file.size,
                    modified: file.modified,
                    blake3: blake3.clone(),
                }
            }
            None => {
                let (entry, is_new) = copy(folder, &file, &mut progress, each)?;
                made.extend(is_new.then(|| folder.file(&entry.blake3)));
                copied_files += usize::from(is_new);
                copied_bytes += if is_new { entry.size } else { 0 };
                entry
            }
        };
        files.push(entry);
        progress.files += 1;
        each(&progress);
    }
    let manifest = Manifest {
        format: FORMAT,
        id: free_id(folder, now)?,
        made_at: now.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        store_format: db::FORMAT,
        digest: String::new(),
        files,
    };
    made.insert(0, folder.manifest_path(&manifest.id));
    folder.finish(&manifest)?;
    made.clear();
    let forgotten = options.keep.map_or(Ok(0), |keep| folder.forget(keep.max(1)))?;
    let (files, bytes) = (manifest.files.len(), manifest.bytes());
    Ok(Done { id: manifest.id, files, bytes, copied_files, copied_bytes, forgotten })
}

/// The files of a checkpoint, by name.
fn found(from: &Path) -> Result<Vec<Found>, BackupError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(from).at(from)? {
        let entry = entry.at(from)?;
        let path = entry.path();
        let about = fs::symlink_metadata(&path).at(&path)?;
        let modified = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.map_or(0, |since| since.as_nanos());
        let name = entry.file_name().into_string().unwrap_or_default();
        if about.is_file() {
            found.push(Found {
                name: format!("{}/{name}", db::ENGINE),
                path,
                size: about.len(),
                modified: u64::try_from(modified).unwrap_or(0),
            });
        }
    }
    found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The hashes of sealed files in earlier backups, by name, length and time: those files are never
/// written again, and a number is never given to two of one store.
fn known(folder: &Folder) -> Result<HashMap<(String, u64, u64), String>, BackupError> {
    let files = folder.manifests()?.into_iter().flat_map(|manifest| manifest.files);
    let sealed = files.filter(|file| file.name.ends_with(".sst"));
    Ok(sealed.map(|file| ((file.name, file.size, file.modified), file.blake3)).collect())
}

fn has(folder: &Folder, blake3: &str, size: u64) -> bool {
    fs::metadata(folder.file(blake3)).is_ok_and(|about| about.is_file() && about.len() == size)
}

/// Copies a file, unless the folder has one of the same bytes; says whether it had none.
fn copy(
    folder: &Folder,
    found: &Found,
    progress: &mut Progress,
    each: &mut impl FnMut(&Progress),
) -> Result<(Entry, bool), BackupError> {
    let mut source = File::open(&found.path).at(&found.path)?;
    let part = folder.file(COPYING).with_extension(PART);
    let mut target = create(&part)?;
    let (mut hasher, mut size) = (blake3::Hasher::new(), 0);
    pieces(&found.path, &mut source, |piece| {
        hasher.update(piece);
        target.write_all(piece).at(&part)?;
        let len = piece.len() as u64;
        size += len;
        progress.bytes += len;
        progress.copied_bytes += len;
        each(progress);
        Ok(())
    })?;
    let blake3 = hasher.finalize().to_hex().to_string();
    let is_new = !has(folder, &blake3, size);
    if is_new {
        target.sync_all().at(&part)?;
        let file = folder.file(&blake3);
        fs::rename(&part, &file).at(&file)?;
    } else {
        fs::remove_file(&part).at(&part)?;
    }
    let (name, modified) = (found.name.clone(), found.modified);
    Ok((Entry { name, size, modified, blake3 }, is_new))
}

/// A name for a backup of that time that none has.
fn free_id(folder: &Folder, now: Timestamp) -> Result<String, BackupError> {
    let taken = folder.ids()?;
    let time = now.to_string();
    let seconds = time.split('.').next().unwrap_or_default().replace(['-', ':', 'Z'], "");
    let first = format!("{seconds}Z");
    let others = (2_u32..).map(|number| format!("{first}-{number}"));
    let mut ids = std::iter::once(first.clone()).chain(others);
    Ok(ids.find(|id| !taken.contains(id)).expect("numbers have no end"))
}

/// The name of a file that is being copied.
const COPYING: &str = "copying";
