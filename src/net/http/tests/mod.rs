//! Calls of a door over a real gate, ledger and store.

mod bodies;
mod calls;
mod elastic;
mod gate;
mod journals;
mod push;
mod support;
