//! API key secrets: `lt_live_` or `lt_test_` and 32 lowercase hex digits or more (SPEC §3); and the
//! tokens of people who are signed in, which have the same form behind a prefix of their own.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem;

/// What the access token of a session begins with.
pub const ACCESS: &str = "lt_user_";

/// What the refresh token of a session begins with.
pub const REFRESH: &str = "lt_next_";

/// The shortest secret, in bytes.
pub const MIN_SECRET: usize = PREFIX + 32;

/// What every secret begins with; made once, because making it costs more than a short search.
static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"lt_"));

/// The length of `lt_live_`, and of every other prefix.
const PREFIX: usize = 8;

/// Hex digits after a prefix from which on a text is taken for (a part of) a secret and masked.
const SUSPECT: usize = 8;

/// Whether `text` has the form of a secret. Says nothing of whether such a key exists.
pub fn is_secret(text: &[u8]) -> bool {
    is_of_a_key(text) && has_form(text)
}

/// Whether `text` has the form of a token of someone who is signed in.
pub fn is_token(text: &[u8]) -> bool {
    is_of_a_session(text) && has_form(text)
}

/// How a secret is shown: `lt_live_8f3a…5b2c`. Anything that is no secret shows nothing of itself.
pub fn mask(secret: &str) -> String {
    match (secret.get(..PREFIX + 4), secret.get(secret.len().saturating_sub(4)..)) {
        (Some(head), Some(tail))
            if has_prefix(secret.as_bytes()) && has_form(secret.as_bytes()) =>
        {
            format!("{head}…{tail}")
        }
        _ => "…".to_owned(),
    }
}

/// How many beginnings of secrets there are in `text`.
pub fn suspects(text: &[u8]) -> usize {
    suspects_at(text).count()
}

/// Where in `text` secrets begin, as it seems.
pub fn suspects_at(text: &[u8]) -> impl Iterator<Item = usize> {
    FINDER.find_iter(text).filter(|at| text.get(*at..).is_some_and(has_prefix))
}

/// Whether the beginning of a secret is in `text`.
pub fn has_suspects(text: &[u8]) -> bool {
    has_prefix(text) || suspects_at(text).next().is_some()
}

/// `text` with every secret in it masked, those that were cut short too.
///
/// Borrowed when there is none, which one search for the prefix tells.
pub fn scrub(text: &[u8]) -> Cow<'_, [u8]> {
    let mut clean = Vec::new();
    let mut done = 0;
    for at in FINDER.find_iter(text) {
        let Some(rest) = text.get(at..).filter(|rest| at >= done && has_prefix(rest)) else {
            continue;
        };
        let digits = rest.iter().skip(PREFIX).take_while(|byte| is_hex(byte)).count();
        if digits < SUSPECT {
            continue;
        }
        let shown = if digits >= 32 { PREFIX + 4 } else { PREFIX };
        clean.extend_from_slice(text.get(done..at + shown).unwrap_or_default());
        clean.extend_from_slice("…".as_bytes());
        done = at + PREFIX + digits;
        if digits >= 32 {
            clean.extend_from_slice(text.get(done - 4..done).unwrap_or_default());
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    clean.extend_from_slice(text.get(done..).unwrap_or_default());
    Cow::Owned(clean)
}

fn has_prefix(text: &[u8]) -> bool {
    is_of_a_key(text) || is_of_a_session(text)
}

fn is_of_a_key(text: &[u8]) -> bool {
    text.starts_with(b"lt_live_") || text.starts_with(b"lt_test_")
}

fn is_of_a_session(text: &[u8]) -> bool {
    text.starts_with(ACCESS.as_bytes()) || text.starts_with(REFRESH.as_bytes())
}

/// Whether what follows the prefix is that of a secret.
fn has_form(text: &[u8]) -> bool {
    // Without an early end, so that many bytes are looked at together.
    let all_hex = |digits: &[u8]| digits.iter().fold(true, |all, byte| all & is_hex(byte));
    text.len() >= MIN_SECRET && text.get(PREFIX..).is_some_and(all_hex)
}

fn is_hex(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "lt_live_0123456789abcdef0123456789abcdef";

    #[test]
    fn secrets_are_recognised_and_masked() {
        assert!(is_secret(SECRET.as_bytes()));
        assert!(!is_secret(&SECRET.as_bytes()[..39]));
        assert!(!is_secret(SECRET.to_uppercase().as_bytes()));
        assert_eq!(mask(SECRET), "lt_live_0123…cdef");
        assert_eq!(mask("hunter2"), "…");
    }

    #[test]
    fn tokens_are_masked_like_keys_and_are_none() {
        for prefix in [ACCESS, REFRESH] {
            let token = SECRET.replace("lt_live_", prefix);
            assert!(is_token(token.as_bytes()) && !is_secret(token.as_bytes()));
            assert_eq!(mask(&token), format!("{prefix}0123…cdef"));
            assert_eq!(scrub(token.as_bytes()), mask(&token).as_bytes());
        }
        assert!(!is_token(SECRET.as_bytes()));
    }

    #[test]
    fn text_is_scrubbed() {
        let table = [
            ("nothing here, lt_ and lt_live_ are words", None),
            (&format!("a {SECRET} b"), Some("a lt_live_0123…cdef b")),
            (&format!("{SECRET}{SECRET}"), Some("lt_live_0123…cdeflt_live_0123…cdef")),
            ("cut: lt_test_0123456789", Some("cut: lt_test_…")),
        ];
        for (text, want) in table {
            let clean = scrub(text.as_bytes());
            assert_eq!(clean, want.unwrap_or(text).as_bytes(), "{text}");
            assert_eq!(matches!(clean, Cow::Borrowed(_)), want.is_none());
        }
    }
}
