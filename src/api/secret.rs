//! The API key in the head of a request (SPEC §2.3).

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::ids;

/// The key that a request names: `Authorization: Bearer KEY` (also `ApiKey`, `Splunk`, and `Basic`
/// with the key as user or password), else `X-Api-Key: KEY`.
///
/// An `Authorization` that cannot be read names a key as well: an empty one, which there is not.
pub(super) fn secret(headers: &HeaderMap) -> Option<Vec<u8>> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes().trim_ascii().to_vec());
    }
    headers.get(header::AUTHORIZATION).map(|value| authorization(value).unwrap_or_default())
}

fn authorization(value: &HeaderValue) -> Option<Vec<u8>> {
    let value = value.as_bytes().trim_ascii();
    let blank = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at_checked(blank)?;
    let rest = rest.trim_ascii();
    let is = |name: &str| scheme.eq_ignore_ascii_case(name.as_bytes());
    if ["Bearer", "ApiKey", "Splunk"].iter().any(|name| is(name)) {
        return Some(rest.to_vec());
    }
    if !is("Basic") || rest.len() > MAX_BASIC {
        return None;
    }
    let pair = STANDARD.decode(rest).ok()?;
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
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
            assert_eq!(secret(&headers), Some(want.as_bytes().to_vec()), "{value}");
            headers.insert("x-api-key", HeaderValue::from_static("other"));
            assert_eq!(secret(&headers), Some(b"other".to_vec()), "{value}");
        }
        assert_eq!(secret(&HeaderMap::new()), None);
    }
}
