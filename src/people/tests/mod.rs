//! People as a whole, over a store.

mod model;
mod sessions;
mod support;
mod users;
