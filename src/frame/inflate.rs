//! Undoes the `Content-Encoding` of an HTTP body, within a limit (RFC 9110 §8.4.1, RFC 8878).

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

use super::snappy::unsnap;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952, one member or several.
    Gzip,
    /// RFC 1950; also the bare RFC 1951 that some clients send under this name.
    Deflate,
    /// RFC 8878, one frame or several.
    Zstd,
    /// A snappy block. No `Content-Encoding` names it: it is how some protocols write a message.
    Snappy,
}

/// Why a body could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// The content is larger than the limit.
    #[error("expected a body of at most {max} bytes, but found more")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// The compressed stream stops before its end.
    #[error("expected the rest of a compressed body, but found its end")]
    Truncated,
    /// The bytes are not a stream of that encoding, or want more memory than any body needs.
    #[error("expected a {encoding} body, but found something else")]
    Corrupt {
        /// What it was said to be.
        encoding: &'static str,
    },
}

impl Encoding {
    /// The encoding that a `Content-Encoding` names, in any case; an empty one names none. `None`
    /// if it is not one of ours, or names several.
    pub fn from_token(token: &str) -> Option<Self> {
        const TOKENS: [(&str, Encoding); 6] = [
            ("", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("x-gzip", Encoding::Gzip),
            ("deflate", Encoding::Deflate),
            ("zstd", Encoding::Zstd),
        ];
        let token = token.trim();
        TOKENS.iter().find(|(name, _)| token.eq_ignore_ascii_case(name)).map(|(_, found)| *found)
    }

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
        }
    }
}

/// The content of `body`, at most `max_len` bytes of it.
///
/// Memory grows with the content that comes out, not with what a header announces; for zstd there
/// is a window of up to 8 MiB beside it.
///
/// # Errors
///
/// [`TooLarge`](InflateError::TooLarge) as soon as the content passes `max_len`,
/// [`Truncated`](InflateError::Truncated) if the compressed stream has no end, and
/// [`Corrupt`](InflateError::Corrupt) if it is none, or is followed by something else.
pub fn inflate(encoding: Encoding, body: &[u8], max_len: usize) -> Result<Vec<u8>, InflateError> {
    match encoding {
        Encoding::Identity if body.len() > max_len => Err(InflateError::TooLarge { max: max_len }),
        Encoding::Identity => Ok(body.to_vec()),
        Encoding::Snappy => unsnap(body, max_len),
        _ if body.is_empty() => Err(InflateError::Truncated),
        Encoding::Gzip => gunzip(body, max_len),
        Encoding::Deflate => {
            let state = Decompress::new(has_zlib_header(body));
            let mut out = Vec::new();
            match stream(state, encoding, body, max_len, &mut out)? {
                [] => Ok(out),
                _ => Err(corrupt(encoding)),
            }
        }
        Encoding::Zstd => unzstd(body, max_len),
    }
}

fn gunzip(body: &[u8], max_len: usize) -> Result<Vec<u8>, InflateError> {
    let (mut rest, mut out) = (body, Vec::new());
    for _ in 0..MAX_MEMBERS {
        let state = Decompress::new_gzip(WINDOW_BITS);
        rest = stream(state, Encoding::Gzip, rest, max_len, &mut out)?;
        if rest.is_empty() {
            return Ok(out);
        }
    }
    Err(corrupt(Encoding::Gzip))
}

/// Appends the content of one stream to `out`, and returns what follows it in `input`.
fn stream<'i>(
    mut state: Decompress,
    encoding: Encoding,
    input: &'i [u8],
    max_len: usize,
    out: &mut Vec<u8>,
) -> Result<&'i [u8], InflateError> {
    let mut rest = input;
    loop {
        if out.len() == out.capacity() {
            // One byte above the limit, so that a body which passes it shows.
            let room = max_len.saturating_add(1) - out.len();
            out.reserve_exact(out.len().clamp(MIN_GROWTH, MAX_GROWTH).min(room));
        }
        let (taken, made) = (state.total_in(), out.len());
        let status = state
            .decompress_vec(rest, out, FlushDecompress::None)
            .map_err(|_| corrupt(encoding))?;
        let taken = usize::try_from(state.total_in() - taken).unwrap_or(usize::MAX);
        rest = rest.get(taken..).unwrap_or_default();
        if out.len() > max_len {
            return Err(InflateError::TooLarge { max: max_len });
        }
        if status == Status::StreamEnd {
            return Ok(rest);
        }
        if taken == 0 && out.len() == made && out.len() < out.capacity() {
            return Err(InflateError::Truncated);
        }
    }
}

