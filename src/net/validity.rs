//! When a certificate ends (RFC 5280 §4.1.2.5).

use super::der::{SEQUENCE, time, value};
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

/// The kind of the version, which may be left out.
const VERSION: u8 = 0xa0;

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
