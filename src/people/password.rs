//! Passwords, and the slow hashes that are kept of them.
//!
//! Argon2id (RFC 9106) with a salt of 16 random bytes, in the PHC form, which says with what cost it
//! was made. Checking one takes tens of milliseconds and [`MEMORY_KIB`] of memory: whoever calls
//! bounds how many are checked at once, and on which threads.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::error::PeopleError;

/// A password as somebody wrote it. It is in no error, and nowhere once it was used.
pub struct Password(Zeroizing<String>);

/// The hash of a password, in the PHC form: `$argon2id$v=19$m=19456,t=2,p=1$…`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hashed(String);

impl Password {
    /// What somebody wrote.
    ///
    /// # Errors
    ///
    /// It is longer than any password.
    pub fn new(text: String) -> Result<Self, PeopleError> {
        let text = Zeroizing::new(text);
        if text.len() > MAX_LEN {
            let expected = format!("at most {MAX_LEN} bytes");
            return Err(PeopleError::invalid("password", expected, "more"));
        }
        Ok(Self(text))
    }

    /// A password that nobody guesses: 96 random bits.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn draw() -> Result<Self, PeopleError> {
        let mut random = [0; 12];
        getrandom::fill(&mut random)?;
        let digits: Vec<_> = random.chunks(3).map(super::token::hex).collect();
        Ok(Self(Zeroizing::new(digits.join("-"))))
    }

    /// The password itself: to be shown once, where it was drawn.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Sees that it is one that may be chosen.
    pub(super) fn check(&self, email: &str) -> Result<(), PeopleError> {
        if self.0.chars().count() < MIN_CHARS {
            let expected = format!("at least {MIN_CHARS} characters");
            return Err(PeopleError::invalid("password", expected, "fewer"));
        }
        let mut chars = self.0.chars();
        let first = chars.next();
        if self.0.eq_ignore_ascii_case(email) || chars.all(|c| Some(c) == first) {
            let expected = "what is neither the e-mail address nor one character again and again";
            return Err(PeopleError::invalid("password", expected, "that"));
        }
        Ok(())
    }

    /// The hash that is kept of it.
    pub(super) fn hash(&self) -> Result<Hashed, PeopleError> {
        let wrong = |error: &dyn fmt::Display| PeopleError::Hash(error.to_string());
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)?;
        let hash = argon2()?.hash_password_with_salt(self.0.as_bytes(), &salt);
        Ok(Hashed(hash.map_err(|error| wrong(&error))?.to_string()))
    }
}

impl Hashed {
    /// As it was stored.
    pub(super) fn restore(text: String) -> Result<Self, PeopleError> {
        match PasswordHash::new(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(PeopleError::Hash(error.to_string())),
        }
    }

    /// One that is of no password, and costs as much to check as any: nothing was hashed for it.
    pub(super) fn of_nobody() -> Result<Self, PeopleError> {
        let mut random = [0; 48];
        getrandom::fill(&mut random)?;
        let (salt, hash) = random.split_at(16);
        let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
        Self::restore(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${salt}${hash}"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is that of this password. Takes as long for any password.
    pub(super) fn is_of(&self, password: &Password) -> bool {
        #[cfg(test)]
        work::CHECKED.set(work::CHECKED.get() + 1);
        let Ok(hash) = PasswordHash::new(&self.0) else { return false };
        let Ok(argon2) = argon2() else { return false };
        argon2.verify_password(password.0.as_bytes(), &hash).is_ok()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Password").finish_non_exhaustive()
    }
}

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hashed").finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Password {
    /// What is no text is told of without a word of what it is: it may be the password all the same.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Text)
    }
}

