//! Names to addresses that calls may go to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::error::ResolveError;
use super::networks::Networks;

/// Asks the system, and keeps what may be called. The connection goes to one of the addresses that
/// were looked at, so that a name which changes its mind is looked at again.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    networks: Arc<Networks>,
    lookup: Lookup,
}

/// Where addresses come from.
#[derive(Clone, Debug)]
pub(super) enum Lookup {
    /// The resolver of the system.
    System,
    /// Each answer in turn, and the last from then on.
    #[cfg(test)]
    Answers(Arc<parking_lot::Mutex<Vec<Vec<IpAddr>>>>),
}

impl Resolver {
    pub(super) fn new(networks: Arc<Networks>, lookup: Lookup) -> Self {
        Self { networks, lookup }
    }

    async fn addresses(&self, host: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let found = self.lookup.of(host).await;
        if found.is_empty() {
            return Err(ResolveError::Unknown(host.to_owned()));
        }
        let kept = found.into_iter().filter(|address| self.networks.admit(*address));
        // The port of the URL takes the place of 0.
        let kept: Vec<_> = kept.map(|address| SocketAddr::new(address, 0)).collect();
        if kept.is_empty() { Err(ResolveError::Internal(host.to_owned())) } else { Ok(kept) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

impl Lookup {
    async fn of(&self, host: &str) -> Vec<IpAddr> {
        match self {
            Self::System => match tokio::net::lookup_host((host, 0)).await {
                Ok(found) => found.take(MAX_ADDRESSES).map(|address| address.ip()).collect(),
                Err(_) => Vec::new(),
            },
            #[cfg(test)]
            Self::Answers(answers) => {
                let mut answers = answers.lock();
                if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
            }
        }
    }
}

/// Addresses of a name that are looked at.
const MAX_ADDRESSES: usize = 16;
