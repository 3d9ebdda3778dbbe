//! Identifiers: the form of API keys, and how one is shown to people.

mod key;

pub use self::key::{MIN_SECRET, has_suspects, is_secret, mask, scrub, suspects, suspects_at};
