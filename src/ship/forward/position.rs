//! How much of each journal a target has taken: `forward/<name>` in the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::db;
use crate::store::Store;

/// The last entry of each journal that a target has taken.
pub(super) type Positions = BTreeMap<String, i64>;

#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    positions: Positions,
}

/// What is written down for `target`; nothing where it is new, or cannot be read.
pub(super) fn load(store: &Arc<Store>, target: &str) -> Result<Positions, db::Error> {
    let value = store.db().meta_get(key(target).as_bytes())?;
    let record = value.and_then(|value| serde_json::from_slice::<Record>(&value).ok());
    let record = record.filter(|record| record.version <= VERSION);
    Ok(record.map(|record| record.positions).unwrap_or_default())
}

/// Writes positions down, synced.
pub(super) fn save(
    store: &Arc<Store>,
    target: &str,
    positions: &Positions,
) -> Result<(), db::Error> {
    let record = Record { version: VERSION, positions: positions.clone() };
    let text = serde_json::to_vec(&record).expect("records have text for keys");
    store.db().meta_put(key(target).as_bytes(), &text)
}

fn key(target: &str) -> String {
    format!("forward/{target}")
}

const VERSION: u32 = 1;
