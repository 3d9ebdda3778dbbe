//! The proxies of a listener: who is believed to say for whom it connects.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use super::config::Transport;
use crate::gate::parse_net;

/// Proxies that put a PROXY header, of version 1 or 2, in front of a stream. A header from any
/// other address is not looked for: it is text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyConfig {
    /// Networks and addresses whose headers are believed. Range: 1 to 256 of them.
    #[serde(deserialize_with = "networks")]
    pub trusted: Vec<IpNet>,
    /// Whether they are refused without a header; else the address of the socket counts then.
    /// Default: true.
    #[serde(default = "default_required")]
    pub required: bool,
}

impl ProxyConfig {
    /// Whether a header from this address is believed.
    pub(super) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|network| network.contains(&peer))
    }

    pub(super) fn problems(&self, transport: Transport) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if transport.is_datagrams() {
            let what = "expected no proxies on a listener of datagrams, but found some";
            problems.push(("proxy", what.to_owned()));
        }
        let found = self.trusted.len();
        if !(1..=MAX_TRUSTED).contains(&found) {
            let what = format!("expected 1 to {MAX_TRUSTED} networks, but found {found}");
            problems.push(("proxy.trusted", what));
        }
        problems
    }
}

/// Networks, and addresses, which stand for themselves alone.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: &String| {
        let what = || format!("expected an address or a network, but found {text:?}");
        parse_net(text).ok_or_else(|| D::Error::custom(what()))
    };
    Vec::<String>::deserialize(deserializer)?.iter().map(network).collect()
}

fn default_required() -> bool {
    true
}

/// Networks of proxies: each connection is compared with all of them.
const MAX_TRUSTED: usize = 256;

#[cfg(test)]
mod tests {
    use super::super::config::{ListenerConfig, Protocol};
    use super::super::listen::Listen;
    use super::*;

    #[test]
    fn fr_19_proxies_are_trusted_by_their_address() {
        let proxy = |text: &str| serde_json::from_str::<ProxyConfig>(text);
        let trusted = r#"{"trusted": ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]}"#;
        let config = proxy(trusted).unwrap();
        assert!(config.required);
        for (peer, want) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("192.0.2.2", false),
            ("127.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(config.trusts(peer.parse().unwrap()), want, "{peer}");
        }
        assert!(proxy(r#"{"trusted": ["10.0.0.0/40"]}"#).is_err());
        assert!(proxy(r#"{"required": true}"#).is_err());

        let listen: Listen = "127.0.0.1:5514".parse().unwrap();
        let mut listener = ListenerConfig::new("x", Protocol::Syslog, Transport::Tcp, listen);
        listener.proxy = Some(config);
        assert_eq!(listener.problems(), []);
        listener.transport = Transport::Udp;
        assert_eq!(listener.problems().first().map(|(key, _)| *key), Some("proxy"));
        listener.transport = Transport::Tcp;
        listener.proxy = Some(proxy(r#"{"trusted": []}"#).unwrap());
        assert_eq!(listener.problems().first().map(|(key, _)| *key), Some("proxy.trusted"));
    }
}
