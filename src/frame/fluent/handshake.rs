//! The handshake by which both sides prove that they know a secret, before anything else is said.
//!
//! ```text
//!  ◀── ["HELO", {"nonce": nonce, "auth": "", "keepalive": true}]
//!  ──▶ ["PING", client, salt, sha512(salt client nonce key), user, password]
//!  ◀── ["PONG", true, "", server, sha512(salt server nonce key)]
//! ```
//!
//! Digests are hex digits. Source: Fluentd's Forward Protocol Specification v1, "Handshake messages".

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha512};

use super::msgpack::{Front, Kind, Passed, front};
use super::{Fluent, Found, State};

/// A secret that a sender proves to know. It is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedKey(String);

/// A handshake that is under way.
#[derive(Debug)]
pub(super) struct Handshake {
    key: SharedKey,
    nonce: [u8; 16],
}

impl SharedKey {
    /// A secret, of any text.
    pub fn new(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("…")
    }
}

impl<'de> Deserialize<'de> for SharedKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self)
    }
}

/// Whether it is another one may be seen, but not what it is.
impl Serialize for SharedKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex(&[b"shared_key", self.0.as_bytes()]))
    }
}

impl Handshake {
    /// `nonce`: what nobody can know before.
    pub(super) fn new(key: SharedKey, nonce: [u8; 16]) -> Self {
        Self { key, nonce }
    }

    /// What is said first of all.
    pub(super) fn hello(&self) -> Vec<u8> {
        let mut hello = b"\x92\xa4HELO\x83\xa5nonce\xc4\x10".to_vec();
        hello.extend_from_slice(&self.nonce);
        hello.extend_from_slice(b"\xa4auth\xa0\xa9keepalive\xc3");
        hello
    }

    /// The answer to a `PING`, which is whole; or the one that says no, to what is none or does not
    /// prove the secret.
    pub(super) fn answer(&self, ping: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
        let key = self.key.0.as_bytes();
        let proof = parts(ping).and_then(|[word, client, salt, digest, _, _]| {
            let expected = hex(&[salt, client, &self.nonce, key]);
            let is_proof = word == b"PING" && is_same(digest, expected.as_bytes());
            is_proof.then(|| hex(&[salt, SERVER, &self.nonce, key]))
        });
        let Some(proof) = proof else {
            return Err(pong(false, b"shared_key mismatch", b"", b""));
        };
        Ok(pong(true, b"", SERVER, proof.as_bytes()))
    }
}

impl Fluent {
    /// Reads what proves the secret, and answers it.
    pub(super) fn ping(&mut self, rest: &[u8], at: &mut usize) -> Found {
        let end = match self.scan.run(rest) {
            Passed::All(end) => end,
            Passed::Some if rest.len() <= MAX_PING => return Found::More,
            Passed::Some | Passed::Bad => return self.end("fluent.handshake", NO_PING),
        };
        let ping = rest.get(..end).unwrap_or_default();
        match self.handshake.take().map(|handshake| handshake.answer(ping)) {
            Some(Ok(pong)) => {
                self.answers.extend(pong);
                *at += end;
                self.enter(State::Start)
            }
            Some(Err(pong)) => {
                self.answers.extend(pong);
                self.end("fluent.shared_key", NO_PING)
            }
            None => self.end("fluent.handshake", NO_PING),
        }
    }
}

/// The six texts of a `PING`.
fn parts(ping: &[u8]) -> Option<[&[u8]; 6]> {
    let Front::Head(head) = front(ping) else { return None };
    let (mut rest, mut parts) = (ping.get(head.size..)?, [&b""[..]; 6]);
    for part in &mut parts {
        let Front::Head(text) = front(rest) else { return None };
        // Whoever has no password says so by nothing at all.
        match text.kind {
            Kind::Str | Kind::Bin => *part = rest.get(text.size..text.size + text.len)?,
            Kind::Nil => {}
            _ => return None,
        }
        rest = rest.get(text.size + part.len()..)?;
    }
    (head.kind == Kind::Array && head.len == parts.len()).then_some(parts)
}

