//! What a delivery is signed with, so that a receiver knows who sent it and when.
//!
//! The form is that of Standard Webhooks (<https://www.standardwebhooks.com>), for which receivers
//! have libraries: HMAC-SHA256 over `<id>.<timestamp>.<body>`, in base64 after `v1,`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The secret that a webhook and its receiver share: `whsec_` and base64 of 24 to 64 bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret(Vec<u8>);

/// A text that is no secret; it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected whsec_ and base64 of 24 to 64 bytes, but found another text")]
pub struct SecretError;

impl Secret {
    /// Draws a secret from the system's random source.
    pub(super) fn draw() -> Result<Self, getrandom::Error> {
        let mut random = vec![0; 32];
        getrandom::fill(&mut random)?;
        Ok(Self(random))
    }

    /// The secret itself, to be shown once.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The secret of these bytes, where it may be one.
    pub(super) fn of(bytes: Vec<u8>) -> Option<Self> {
        (24..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value of `webhook-signature` for a delivery; `timestamp` is in seconds since the epoch.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl TryFrom<String> for Secret {
    type Error = SecretError;

    fn try_from(text: String) -> Result<Self, SecretError> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
        bytes.and_then(Self::of).ok_or(SecretError)
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.reveal()
    }
}

impl fmt::Debug for Secret {
    /// Shows nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

const PREFIX: &str = "whsec_";

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification, which its libraries are tested with.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        let secret = Secret::try_from(secret).unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{secret:?}"), "Secret { .. }");
    }

    #[test]
    fn secrets_read_back() {
        let drawn = Secret::draw().unwrap();
        assert_eq!(Secret::try_from(drawn.reveal()), Ok(drawn));
        for text in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%"] {
            assert_eq!(Secret::try_from(text.to_owned()), Err(SecretError), "{text}");
        }
    }
}
