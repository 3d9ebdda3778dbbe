//! Address ranges, IPv4 and IPv6 in one space.
//!
//! An IPv4 address is its IPv4-mapped IPv6 address here (RFC 4291 §2.5.5.2), so that a sender who
//! arrives on a dual-stack socket is the same sender, whichever way a list names it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A network. Ordered by its first address, an outer network before those inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Range {
    start: u128,
    /// 0 to 128.
    prefix: u8,
}

impl Range {
    /// The range of a network; bits behind the prefix do not count.
    pub(super) fn of(net: IpNet) -> Self {
        let prefix = match net {
            IpNet::V4(net) => net.prefix_len() + MAPPED,
            IpNet::V6(net) => net.prefix_len(),
        };
        Self { start: bits(net.addr()) & mask(prefix), prefix }
    }

    /// The range of these: what [`start`](Self::start) and [`prefix`](Self::prefix) say of it.
    pub(super) fn from_parts(start: u128, prefix: u8) -> Self {
        Self { start, prefix }
    }

    /// The network of so many bits, of 128, round an address.
    pub(super) fn round(address: u128, prefix: u8) -> Self {
        Self { start: address & mask(prefix), prefix }
    }

    /// What counts as one [`source`]: an IPv4 address, or the /64 of an IPv6 one.
    pub(super) fn of_source(source: u128) -> Self {
        let is_v4 = Ipv6Addr::from_bits(source).to_ipv4_mapped().is_some();
        Self::round(source, if is_v4 { 128 } else { 64 })
    }

    /// Its first address.
    pub(super) fn start(self) -> u128 {
        self.start
    }

    /// How many bits at the front of an address count, of 128.
    pub(super) fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether only IPv4 addresses lie inside.
    pub(super) fn is_v4(self) -> bool {
        self.prefix >= MAPPED && Ipv6Addr::from_bits(self.start).to_ipv4_mapped().is_some()
    }

    /// The range as it is shown: an IPv4 network where it is one.
    pub(super) fn net(self) -> IpNet {
        let v6 = Ipv6Addr::from_bits(self.start);
        let v4 = self.prefix.checked_sub(MAPPED).zip(v6.to_ipv4_mapped());
        match v4.and_then(|(prefix, v4)| Ipv4Net::new(v4, prefix).ok()) {
            Some(net) => IpNet::V4(net),
            None => IpNet::V6(Ipv6Net::new_assert(v6, self.prefix)),
        }
    }

    /// Whether an address, as [`bits`] gives it, lies inside.
    pub(super) fn contains(self, address: u128) -> bool {
        (address ^ self.start) & mask(self.prefix) == 0
    }

    /// Whether all of `inner` lies inside.
    pub(super) fn encloses(self, inner: Self) -> bool {
        self.prefix <= inner.prefix && self.contains(inner.start)
    }

    /// Whether any loopback address lies inside (127.0.0.0/8, RFC 1122 §3.2.1.3; `::1`, RFC 4291
    /// §2.5.3). True of `0.0.0.0/0` and `::/0`.
    pub(super) fn touches_loopback(self) -> bool {
        let v4 = Self { start: bits(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0))), prefix: MAPPED + 8 };
        let v6 = Self { start: bits(IpAddr::V6(Ipv6Addr::LOCALHOST)), prefix: 128 };
        [v4, v6].iter().any(|&loopback| self.encloses(loopback) || loopback.encloses(self))
    }
}

/// An address as a number, the same for an IPv4 address and its mapped form.
pub(super) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// What counts as one source: an IPv4 address, or the /64 of an IPv6 one, within which a host may
/// choose addresses as it likes (RFC 4862, RFC 8981).
pub(super) fn source(address: IpAddr) -> u128 {
    let bits = bits(address);
    let is_v4 = Ipv6Addr::from_bits(bits).to_ipv4_mapped().is_some();
    if is_v4 { bits } else { bits & mask(64) }
}

/// Reads a network, or a single address as the network of itself alone.
pub fn parse_net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Whether any loopback address is in a network: it can then not be blocked.
pub fn holds_loopback(net: IpNet) -> bool {
    Range::of(net).touches_loopback()
}

fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

/// The bits before the IPv4 address in a mapped one.
const MAPPED: u8 = 96;

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        Range::of(parse_net(text).unwrap())
    }

    #[test]
    fn shown_in_one_way() {
        let table = [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ];
        for (text, want) in table {
            assert_eq!(range(text).net().to_string(), want, "{text}");
        }
    }

    #[test]
    fn loopback_is_found_in_any_range() {
        let touching = ["0.0.0.0/0", "::/0", "127.0.0.1", "127.255.0.0/16", "0.0.0.0/1", "::1"];
        let mixed = ["::ffff:127.0.0.1", "::8000:0:0/81", "::/64"];
        for text in touching.into_iter().chain(mixed) {
            assert!(range(text).touches_loopback(), "{text}");
        }
        for text in ["128.0.0.0/1", "10.0.0.0/8", "::2", "8000::/1", "2001:db8::/32"] {
            assert!(!range(text).touches_loopback(), "{text}");
        }
    }

    #[test]
    fn sources_are_ipv4_addresses_and_ipv6_networks() {
        let same = |a: &str, b: &str| source(a.parse().unwrap()) == source(b.parse().unwrap());
        assert!(same("10.0.0.1", "::ffff:10.0.0.1"));
        assert!(!same("10.0.0.1", "10.0.0.2"));
        assert!(same("2001:db8::1", "2001:db8::ffff:0:0:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
    }
}
