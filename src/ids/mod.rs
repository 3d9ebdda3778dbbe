//! Identifiers: the form of API keys and of tokens, and how one is shown to people.

mod key;

pub use self::key::{
    ACCESS, MIN_SECRET, REFRESH, has_suspects, is_secret, is_token, mask, scrub, suspects,
    suspects_at,
};
