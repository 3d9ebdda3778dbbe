//! The header that a proxy puts in front of a stream, to say for whom it was opened.
//!
//! The PROXY protocol (haproxy's `proxy-protocol.txt`): version 1 is a line of text (§2.1), version
//! 2 is binary (§2.2). Whether to believe it is for the caller to know: anyone can send one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use memchr::memchr;

/// What a stream begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// A header.
    Header {
        /// Address and port of the client. None where the proxy speaks for itself, as a health
        /// check does, does not know, or speaks for a client without an IP address: the stream's
        /// own address is then the client's.
        source: Option<SocketAddr>,
        /// The header's length in bytes, at most [`MAX_PROXY`]. That may be more than were shown:
        /// the rest of version 2 need not be, only skipped. What follows is the stream.
        len: usize,
    },
    /// Too few bytes to tell. At most 106 of them are.
    More {
        /// Whether this is a header, of which a part is missing; else it may still be none.
        begun: bool,
    },
    /// No header.
    None,
    /// A header that cannot be read.
    Bad {
        /// What was expected, and what was found.
        what: &'static str,
    },
}

/// Reads the header at the front of `buf`, of either version.
///
/// The line of version 1 may end in LF without CR, as some senders have it. The addresses of
/// version 2 are read, its extensions (TLVs) are not.
pub fn proxy(buf: &[u8]) -> Proxy {
    if buf.starts_with(SIGNATURE_1) {
        version_1(buf)
    } else if buf.starts_with(SIGNATURE_2) {
        version_2(buf)
    } else if SIGNATURE_1.starts_with(buf) || SIGNATURE_2.starts_with(buf) {
        Proxy::More { begun: false }
    } else {
        Proxy::None
    }
}

/// `PROXY TCP4 192.0.2.1 192.0.2.2 50000 514`, CR, LF (§2.1).
fn version_1(buf: &[u8]) -> Proxy {
    let Some(end) = memchr(b'\n', buf.get(..MAX_1).unwrap_or(buf)) else {
        let what = "expected a PROXY header of at most 107 bytes, but found no end of its line";
        return if buf.len() < MAX_1 { Proxy::More { begun: true } } else { Proxy::Bad { what } };
    };
    let line = buf.get(SIGNATURE_1.len()..end).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut fields = line.split(|&byte| byte == b' ');
    let source = match fields.next() {
        Some(b"TCP4") => addresses::<Ipv4Addr>(fields),
        Some(b"TCP6") => addresses::<Ipv6Addr>(fields),
        // Whatever else is on the line does not count.
        Some(b"UNKNOWN") => return Proxy::Header { source: None, len: end + 1 },
        _ => {
            let what = "expected TCP4, TCP6 or UNKNOWN in a PROXY header, but found another word";
            return Proxy::Bad { what };
        }
    };
    match source {
        Some(source) => Proxy::Header { source: Some(source), len: end + 1 },
        None => Proxy::Bad {
            what: "expected two addresses and two ports in a PROXY header, but found other words",
        },
    }
}

/// The source of: source, destination, source port, destination port, and nothing after them.
fn addresses<'l, A>(mut fields: impl Iterator<Item = &'l [u8]>) -> Option<SocketAddr>
where
    A: std::str::FromStr + Into<IpAddr>,
{
    let source = address::<A>(fields.next()?)?;
    address::<A>(fields.next()?)?;
    let source_port = port(fields.next()?)?;
    port(fields.next()?)?;
    fields.next().is_none().then(|| SocketAddr::new(source, source_port))
}

fn address<A: std::str::FromStr + Into<IpAddr>>(field: &[u8]) -> Option<IpAddr> {
    let address: A = str::from_utf8(field).ok()?.parse().ok()?;
    Some(address.into())
}

/// 0 to 65535, in decimal, without leading zeros.
fn port(field: &[u8]) -> Option<u16> {
    let is_number =
        field.iter().all(u8::is_ascii_digit) && (field == b"0" || field.first() != Some(&b'0'));
    is_number.then(|| str::from_utf8(field).ok()?.parse().ok())?
}

