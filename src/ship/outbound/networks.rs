//! Which addresses are on the internet, and which are of this machine or of a network round it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The addresses that calls may go to: those of the internet, and those that were allowed.
#[derive(Clone, Debug, Default)]
pub(super) struct Networks {
    allowed: Vec<IpNet>,
}

impl Networks {
    /// The internet and `allowed`.
    pub(super) fn new(allowed: &[IpNet]) -> Self {
        Self { allowed: allowed.to_vec() }
    }

    /// Whether a call may go to `address`.
    pub(super) fn admit(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_on_the_internet(address) || self.allowed.iter().any(|net| net.contains(&address))
    }
}

/// Whether an address is a global unicast one that is no other address in disguise.
///
/// What is special is listed by IANA (RFC 6890 and its registries). Of IPv6 only `2000::/3` is
/// given out at all. An address that carries an IPv4 address is judged by that.
fn is_on_the_internet(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) if NAT64.contains(&address) => {
            is_on_the_internet(IpAddr::V4(last_four(address)))
        }
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
        }
    }
}

fn last_four(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// IPv4 addresses that are not on the internet.
const SPECIAL_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 8),      // this network; Linux takes 0.0.0.0 for this machine
    v4(10, 0, 0, 8),     // private
    v4(100, 64, 0, 10),  // shared, and the metadata service of Alibaba
    v4(127, 0, 0, 8),    // this machine
    v4(169, 254, 0, 16), // link-local, and the metadata services of most clouds
    v4(172, 16, 0, 12),  // private
    v4(192, 0, 0, 24),   // protocols, and the metadata service of Oracle
    v4(192, 0, 2, 24),   // documentation
    v4(192, 88, 99, 24), // relays of 6to4
    v4(192, 168, 0, 16), // private
    v4(198, 18, 0, 15),  // measurements
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(224, 0, 0, 4),                                         // multicast
    v4(240, 0, 0, 4),                                         // reserved, and broadcast
    Ipv4Net::new_assert(Ipv4Addr::new(168, 63, 129, 16), 32), // the host of a machine at Azure
];

/// The addresses of IPv6 that are given out for use on the internet.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

/// Those of them that are special all the same.
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 23),      // protocols; Teredo, which carries IPv4
    v6(0x2001, 0x0db8, 32), // documentation
    v6(0x2002, 0, 16),      // 6to4, which carries IPv4
    v6(0x3fff, 0, 20),      // documentation
];

/// What a network without IPv4 makes of IPv4 addresses (RFC 6052).
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn co_14_addresses_of_this_machine_and_round_it_are_not_on_the_internet() {
        let inside = "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 \
            169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 \
            192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 \
            239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 ::ffff:127.0.0.1 \
            ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 \
            100::1 2001::1 2001:db8::1 2002:7f00:1:: 3fff::1 5f00::1 fc00::1 fd00:ec2::254 \
            fe80::1 fec0::1 ff02::1";
        for address in inside.split_whitespace() {
            assert!(!Networks::default().admit(address.parse().unwrap()), "{address}");
        }
        let outside = "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.0.0.1 128.0.0.1 \
            172.15.0.1 172.32.0.1 192.0.1.1 192.167.0.1 223.255.255.255 ::ffff:8.8.8.8 \
            64:ff9b::808:808 2606:4700::1111 2a00:1450::1";
        for address in outside.split_whitespace() {
            assert!(Networks::default().admit(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn networks_can_be_allowed() {
        let networks = Networks::new(&["10.1.0.0/16".parse().unwrap(), "::1/128".parse().unwrap()]);
        for (address, want) in
            [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("10.2.0.1", false), ("::1", true)]
        {
            assert_eq!(networks.admit(address.parse().unwrap()), want, "{address}");
        }
    }
}
