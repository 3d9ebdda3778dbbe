//! Forwarding: journals to a SIEM, as they are written.
//!
//! ```text
//!  store, audit ─[source]─▶ entries ─▶ RFC 5424, CEF ─[stream]─▶ receiver
//!                  ▲                └▶ JSON ────────[call]────▶
//!                  └── from here on ◀─[position]── taken ◀────────┘
//! ```
//!
//! # Invariants
//!
//! * *At least once*: what a target has taken is written down after it has, and never before; after
//!   a failure, a restart or `kill -9` it goes on behind that. A call over HTTP is taken when it was
//!   answered so, and what `stream` says of syslog. A target that is new begins with what is noted
//!   from then on, unless its configuration says otherwise.
//! * *Nothing is missed that comes late*: see `source`.
//! * *Memory does not grow while a receiver is away*: what waits, waits in the journal; in memory is
//!   one batch. What a journal's retention drops before it was taken is gone: the lag in the
//!   metrics tells in time.
//! * *A line is a line*: whatever someone wrote into a field can end neither a message nor a field.

mod call;
mod cef;
mod config;
mod entry;
mod position;
mod source;
mod stream;
mod syslog;
mod target;
#[cfg(test)]
mod tests;

pub use self::config::{Begin, Body, Confirm, Format, ForwardConfig, ForwardTls, Framing, Hidden};
pub use self::target::Target;

use std::sync::Arc;

use self::call::CallSink;
use self::config::Place;
use self::source::Library;
use self::stream::StreamSink;
use self::target::{AT_ONCE, Sink};
use super::config::Config;
use super::outbound::Outbound;
use crate::audit::Audit;
use crate::metrics::Shipping;
use crate::store::Store;

impl Target {
    /// The target of `config`, which `ship` lets be called, forwarding from `store` and `audit`.
    ///
    /// # Errors
    ///
    /// Certificates or headers that it names cannot be used.
    pub fn new(
        config: ForwardConfig,
        ship: &Config,
        store: Arc<Store>,
        audit: Arc<Audit>,
        metrics: Shipping,
    ) -> Result<Self, String> {
        let name = config.name.clone();
        let wrong = |error: String| format!("[[forward]] {name}: {error}");
        let sink = match config.place() {
            Some(Place::Stream { host, port, is_tls }) => {
                let sink = StreamSink::new(&config, (host, port), is_tls, ship.connect_timeout);
                Sink::Stream(Box::new(sink.map_err(|error| wrong(error.to_string()))?))
            }
            Some(Place::Http) => {
                let outbound = Outbound::anywhere(ship, &config.tls);
                let outbound = outbound.map_err(|error| wrong(error.to_string()))?;
                Sink::Call(CallSink::new(&config, outbound).map_err(wrong)?)
            }
            None => return Err(wrong(format!("expected a target, but found {:?}", config.to))),
        };
        let (library, taken) = (Library { store, audit }, position::Positions::new());
        let (failures, oldest, limit) = (0, None, AT_ONCE);
        let own = Self { config, library, sink, metrics, taken, failures, oldest, limit };
        own.start_series();
        Ok(own)
    }
}