/// Signature, version and command, family and protocol, length of the rest (§2.2).
fn version_2(buf: &[u8]) -> Proxy {
    let Some((head, body)) = buf.split_first_chunk::<HEAD_2>() else {
        return Proxy::More { begun: true };
    };
    let [.., command, family, high, low] = *head;
    let body_len = usize::from(u16::from_be_bytes([high, low]));
    let body = body.get(..body_len).unwrap_or(body);
    let len = HEAD_2 + body_len;
    match (command, family) {
        // LOCAL: the proxy speaks for itself. And PROXY for a client of no family, or on a unix
        // socket.
        (0x20, _) | (0x21, 0x00 | 0x31 | 0x32) => Proxy::Header { source: None, len },
        (0x21, 0x11 | 0x12) => {
            source(body, body_len, len, |bytes: [u8; 4]| Ipv4Addr::from(bytes).into())
        }
        (0x21, 0x21 | 0x22) => {
            source(body, body_len, len, |bytes: [u8; 16]| Ipv6Addr::from(bytes).into())
        }
        (0x21, _) => Proxy::Bad {
            what: "expected a known family in a PROXY header, but found one that is not assigned",
        },
        _ => Proxy::Bad {
            what: "expected version 2 and a known command in a PROXY header, but found others",
        },
    }
}

/// The header of a client with an IP address of `N` bytes: source, destination, and both ports.
fn source<const N: usize>(
    body: &[u8],
    body_len: usize,
    len: usize,
    ip: impl FnOnce([u8; N]) -> IpAddr,
) -> Proxy {
    if body_len < 2 * (N + 2) {
        let what = "expected two addresses and two ports in a PROXY header, but found fewer bytes";
        return Proxy::Bad { what };
    }
    let parts = || {
        let (source, rest) = body.split_first_chunk::<N>()?;
        let (_destination, rest) = rest.split_first_chunk::<N>()?;
        Some((*source, *rest.first_chunk::<2>()?))
    };
    match parts() {
        Some((source, port)) => {
            let source = SocketAddr::new(ip(source), u16::from_be_bytes(port));
            Proxy::Header { source: Some(source), len }
        }
        None => Proxy::More { begun: true },
    }
}

/// The longest header, in bytes: version 2 with 65,535 bytes after its head.
pub const MAX_PROXY: usize = HEAD_2 + 65_535;

const SIGNATURE_1: &[u8] = b"PROXY ";

const SIGNATURE_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest header of version 1, with its CR and LF.
const MAX_1: usize = 107;

