//! Tokens of sessions, and the hashes that are kept of them.
//!
//! | token   | form                                                                          |
//! |---------|-------------------------------------------------------------------------------|
//! | access  | `lt_user_` and 256 random bits                                                |
//! | refresh | `lt_next_`, 128 random bits that are the session's own, and 256 that are new  |
//!
//! All in lowercase hex digits. A refresh token that was used is not remembered, and yet known: who
//! has the bits of the session, and not the last of those that were new, has an old one. So nobody
//! ends a session by guessing, and what is kept of it does not grow.
//!
//! Hashes are made with a key of our own, the pepper, and looked up: what a lookup compares, and how
//! long it takes, says nothing of any token.

use std::fmt;
use std::hash::{Hash, Hasher};

use zeroize::Zeroizing;

use super::error::PeopleError;
use crate::ids;
use crate::pepper::Pepper;

/// A token of a session. Kept nowhere: whoever signs in sees it once.
pub struct Token(Zeroizing<String>);

/// The hash of a token, as one that there is.
#[derive(Clone, Copy, Debug, Eq)]
pub(super) struct TokenHash(pub(super) blake3::Hash);

impl Token {
    /// A new access token.
    pub(super) fn access() -> Result<Self, PeopleError> {
        Ok(Self(Zeroizing::new(format!("{}{}", ids::ACCESS, drawn::<32>()?.as_str()))))
    }

    /// A new refresh token of a new session.
    pub(super) fn refresh() -> Result<Self, PeopleError> {
        let family = drawn::<16>()?;
        Ok(Self(Zeroizing::new(format!("{}{}{}", ids::REFRESH, *family, *drawn::<32>()?))))
    }

    /// The refresh token after this one.
    pub(super) fn next(&self) -> Result<Self, PeopleError> {
        let kept = self.0.get(..FAMILY_END).unwrap_or_default();
        Ok(Self(Zeroizing::new(format!("{kept}{}", *drawn::<32>()?))))
    }

    /// Of what somebody sent: a refresh token, if it has the form of one.
    pub(super) fn read_refresh(text: &str) -> Option<Self> {
        let is_one = text.len() == FAMILY_END + 64
            && text.starts_with(ids::REFRESH)
            && ids::is_token(text.as_bytes());
        is_one.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What is the same in all refresh tokens of a session.
    pub(super) fn family(&self) -> &[u8] {
        self.0.as_bytes().get(..FAMILY_END).unwrap_or_default()
    }

    /// The token itself, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TokenHash {
    /// The hash that stands for a token; of what is longer than any, that of nothing.
    pub(super) fn of(token: &[u8], pepper: &Pepper) -> Self {
        let hashed = if token.len() <= MAX_TOKEN { token } else { &[] };
        Self(pepper.hash(hashed))
    }
}

impl PartialEq for TokenHash {
    /// Takes as long whatever differs.
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Token {
    /// Shows it masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&ids::mask(&self.0)).finish()
    }
}

/// A public id from the system's random source.
pub(super) fn draw_id(prefix: &str) -> Result<String, PeopleError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    Ok(format!("{prefix}{}", hex(&random)))
}

/// Bytes as lowercase hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// So many random bytes, as hex digits.
fn drawn<const LEN: usize>() -> Result<Zeroizing<String>, PeopleError> {
    let mut random = Zeroizing::new([0; LEN]);
    getrandom::fill(random.as_mut())?;
    Ok(Zeroizing::new(hex(random.as_ref())))
}

/// Where in a refresh token the session's own bits end.
const FAMILY_END: usize = ids::REFRESH.len() + 32;

/// The longest text that is looked up, in bytes.
const MAX_TOKEN: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_their_form_and_are_not_printed() {
        let (access, refresh) = (Token::access().unwrap(), Token::refresh().unwrap());
        for (token, prefix, len) in [(&access, "lt_user_", 72), (&refresh, "lt_next_", 104)] {
            let text = token.reveal();
            assert!(ids::is_token(text.as_bytes()) && text.starts_with(prefix));
            assert_eq!(text.len(), len);
            assert!(!format!("{token:?}").contains(text.get(12..40).unwrap()), "{token:?}");
        }
        assert_ne!(access.reveal(), Token::access().unwrap().reveal());
    }

    #[test]
    fn refresh_tokens_of_a_session_have_its_bits_and_no_others() {
        let first = Token::refresh().unwrap();
        let second = first.next().unwrap();
        assert_eq!(first.family(), second.family());
        assert_ne!(first.reveal(), second.reveal());
        assert_ne!(first.family(), Token::refresh().unwrap().family());
        let read = Token::read_refresh(second.reveal()).unwrap();
        assert_eq!(read.family(), first.family());
        let short = second.reveal().get(..103).unwrap();
        for text in ["", "lt_next_", short, Token::access().unwrap().reveal()] {
            assert!(Token::read_refresh(text).is_none(), "{text}");
        }
        assert!(Token::read_refresh(&second.reveal().replace("lt_next_", "lt_user_")).is_none());
    }

    #[test]
    fn a_hash_is_of_a_token_and_of_the_pepper() {
        let (one, two) = (pepper(1), pepper(2));
        assert_eq!(TokenHash::of(b"a", &one), TokenHash::of(b"a", &one));
        assert_ne!(TokenHash::of(b"a", &one), TokenHash::of(b"a", &two));
        assert_ne!(TokenHash::of(b"a", &one), TokenHash::of(b"b", &one));
        assert!(!format!("{one:?}").contains('1'));
    }

    fn pepper(of: u8) -> Pepper {
        Pepper::restore(&[of; 32]).unwrap()
    }
}
