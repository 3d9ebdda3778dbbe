//! Where rows came from: said once for all rows of a read, not once for each.

use std::net::IpAddr;
use std::sync::Arc;

use super::bytes::{Damaged, Reader, put_bytes, put_varint};
use crate::event::AuthMethod;

/// The sender of some rows, as the daemon knows it. No sender can forge any of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The project that the rows belong to: the wall between tenants.
    pub project: Arc<str>,
    /// The listener that took them.
    pub listener: Arc<str>,
    /// The address they came from, by the socket or a trusted PROXY header.
    pub peer: Option<IpAddr>,
    /// The public id of the key, never its secret.
    pub key: Option<Arc<str>>,
    /// How the sender was identified.
    pub auth: Option<AuthMethod>,
}

/// Rows in a row that share an origin and a time of receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The number of the origin in its batch or block.
    pub origin: u32,
    /// When they were received, in microseconds since the epoch.
    pub received_at: i64,
    /// How many rows.
    pub rows: u32,
}

impl Origin {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.project.as_bytes());
        put_bytes(out, self.listener.as_bytes());
        match self.peer.map(|peer| peer.to_canonical()) {
            None => put_bytes(out, b""),
            Some(IpAddr::V4(peer)) => put_bytes(out, &peer.octets()),
            Some(IpAddr::V6(peer)) => put_bytes(out, &peer.octets()),
        }
        put_bytes(out, self.key.as_deref().unwrap_or_default().as_bytes());
        let auth = AuthMethod::ALL.iter().position(|method| Some(*method) == self.auth);
        put_varint(out, auth.map_or(0, |position| position as u64 + 1));
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Damaged> {
        let (project, listener) = (reader.text()?.into(), reader.text()?.into());
        let peer = reader.bytes()?;
        let peer = match (<[u8; 4]>::try_from(peer), <[u8; 16]>::try_from(peer)) {
            (Ok(octets), _) => Some(IpAddr::from(octets)),
            (_, Ok(octets)) => Some(IpAddr::from(octets)),
            _ if peer.is_empty() => None,
            _ => return Err(Damaged("an address")),
        };
        let key = Some(reader.text()?).filter(|key| !key.is_empty()).map(Arc::from);
        let auth = match usize::try_from(reader.varint()?).map_err(|_| Damaged("a method"))? {
            0 => None,
            number => Some(*AuthMethod::ALL.get(number - 1).ok_or(Damaged("a method"))?),
        };
        Ok(Self { project, listener, peer, key, auth })
    }
}
