//! Files of sorted keys that are made aside and then brought in whole.

use std::path::Path;

use rocksdb::{BlockBasedOptions, DBCompressionType, SstFileWriter};

use super::Error;
use crate::failpoint;

/// Writes `entries`, in ascending order of their keys, into a synced file at `path`.
pub(super) fn write<K, V>(
    path: &Path,
    entries: impl IntoIterator<Item = (K, V)>,
) -> Result<(), Error>
where
    K: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    let mut table = BlockBasedOptions::default();
    table.set_block_size(16 << 10);
    table.set_format_version(6);
    let mut options = rocksdb::Options::default();
    options.set_compression_type(DBCompressionType::None);
    options.set_block_based_table_factory(&table);
    let mut writer = SstFileWriter::create(&options);
    writer.open(path)?;
    for (key, value) in entries {
        writer.put(key, value)?;
    }
    writer.finish()?;
    failpoint::reached("segment-written");
    Ok(())
}
