//! Says where the daemon listens, in a file beside the store.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::net::Listen;

/// `listening.json` in the data folder: names and addresses of all open sockets, for tools that
/// start the daemon on port 0. Removed when the daemon ends.
#[derive(Debug)]
pub(super) struct Listening(PathBuf);

impl Listening {
    /// Removes what a daemon left that was killed.
    pub(super) fn forget(data_dir: &Path) {
        let _none = fs::remove_file(data_dir.join(FILE)).is_err();
    }

    /// Writes the file, whole or not at all.
    pub(super) fn write(data_dir: &Path, addresses: &BTreeMap<String, Listen>) -> io::Result<Self> {
        let listening = Self(data_dir.join(FILE));
        listening.again(addresses)?;
        Ok(listening)
    }

    /// Writes the file anew.
    pub(super) fn again(&self, addresses: &BTreeMap<String, Listen>) -> io::Result<()> {
        let draft = self.0.with_extension("json.new");
        fs::write(&draft, serde_json::to_vec_pretty(addresses).map_err(io::Error::other)?)?;
        fs::rename(&draft, &self.0)
    }
}

const FILE: &str = "listening.json";

impl Drop for Listening {
    fn drop(&mut self) {
        // It may be gone already: nobody needs it any longer.
        let _gone = fs::remove_file(&self.0).is_err();
    }
}
