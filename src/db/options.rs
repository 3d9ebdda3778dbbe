//! How RocksDB is set up for each family, and why.

use bytesize::ByteSize;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode,
};
use serde::{Deserialize, Serialize};

use super::Family;

/// Section `[store.engine]`: the memory that RocksDB may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Staged batches kept in memory before RocksDB writes them out a second time; batches that
    /// are sealed before then never are. Default: 16 MiB. Range: 1 MiB to 1 GiB.
    pub write_buffer: ByteSize,
    /// Blocks of segments and the catalog kept in memory. Default: 16 MiB. Range: 1 MiB to 64 GiB.
    pub block_cache: ByteSize,
    /// Open files that RocksDB may hold. Default: 512. Range: 64 to 100000.
    pub max_open_files: i32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            write_buffer: ByteSize::mib(16),
            block_cache: ByteSize::mib(16),
            max_open_files: 512,
        }
    }
}

/// Options of the engine as a whole.
pub(super) fn engine(options: &Options, create: bool) -> rocksdb::Options {
    let mut base = rocksdb::Options::default();
    // Opening then takes no more room than a few small files: on a disk that is nearly full, a
    // store that writes its logs out as it opens does not open.
    let known = base.get_options_from_string("avoid_flush_during_recovery=true");
    let mut engine = known.expect("an option of this version");
    engine.create_if_missing(create);
    engine.create_missing_column_families(true);
    // The default mode opens with what came before a damaged record and says nothing of the rest.
    engine.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    engine.set_recycle_log_file_num(0); // incompatible with the mode above
    engine.set_track_and_verify_wals_in_manifest(true);
    // A family that is seldom written would otherwise keep old logs alive for ever.
    engine.set_max_total_wal_size(4 * options.write_buffer.as_u64());
    engine.set_max_background_jobs(2);
    engine.set_bytes_per_sync(1 << 20);
    engine.set_max_open_files(options.max_open_files);
    engine.set_keep_log_file_num(4);
    engine.set_max_log_file_size(4 << 20);
    engine
}

/// One descriptor for each family. `stage` is the least memory that its family is given.
pub(super) fn families(options: &Options, stage: u64) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(bytes(options.block_cache));
    let stage = usize::try_from(stage).unwrap_or(usize::MAX);
    let own = |family: Family| {
        let mut own = of(family, options, &cache);
        if family == Family::Stage && stage > bytes(options.write_buffer) {
            own.set_write_buffer_size(stage);
        }
        ColumnFamilyDescriptor::new(family.name(), own)
    };
    // Nothing is kept in the family that RocksDB brings; but each log takes as much room at once
    // as the largest buffer of all families, and its own would be 64 MiB.
    let mut unused = rocksdb::Options::default();
    unused.set_write_buffer_size(64 << 10);
    let unused = ColumnFamilyDescriptor::new(rocksdb::DEFAULT_COLUMN_FAMILY_NAME, unused);
    Family::ALL.into_iter().map(own).chain([unused]).collect()
}

fn of(family: Family, options: &Options, cache: &Cache) -> rocksdb::Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_format_version(6);
    let mut own = rocksdb::Options::default();
    match family {
        Family::Stage => {
            own.set_write_buffer_size(bytes(options.write_buffer));
            own.set_max_write_buffer_number(3);
            own.set_compression_type(DBCompressionType::None); // batches are compressed
        }
        Family::Segments => {
            own.set_write_buffer_size(1 << 20); // never written but by ingestion
            own.set_disable_auto_compactions(true);
            own.set_compression_type(DBCompressionType::None); // chunks are compressed
            table.set_block_size(16 << 10);
        }
        Family::Catalog | Family::Meta | Family::Audit => {
            own.set_write_buffer_size(4 << 20);
            own.set_compression_type(DBCompressionType::Lz4);
        }
    }
    own.set_block_based_table_factory(&table);
    own
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}
