//! Makes a data folder of a backup.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::Progress;
use super::error::{At, BackupError};
use super::folder::{Folder, create, make_folder, sync};
use super::manifest::Manifest;
use crate::db;

/// Restores the backup `id` of the folder `from`, or its last, into the data folder `to`, which is
/// empty or not there. `each` hears how far it is.
///
/// # Errors
///
/// When a file is missing or damaged, which is named, or cannot be written: there is then no store
/// in `to`.
pub fn restore(
    from: &Path,
    id: Option<&str>,
    to: &Path,
    mut each: impl FnMut(&Progress),
) -> Result<Manifest, BackupError> {
    let folder = Folder::open(from)?;
    let manifest = folder.chosen(id)?;
    all_there(&folder, &manifest)?;
    let was_there = to.exists();
    make_folder(to)?;
    let draft = to.join(DRAFT);
    let kept =
        |entry: fs::DirEntry| entry.file_name() != DRAFT && entry.file_name() != "lost+found";
    if fs::read_dir(to).at(to)?.flatten().any(kept) {
        return Err(BackupError::NotEmpty(to.to_owned()));
    }
    let done = copy(&folder, &manifest, &draft, &mut each).and_then(|()| {
        // By this one rename there is a store; a daemon needs the marker only to tell a folder of
        // its own that was emptied from a new one.
        let (made, engine) = (draft.join(db::ENGINE), to.join(db::ENGINE));
        fs::rename(&made, &engine).at(&engine)?;
        sync(to)?;
        Ok(db::mark(to)?)
    });
    // What is left is of no use: it is empty, or was cut short.
    let _none = fs::remove_dir_all(&draft).is_err();
    if done.is_err() && !was_there {
        let _used = fs::remove_dir(to).is_err();
    }
    done.map(|()| manifest)
}

/// Compares every byte of the backup `id` of the folder `from`, or of its last, with its hash.
///
/// # Errors
///
/// Names the first file that is missing or damaged.
pub fn check(
    from: &Path,
    id: Option<&str>,
    mut each: impl FnMut(&Progress),
) -> Result<Manifest, BackupError> {
    let folder = Folder::open(from)?;
    let manifest = folder.chosen(id)?;
    all_there(&folder, &manifest)?;
    let mut progress = start(&manifest);
    for entry in &manifest.files {
        folder.read(entry, |piece| {
            progress.bytes += piece.len() as u64;
            each(&progress);
            Ok(())
        })?;
        progress.files += 1;
        each(&progress);
    }
    Ok(manifest)
}

/// Finds what is missing before anything is written.
fn all_there(folder: &Folder, manifest: &Manifest) -> Result<(), BackupError> {
    for entry in &manifest.files {
        let (path, name) = (folder.file(&entry.blake3), entry.name.clone());
        match fs::metadata(&path) {
            Ok(about) if about.len() == entry.size => {}
            Ok(_) => return Err(BackupError::Damaged { path, name }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(BackupError::Missing { path, name });
            }
            Err(error) => return Err(BackupError::File { path, error }),
        }
    }
    Ok(())
}

/// Copies everything into `draft`, durable.
fn copy(
    folder: &Folder,
    manifest: &Manifest,
    draft: &Path,
    each: &mut impl FnMut(&Progress),
) -> Result<(), BackupError> {
    let _of_one_cut_short = fs::remove_dir_all(draft).is_ok();
    let engine = draft.join(db::ENGINE);
    make_folder(&engine)?;
    let mut progress = start(manifest);
    for entry in &manifest.files {
        let path = draft.join(&entry.name);
        let mut file = create(&path)?;
        folder.read(entry, |piece| {
            file.write_all(piece).at(&path)?;
            progress.bytes += piece.len() as u64;
            progress.copied_bytes = progress.bytes;
            each(&progress);
            Ok(())
        })?;
        file.sync_all().at(&path)?;
        progress.files += 1;
        each(&progress);
    }
    sync(&engine)
}

fn start(manifest: &Manifest) -> Progress {
    let (all_files, all_bytes) = (manifest.files.len(), manifest.bytes());
    Progress { all_files, all_bytes, ..Progress::default() }
}

/// Where files lie in the data folder until all of them are right: inside of it, so that it may be
/// a file system of its own.
const DRAFT: &str = "restoring";
