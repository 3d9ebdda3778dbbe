//! Which decoder a listener's connections have.

use super::config::{Codec, ListenerConfig, Protocol};
use crate::frame::{Fluent, Frames, Framing, JsonValues, Lumberjack, Relp};
use crate::ingest::Decoder;

/// The decoder of a connection over which nothing has come yet.
pub(super) fn decoder(config: &ListenerConfig) -> Decoder {
    let max_len = config.max_len();
    match (config.protocol, config.codec) {
        // What is of any protocol was told before, and is served as one of its own.
        (Protocol::Syslog | Protocol::Auto, _) => {
            Decoder::Frames(Box::new(Frames::new(config.framing, max_len)))
        }
        (Protocol::Beats, _) => Decoder::Dialogue(Box::new(Lumberjack::new(max_len))),
        (Protocol::Logstash, Codec::Json) | (Protocol::Gelf, _) => {
            Decoder::Json(Box::new(JsonValues::new(max_len)))
        }
        // Calls over HTTP have no decoder, and are not served here.
        (Protocol::Logstash, Codec::JsonLines | Codec::Line) | (Protocol::Http, _) => {
            Decoder::Frames(Box::new(Frames::new(Framing::Lf, max_len)))
        }
        (Protocol::Relp, _) => Decoder::Dialogue(Box::new(Relp::new(max_len))),
        (Protocol::Fluent, _) => Decoder::Dialogue(Box::new(match &config.shared_key {
            Some(key) => Fluent::secret(max_len, key.clone(), nonce()),
            None => Fluent::new(max_len),
        })),
    }
}

/// What nobody can know before.
fn nonce() -> [u8; 16] {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).expect("the system has random bytes from its start on");
    nonce
}
