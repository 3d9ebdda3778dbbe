//! Reads lists as they are published: a range a line, and comments.
//!
//! A line holds a network (`192.0.2.0/24`), an address, or the first and the last address of a
//! range (`192.0.2.7-192.0.2.20`). What follows a `#` or `;` is a comment.
//!
//! One bad line refuses the whole: a file that is being written looks like one that ends early, and
//! half a block list is not what an operator believes to have. For the same reason a network whose
//! address has bits behind its prefix is a bad line: `10.1.2.0/2` was to be `10.1.2.0/24`.

use std::io::{self, BufRead, Read};
use std::net::IpAddr;

use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};

use super::lists::ListSource;
use super::range::Range;
use super::range_table::RangeTable;

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListFileError {
    /// A line is no range.
    #[error("line {line}: expected an address or a network, but found {found:?}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// The beginning of what is there.
        found: String,
    },
    /// A network has an address with bits behind its prefix.
    #[error("line {line}: expected {expected}, but found {found}")]
    HostBits {
        /// Its number, from 1.
        line: u64,
        /// The network that it may have been meant to be.
        expected: IpNet,
        /// What is there.
        found: IpNet,
    },
    /// A range would keep everybody out.
    #[error("line {line}: expected a network without a loopback address, but found {found}")]
    Everybody {
        /// Its number, from 1.
        line: u64,
        /// What is there.
        found: IpNet,
    },
    /// There is nothing but comments.
    #[error("expected at least one address or network, but found none")]
    Empty,
    /// The last line may be cut.
    #[error("line {line}: expected a line that ends, but found the end of the file")]
    Unfinished {
        /// Its number, from 1.
        line: u64,
    },
    /// There is more than is taken.
    #[error("expected at most {max} {of}, but found more")]
    TooLarge {
        /// How much is taken.
        max: u64,
        /// Of what.
        of: &'static str,
    },
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl ListSource {
    /// Reads a list; `name` is what the configuration calls it.
    ///
    /// # Errors
    ///
    /// It is not whole and sound, and nothing of it is to be used.
    pub fn read(name: &str, mut input: impl BufRead) -> Result<Self, ListFileError> {
        let mut ranges = Vec::new();
        let (mut line, mut text, mut read) = (0, Vec::new(), 0);
        loop {
            text.clear();
            read += input.by_ref().take(MAX_LINE).read_until(b'\n', &mut text)? as u64;
            if text.is_empty() {
                break;
            }
            line += 1;
            if read > MAX_BYTES {
                return Err(ListFileError::TooLarge { max: MAX_BYTES, of: "bytes" });
            }
            take(line, &text, &mut ranges)?;
            if ranges.len() > MAX_RANGES {
                return Err(ListFileError::TooLarge { max: MAX_RANGES as u64, of: "ranges" });
            }
            if !text.ends_with(b"\n") {
                return Err(ListFileError::Unfinished { line });
            }
        }
        if ranges.is_empty() {
            return Err(ListFileError::Empty);
        }
        let ranges = RangeTable::new(ranges.into_iter().map(|range| (range, ())));
        Ok(Self { name: name.into(), ranges })
    }

    /// How many ranges it has.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

/// Takes the ranges of one line.
fn take(line: u64, text: &[u8], ranges: &mut Vec<Range>) -> Result<(), ListFileError> {
    let content = text.split(|byte| matches!(byte, b'#' | b';')).next().unwrap_or_default();
    let content = content.trim_ascii();
    if content.is_empty() {
        return Ok(());
    }
    let bad = || {
        let found = String::from_utf8_lossy(content).chars().take(MAX_SHOWN).collect();
        ListFileError::Line { line, found }
    };
    let content = std::str::from_utf8(content).map_err(|_| bad())?;
    if let Some((first, last)) = content.split_once('-') {
        let subnets = between(first.trim_end(), last.trim_start()).ok_or_else(bad)?;
        for net in subnets {
            push(line, net, ranges)?;
        }
        return Ok(());
    }
    let net: IpNet = match content.parse::<IpAddr>() {
        Ok(address) => address.into(),
        Err(_) => content.parse().map_err(|_| bad())?,
    };
    if net.trunc() != net {
        let narrower = net.prefix_len()..=net.max_prefix_len();
        let mut narrower = narrower.filter_map(|prefix| IpNet::new(net.addr(), prefix).ok());
        let expected = narrower.find(|net| net.trunc() == *net).unwrap_or(net);
        return Err(ListFileError::HostBits { line, expected, found: net });
    }
    push(line, net, ranges)
}

/// Takes a range. One of loopback addresses alone, as lists of reserved networks have it, blocks
/// nobody, because loopback always gets in.
fn push(line: u64, net: IpNet, ranges: &mut Vec<Range>) -> Result<(), ListFileError> {
    let range = Range::of(net);
    match range.touches_loopback() {
        true if range.net().prefix_len() < NARROW => {
            Err(ListFileError::Everybody { line, found: net })
        }
        _ => {
            ranges.push(range);
            Ok(())
        }
    }
}

/// The networks between two addresses, both of them included.
fn between(first: &str, last: &str) -> Option<IpSubnets> {
    match (first.parse().ok()?, last.parse().ok()?) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            Some(Ipv4Subnets::new(first, last, 0).into())
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            Some(Ipv6Subnets::new(first, last, 0).into())
        }
        _ => None,
    }
}

