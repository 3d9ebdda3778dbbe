//! A small disk of its own for one test.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A file system in memory, unmounted when it is dropped.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// One of so many MiB. Mounting needs root.
    #[track_caller]
    pub(crate) fn new(mib: u64) -> Self {
        Self::mounted(&format!("size={mib}m"))
    }

    /// One that has room for so many files.
    #[track_caller]
    pub(crate) fn with_files(mib: u64, files: u64) -> Self {
        Self::mounted(&format!("size={mib}m,nr_inodes={files}"))
    }

    #[track_caller]
    fn mounted(options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "logtrace-test"])
            .arg(folder.path())
            .status();
        assert!(mounted.unwrap().success(), "cannot mount: this test needs root");
        Self(folder)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Bytes that are free.
    pub(crate) fn free(&self) -> u64 {
        let found = rustix::fs::statvfs(self.path()).unwrap();
        found.f_bavail * found.f_frsize
    }

    /// Makes files until there can be no more; removed when what it returns is dropped.
    pub(crate) fn use_up_files(&self) -> Filler {
        let path = self.path().join("files");
        fs::create_dir(&path).unwrap();
        let mut made = 0;
        while File::create(path.join(made.to_string())).is_ok() {
            made += 1;
        }
        Filler(path)
    }

    /// Fills it until so many bytes are free; removed when what it returns is dropped.
    pub(crate) fn fill(&self, left: u64) -> Filler {
        let path = self.path().join("filler");
        let mut file = File::options().create(true).append(true).open(&path).unwrap();
        let piece = vec![1; 16 << 10];
        while self.free() > left {
            let len = usize::try_from(self.free() - left).unwrap().min(piece.len());
            if file.write_all(&piece[..len]).is_err() {
                break;
            }
        }
        Filler(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever still runs in there does not keep it.
        let _gone = Command::new("umount").arg("--lazy").arg(self.path()).status().is_ok();
    }
}

/// A file that fills a disk until it is dropped.
pub(crate) struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.0).is_ok() || fs::remove_dir_all(&self.0).is_ok();
    }
}
