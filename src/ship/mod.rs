//! What leaves the daemon: calls to others.
//!
//! Whoever calls out does it through [`Outbound`], which knows where calls may go. [`Webhooks`] tell
//! receivers of events, by signed calls that are tried until they are taken. A [`Target`] is where
//! journals are forwarded to.

mod backoff;
mod clock;
mod config;
mod forward;
mod outbound;
mod pem;
mod tls;
mod webhook;

pub use self::config::{Config, Webhooks as WebhooksConfig};
pub use self::forward::{
    Begin, Body, Confirm, Format, ForwardConfig, ForwardTls, Framing, Hidden, Target,
};
pub use self::outbound::{Answer, Fetched, Headers, Outbound, OutboundError};
pub use self::pem::{PemError, certificates, private_key};
pub use self::tls::TlsError;
pub use self::webhook::{
    Delivery, GivenUp, NewWebhook, Pattern, PatternError, Secret, SecretError, State, Webhook,
    WebhookError, Webhooks,
};
