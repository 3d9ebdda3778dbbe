//! Whether a call over HTTP was made by a web page.
//!
//! A browser lets a page of any site call this machine and the network it is in: with a body of a
//! plain type, without asking first, and to an answer that the page cannot read. Where nothing but the
//! place of a caller lets it in, such a call is not its own. Browsers say so themselves, in headers
//! that a page cannot change: `Origin` (RFC 6454 §7) and `Sec-Fetch-Site` (W3C Fetch Metadata).
//! Programs that ship logs send neither.

use std::net::IpAddr;

/// Whether a call comes from a web page, and not from one that this machine itself has served.
///
/// A page whose site's name was made to resolve to this machine is of that site still: `Host` has its
/// name. `header` gives the value of a header by its lower-case name.
pub fn from_web_page<'h>(header: impl Fn(&str) -> Option<&'h [u8]>) -> bool {
    let (origin, site) = (header("origin"), header("sec-fetch-site"));
    if origin.is_none() && site.is_none() {
        return false;
    }
    let host = header("host").unwrap_or_default();
    let is_own = |origin: &[u8]| {
        let plain = origin.strip_prefix(b"http://");
        plain.or_else(|| origin.strip_prefix(b"https://")).is_some_and(|own| own == host)
    };
    let is_here = std::str::from_utf8(host).is_ok_and(is_loopback);
    let same_site = |site: &[u8]| matches!(site, b"same-origin" | b"none");
    !(is_here && origin.is_none_or(is_own) && site.is_none_or(same_site))
}

/// What a connection begins with, where that is a call over HTTP/1: whether a
/// [web page](from_web_page) makes it. A browser writes the head of a call at once.
pub fn http_head(bytes: &[u8]) -> Option<bool> {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let first = lines.next()?;
    let is_call = first.ends_with(b" HTTP/1.1") || first.ends_with(b" HTTP/1.0");
    if !is_call || !first.first()?.is_ascii_uppercase() {
        return None;
    }
    let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).take(MAX_LINES).collect();
    let header = |name: &str| {
        lines.iter().find_map(|line| {
            let (own, value) = line.split_at_checked(line.iter().position(|b| *b == b':')?)?;
            own.eq_ignore_ascii_case(name.as_bytes())
                .then(|| value.get(1..))?
                .map(<[u8]>::trim_ascii)
        })
    };
    Some(from_web_page(header))
}

/// Whether a `Host` is a name that every machine has for itself, with a port or without.
pub fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.split_once(']') {
        Some((address, port)) => (address.strip_prefix('[').unwrap_or_default(), port),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    let address = name.parse::<IpAddr>();
    let is_here =
        name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback());
    is_here && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Lines of a head that are looked at.
const MAX_LINES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for host in ["localhost", "LOCALHOST:8514", "127.0.0.1:8514", "127.9.9.9", "[::1]:8514"] {
            assert!(is_loopback(host), "{host}");
        }
        let others = ["", "evil.example", "localhost.evil.example:8514", "192.0.2.1"];
        let odd =
            ["127.0.0.1.x", "localhost@evil:1", "localhost:1.evil", "::1]", "[::1].evil", "["];
        for host in others.iter().chain(&odd) {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn heads_of_calls() {
        let table = [
            ("GET /robots.txt HTTP/1.1\r\n\r\n", Some(false)),
            ("POST / HTTP/1.1\r\nHost: 127.0.0.1:5000\r\norigin:null\r\n\r\n{}\n", Some(true)),
            ("POST / HTTP/1.1\r\nHost: x\r\n\r\nOrigin: https://evil.example\r\n", Some(false)),
            ("POST / HTTP/1.0\nHost:127.0.0.1\nOrigin:http://127.0.0.1\n", Some(false)),
            ("<13>1 - h a - - - GET / HTTP/1.1\r\nOrigin: null\r\n", None),
            ("GET / HTTP/1", None),
            ("", None),
        ];
        for (text, want) in table {
            assert_eq!(http_head(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn co_09_pages_are_told_from_programs_and_from_pages_of_this_machine() {
        let here = "127.0.0.1:8514";
        let own = Some("http://127.0.0.1:8514");
        let table = [
            // Host, Origin, Sec-Fetch-Site, whether it is a page of somebody else
            (here, None, None, false),
            ("logs.example", None, None, false),
            (here, own, None, false),
            (here, own, Some("same-origin"), false),
            (here, None, Some("none"), false),
            (here, Some("https://evil.example"), None, true),
            (here, Some("null"), None, true),
            (here, Some(""), None, true),
            (here, Some("http://127.0.0.1:3000"), Some("same-site"), true),
            (here, None, Some("cross-site"), true),
            (here, own, Some("cross-site"), true),
            // A name that was made to resolve to this machine.
            ("evil.example:8514", Some("http://evil.example:8514"), Some("same-origin"), true),
            ("", Some("http://"), None, true),
        ];
        for (host, origin, site, want) in table {
            let header = |name: &str| match name {
                "host" => Some(host.as_bytes()),
                "origin" => origin.map(str::as_bytes),
                "sec-fetch-site" => site.map(str::as_bytes),
                _ => None,
            };
            assert_eq!(from_web_page(header), want, "{host} {origin:?} {site:?}");
        }
    }
}
