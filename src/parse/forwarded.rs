//! For whom a trusted proxy makes a call over HTTP.
//!
//! Each proxy on the way adds the address that it was called from at the end of a header. Those at
//! the end are written by proxies that are trusted; the first from the right that is not the address
//! of one is the client. What stands further left anyone may have written, and so may all of a header
//! that comes from elsewhere: it is not looked at then.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Proxies that are trusted to say who calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Their networks and addresses. None are trusted where it is empty.
    pub networks: Vec<IpNet>,
    /// The header that they write.
    pub header: ForwardedHeader,
}

/// A header in which proxies say who calls. Only one is read: what a proxy does not write itself, it
/// passes on as the client wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: addresses with commas between them.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): elements with `for=`.
    Forwarded,
}

/// A call that a proxy made for someone, in the extensions of a request: who called it may be near,
/// but is not known to be on this machine.
#[derive(Clone, Copy, Debug)]
pub struct ForSomeone;

impl TrustedProxies {
    /// For whom `peer` calls, by the lines of the header; none where it calls for itself.
    pub fn client<'h>(
        &self,
        peer: IpAddr,
        lines: impl DoubleEndedIterator<Item = &'h [u8]>,
    ) -> Option<IpAddr> {
        if !self.trusts(peer) {
            return None;
        }
        let mut client = None;
        let hops = lines.rev().flat_map(|line| self.header.hops(line));
        for hop in hops.take(MAX_HOPS) {
            // Past what is no address, nobody knows who wrote what.
            let Some(address) = hop else { break };
            client = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        client
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.networks.iter().any(|network| network.contains(&peer))
    }

    /// What makes no sense about so many.
    pub fn problem(networks: &[IpNet]) -> Option<String> {
        let found = networks.len();
        let what = || format!("expected {MAX_TRUSTED} networks at most, but found {found}");
        (found > MAX_TRUSTED).then(what)
    }
}

impl ForwardedHeader {
    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }

    /// The addresses of a line, the last first; none for what is no address.
    fn hops(self, line: &[u8]) -> impl Iterator<Item = Option<IpAddr>> + use<'_> {
        line.rsplit(|byte| *byte == b',').map(move |hop| {
            let hop = std::str::from_utf8(hop).ok()?.trim();
            match self {
                Self::XForwardedFor => address(hop),
                Self::Forwarded => hop.split(';').find_map(|pair| {
                    let (name, value) = pair.trim().split_once('=')?;
                    let value = value.trim().trim_matches('"');
                    name.eq_ignore_ascii_case("for").then(|| address(value))?
                }),
            }
        })
    }
}

/// An address, with or without a port; one of IPv6 may be in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse().ok();
    let address: Option<IpAddr> =
        address.or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()));
    address.map(|address| address.to_canonical())
}

/// Proxies on the way of a call that are looked at.
const MAX_HOPS: usize = 32;

/// Networks of proxies: each call is compared with all of them.
const MAX_TRUSTED: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: ForwardedHeader, peer: &str, lines: &[&str]) -> Option<String> {
        let networks = ["10.0.0.0/8", "2001:db8::/32"].map(|net| net.parse().unwrap()).to_vec();
        let proxies = TrustedProxies { networks, header };
        let lines = lines.iter().map(|line| line.as_bytes());
        proxies.client(peer.parse().unwrap(), lines).map(|address| address.to_string())
    }

    #[test]
    fn ht_08_the_first_from_the_right_that_is_no_proxy_is_the_client() {
        let own = ForwardedHeader::XForwardedFor;
        let table: [(&str, &[&str], _); 14] = [
            ("10.0.0.1", &["192.0.2.1"], Some("192.0.2.1")),
            ("::ffff:10.0.0.1", &["192.0.2.1"], Some("192.0.2.1")),
            ("192.0.2.9", &["192.0.2.1"], None),
            ("10.0.0.1", &[], None),
            ("10.0.0.1", &["127.0.0.1, 192.0.2.1"], Some("192.0.2.1")),
            ("10.0.0.1", &["127.0.0.1, 192.0.2.1, 10.0.0.2"], Some("192.0.2.1")),
            ("10.0.0.1", &["127.0.0.1", "192.0.2.1", "10.0.0.2,10.0.0.3"], Some("192.0.2.1")),
            ("10.0.0.1", &["192.0.2.1, unknown, 10.0.0.2"], Some("10.0.0.2")),
            ("10.0.0.1", &["192.0.2.1, unknown"], None),
            ("10.0.0.1", &["192.0.2.1,"], None),
            ("10.0.0.1", &["192.0.2.1:4711"], Some("192.0.2.1")),
            ("10.0.0.1", &["[2001:db9::1]:4711"], Some("2001:db9::1")),
            ("2001:db8::1", &["2001:db9::1, 10.0.0.1"], Some("2001:db9::1")),
            ("10.0.0.1", &["10.0.0.7, 10.0.0.2"], Some("10.0.0.7")),
        ];
        for (peer, lines, want) in table {
            assert_eq!(client(own, peer, lines).as_deref(), want, "{peer} {lines:?}");
        }
        let many = ["10.0.0.2"; 100_000 / 10].join(", ");
        let forged = format!("192.0.2.1, {many}");
        assert_eq!(client(own, "10.0.0.1", &[&forged]).as_deref(), Some("10.0.0.2"));
        let table: [(&[&str], _); 6] = [
            (&["for=192.0.2.1"], Some("192.0.2.1")),
            (&["for=127.0.0.1, proto=http;For=\"192.0.2.1:47\";by=10.0.0.1"], Some("192.0.2.1")),
            (&["for=\"[2001:db9::1]:4711\""], Some("2001:db9::1")),
            (&["for=192.0.2.1, for=_hidden"], None),
            (&["for=192.0.2.1, by=10.0.0.1"], None),
            (&["for=192.0.2.1", "for=10.0.0.2"], Some("192.0.2.1")),
        ];
        for (lines, want) in table {
            let client = client(ForwardedHeader::Forwarded, "10.0.0.1", lines);
            assert_eq!(client.as_deref(), want, "{lines:?}");
        }
    }
}
