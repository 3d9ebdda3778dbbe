//! What both sides of a RELP session can do: the data of `open`, and of its answer.

/// An `open` that opens nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// What its sender is told with `500`; without it only that we close.
    pub(super) answer: Option<&'static str>,
    /// What is wrong, for the operator.
    pub(super) what: String,
}

/// Reads offers, `name=value,value` on a line each, and returns the data of the answer.
///
/// Of the versions that both sides know the higher one is answered. Offers of other names are for
/// others.
pub(super) fn answer(offers: &[u8]) -> Result<String, Refused> {
    let refuse = |answer, what: &str| Refused { answer, what: what.to_owned() };
    let (mut version, mut can_syslog) = (None, false);
    for offer in offers.split(|&byte| byte == b'\n') {
        let offer = offer.strip_suffix(b"\r").unwrap_or(offer);
        let mut parts = offer.splitn(2, |&byte| byte == b'=');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        match name {
            b"relp_version" => {
                let number = str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok());
                let Some(number) = number else {
                    let what = "expected a number as relp_version, but found something else";
                    return Err(refuse(Some("invalid offer"), what));
                };
                version = Some(VERSION.min(number));
            }
            b"commands" => {
                can_syslog =
                    value.split(|&byte| byte == b',').any(|one| one.trim_ascii() == b"syslog");
            }
            _ => {}
        }
    }
    let Some(version) = version else {
        return Err(refuse(None, "expected relp_version among the offers, but found none"));
    };
    if !can_syslog {
        let why = "required command not supported by client";
        let what = "expected syslog among the commands offered, but found none";
        return Err(refuse(Some(why), what));
    }
    Ok(format!("200 OK\nrelp_version={version}\nrelp_software={SOFTWARE}\ncommands=syslog\n"))
}

/// The version of the protocol that this is. What librelp speaks is the same, and named 0.
const VERSION: u32 = 1;

/// Who we are.
const SOFTWARE: &str = concat!("logtrace,", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rp_03_offers() {
        let told = |answer: &str, what: &str| Some((answer.to_owned(), what.to_owned()));
        #[rustfmt::skip]
        let table = [
            ("relp_version=0\nrelp_software=librelp,1.11.0,http://x\ncommands=syslog\n", Ok("0")),
            ("relp_version=0\ncommands=syslog", Ok("0")),
            ("commands=syslog\nrelp_version=1", Ok("1")),
            ("relp_version=7\r\ncommands=open, syslog,eventlog\r\n", Ok("1")),
            ("relp_version=0\nstarttls=1\n=\n\ncommands=syslog\nx", Ok("0")),
            ("relp_version=0\ncommands=eventlog\n", Err(told("required command not supported by client", "syslog"))),
            ("relp_version=0\n", Err(told("required command not supported by client", "syslog"))),
            ("relp_version=zero\ncommands=syslog\n", Err(told("invalid offer", "number"))),
            ("relp_version\ncommands=syslog\n", Err(told("invalid offer", "number"))),
            ("commands=syslog\n", Err(None)),
            ("", Err(None)),
        ];
        for (offers, want) in table {
            match (answer(offers.as_bytes()), want) {
                (Ok(got), Ok(version)) => {
                    let head = format!("200 OK\nrelp_version={version}\nrelp_software=logtrace,");
                    assert!(got.starts_with(&head), "{got}");
                    assert!(got.ends_with("\ncommands=syslog\n"), "{got}");
                }
                (Err(got), Err(want)) => {
                    assert_eq!(got.answer, want.as_ref().map(|(answer, _)| &**answer), "{offers}");
                    let word = want.as_ref().map_or("relp_version", |(_, word)| word);
                    assert!(got.what.contains(word), "{}", got.what);
                }
                (got, want) => panic!("{got:?}, but {want:?} was expected of {offers:?}"),
            }
        }
    }
}
