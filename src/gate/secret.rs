//! Secrets of keys, and the hash that is kept of them.
//!
//! A secret is hashed with a key of our own, the pepper, and looked up by its hash. Secrets that
//! differ in one octet have hashes that differ in every one, and nobody without the pepper can tell
//! which; so what a lookup compares, and how long it takes, says nothing of any secret. A slow
//! password hash would gain nothing: a secret holds 128 random bits.

use std::fmt;

use super::scope::Environment;
use crate::ids;
use crate::pepper::Pepper;

/// The secret of a new key. Kept nowhere: whoever created the key sees it once.
pub struct Secret(String);

impl Secret {
    /// Draws a secret from the system's random source.
    pub(super) fn draw(environment: Environment) -> Result<Self, getrandom::Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        Ok(Self(format!("{}{}", environment.prefix(), hex(&random))))
    }

    /// The secret itself, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// How it is shown ever after: `lt_live_8f3a…5b2c`.
    pub fn masked(&self) -> String {
        ids::mask(&self.0)
    }
}

impl fmt::Debug for Secret {
    /// Shows it masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.masked()).finish()
    }
}

/// The hash that stands for a secret. `None` for what is longer or shorter than any secret, which
/// costs as much as a hash would: an attacker is told nothing, and charged the same.
pub(super) fn hash(pepper: &Pepper, secret: &[u8]) -> Option<blake3::Hash> {
    let fits = (ids::MIN_SECRET..=MAX_SECRET).contains(&secret.len());
    let hashed = if fits { secret } else { &[0; ids::MIN_SECRET] };
    #[cfg(test)]
    {
        use super::keys::work::HASHED;
        HASHED.set(HASHED.get() + hashed.len() as u64);
    }
    let hash = pepper.hash(hashed);
    fits.then_some(hash)
}

/// A public id for a key, from the system's random source.
pub(super) fn draw_id() -> Result<String, getrandom::Error> {
    let mut random = [0; 6];
    getrandom::fill(&mut random)?;
    Ok(format!("key_{}", hex(&random)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The longest text that is looked up, in bytes.
const MAX_SECRET: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_their_form_and_are_not_printed() {
        let live = Secret::draw(Environment::Production).unwrap();
        let test = Secret::draw(Environment::Staging).unwrap();
        assert!(ids::is_secret(live.reveal().as_bytes()) && live.reveal().starts_with("lt_live_"));
        assert!(ids::is_secret(test.reveal().as_bytes()) && test.reveal().starts_with("lt_test_"));
        let shown = format!("{live:?}");
        let digits = live.reveal().strip_prefix("lt_live_").unwrap();
        assert!(shown.contains('…') && !shown.contains(digits.split_at(12).0), "{shown}");
        assert_eq!(draw_id().unwrap().len(), 16);
    }

    #[test]
    fn only_what_may_be_a_secret_has_a_hash() {
        let pepper = Pepper::restore(&[7; 32]).unwrap();
        assert!(hash(&pepper, &[0; ids::MIN_SECRET]).is_some());
        assert!(hash(&pepper, &[0; ids::MIN_SECRET - 1]).is_none());
        assert!(hash(&pepper, &vec![0; 64 * 1024]).is_none());
        assert!(!format!("{pepper:?}").contains('7'));
    }
}