/// The head of version 2, which says how long the rest is.
const HEAD_2: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(source: &str, len: usize) -> Proxy {
        let source = (!source.is_empty()).then(|| source.parse().unwrap());
        Proxy::Header { source, len }
    }

    fn version_2(command: u8, family: u8, body_len: u16, body: &[u8]) -> Vec<u8> {
        [SIGNATURE_2, &[command, family], &body_len.to_be_bytes(), body].concat()
    }

    fn is_bad(buf: &[u8]) -> bool {
        matches!(proxy(buf), Proxy::Bad { .. })
    }

    #[test]
    fn version_1_is_a_line() {
        #[rustfmt::skip]
        let table: &[(&[u8], Proxy)] = &[
            (b"",                                             Proxy::More { begun: false }),
            (b"PROXY",                                        Proxy::More { begun: false }),
            (b"PROXY ",                                       Proxy::More { begun: true }),
            (b"PROXY TCP4 1.2.3.4",                           Proxy::More { begun: true }),
            (b"PROXYTCP4",                                    Proxy::None),
            (b"proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",           Proxy::None),
            (b" PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",          Proxy::None),
            (b"<13>PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",       Proxy::None),
            (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n<13>x\n",    header("1.2.3.4:1", 32)),
            (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n<13>x\n",      header("1.2.3.4:1", 31)),
            (b"PROXY TCP4 1.2.3.4 5.6.7.8 65535 0\r\n",       header("1.2.3.4:65535", 36)),
            (b"PROXY TCP6 2001:db8::1 ::1 50000 514\r\n",     header("[2001:db8::1]:50000", 38)),
            (b"PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n",        header("[::ffff:1.2.3.4]:1", 35)),
            (b"PROXY UNKNOWN\r\n",                            header("", 15)),
            (b"PROXY UNKNOWN \xff 1 2 3 4 5 6\r\n",           header("", 29)),
        ];
        for (bytes, want) in table {
            assert_eq!(proxy(bytes), *want, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn version_1_that_cannot_be_read() {
        let lines: &[&[u8]] = &[
            b"",
            b"TCP4",
            b"UNKNOWNS",
            b"UDP4 1.2.3.4 5.6.7.8 1 2",
            b"TCP4 1.2.3.4 5.6.7.8 1",
            b"TCP4 1.2.3.4 5.6.7.8 1 2 3",
            b"TCP4 1.2.3.4 5.6.7.8 1 2 ",
            b"TCP4  1.2.3.4 5.6.7.8 1 2",
            b"TCP4 1.2.3.4\t5.6.7.8 1 2",
            b"TCP4 1.2.3.4 5.6.7.8 1 2\r",
            b"TCP4 1.2.3.4 5.6.7.8 1 65536",
            b"TCP4 1.2.3.4 5.6.7.8 +1 2",
            b"TCP4 1.2.3.4 5.6.7.8 01 2",
            b"TCP4 1.2.3.4 5.6.7.8  2",
            b"TCP4 1.2.3.256 5.6.7.8 1 2",
            b"TCP4 1.2.3.04 5.6.7.8 1 2",
            b"TCP4 localhost 5.6.7.8 1 2",
            b"TCP4 ::1 ::1 1 2",
            b"TCP6 1.2.3.4 5.6.7.8 1 2",
            b"TCP6 fe80::1%eth0 ::1 1 2",
            b"TCP4 \xff 5.6.7.8 1 2",
        ];
        for line in lines {
            let bytes = [SIGNATURE_1, line, b"\r\n"].concat();
            assert!(is_bad(&bytes), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn fr_20_version_1_of_107_bytes_and_of_108() {
        let mut line = b"PROXY UNKNOWN ".to_vec();
        line.resize(MAX_1 - 2, b'f');
        let longest = [&line[..], b"\r\n"].concat();
        assert_eq!(proxy(&longest), header("", 107));
        assert_eq!(proxy(&longest[..106]), Proxy::More { begun: true });
        assert!(is_bad(&[&line[..], b"f\r\n"].concat()));
        assert!(is_bad(&[&line[..], b"\rf"].concat()), "without waiting for more");
    }

    #[test]
    fn fr_20_version_2_whatever_it_carries() {
        let v4 = [1, 2, 3, 4, 5, 6, 7, 8, 0xc3, 0x50, 2, 2];
        let v6 = [&Ipv6Addr::LOCALHOST.octets()[..], &[9; 16], &[0, 1, 0, 2]].concat();
        #[rustfmt::skip]
        let table: &[(Vec<u8>, Proxy)] = &[
            (version_2(0x21, 0x11, 12, &v4),            header("1.2.3.4:50000", 28)),
            (version_2(0x21, 0x12, 12, &v4),            header("1.2.3.4:50000", 28)),
            (version_2(0x21, 0x21, 36, &v6),            header("[::1]:1", 52)),
            (version_2(0x21, 0x22, 36, &v6),            header("[::1]:1", 52)),
            // All that 16 bits can say; and an extension that is cut short, or longer than the
            // rest: they are skipped unread.
            (version_2(0x21, 0x11, 65_535, &v4),        header("1.2.3.4:50000", MAX_PROXY)),
            (version_2(0x21, 0x11, 14, &[&v4[..], &[4, 0]].concat()), header("1.2.3.4:50000", 30)),
            (version_2(0x21, 0x11, 15, &[&v4[..], &[4, 255, 255]].concat()),
                                                        header("1.2.3.4:50000", 31)),
            // LOCAL, whatever family it says; unspecified; unix.
            (version_2(0x20, 0x00, 0, b""),             header("", 16)),
            (version_2(0x20, 0x11, 12, &v4),            header("", 28)),
            (version_2(0x20, 0xff, 3, b""),             header("", 19)),
            (version_2(0x21, 0x00, 0, b""),             header("", 16)),
            (version_2(0x21, 0x00, 12, &v4),            header("", 28)),
            (version_2(0x21, 0x31, 216, b"/run/x"),     header("", 232)),
            (version_2(0x21, 0x32, 216, b""),           header("", 232)),
            (SIGNATURE_2[..11].to_vec(),                Proxy::More { begun: false }),
            (SIGNATURE_2.to_vec(),                      Proxy::More { begun: true }),
            (version_2(0x21, 0x11, 12, &v4[..9]),       Proxy::More { begun: true }),
            (b"\r\n\r\n\0\r\nQUIT\r".to_vec(),          Proxy::None),
        ];
        for (bytes, want) in table {
            assert_eq!(proxy(bytes), *want, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn fr_20_version_2_that_cannot_be_read() {
        #[rustfmt::skip]
        let table = [
            // Another version, a command or a family that is not assigned.
            (0x11, 0x11, 12), (0x31, 0x11, 12), (0x22, 0x11, 12), (0x2f, 0x11, 12),
            (0x21, 0x10, 12), (0x21, 0x01, 12), (0x21, 0x13, 12), (0x21, 0x41, 12),
            // No room for the addresses.
            (0x21, 0x11, 0), (0x21, 0x11, 11), (0x21, 0x21, 12), (0x21, 0x21, 35),
        ];
        for (command, family, len) in table {
            let bytes = version_2(command, family, len, &[1; 64]);
            assert!(is_bad(&bytes), "{command:#x} {family:#x} {len}");
        }
    }

    /// Bytes that begin like a header more often than by chance.
    fn streams() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just("TCP4 "),
            Just("TCP6 "),
            Just("UNKNOWN"),
            Just("1.2.3.4 "),
            Just("::1 "),
            Just("514 "),
            Just("514"),
            Just("\r\n"),
            Just("\n"),
            Just("x"),
        ];
        let line = prop::collection::vec(word, 0..10)
            .prop_map(|words| [SIGNATURE_1, words.concat().as_bytes()].concat());
        let commands = prop::sample::select(vec![0x20, 0x21, 0x22, 0x11]);
        let families = prop::sample::select(vec![0x00, 0x11, 0x12, 0x21, 0x31, 0x44]);
        let body = prop::collection::vec(any::<u8>(), 0..60);
        let binary = (commands, families, prop_oneof![0..60_u16, any::<u16>()], body)
            .prop_map(|(command, family, len, body)| version_2(command, family, len, &body));
        prop_oneof![line, binary, prop::collection::vec(any::<u8>(), 0..200)]
    }

    proptest! {
        #[test]
        fn fr_01_splits_do_not_matter(stream in streams()) {
            let whole = proxy(&stream);
            let mut begun_before = false;
            for end in 0..=stream.len() {
                let answer = proxy(&stream[..end]);
                if let Proxy::More { begun } = answer {
                    prop_assert!(end < MAX_1, "memory is bounded");
                    prop_assert!(begun || !begun_before);
                    begun_before = begun;
                } else {
                    prop_assert_eq!(answer, whole, "after {} bytes", end);
                }
            }
        }

        #[test]
        fn what_is_written_is_read(
            source: SocketAddr, port: u16, extensions in prop::collection::vec(any::<u8>(), 0..99),
            rest in prop::collection::vec(any::<u8>(), 0..99),
        ) {
            let (family, ip, destination) = match source.ip() {
                IpAddr::V4(ip) => ("TCP4", ip.octets().to_vec(), "192.0.2.1"),
                IpAddr::V6(ip) => ("TCP6", ip.octets().to_vec(), "2001:db8::1"),
            };
            let source = SocketAddr::new(source.ip(), source.port());
            let (from, from_port) = (source.ip(), source.port());
            let line = format!("PROXY {family} {from} {destination} {from_port} {port}\r\n");
            let want = Proxy::Header { source: Some(source), len: line.len() };
            prop_assert_eq!(proxy(&[line.as_bytes(), &rest].concat()), want);

            let ports = [from_port.to_be_bytes(), port.to_be_bytes()].concat();
            let body = [&ip[..], &ip, &ports, &extensions].concat();
            let family = if from.is_ipv4() { 0x11 } else { 0x21 };
            let bytes = version_2(0x21, family, u16::try_from(body.len()).unwrap(), &body);
            let want = Proxy::Header { source: Some(source), len: bytes.len() };
            prop_assert_eq!(proxy(&[bytes, rest].concat()), want);
        }
    }
}
