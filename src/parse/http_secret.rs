//! The API key in the head of an HTTP request (SPEC §2.3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::ids;

/// The key that a request names: `X-Api-Key: KEY`, else `Authorization: Bearer KEY` (also `ApiKey`,
/// `Splunk`, and `Basic` with the key as user or password).
///
/// Elasticsearch's clients write `ApiKey` with base64 of `id:key`; the key is either of the two.
///
/// An `Authorization` that cannot be read names a key as well: an empty one, which there is not.
///
/// `header` gives the value of a header by its lower-case name.
pub fn http_secret<'h>(header: impl Fn(&str) -> Option<&'h [u8]>) -> Option<Vec<u8>> {
    if let Some(key) = header("x-api-key") {
        return Some(key.trim_ascii().to_vec());
    }
    header("authorization").map(|value| authorization(value.trim_ascii()).unwrap_or_default())
}

fn authorization(value: &[u8]) -> Option<Vec<u8>> {
    let blank = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at_checked(blank)?;
    let rest = rest.trim_ascii();
    let is = |name: &str| scheme.eq_ignore_ascii_case(name.as_bytes());
    if is("Bearer") || is("Splunk") || is("ApiKey") && ids::is_secret(rest) {
        return Some(rest.to_vec());
    }
    if is("ApiKey") {
        return Some(pair(rest).unwrap_or_else(|| rest.to_vec()));
    }
    if is("Basic") { pair(rest) } else { None }
}

/// The key in `user:password`, in base64: the user if it has the form of one.
fn pair(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > MAX_BASIC {
        return None;
    }
    let pair = STANDARD.decode(text).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let (user, password) = pair.split_at_checked(colon)?;
    let password = password.get(1..)?;
    Some(if ids::is_secret(user) { user } else { password }.to_vec())
}

/// The longest credentials of `Basic` that are read, in base64.
const MAX_BASIC: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "lt_live_0123456789abcdef0123456789abcdef";

    #[test]
    fn keys_are_found_where_they_are_said_to_be() {
        let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
        let table = [
            (format!("Bearer {KEY}"), KEY),
            (format!("bearer   {KEY} "), KEY),
            (format!("ApiKey {KEY}"), KEY),
            (format!("Splunk {KEY}"), KEY),
            (basic(format!("{KEY}:x")).replace("Basic", "ApiKey"), KEY),
            (basic(format!("id:{KEY}")).replace("Basic", "ApiKey"), KEY),
            ("ApiKey other".to_owned(), "other"),
            (basic(format!("{KEY}:x")), KEY),
            (basic(format!("{KEY}:")), KEY),
            (basic(format!("elastic:{KEY}")), KEY),
            (basic("user:other".to_owned()), "other"),
            (basic("no colon".to_owned()), ""),
            ("Basic %%%".to_owned(), ""),
            (format!("Digest {KEY}"), ""),
            (KEY.to_owned(), ""),
            (String::new(), ""),
        ];
        for (value, want) in table {
            let value = value.as_bytes();
            let one = |name: &str| (name == "authorization").then_some(value);
            assert_eq!(http_secret(one), Some(want.as_bytes().to_vec()), "{value:?}");
            let both =
                |name: &str| if name == "x-api-key" { Some(&b"other"[..]) } else { one(name) };
            assert_eq!(http_secret(both), Some(b"other".to_vec()), "{value:?}");
        }
        assert_eq!(http_secret(|_| None), None);
    }
}
