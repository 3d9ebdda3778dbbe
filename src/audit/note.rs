//! Checkpoints as signed notes (C2SP `signed-note` and `tlog-checkpoint`), with Ed25519.
//!
//! ```text
//!  logtrace/8f3a5b2c1d0e9f87          the origin: which log
//!  42                                 entries
//!  qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=   their root
//!                                     an empty line ends what is signed
//!  — logtrace/8f3a5b2c1d0e9f87 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5…
//! ```

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::tree::Hash;

/// What is signed of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// A checkpoint with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    /// What is signed.
    pub checkpoint: Checkpoint,
    /// Exactly the bytes that are signed.
    text: String,
    signatures: Vec<Signed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signed {
    name: String,
    key: [u8; 4],
    signature: Vec<u8>,
}

/// A public key, written `NAME+HASH+KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: VerifyingKey,
}

/// A private key; shown by nothing.
pub(super) struct PrivateKey {
    name: String,
    key: SigningKey,
}

impl Checkpoint {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let origin = lines.next().filter(|line| !line.is_empty())?.to_owned();
        let size = lines.next()?;
        let is_plain = size.bytes().all(|byte| byte.is_ascii_digit());
        let size: u64 =
            size.parse().ok().filter(|_| is_plain && (size == "0" || !size.starts_with('0')))?;
        let root = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
        Some(Self { origin, size, root: Hash(root) })
    }
}

impl SignedNote {
    /// Reads one: of another log, or with a wrong signature too.
    pub fn read(note: &str) -> Option<Self> {
        if note.len() > MAX_NOTE || !note.ends_with('\n') {
            return None;
        }
        let end = note.rfind("\n\n")? + 1;
        let (text, signatures) = note.split_at_checked(end)?;
        let signatures: Option<Vec<_>> =
            signatures.strip_prefix('\n')?.lines().map(signed).collect();
        let signatures = signatures.filter(|signatures| !signatures.is_empty())?;
        Some(Self { checkpoint: Checkpoint::read(text)?, text: text.to_owned(), signatures })
    }

    /// The first of `keys` that signed it; one that claims to have and did not is nobody's.
    pub fn signer<'k>(&self, keys: &'k [PublicKey]) -> Option<&'k PublicKey> {
        keys.iter().find(|key| {
            let own = self
                .signatures
                .iter()
                .find(|signed| signed.name == key.name && signed.key == key.hash());
            let signature = own.and_then(|own| Signature::from_slice(&own.signature).ok());
            signature.is_some_and(|signature| {
                key.key.verify_strict(self.text.as_bytes(), &signature).is_ok()
            })
        })
    }
}

fn signed(line: &str) -> Option<Signed> {
    let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
    let bytes = STANDARD.decode(signature).ok()?;
    let (key, signature) = bytes.split_first_chunk()?;
    Some(Signed { name: name.to_owned(), key: *key, signature: signature.to_owned() })
}

impl PublicKey {
    /// Reads `NAME+HASH+KEY`.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, '+');
        let (name, hash, key) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes = STANDARD.decode(key).ok()?;
        let (kind, key) = bytes.split_first()?;
        let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        let read = Self { name: name.to_owned(), key };
        (*kind == ED25519 && hash == hex(read.hash())).then_some(read)
    }

    /// What tells keys of a name apart.
    fn hash(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.name).chain_update([b'\n', ED25519]);
        let hash = hash.chain_update(self.key.as_bytes()).finalize();
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash);
        [a, b, c, d]
    }
}

impl fmt::Display for PublicKey {
    /// `NAME+HASH+KEY`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], &self.key.as_bytes()[..]].concat();
        write!(f, "{}+{}+{}", self.name, hex(self.hash()), STANDARD.encode(key))
    }
}

impl PrivateKey {
    /// Of these 32 random bytes.
    pub(super) fn new(name: &str, seed: [u8; 32]) -> Self {
        Self { name: name.to_owned(), key: SigningKey::from_bytes(&seed) }
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    pub(super) fn read(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix(PRIVATE)?;
        let mut parts = rest.splitn(3, '+');
        let (name, hash, key) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes = STANDARD.decode(key).ok()?;
        let (kind, seed) = bytes.split_first()?;
        let read = Self::new(name, seed.try_into().ok()?);
        (*kind == ED25519 && hash == hex(read.public().hash())).then_some(read)
    }

    /// As it is kept in its file.
    pub(super) fn to_text(&self) -> String {
        let seed = [&[ED25519], &self.key.to_bytes()[..]].concat();
        format!("{PRIVATE}{}+{}+{}\n", self.name, hex(self.public().hash()), STANDARD.encode(seed))
    }

    /// Its public key.
    pub(super) fn public(&self) -> PublicKey {
        PublicKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The name that it signs under.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The checkpoint, signed.
    pub(super) fn sign(&self, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.text();
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let signed = [&self.public().hash()[..], &signature].concat();
        format!("{text}\n— {} {}\n", self.name, STANDARD.encode(signed))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("name", &self.name).finish_non_exhaustive()
    }
}

fn hex(hash: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(hash))
}

/// What the files of private keys begin with.
const PRIVATE: &str = "PRIVATE+KEY+";

/// The number of Ed25519 among the algorithms of signed notes.
const ED25519: u8 = 1;

/// The longest note, in bytes.
const MAX_NOTE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_of_the_specification_are_read() {
        // The example of C2SP's signed-note.
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key = PublicKey::read(key).unwrap();
        let note = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let (text, signed) = note.rsplit_once("\n\n").unwrap();
        let signed = super::signed(signed.trim_end()).unwrap();
        assert_eq!((&*signed.name, signed.key), (&*key.name, key.hash()));
        let signature = Signature::from_slice(&signed.signature).unwrap();
        key.key.verify_strict(format!("{text}\n").as_bytes(), &signature).unwrap();
    }

    #[test]
    fn a_private_key_shows_nothing_of_itself() {
        let key = PrivateKey::new("log", [7; 32]);
        assert!(!format!("{key:?}").contains("07"));
        let again = PrivateKey::read(&key.to_text()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(PublicKey::read(&key.public().to_string()), Some(key.public()));
        assert!(PrivateKey::read(&key.public().to_string()).is_none());
    }

    proptest! {
        #[test]
        fn notes_are_read_as_signed_and_every_changed_octet_shows(
            size: u64, root: [u8; 32], seed: [u8; 32], at: prop::sample::Index, other: u8,
        ) {
            let key = PrivateKey::new("logtrace/0", seed);
            let checkpoint = Checkpoint { origin: "logtrace/0".to_owned(), size, root: Hash(root) };
            let note = key.sign(&checkpoint);
            let read = SignedNote::read(&note).unwrap();
            let keys = [PrivateKey::new("logtrace/0", [1; 32]).public(), key.public()];
            prop_assert_eq!(read.signer(&keys), Some(&keys[1]));
            prop_assert_eq!(read.checkpoint, checkpoint);
            let mut changed = note.into_bytes();
            let at = at.index(changed.len());
            prop_assume!(changed[at] != other);
            changed[at] = other;
            let read = String::from_utf8(changed).ok().and_then(|note| SignedNote::read(&note));
            prop_assert!(read.is_none_or(|read| read.signer(&keys).is_none()));
        }

        #[test]
        fn anything_is_read_or_refused(text in "\\PC{0,80}|(\\PC{0,9}\n){0,4}\n— a [A-Za-z0-9+/=]{0,99}\n") {
            SignedNote::read(&text);
            PublicKey::read(&text);
            PrivateKey::read(&text);
        }
    }
}
