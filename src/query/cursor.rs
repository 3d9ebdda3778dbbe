//! Where an answer ended, for whoever asks for the next page.
//!
//! ```text
//!  cursor = base64url of: format (1), time (8), id (8), issued (8), query (16), signature (32)
//! ```
//!
//! `query` is a hash of project, reader, filter and order; the stretch of time is not in it, since
//! `-24h` is another one at every page. The signature is what keeps a cursor from being made up.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::request::Request;
use crate::time::Timestamp;

/// The secret that cursors are signed with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CursorKey(pub [u8; 32]);

/// The row that an answer ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) time: i64,
    pub(super) id: i64,
    /// When it was handed out, in microseconds since the epoch.
    pub(super) issued: i64,
}

/// Why a cursor does not continue a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// It was cut, or is no cursor.
    #[error(
        "expected a cursor as it was given, {TEXT_LEN} characters, but found {0} that are none"
    )]
    Form(usize),
    /// It was changed or made up.
    #[error("expected a cursor that was handed out here, but found a wrong signature")]
    Signature,
    /// It continues something else.
    #[error(
        "expected a cursor of this query (project, key, filter and order), but found one of \
         another"
    )]
    OtherQuery,
    /// What it continues has been dropped since.
    #[error("expected a cursor younger than the retention of the project, but found one of {0}")]
    TooOld(Timestamp),
}

impl Cursor {
    /// Its text, bound to `request`.
    pub(super) fn to_text(self, request: &Request) -> String {
        let mut bytes = vec![FORMAT];
        for number in [self.time, self.id, self.issued] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&query(request));
        let signature = blake3::keyed_hash(&request.cursor_key.0, &bytes);
        bytes.extend_from_slice(signature.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a text back; `request` must be the one that it was made for, or its next page.
    pub(super) fn parse(text: &str, request: &Request) -> Result<Self, CursorError> {
        let form = || CursorError::Form(text.chars().count());
        let bytes = match text.len() {
            TEXT_LEN => URL_SAFE_NO_PAD.decode(text).map_err(|_| form())?,
            _ => return Err(form()),
        };
        let (signed, signature) = bytes.split_last_chunk::<32>().ok_or_else(form)?;
        // Hashes are compared in constant time.
        if blake3::keyed_hash(&request.cursor_key.0, signed) != blake3::Hash::from(*signature) {
            return Err(CursorError::Signature);
        }
        let mut rest = signed.strip_prefix(&[FORMAT]).ok_or(CursorError::Signature)?;
        let mut number = || -> Result<i64, CursorError> {
            let (number, tail) = rest.split_first_chunk().ok_or_else(form)?;
            rest = tail;
            Ok(i64::from_be_bytes(*number))
        };
        let cursor = Self { time: number()?, id: number()?, issued: number()? };
        if rest != query(request) {
            return Err(CursorError::OtherQuery);
        }
        Ok(cursor)
    }
}

impl fmt::Debug for CursorKey {
    /// Shows nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CursorKey").finish_non_exhaustive()
    }
}

/// What a cursor is bound to, as a hash.
fn query(request: &Request) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    let filter = request.filter.to_kql();
    for part in [&*request.project, &*request.reader, &filter, request.order.as_str()] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut short = [0; 16];
    hasher.finalize_xof().fill(&mut short);
    short
}

const FORMAT: u8 = 1;

/// The characters of a cursor: 73 bytes of which every three are four.
const TEXT_LEN: usize = 98;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kql::{Syntax, parse};
    use crate::query::Order;

    fn request(filter: &str) -> Request {
        let filter = parse(filter, Syntax::Lenient).unwrap().query;
        Request::new("p".into(), filter, CursorKey([7; 32]), Timestamp::default())
    }

    const CURSOR: Cursor = Cursor { time: i64::MIN, id: -1, issued: 3 };

    #[test]
    fn a_cursor_reads_back_and_needs_no_escape() {
        let request = request("a:1 or b:2");
        let text = CURSOR.to_text(&request);
        assert_eq!(text.len(), TEXT_LEN);
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(Cursor::parse(&text, &request), Ok(CURSOR));
    }

    #[test]
    fn ht_10_a_cursor_that_is_not_ours_is_refused_by_name() {
        let own = request("a:1");
        let text = CURSOR.to_text(&own);
        for len in 0..TEXT_LEN {
            let cut: String = text.chars().take(len).collect();
            assert_eq!(Cursor::parse(&cut, &own), Err(CursorError::Form(len)));
        }
        for at in 0..TEXT_LEN {
            let mut forged = text.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            let error = Cursor::parse(&forged, &own).unwrap_err();
            assert!(matches!(error, CursorError::Signature | CursorError::Form(_)), "{at} {error}");
        }
        assert_eq!(Cursor::parse(&"=".repeat(98), &own), Err(CursorError::Form(98)));
        assert!(Cursor::parse("größe", &own).is_err());
        let others = [
            request("a:2"),
            Request { project: "q".into(), ..own.clone() },
            Request { reader: "key_2".into(), ..own.clone() },
            Request { order: Order::OldestFirst, ..own.clone() },
        ];
        for other in others {
            assert_eq!(Cursor::parse(&text, &other), Err(CursorError::OtherQuery));
        }
        let stranger = Request { cursor_key: CursorKey([8; 32]), ..own };
        assert_eq!(Cursor::parse(&text, &stranger), Err(CursorError::Signature));
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", CursorKey([255; 32])), "CursorKey { .. }");
    }
}
