//! Queries against a real store, staged and sealed, and against a model of one.

mod damage;
mod deletes;
mod events;
mod fixtures;
mod model;
mod needs;
mod paging;
mod quarantine;
mod tail;
mod wall;
