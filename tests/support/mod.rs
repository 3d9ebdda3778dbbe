//! What tests that start the real daemon have in common.

#![cfg(test)]
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

mod address;
mod beats;
mod certificates;
mod countries;
mod daemon;
mod day;
mod image;
mod listeners;
mod metrics;
mod mount;
mod port;
pub(crate) mod preload;
mod tls;
mod valve;
mod wait;

pub(crate) use self::address::Address;
pub(crate) use self::beats::{Beats, acknowledgement, event, pairs, window, zlib};
pub(crate) use self::certificates::{
    write as write_certificates, write_until as write_certificates_until,
};
pub(crate) use self::countries::countries;
pub(crate) use self::daemon::Daemon;
pub(crate) use self::day::{yesterday, yesterday_begins};
pub(crate) use self::image::Image;
pub(crate) use self::listeners::{FLUENT, LISTENERS, RELP};
pub(crate) use self::metrics::Metrics;
pub(crate) use self::mount::{Filler, SmallDisk};
pub(crate) use self::port::free_address;
pub(crate) use self::tls::{finish, tls};
pub(crate) use self::valve::Valve;
pub(crate) use self::wait::{PATIENCE, wait_for, well_before_the_next_hour};
