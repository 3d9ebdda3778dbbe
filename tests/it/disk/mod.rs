//! What becomes of acknowledged logs, and of senders, when the disk does not do as it is told.

mod damaged;
mod failing;
mod faults;
mod full;
mod gives_way;
mod gone;
mod model;
mod resent;
mod sender;

pub(crate) use self::full::{wait_until_free, wait_until_held};

use crate::support::Daemon;
use serde_json::Value;

/// What `/health` of the admin port says, with its status.
pub(crate) fn health(daemon: &Daemon) -> (u16, Value) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = format!("http://{}/health", daemon.address("admin"));
    let mut answer = agent.get(&url).call().unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap())
}
