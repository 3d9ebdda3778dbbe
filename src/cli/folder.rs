//! A data folder, without its daemon.

use std::path::Path;
use std::sync::Arc;

use super::failure::Failure;
use crate::db::{self, Db};
use crate::gate::{self, Gate};
use crate::ingest::now;

/// Opens the gate of a data folder. It is not made, and no daemon may hold it.
pub(super) fn gate(folder: &Path) -> Result<Gate, Failure> {
    let db = open(folder)?;
    Gate::open(&gate::Config::default(), Arc::new(db), now()).map_err(Failure::new)
}

/// Opens a data folder. It is not made, and no daemon may hold it.
pub(super) fn open(folder: &Path) -> Result<Db, Failure> {
    let is_empty = folder.read_dir().map(|mut entries| entries.next().is_none());
    if is_empty.unwrap_or(true) {
        let shown = folder.display();
        let text = format!("{shown}: expected the data folder of a daemon, but found none");
        return Err(Failure::Failed(text));
    }
    Db::open(folder, &db::Options::default()).map_err(Failure::new)
}