/// The longest list, in bytes.
const MAX_BYTES: u64 = 128 << 20;

/// The longest line, in bytes; what is longer is no range whatever it is.
const MAX_LINE: u64 = 4096;

/// The most ranges of a list.
const MAX_RANGES: usize = 2_000_000;

/// The bits of the widest network with loopback addresses that is taken: 127.0.0.0/8.
const NARROW: u8 = 8;

/// Characters of a bad line that are shown.
const MAX_SHOWN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let list = ListSource::read("test", text.as_bytes()).map_err(|error| error.to_string())?;
        Ok(list.ranges.iter().map(|(range, ())| range.net().to_string()).collect())
    }

    #[test]
    fn lists_as_they_are_published() {
        let table = [
            ("192.0.2.0/24\n", "192.0.2.0/24"),
            (
                "# a comment\n\n192.0.2.1 # one\r\n2001:db8::/32 ; SBL1\n",
                "192.0.2.1/32 2001:db8::/32",
            ),
            ("192.0.2.6 - 192.0.2.9\n", "192.0.2.6/31 192.0.2.8/31"),
            ("2001:db8::-2001:db8::1\n", "2001:db8::/127"),
            ("127.0.0.0/8\n10.0.0.0/8\n::1\n", "10.0.0.0/8 127.0.0.0/8 ::1/128"),
            ("192.0.2.1\n192.0.2.1\n", "192.0.2.1/32"),
        ];
        for (text, want) in table {
            assert_eq!(read(text).unwrap().join(" "), want, "{text}");
        }
    }

    #[test]
    fn bl_05_one_bad_line_refuses_all_and_is_named() {
        let table = [
            ("", "expected at least one address or network, but found none"),
            ("# nothing\n", "expected at least one address or network, but found none"),
            ("10.0.0.0/8\nx\n", "line 2: expected an address or a network, but found \"x\""),
            (
                "10.0.0.0/8\n10.0.0.0/33\n",
                "line 2: expected an address or a network, but found \"10.0.0.0/33\"",
            ),
            ("10.1.2.0/2\n", "line 1: expected 10.1.2.0/23, but found 10.1.2.0/2"),
            (
                "10.0.0.9-10.0.0.1\n",
                "line 1: expected an address or a network, but found \"10.0.0.9-10.0.0.1\"",
            ),
            ("10.0.0.0/8\n10.1", "line 2: expected an address or a network, but found \"10.1\""),
            (
                "10.0.0.0/8\n10.1.0.0",
                "line 2: expected a line that ends, but found the end of the file",
            ),
            (
                "0.0.0.0/0\n",
                "line 1: expected a network without a loopback address, but found 0.0.0.0/0",
            ),
            ("::/0\n", "line 1: expected a network without a loopback address, but found ::/0"),
        ];
        for (text, want) in table {
            assert_eq!(read(text).unwrap_err(), want, "{text}");
        }
    }

    #[test]
    fn bl_05_a_list_without_an_end_is_bounded() {
        let line = read(&"1".repeat(1 << 20)).unwrap_err();
        assert!(line.starts_with("line 1: expected an address") && line.len() < 200, "{line}");
        let comments = io::BufReader::new(io::repeat(b'#'));
        let endless = ListSource::read("test", comments).unwrap_err();
        assert!(matches!(
            endless,
            ListFileError::TooLarge { .. } | ListFileError::Unfinished { .. }
        ));
        let many: String = (0..)
            .map(|n: u32| format!("{}\n", std::net::Ipv4Addr::from(n)))
            .take(MAX_RANGES + 1)
            .collect();
        assert!(read(&many).unwrap_err().starts_with("expected at most 2000000 ranges"));
    }
}
