//! What makes a refused call recognisable, as a short stable hash.

use super::reason::Reason;

/// The traits of a call that stay the same when it is made again.
///
/// The source address is not one of them: one tool that comes from a thousand addresses has one
/// fingerprint, and the number of its addresses is its spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits<'a> {
    /// Why it was refused.
    pub reason: Reason,
    /// The protocol, or the HTTP method.
    pub method: &'a str,
    /// The path without its query, or the name of the listener.
    pub target: &'a str,
    /// The public id of its key, where it had one that is known.
    pub key: Option<&'a str>,
    /// The client software, where it says.
    pub user_agent: Option<&'a str>,
}

/// The fingerprint of a call: 16 lower-case hex digits, the same in every version.
pub fn fingerprint(traits: Traits<'_>) -> String {
    let Traits { reason, method, target, key, user_agent } = traits;
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    for text in [Some(reason.as_str()), Some(method), Some(target), key, user_agent] {
        // With its length in front, no text can be taken for a part of its neighbour.
        let len = text.map_or(u64::MAX, |text| u64::try_from(text.len()).unwrap_or(u64::MAX));
        hasher.update(&len.to_le_bytes()).update(text.unwrap_or_default().as_bytes());
    }
    let mut hex = hasher.finalize().to_hex().to_string();
    hex.truncate(16);
    hex
}

/// Sets these hashes apart from all others; changing it changes every fingerprint.
const CONTEXT: &str = "logtrace 2026 fingerprint of a refused call";

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Traits<'_> = Traits {
        reason: Reason::InvalidApiKey,
        method: "POST",
        target: "/v1/logs/ingest",
        key: None,
        user_agent: Some("curl/8.5"),
    };

    #[test]
    fn it_is_stable() {
        assert_eq!(fingerprint(CALL), "51227d94a74ee2f2");
    }

    #[test]
    fn every_trait_counts() {
        let others = [
            Traits { reason: Reason::ApiKeyRevoked, ..CALL },
            Traits { method: "GET", ..CALL },
            Traits { target: "/v1/logs/ingestcurl/8.5", user_agent: Some(""), ..CALL },
            Traits { key: Some(""), ..CALL },
            Traits { user_agent: None, ..CALL },
        ];
        for other in others {
            assert_ne!(fingerprint(other), fingerprint(CALL), "{other:?}");
        }
    }
}
