//! Identifiers: the form of API keys and of tokens, how one is shown to people, and what their hashes
//! are made with.

mod key;
mod pepper;

pub use self::key::{
    ACCESS, MIN_SECRET, REFRESH, has_suspects, is_secret, is_token, mask, scrub, suspects,
    suspects_at,
};
pub use self::pepper::Pepper;
