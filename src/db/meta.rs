//! The family `meta`: small things by name, read and written one at a time, and the form of those that
//! are records: JSON with its version, `{"version":1,"record":{…}}`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Db, Entry, Error, Family, Write};

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Versioned<T> {
    version: u32,
    record: T,
}

impl Db {
    /// Puts a synced entry into `meta`.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub fn meta_put(&self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let mut write = Write::default();
        write.put(Family::Meta, key, value);
        self.commit(&write)
    }

    /// Deletes an entry of `meta`, synced.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub fn meta_delete(&self, key: &[u8]) -> Result<(), Error> {
        let mut write = Write::default();
        write.delete(Family::Meta, key);
        self.commit(&write)
    }

    /// An entry of `meta`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn meta_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.get(Family::Meta, key)
    }

    /// All entries of `meta` whose keys begin with `prefix`, in order.
    ///
    /// # Errors
    ///
    /// As [`scan`](Self::scan).
    pub fn meta_scan(&self, prefix: &[u8]) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        self.scan(Family::Meta, prefix, |key, value| {
            entries.push((key.to_owned(), value.to_owned()));
        })?;
        Ok(entries)
    }
}

/// A record as it is stored, in a form of this version.
///
/// # Panics
///
/// When it has maps whose keys are no text.
pub fn write_record<T: Serialize>(version: u32, record: T) -> Vec<u8> {
    let versioned = Versioned { version, record };
    serde_json::to_vec(&versioned).expect("records have text for keys")
}

/// Reads a record of this version back.
///
/// # Errors
///
/// When it is of another version, or damaged: what is there.
pub fn read_record<T: DeserializeOwned>(version: u32, value: &[u8]) -> Result<T, String> {
    // First, as what another version holds may not be read at all.
    let found: Version = serde_json::from_slice(value).map_err(|error| error.to_string())?;
    if found.version != version {
        return Err(format!("version {}", found.version));
    }
    let Versioned { record, .. } =
        serde_json::from_slice(value).map_err(|error| error.to_string())?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_in_this_version_is_read() {
        let written = write_record(2, "web");
        assert_eq!(written, br#"{"version":2,"record":"web"}"#);
        assert_eq!(read_record::<String>(2, &written).unwrap(), "web");
        let table: [(&[u8], &str); 5] = [
            (br#"{"version":3,"record":{"of":"another"}}"#, "version 3"),
            (br#"{"version":3,"more":1}"#, "version 3"),
            (br#"{"version":2,"record":"web","more":1}"#, "unknown field"),
            (br#"{"version":2,"record":7}"#, "invalid type"),
            (b"\xff", "expected value"),
        ];
        for (value, found) in table {
            let error = read_record::<String>(2, value).unwrap_err();
            assert!(error.contains(found), "{error}");
        }
    }
}