fn unzstd(body: &[u8], max_len: usize) -> Result<Vec<u8>, InflateError> {
    let mut out = Vec::new();
    let read = zstd::stream::read::Decoder::with_buffer(body).and_then(|mut decoder| {
        decoder.window_log_max(WINDOW_LOG_MAX)?;
        decoder.take((max_len as u64).saturating_add(1)).read_to_end(&mut out)
    });
    match read {
        Ok(len) if len > max_len => Err(InflateError::TooLarge { max: max_len }),
        Ok(_) => Ok(out),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(InflateError::Truncated),
        Err(_) => Err(corrupt(Encoding::Zstd)),
    }
}

fn corrupt(encoding: Encoding) -> InflateError {
    InflateError::Corrupt { encoding: encoding.name() }
}

/// Whether `body` begins as RFC 1950 §2.2 has it: method 8, and a check of the two bytes.
fn has_zlib_header(body: &[u8]) -> bool {
    match body {
        [cmf, flg, ..] => cmf & 0x0f == 8 && (u16::from(*cmf) << 8 | u16::from(*flg)) % 31 == 0,
        _ => false,
    }
}

/// The members of one gzip body. Each costs some 40 KiB to set up, and may be 20 bytes that hold
/// nothing.
const MAX_MEMBERS: usize = 16 * 1024;

/// The widest window of RFC 1951, 32 KiB, as its logarithm.
const WINDOW_BITS: u8 = 15;

/// The widest window of a zstd frame over HTTP, 8 MiB, as its logarithm (RFC 9659 §3).
pub(super) const WINDOW_LOG_MAX: u32 = 23;

