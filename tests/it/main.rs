//! The daemon as it is built, from outside: sockets in, HTTP and files out.
//!
//! | what                                             | file         |
//! |--------------------------------------------------|--------------|
//! | every message is accounted for                   | [`ledger`]   |
//! | what was acknowledged survives `kill -9`         | [`crash`]    |
//! | who may pass, and what is said of who may not    | [`gate`]     |
//! | streams and datagrams that are odd               | [`intake`]   |
//! | who is behind a proxy                            | [`proxy`]    |
//! | starting, stopping, and wrong configurations     | [`life`]     |

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod crash;
mod gate;
mod intake;
mod ledger;
mod life;
mod proxy;
