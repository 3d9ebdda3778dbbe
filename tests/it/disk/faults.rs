//! A daemon whose system calls can be made to fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Daemon, LISTENERS};

/// Makes system calls of the daemons that it starts fail, or wait.
pub(super) struct Faults {
    library: PathBuf,
    control: PathBuf,
}

impl Faults {
    /// Compiles the library into `folder`, which needs a C compiler.
    pub(super) fn new(folder: &Path) -> Self {
        let (source, library) = (folder.join("faults.c"), folder.join("faults.so"));
        fs::write(&source, include_str!("faults.c")).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status();
        assert!(compiled.unwrap().success(), "cannot compile: this test needs a C compiler");
        Self { library, control: folder.join("faults") }
    }

    /// Starts a daemon that keeps everything in `folder`.
    #[track_caller]
    pub(super) fn start(&self, folder: &Path, config: &str) -> Daemon {
        self.start_of(folder, config, LISTENERS)
    }

    /// The same, with these listeners.
    #[track_caller]
    pub(super) fn start_with(&self, folder: &Path, listeners: &str) -> Daemon {
        self.start_of(folder, "", listeners)
    }

    #[track_caller]
    fn start_of(&self, folder: &Path, config: &str, listeners: &str) -> Daemon {
        let library = self.library.to_str().unwrap();
        let control = self.control.to_str().unwrap();
        let variables = [("LD_PRELOAD", library), ("FAULTS", control)];
        Daemon::try_start(folder, config, listeners, &variables).unwrap()
    }

    /// From now on, `call` (`write`, `sync`, `open`) for files whose path contains `path` fails
    /// with this number of an error; it waits so many milliseconds, or until that is over, where it
    /// is negative.
    pub(super) fn set(&self, call: &str, error: i32, path: &str) {
        self.write(&format!("{call} {error} {path}\n"));
    }

    /// The same, for one call.
    pub(super) fn once(&self, call: &str, error: i32, path: &str) {
        self.write(&format!("{call} {error} {path} once\n"));
    }

    /// From now on, the disk takes so many bytes a second of files whose path contains `path`.
    pub(super) fn pace(&self, rate: i32, path: &str) {
        self.write(&format!("pace {rate} {path}\n"));
    }

    /// Whether the fault of [`once`](Self::once) has come.
    pub(super) fn is_over(&self) -> bool {
        !self.control.exists()
    }

    /// Calls do what they should.
    pub(super) fn clear(&self) {
        let _gone = fs::remove_file(&self.control).is_ok();
    }

    /// Whole or not at all: it is read at any moment.
    fn write(&self, text: &str) {
        let draft = self.control.with_extension("new");
        fs::write(&draft, text).unwrap();
        fs::rename(&draft, &self.control).unwrap();
    }
}

pub(super) const EIO: i32 = 5;
pub(super) const EACCES: i32 = 13;
pub(super) const EMFILE: i32 = 24;
pub(super) const ENOSPC: i32 = 28;
pub(super) const EROFS: i32 = 30;
pub(super) const EDQUOT: i32 = 122;
