//! A data folder, without its daemon.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::failure::Failure;
use crate::audit::{self, Act, Audit, Who};
use crate::db::{self, Db};
use crate::gate::{self, Gate};
use crate::ingest::now;
use crate::people::{self, People};

/// Runs `change` on the gate of a data folder, and records there what it changes.
pub(super) fn change<T>(
    folder: &Path,
    act: Act,
    change: impl FnOnce(&Gate) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let db = Arc::new(open(folder)?);
    let audit = audit(&db)?;
    let gate = Gate::open(&gate::Config::default(), db, now()).map_err(Failure::new)?;
    audit.change(who(), act, || change(&gate))
}

/// Runs `change` on the people of a data folder, and records there what it changes.
pub(super) fn change_people<T>(
    folder: &Path,
    act: Act,
    change: impl FnOnce(&People, &Gate) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let db = Arc::new(open(folder)?);
    let audit = audit(&db)?;
    let gate =
        Gate::open(&gate::Config::default(), Arc::clone(&db), now()).map_err(Failure::new)?;
    let people = People::open(people::Config::default(), db, now()).map_err(Failure::new)?;
    audit.change(who(), act, || change(&people, &gate))
}

/// The audit log of a data folder.
pub(super) fn audit(db: &Arc<Db>) -> Result<Arc<Audit>, Failure> {
    Audit::open(Arc::clone(db), audit::Config::default(), now).map_err(Failure::new)
}

/// Whoever runs this process.
pub(super) fn who() -> Who {
    let uid = fs::metadata("/proc/self").map_or(u32::MAX, |own| own.uid());
    Who::local(&uid.to_string())
}

/// Opens the gate of a data folder. It is not made, and no daemon may hold it.
#[cfg(test)]
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
