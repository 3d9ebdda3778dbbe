//! Where a listener listens: at an address, or at a path of the file system.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Listen {
    /// An address and a port.
    Address(SocketAddr),
    /// A file: a unix socket.
    Path(PathBuf),
}

impl Listen {
    /// Whether only processes on this machine can reach it.
    pub fn is_here(&self) -> bool {
        match self {
            Self::Address(address) => address.ip().is_loopback(),
            Self::Path(_) => true,
        }
    }

    /// The address, if it is one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Path(_) => None,
        }
    }

    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Address(_) => None,
            Self::Path(path) => Some(path),
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) if text.contains('/') => Ok(Self::Path(text.into())),
            Err(_) => Err(format!("expected an address and a port, or a path, but found {text:?}")),
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths() {
        let table = [
            ("127.0.0.1:514", Some(true)),
            ("[::1]:514", Some(true)),
            ("0.0.0.0:514", Some(false)),
            ("/dev/log", Some(true)),
            ("run/log.sock", Some(true)),
            ("./log", Some(true)),
            ("log", None),
            ("localhost:514", None),
            ("", None),
        ];
        for (text, is_here) in table {
            let listen: Result<Listen, _> = text.parse();
            assert_eq!(listen.as_ref().ok().map(Listen::is_here), is_here, "{text}");
            if let Ok(listen) = listen {
                assert_eq!(listen.to_string(), text);
            }
        }
    }
}
