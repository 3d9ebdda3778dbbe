//! Networks that are proposed, and which of them holds an address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::super::failure::Failure;
use crate::gate::parse_net;

/// Networks by their length, the longest last.
#[derive(Debug)]
pub(super) struct Networks(BTreeMap<u8, Vec<IpNet>>);

impl Networks {
    /// Those that are typed, and those of a file: one a line, `#` begins a comment.
    ///
    /// # Errors
    ///
    /// One is not a network, or the file cannot be read.
    pub(super) fn read(texts: &[String], file: Option<&Path>) -> Result<Self, Failure> {
        let mut texts = texts.to_vec();
        if let Some(file) = file {
            let text = std::fs::read_to_string(file)
                .map_err(|error| Failure::new(format_args!("{}: {error}", file.display())))?;
            let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
            texts.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
        }
        let mut by_len: BTreeMap<u8, Vec<IpNet>> = BTreeMap::new();
        for text in &texts {
            let what = || format!("expected an address or a network, but found {text:?}");
            let net = parse_net(text).ok_or_else(|| Failure::Usage(what()))?.trunc();
            by_len.entry(net.prefix_len()).or_default().push(net);
        }
        by_len.values_mut().for_each(|nets| nets.sort_unstable());
        Ok(Self(by_len))
    }

    /// The longest network that holds an address: it is the one that speaks.
    pub(super) fn of(&self, address: IpAddr) -> Option<IpNet> {
        self.0.iter().rev().find_map(|(len, nets)| {
            let net = IpNet::new(address.to_canonical(), *len).ok()?.trunc();
            nets.binary_search(&net).ok().map(|_| net)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_network_speaks() {
        let texts = ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "192.0.2.7"];
        let networks = Networks::read(&texts.map(str::to_owned), None).unwrap();
        for (address, want) in [
            ("10.1.2.3", Some("10.1.0.0/16")),
            ("10.2.2.3", Some("10.0.0.0/8")),
            ("::ffff:10.2.2.3", Some("10.0.0.0/8")),
            ("2001:db8:1::1", Some("2001:db8::/32")),
            ("192.0.2.7", Some("192.0.2.7/32")),
            ("192.0.2.8", None),
        ] {
            let of = networks.of(address.parse().unwrap()).map(|net| net.to_string());
            assert_eq!(of.as_deref(), want, "{address}");
        }
        assert!(Networks::read(&["300.1.1.1".to_owned()], None).is_err());
    }
}
