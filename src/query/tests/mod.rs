//! Queries against a real store, staged and sealed, and against a model of one.

mod counting;
mod damage;
mod deletes;
mod events;
mod fixtures;
mod model;
mod needs;
mod over_time;
mod paging;
mod quarantine;
mod tail;
mod wall;
