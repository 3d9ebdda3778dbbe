//! What a field can hold.

use std::borrow::Cow;

/// A field's value. Numbers stay the digits they were written in, so that none becomes another.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A JSON number, literally (RFC 8259 §6).
    Number(Cow<'a, str>),
    /// `true` or `false`.
    Bool(bool),
    /// JSON's `null`: the field was there and empty.
    Null,
    /// A JSON array or an empty object, literally.
    Json(Cow<'a, str>),
    /// Octets that are not UTF-8.
    Bytes(Cow<'a, [u8]>),
}

/// A value read back: what it is, and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueRef<'a> {
    /// How to read the bytes.
    pub kind: Kind,
    /// Text, digits or JSON; `true`, `false` or `null` literally; or any octets.
    pub bytes: &'a [u8],
}

/// The kinds of value. The numbers are on disk: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// [`Value::Text`].
    Text = 0,
    /// [`Value::Number`].
    Number = 1,
    /// [`Value::Bool`].
    Bool = 2,
    /// [`Value::Null`].
    Null = 3,
    /// [`Value::Json`].
    Json = 4,
    /// [`Value::Bytes`].
    Bytes = 5,
}

impl Value<'_> {
    /// A view that can be kept in columns.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Text(text) => ValueRef::new(Kind::Text, text.as_bytes()),
            Self::Number(digits) => ValueRef::new(Kind::Number, digits.as_bytes()),
            Self::Bool(true) => ValueRef::new(Kind::Bool, b"true"),
            Self::Bool(false) => ValueRef::new(Kind::Bool, b"false"),
            Self::Null => ValueRef::new(Kind::Null, b"null"),
            Self::Json(json) => ValueRef::new(Kind::Json, json.as_bytes()),
            Self::Bytes(bytes) => ValueRef::new(Kind::Bytes, bytes),
        }
    }
}

impl<'a> ValueRef<'a> {
    /// A value of `kind` in `bytes`.
    pub const fn new(kind: Kind, bytes: &'a [u8]) -> Self {
        Self { kind, bytes }
    }

    /// Text.
    pub const fn text(text: &'a str) -> Self {
        Self::new(Kind::Text, text.as_bytes())
    }

    /// The bytes as text; what is not UTF-8 is replaced by U+FFFD.
    pub fn to_text(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.bytes)
    }

    /// The value as JSON.
    pub fn to_json(self) -> serde_json::Value {
        let literal = || serde_json::from_slice(self.bytes).ok();
        match self.kind {
            Kind::Text | Kind::Bytes => None,
            Kind::Number | Kind::Bool | Kind::Null | Kind::Json => literal(),
        }
        .unwrap_or_else(|| serde_json::Value::String(self.to_text().into_owned()))
    }
}

impl Kind {
    /// The kind with this number on disk.
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Text,
            1 => Self::Number,
            2 => Self::Bool,
            3 => Self::Null,
            4 => Self::Json,
            5 => Self::Bytes,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_the_digits_they_were() {
        let digits = "184467440737095516150000000000000000001";
        let shown = Value::Number(digits.into()).as_ref().to_json().to_string();
        assert_eq!(shown, digits);
    }

    #[test]
    fn kinds_keep_their_numbers() {
        for number in 0..6 {
            assert_eq!(Kind::from_number(number).map(|kind| kind as u8), Some(number));
        }
        assert_eq!(Kind::from_number(6), None);
    }
}