/// Reads text, and repeats nothing of what is none.
struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Password;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a password as text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Password, E> {
        Password::new(text.to_owned()).map_err(E::custom)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Password, E> {
        Err(no_text())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Password, E> {
        Err(no_text())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Password, E> {
        Err(no_text())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Password, E> {
        Err(no_text())
    }

    fn visit_unit<E: Error>(self) -> Result<Password, E> {
        Err(no_text())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Password, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Err(no_text())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Password, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Err(no_text())
    }
}

fn no_text<E: Error>() -> E {
    E::custom("expected a password as text, but found something else")
}

fn argon2() -> Result<Argon2<'static>, PeopleError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None);
    let params = params.map_err(|error| PeopleError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// What signing in costs, for the test that says it is the same whoever there is.
#[cfg(test)]
pub(super) mod work {
    use std::cell::Cell;

    thread_local! {
        /// Passwords that were checked on this thread.
        pub(in crate::people) static CHECKED: Cell<u64> = const { Cell::new(0) };
    }
}

/// The memory that a hash takes, in KiB, and how often it is gone through: what OWASP's cheat sheet
/// on password storage asks for. Tests of this crate hash more often than people sign in.
const MEMORY_KIB: u32 = if cfg!(test) { 64 } else { 19 * 1024 };

const PASSES: u32 = if cfg!(test) { 1 } else { 2 };

/// The fewest characters of a password (ASVS 6.2.1 asks for 8, and recommends 15).
pub(super) const MIN_CHARS: usize = 12;

/// The longest text that is taken for one, in bytes: a phrase, and no load.
const MAX_LEN: usize = 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned()).unwrap()
    }

    #[test]
    fn what_may_be_chosen() {
        let table = [
            ("correct horse battery", true),
            ("twelve chars", true),
            ("eleven char", false),
            ("пароль-пароль", true),
            ("aaaaaaaaaaaaaaaa", false),
            ("Ann@Example.com", false),
        ];
        for (text, want) in table {
            assert_eq!(password(text).check("ann@example.com").is_ok(), want, "{text}");
        }
        assert!(
            Password::new("x".repeat(1024)).is_ok() && Password::new("x".repeat(1025)).is_err()
        );
        let drawn = Password::draw().unwrap();
        assert_eq!(drawn.reveal().len(), 27);
        drawn.check("ann@example.com").unwrap();
    }

    #[test]
    fn nothing_shows_a_password() {
        let secret = password("correct horse battery");
        let hash = secret.hash().unwrap();
        for shown in [format!("{secret:?}"), format!("{hash:?}")] {
            assert!(!shown.contains("horse") && !shown.contains('$'), "{shown}");
        }
        assert!(!hash.as_str().contains("horse") && hash.as_str().starts_with("$argon2id$v=19$"));
        for json in
            ["12345678901234", "-5", "1.5", "true", "null", "[\"hunter2\"]", "{\"hunter2\":1}"]
        {
            let error = serde_json::from_str::<Password>(json).unwrap_err().to_string();
            let plain = "expected a password as text, but found something else at line 1 column";
            assert!(error.starts_with(plain), "{json}: {error}");
        }
        assert_eq!(serde_json::from_str::<Password>("\"a\\nb\"").unwrap().reveal(), "a\nb");
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        let secret = password("correct horse battery");
        let (one, two) = (secret.hash().unwrap(), secret.hash().unwrap());
        assert_ne!(one, two);
        assert!(one.is_of(&secret) && two.is_of(&secret));
        let nobody = Hashed::of_nobody().unwrap();
        assert!(!nobody.is_of(&secret) && !nobody.is_of(&password("")));
        let cost = |hash: &Hashed| hash.as_str().rsplitn(3, '$').nth(2).unwrap().to_owned();
        assert_eq!(cost(&nobody), cost(&one));
        assert_eq!(nobody.as_str().len(), one.as_str().len());
        assert!(Hashed::restore("$argon2id$nonsense".to_owned()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn only_the_same_password_has_the_hash(one in ".{0,40}", two in ".{0,40}") {
            let hash = password(&one).hash().unwrap();
            let restored = Hashed::restore(hash.as_str().to_owned()).unwrap();
            prop_assert!(restored.is_of(&password(&one)));
            prop_assert_eq!(restored.is_of(&password(&two)), one == two);
        }
    }
}