/// The output grows by as much as there is, but by no less and no more than this many bytes.
const MIN_GROWTH: usize = 4 * 1024;
const MAX_GROWTH: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    const COMPRESSED: [Encoding; 3] = [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];

    fn deflate(encoding: Encoding, content: &[u8]) -> Vec<u8> {
        match encoding {
            Encoding::Identity | Encoding::Snappy => content.to_vec(),
            Encoding::Gzip => {
                let mut to = GzEncoder::new(Vec::new(), Compression::fast());
                to.write_all(content).unwrap();
                to.finish().unwrap()
            }
            Encoding::Deflate => {
                let mut to = ZlibEncoder::new(Vec::new(), Compression::fast());
                to.write_all(content).unwrap();
                to.finish().unwrap()
            }
            Encoding::Zstd => zstd::encode_all(content, 1).unwrap(),
        }
    }

    #[test]
    fn tokens() {
        #[rustfmt::skip]
        let table = [
            ("gzip", Some(Encoding::Gzip)), (" X-GZip ", Some(Encoding::Gzip)),
            ("deflate", Some(Encoding::Deflate)), ("zstd", Some(Encoding::Zstd)),
            ("", Some(Encoding::Identity)), ("identity", Some(Encoding::Identity)),
            ("br", None), ("gzip, gzip", None),
        ];
        for (token, want) in table {
            assert_eq!(Encoding::from_token(token), want, "{token}");
        }
    }

    #[test]
    fn what_fits_round_trips() {
        let long: Vec<u8> = (0..300_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for content in [&b""[..], b"a", &long] {
            for encoding in COMPRESSED.into_iter().chain([Encoding::Identity]) {
                let body = deflate(encoding, content);
                let got = inflate(encoding, &body, content.len());
                assert!(got == Ok(content.to_vec()), "{encoding:?} {}", content.len());
            }
        }
    }

    #[test]
    fn one_byte_more_is_too_large() {
        for encoding in COMPRESSED.into_iter().chain([Encoding::Identity]) {
            let body = deflate(encoding, &[b'x'; 5000]);
            let got = inflate(encoding, &body, 4999);
            assert_eq!(got, Err(InflateError::TooLarge { max: 4999 }), "{encoding:?}");
        }
    }

    #[test]
    fn ht_04_a_bomb_stops_at_the_limit() {
        let zeros = vec![0; 8 << 20];
        for encoding in COMPRESSED {
            let body = deflate(encoding, &zeros);
            assert!(body.len() < 128 << 10);
            let got = inflate(encoding, &body, 64 << 10);
            assert_eq!(got, Err(InflateError::TooLarge { max: 64 << 10 }), "{encoding:?}");
        }
    }

    #[test]
    fn ht_04_cut_short_at_every_byte() {
        for encoding in COMPRESSED {
            let body = deflate(encoding, b"<13>one two three one two three");
            for len in 0..body.len() {
                let got = inflate(encoding, &body[..len], 1000);
                assert!(got.is_err(), "{encoding:?} {len} of {}", body.len());
            }
            assert_eq!(
                inflate(encoding, &body[..body.len() - 1], 1000),
                Err(InflateError::Truncated)
            );
        }
    }

    #[test]
    fn ht_04_what_is_none_or_goes_on_is_corrupt() {
        for encoding in COMPRESSED {
            let got = inflate(encoding, b"<13>plain text, no compression", 1000);
            assert_eq!(got, Err(InflateError::Corrupt { encoding: encoding.name() }));
            let mut body = deflate(encoding, b"content");
            body.extend_from_slice(b"something else, and long enough");
            let got = inflate(encoding, &body, 1000);
            assert_eq!(got, Err(InflateError::Corrupt { encoding: encoding.name() }));
        }
    }

    #[test]
    fn damage_is_found() {
        let mut body = deflate(Encoding::Gzip, b"content");
        let crc = body.len() - 8;
        body[crc] ^= 1;
        assert_eq!(inflate(Encoding::Gzip, &body, 100), Err(corrupt(Encoding::Gzip)));
    }

    #[test]
    fn members_and_frames_are_joined() {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let body = [deflate(encoding, b"one "), deflate(encoding, b"two")].concat();
            assert_eq!(inflate(encoding, &body, 7), Ok(b"one two".to_vec()), "{encoding:?}");
            assert_eq!(inflate(encoding, &body, 6), Err(InflateError::TooLarge { max: 6 }));
        }
    }

    #[test]
    fn ht_04_members_that_hold_nothing_are_limited() {
        let empty = deflate(Encoding::Gzip, b"");
        let body = |members| empty.repeat(members);
        assert_eq!(inflate(Encoding::Gzip, &body(100), 9), Ok(Vec::new()));
        let got = inflate(Encoding::Gzip, &body(MAX_MEMBERS + 1), 9);
        assert_eq!(got, Err(corrupt(Encoding::Gzip)));
    }

    #[test]
    fn bare_deflate_is_taken_too() {
        let mut to = DeflateEncoder::new(Vec::new(), Compression::fast());
        to.write_all(b"content").unwrap();
        assert_eq!(inflate(Encoding::Deflate, &to.finish().unwrap(), 100), Ok(b"content".to_vec()));
    }

    #[test]
    fn ht_04_window_of_2_gib_is_refused() {
        // Magic, a frame header that is no single segment, a window of 2^31 bytes; one raw block.
        let frame =
            |window: u8| [&b"\x28\xb5\x2f\xfd\x00"[..], &[window << 3], b"\x09\x00\x00a"].concat();
        assert_eq!(inflate(Encoding::Zstd, &frame(23 - 10), 100), Ok(b"a".to_vec()));
        assert_eq!(inflate(Encoding::Zstd, &frame(31 - 10), 100), Err(corrupt(Encoding::Zstd)));
    }
}
