//! The gate as a whole, over a store.

mod charge;
mod keys;
mod limits;
mod lists;
mod support;
mod usage;
