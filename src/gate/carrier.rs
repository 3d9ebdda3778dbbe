//! What names a key in a TLS handshake: a client certificate, or a label in the server name.
//!
//! A certificate is proof: the listener has seen that its holder has the private key, and that
//! someone it trusts vouches for it. A label is none: anyone on the way reads it, and anyone can
//! send it. So a key has no label but one that its maker gave it, and should then have an
//! allowlist; a secret is never looked for there.

use serde::{Deserialize, Deserializer, Serialize};

/// A client certificate that stands for a key: `sha256:` and the fingerprint of the certificate in
/// 64 hex digits, or `san:` and a DNS name or URI that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct CertificateName(String);

/// A label in the server name of a handshake that stands for a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Label(String);

impl CertificateName {
    /// Reads one as people write it: digits of either case, with colons or without.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(digits) = text.strip_prefix(SHA256) {
            let digits: String = digits.chars().filter(|c| *c != ':').collect();
            let is_hash = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            return is_hash.then(|| Self(format!("{SHA256}{}", digits.to_ascii_lowercase())));
        }
        let name = text.strip_prefix(SAN)?;
        let is_name =
            (1..=MAX_SAN).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
        is_name.then(|| Self::san(name))
    }

    /// That of a certificate with this SHA-256.
    pub fn fingerprint(hash: [u8; 32]) -> Self {
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{SHA256}{digits}"))
    }

    /// That of a certificate for this DNS name or URI.
    pub fn san(name: &str) -> Self {
        // Names of hosts have no case; of a URI the path has.
        let name = if name.contains("://") { name.to_owned() } else { name.to_ascii_lowercase() };
        Self(format!("{SAN}{name}"))
    }
}

impl Label {
    /// Reads a label: 1 to 63 letters, digits and `-`, neither first nor last; of either case.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let fits = (1..=63).contains(&text.len()) && text.bytes().all(plain);
        let ends = text.starts_with('-') || text.ends_with('-');
        (fits && !ends).then(|| Self(text.to_ascii_lowercase()))
    }
}

impl<'de> Deserialize<'de> for CertificateName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let what = "`sha256:` and 64 hex digits, or `san:` and a name";
        Self::parse(&text).ok_or_else(|| wrong(what, &text))
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let what = "1 to 63 letters, digits or `-`, neither first nor last";
        Self::parse(&text).ok_or_else(|| wrong(what, &text))
    }
}

fn wrong<E: serde::de::Error>(expected: &str, found: &str) -> E {
    let found: String = found.chars().take(MAX_SHOWN).collect();
    E::custom(format!("expected {expected}, but found {found:?}"))
}

const SHA256: &str = "sha256:";

const SAN: &str = "san:";

/// The longest name in a certificate, in bytes.
const MAX_SAN: usize = 256;

/// Characters of what is no name that an error repeats.
const MAX_SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_named_as_openssl_names_them() {
        let name = |text: &str| CertificateName::parse(text).map(|name| name.0);
        let upper = format!("sha256:{}", "AB:".repeat(32).trim_end_matches(':'));
        assert_eq!(name(&upper), Some(format!("sha256:{}", "ab".repeat(32))));
        assert_eq!(name("san:Web.Example"), Some("san:web.example".to_owned()));
        assert_eq!(name("san:spiffe://X/Y"), Some("san:spiffe://X/Y".to_owned()));
        assert_eq!(
            CertificateName::fingerprint([0xab; 32]).0,
            format!("sha256:{}", "ab".repeat(32))
        );
        for text in ["", "san:", "san:a b", "sha256:ab", "sha1:ab", "web.example"] {
            assert_eq!(name(text), None, "{text}");
        }
    }

    #[test]
    fn labels_are_labels_of_host_names() {
        let label = |text: &str| Label::parse(text).map(|label| label.0);
        assert_eq!(label("Web-7"), Some("web-7".to_owned()));
        for text in ["", "-a", "a-", "a.b", "a_b", "a b", &"a".repeat(64)] {
            assert_eq!(label(text), None, "{text}");
        }
    }
}