fn pong(is_proven: bool, why: &[u8], server: &[u8], digest: &[u8]) -> Vec<u8> {
    let mut pong = b"\x95\xa4PONG".to_vec();
    pong.push(if is_proven { 0xc3 } else { 0xc2 });
    for text in [why, server, digest] {
        pong.extend_from_slice(&[0xd9, u8::try_from(text.len()).unwrap_or(u8::MAX)]);
        pong.extend(text.iter().take(u8::MAX.into()));
    }
    pong
}

fn hex(parts: &[&[u8]]) -> String {
    let mut hasher = Sha512::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// In the same time, wherever they differ.
fn is_same(found: &[u8], expected: &[u8]) -> bool {
    let differs = found.iter().zip(expected).fold(0, |all, (one, other)| all | (one ^ other));
    found.len() == expected.len() && differs == 0
}

const NO_PING: &str = "a handshake that proves the shared_key, but found something else";

/// Bytes of what proves a secret. What Fluentd sends has about 450.
const MAX_PING: usize = 4 << 10;

/// What we are called. Fluentd refuses one who is called as it is.
const SERVER: &[u8] = b"logtrace";

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake() -> Handshake {
        Handshake::new(SharedKey::new("secret"), *b"0123456789abcdef")
    }

    /// A `PING` of these texts.
    fn ping(texts: &[&str]) -> Vec<u8> {
        let mut ping = vec![0x90 | u8::try_from(texts.len()).unwrap()];
        for text in texts {
            ping.extend_from_slice(&[0xd9, u8::try_from(text.len()).unwrap()]);
            ping.extend_from_slice(text.as_bytes());
        }
        ping
    }

    #[test]
    fn who_knows_the_secret_is_told_that_we_do() {
        assert_eq!(
            handshake().hello(),
            b"\x92\xa4HELO\x83\xa5nonce\xc4\x100123456789abcdef\xa4auth\xa0\xa9keepalive\xc3"
        );
        // By another implementation of SHA-512: `printf 'saltweb0123456789abcdefsecret' | sha512sum`.
        let proof = "7c039e9703e8f2fd929f093e714e94f7c1eb35dc8057cf03159370936d30ebe1\
            7b1697c37c56483434a58bb4a073c2811de789d3a2c574a8fa472a607158dee8";
        let said = handshake().answer(&ping(&["PING", "web", "salt", proof, "", ""])).unwrap();
        assert!(said.starts_with(b"\x95\xa4PONG\xc3\xd9\x00\xd9\x08logtrace\xd9\x80"));
        assert!(said.ends_with(b"edd5e1d890e740f9744c729b562f7fc1"), "{}", said.escape_ascii());
        let short = proof.chars().skip(1).collect::<String>();
        let mut nil = ping(&["PING", "web", "salt", proof]);
        nil[0] = 0x96;
        nil.extend_from_slice(b"\xc0\xc0");
        assert!(handshake().answer(&nil).is_ok(), "without a password");
        for texts in [
            &["PING", "web", "salt", "", "", ""][..],
            &["PING", "web", "salt", &short, "", ""],
            &["PING", "web", "salt", &proof.to_uppercase(), "", ""],
            &["PING", "wec", "salt", proof, "", ""],
            &["PING", "web", "salz", proof, "", ""],
            &["PONG", "web", "salt", proof, "", ""],
            &["PING", "web", "salt", proof, ""],
            &[],
        ] {
            let said = handshake().answer(&ping(texts)).unwrap_err();
            assert!(said.starts_with(b"\x95\xa4PONG\xc2"), "{texts:?}");
        }
        let other = Handshake::new(SharedKey::new("secreu"), handshake().nonce);
        assert!(other.answer(&ping(&["PING", "web", "salt", proof, "", ""])).is_err());
        for bytes in [&b""[..], b"\x96", b"\x96\xa4PING", b"\xc0", b"\x96\x01\x02\x03\x04\x05\x06"]
        {
            assert!(handshake().answer(bytes).is_err());
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let key = SharedKey::new("hunter2");
        let shown = format!("{key:?} {}", serde_json::to_string(&key).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
