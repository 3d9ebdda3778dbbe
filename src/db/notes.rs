//! Small files of text beside the engine's, which are there when it is not.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::Error;

/// What `name` in `folder` says; `None` if it is not there or cannot be read.
pub(super) fn read(folder: &Path, name: &str) -> Option<String> {
    fs::read_to_string(folder.join(name)).ok()
}

/// Removes `name` in `folder`, if it is there.
pub(super) fn remove(folder: &Path, name: &str) {
    let _gone = fs::remove_file(folder.join(name)).is_ok();
}

/// Makes `name` in `folder` say `text`, synced: all of it, or what it said before.
pub(super) fn write(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let (path, draft) = (folder.join(name), folder.join(format!("{name}.new")));
    let written = (|| {
        let mut file = File::create(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&draft, &path)?;
        File::open(folder)?.sync_all()
    })();
    written.map_err(|error| Error::File { path, error })
}
