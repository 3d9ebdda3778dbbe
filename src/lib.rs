//! logtrace.
pub mod batch;
pub mod db;
pub mod event;
pub mod frame;
pub mod gate;
pub mod ids;
pub mod ingest;
pub mod journal;
pub mod kql;
pub mod metrics;
pub mod parse;
pub mod store;
pub mod time;
