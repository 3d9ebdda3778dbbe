//! IP addresses and networks as values.

use std::net::IpAddr;

/// An address, or all of a network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    address: IpAddr,
    /// The bits that count.
    len: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or an address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, len) = text.split_once('/').map_or((text, None), |(a, len)| (a, Some(len)));
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let len = match len {
            None => bits,
            Some(len) if len.bytes().all(|byte| byte.is_ascii_digit()) => {
                len.parse().ok().filter(|len| *len <= bits)?
            }
            Some(_) => return None,
        };
        Some(Self { address, len })
    }

    /// Whether `value` is an address in it. An IPv4 address is itself when written as an IPv6 one.
    pub(super) fn contains(&self, value: &[u8]) -> bool {
        let may_be = matches!(value.first(), Some(b':' | b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F'));
        if !may_be || value.len() > MAX_ADDRESS {
            return false;
        }
        let text = std::str::from_utf8(value).ok();
        let Some(value) = text.and_then(|text| text.parse::<IpAddr>().ok()) else {
            return false;
        };
        let value = if self.address.is_ipv4() { value.to_canonical() } else { value };
        match (self.address, value) {
            (IpAddr::V4(own), IpAddr::V4(value)) => {
                let differs = own.to_bits() ^ value.to_bits();
                differs.leading_zeros() >= u32::from(self.len)
            }
            (IpAddr::V6(own), IpAddr::V6(value)) => {
                let differs = own.to_bits() ^ value.to_bits();
                differs.leading_zeros() >= u32::from(self.len)
            }
            _ => false,
        }
    }
}

/// The longest text that is an address: IPv6 with an IPv4 tail.
const MAX_ADDRESS: usize = 45;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_addresses() {
        let table = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1/32", "192.0.2.2", false),
            ("2001:db8::/32", "2001:db8:0:1::9", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("2001:DB8:0::1", "2001:db8::1", true),
            ("::/0", "::1", true),
            ("10.0.0.0/8", "10.0.0.0/8", false),
            ("10.0.0.0/8", "web01", false),
            ("10.0.0.0/8", "", false),
        ];
        for (network, value, want) in table {
            let network = Network::parse(network).unwrap();
            assert_eq!(network.contains(value.as_bytes()), want, "{network:?} {value}");
        }
    }

    #[test]
    fn what_is_no_network() {
        for text in ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129", "10/8", "a/8"] {
            assert!(Network::parse(text).is_none(), "{text}");
        }
    }
}
