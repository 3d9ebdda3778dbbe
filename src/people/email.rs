//! E-mail addresses, which people are known by.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::PeopleError;

/// An e-mail address, in small letters.
///
/// Of RFC 5321 what is in use: ASCII alone, so that no address looks like another that it is not;
/// no quotes, no comments, no addresses in brackets. Providers do not tell capital letters from
/// small ones, so neither is done here.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(Arc<str>);

impl Email {
    /// The address in `text`, without blanks around it.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, PeopleError> {
        let text = text.trim();
        if is_address(text) {
            return Ok(Self(text.to_ascii_lowercase().into()));
        }
        // Who mistakes one field for another writes a password here: it is not repeated.
        Err(PeopleError::invalid("email", "an e-mail address such as a@example.com", "another"))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl TryFrom<String> for Email {
    type Error = PeopleError;

    fn try_from(text: String) -> Result<Self, PeopleError> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0.as_ref().into()
    }
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let is_local = local.len() <= MAX_LOCAL
        && local.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
    let is_label = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let bounds = !label.starts_with('-') && !label.ends_with('-');
        (1..=MAX_LABEL).contains(&label.len()) && bounds && label.chars().all(plain)
    };
    text.len() <= MAX_EMAIL && is_local && domain.split('.').all(is_label)
}

/// The longest address, in bytes (RFC 5321 §4.5.3.1.3, without the brackets).
pub(super) const MAX_EMAIL: usize = 254;

/// The longest part before the `@`.
const MAX_LOCAL: usize = 64;

/// The longest part of a name of a domain.
const MAX_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn co_04_addresses_are_what_they_look_like() {
        let good = [
            ("a@example.com", "a@example.com"),
            ("  Ann.Lee+logs@Example.COM ", "ann.lee+logs@example.com"),
            ("root@localhost", "root@localhost"),
            ("o'neil@xn--bcher-kva.example", "o'neil@xn--bcher-kva.example"),
        ];
        for (text, want) in good {
            assert_eq!(Email::parse(text).unwrap().as_str(), want);
        }
        let long = format!("{}@example.com", "a".repeat(65));
        let bad = [
            "",
            "a",
            "@example.com",
            "a@",
            "a b@example.com",
            "a@exa mple.com",
            "a@b@example.com",
            ".a@example.com",
            "a..b@example.com",
            "a@-example.com",
            "a@example..com",
            "\u{430}nn@example.com", // a Cyrillic a
            "ann@ex\u{430}mple.com",
            "a\0@example.com",
            "\"a\"@example.com",
            "a@[192.0.2.1]",
            "a@example.com\r\nbcc: b@example.com",
            &long,
        ];
        for text in bad {
            let error = Email::parse(text).unwrap_err().to_string();
            assert_eq!(
                error,
                "email: expected an e-mail address such as a@example.com, but found another"
            );
        }
    }
}
