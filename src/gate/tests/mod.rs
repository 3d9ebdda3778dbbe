//! The gate as a whole, over a store.

mod automatic;
mod charge;
mod keys;
mod limits;
mod lists;
mod rules;
mod support;
mod usage;
