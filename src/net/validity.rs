//! When a certificate ends (RFC 5280 §4.1.2.5).
//!
//! Only as much of DER is read as lies in front of that: lengths and two forms of time.

use crate::time::Timestamp;

/// The end of a certificate's validity; `None` where it cannot be found.
pub(super) fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = value(certificate)?;
    let (_, mut rest, _) = value(certificate)?;
    let (tag, _, after) = value(rest)?;
    if tag == VERSION {
        rest = after;
    }
    for _ in ["serial number", "signature", "issuer"] {
        rest = value(rest)?.2;
    }
    let (tag, validity, _) = value(rest)?;
    let not_before = value(validity).filter(|_| tag == SEQUENCE)?;
    let (tag, text, _) = value(not_before.2)?;
    time(tag, text)
}

/// The first value: its tag, what is in it, and what comes after it.
fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (inside, after) = rest.split_at_checked(len)?;
    Some((tag, inside, after))
}

/// `YYMMDDHHMMSSZ` of this and the last century, or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        UTC_TIME => {
            let century = if text.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" };
            format!("{century}{text}")
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |range| text.get(range);
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(8..10)?, part(10..12)?, part(12..14)?);
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    Timestamp::parse_rfc3339(text.as_bytes())
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn the_end_is_found_in_both_forms_of_time() {
        for (year, want) in
            [(2031, "2031-02-03T00:00:00"), (1999, "1999-02-03"), (2055, "2055-02-03")]
        {
            let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
            params.not_before = date_time_ymd(1998, 1, 1);
            params.not_after = date_time_ymd(year, 2, 3);
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let found = not_after(certificate.der()).unwrap().to_string();
            assert!(found.starts_with(want), "{found}");
            for len in 0..certificate.der().len() {
                // One that is cut has no end, or the same one.
                let cut = not_after(&certificate.der()[..len]);
                assert!(cut.is_none_or(|cut| cut.to_string() == found));
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(bytes: Vec<u8>) {
            let _none = not_after(&bytes);
        }
    }
}
