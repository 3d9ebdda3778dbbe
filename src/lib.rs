//! logtrace.
pub mod db;
pub mod event;
pub mod ids;
pub mod store;
pub mod time;
