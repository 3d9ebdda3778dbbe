//! Who calls, and what they may do.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, header};

use super::Api;
use super::problem::Problem;
use crate::audit::Who;
use crate::gate::{Environment, Key, Refusal, Scope};
use crate::ids;
use crate::ingest::{now, steady};
use crate::parse::{from_web_page, http_secret, is_loopback};

/// Who calls, as far as the head of the request says.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) peer: IpAddr,
    /// The key, if one was named and there is such a key.
    pub(super) key: Option<Arc<Key>>,
    /// The key that was named, masked; whether there is such a key or not.
    pub(super) masked: Option<String>,
    /// Whether it may be a web page's doing, and not that of who is there: it has no key, and is of a
    /// kind that a page can make a browser send to anyone.
    pub(super) is_forgeable: bool,
    /// Whether the request is meant for this machine, as far as it says so, and made by a program
    /// or by a page that this machine has served.
    pub(super) is_of_here: bool,
}

/// A caller who may do what they ask for.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    /// The wall: all that the caller sees is in this project.
    pub(super) project: Arc<str>,
    /// The public id of the key; empty without one.
    pub(super) reader: Arc<str>,
    pub(super) key: Option<Arc<Key>>,
    peer: IpAddr,
    scope: Scope,
}

impl Caller {
    pub(super) fn new(api: &Api, peer: IpAddr, method: &Method, headers: &HeaderMap) -> Self {
        let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        let secret = http_secret(header);
        let key = secret.as_deref().and_then(|secret| api.gate.key_of(secret));
        let is_page = from_web_page(header);
        let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
        Self {
            peer: peer.to_canonical(),
            is_forgeable: secret.is_none() && (is_page || method == Method::GET),
            key,
            masked: secret.map(|secret| ids::mask(&String::from_utf8_lossy(&secret))),
            // A page of another site, whose name was made to resolve to this machine, has that
            // site's name as the host.
            is_of_here: host.is_none_or(is_loopback) && !is_page,
        }
    }
}

impl Api {
    /// Lets a caller do what needs `scope`.
    ///
    /// Without a key that is someone on this machine, where the configuration lets them in, or
    /// anyone who wants to read, where it says that anyone may.
    pub(super) fn allow(&self, caller: &Caller, scope: Scope) -> Result<Allowed, Problem> {
        let Caller { peer, key, masked, is_of_here, .. } = caller;
        let (peer, key) = (*peer, key.clone());
        if let Some(key) = key {
            self.check(&key, scope, peer).map_err(Problem::refused)?;
            let (project, reader) = (key.project().into(), key.id().into());
            return Ok(Allowed { project, reader, key: Some(key), peer, scope });
        }
        if masked.is_some() {
            return Err(Problem::refused(Refusal::key_unknown()));
        }
        let is_here = peer.is_loopback() && *is_of_here && !self.config.requires_key();
        let anyone = self.config.allow_anonymous && scope == Scope::ReadLogs;
        if !is_here && !anyone {
            return Err(Problem::refused(Refusal::key_required()));
        }
        let (project, reader) = (DEFAULT_PROJECT.into(), "".into());
        Ok(Allowed { project, reader, key: None, peer, scope })
    }

    /// Whether a key may be used for this here, from there, now.
    fn check(&self, key: &Key, scope: Scope, peer: IpAddr) -> Result<(), Refusal> {
        match self.config.environment {
            Some(environment) => self.gate.check_in(environment, key, scope, peer, now()),
            None => self.gate.check(key, scope, peer, now()),
        }
    }
}

impl Allowed {
    /// Whether the caller still may, now.
    pub(super) fn still(&self, api: &Api) -> Result<(), Refusal> {
        api.gate.admit_peer(self.peer, steady())?;
        match &self.key {
            Some(key) => api.check(key, self.scope, self.peer),
            None => Ok(()),
        }
    }

    /// Lets the caller see what is of the whole daemon.
    pub(super) fn of_the_daemon(&self) -> Result<(), Problem> {
        if self.governs() { Ok(()) } else { Err(Problem::other_project()) }
    }

    /// Who they are, for the record.
    pub(super) fn who(&self) -> Who {
        let actor = match &self.key {
            Some(key) => key.info().masked.clone(),
            None => "local".to_owned(),
        };
        let operator = self.key.as_ref().map(|key| key.id().to_owned());
        Who { actor, operator, address: Some(self.peer) }
    }

    /// Whether the caller may see and change what is of all projects: a key of production in the
    /// project `default`, or someone on this machine who needs none.
    pub(super) fn governs(&self) -> bool {
        let environment = self.key.as_ref().map(|key| key.info().environment);
        *self.project == *DEFAULT_PROJECT
            && environment.is_none_or(|environment| environment == Environment::Production)
    }

    /// Whether what is of a place is the caller's affair: it governs, or is of that very place.
    pub(super) fn sees(&self, project: &str, environment: Environment) -> bool {
        let own =
            |key: &Arc<Key>| key.project() == project && key.info().environment == environment;
        self.governs() || self.key.as_ref().is_some_and(own)
    }
}

/// The project of callers without a key, and the one whose keys govern the daemon (SPEC §1).
const DEFAULT_PROJECT: &str = "default";
