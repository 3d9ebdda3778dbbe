//! What secrets are hashed with before they are stored.

use std::fmt;

/// The key of a hash. Without it the hashes in the store cannot be tried against guesses.
#[derive(Clone)]
pub struct Pepper([u8; 32]);

impl Pepper {
    /// A new one.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        Ok(Self(random))
    }

    /// The pepper as it was stored; nothing if it is not as long as one.
    pub fn restore(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// What is stored of it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The hash of `secret` with it.
    pub fn hash(&self, secret: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, secret)
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pepper").finish_non_exhaustive()
    }
}
