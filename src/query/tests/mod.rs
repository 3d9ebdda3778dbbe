//! Queries against a real store, staged and sealed, and against a model of one.

mod damage;
mod events;
mod fixtures;
mod model;
mod needs;
mod paging;
mod tail;
mod wall;
