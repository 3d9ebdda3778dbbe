//! The pure modules of logtrace, as they are, without the rest: what they do with bytes that
//! nobody would send is found out in `targets/`.

#![allow(dead_code, unused_imports, reason = "the rest of the daemon is what uses it")]

#[path = "../../../src/eights.rs"]
mod eights;
#[path = "../../../src/event/mod.rs"]
pub mod event;
#[path = "../../../src/frame/mod.rs"]
pub mod frame;
#[path = "../../../src/ids/mod.rs"]
pub mod ids;
#[path = "../../../src/kql/mod.rs"]
pub mod kql;
#[path = "../../../src/parse/mod.rs"]
pub mod parse;
pub mod store;
#[path = "../../../src/time/mod.rs"]
pub mod time;
