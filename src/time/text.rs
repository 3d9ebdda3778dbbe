//! Times as RFC 3339 text, for serde's `with`.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

use super::Timestamp;

/// Writes a time.
///
/// # Errors
///
/// Those of what it is written to.
pub fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(time)
}

/// Reads a time.
///
/// # Errors
///
/// It is none.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    let what = || D::Error::custom(format!("expected an RFC 3339 time, but found {text:?}"));
    Timestamp::parse_rfc3339(text.as_bytes()).ok_or_else(what)
}

/// The same for a time that may be absent: `null`.
pub mod option {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::time::Timestamp;

    /// Writes a time, or `null`.
    ///
    /// # Errors
    ///
    /// Those of what it is written to.
    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.collect_str(time),
            None => to.serialize_none(),
        }
    }

    /// Reads a time, or `null`.
    ///
    /// # Errors
    ///
    /// It is neither.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        #[derive(Deserialize)]
        struct Time(#[serde(with = "super")] Timestamp);
        Ok(Option::<Time>::deserialize(from)?.map(|Time(time)| time))
    }
}
