//! What callers of the API see.

mod audit;
mod bounds;
mod counting;
mod journals;
mod keeping;
mod keys;
mod lists;
mod matrix;
mod paths;
mod people;
mod projects;
mod query;
mod recorded;
mod roles;
mod search;
mod settings;
mod support;
mod tail;
mod versions;
mod visits;
mod walls;
mod webhooks;
