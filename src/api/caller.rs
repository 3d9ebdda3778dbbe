//! Who calls, and whether they may.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, header};

use super::Api;
use super::allowed::{Allowed, By, DEFAULT_PROJECT, may};
use super::problem::Problem;
use crate::gate::{Key, Reason, Refusal, Scope};
use crate::ids;
use crate::ingest::now;
use crate::parse::{from_web_page, http_secret, is_loopback};
use crate::people::{Found, Person, Role};

/// Who calls, as far as the head of the request says.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) peer: IpAddr,
    pub(super) pass: Pass,
    /// The project that is named in the head, in [`PROJECT`]: somebody with roles in several says so
    /// in which they act.
    project: Option<Arc<str>>,
    /// Whether it may be a web page's doing, and not that of who is there: it has no key, and is of a
    /// kind that a page can make a browser send to anyone.
    pub(super) is_forgeable: bool,
    /// Whether the request is meant for this machine, as far as it says so, and made by a program
    /// or by a page that this machine has served.
    pub(super) is_of_here: bool,
}

/// What a caller has to show.
#[derive(Clone, Debug)]
pub(super) enum Pass {
    /// Nothing.
    Nothing,
    /// A secret, here masked, that stands for nobody.
    Unknown(String),
    /// The token of a session, here masked, that is no longer good.
    Expired(String),
    /// A key.
    Key(Arc<Key>),
    /// The token of somebody who is signed in.
    Person(Arc<Person>),
}

impl Caller {
    pub(super) fn new(api: &Api, peer: IpAddr, method: &Method, headers: &HeaderMap) -> Self {
        let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        let secret = http_secret(header);
        let is_page = from_web_page(header);
        let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
        let named = headers.get(PROJECT).map(|name| name.to_str().unwrap_or_default());
        Self {
            peer: peer.to_canonical(),
            is_forgeable: secret.is_none() && (is_page || method == Method::GET),
            pass: secret.map_or(Pass::Nothing, |secret| Pass::of(api, &secret)),
            project: named.map(|name| name.trim().into()),
            // A page of another site, whose name was made to resolve to this machine, has that
            // site's name as the host.
            is_of_here: host.is_none_or(is_loopback) && !is_page,
        }
    }

    /// The key, if one was named and there is such a key.
    pub(super) fn key(&self) -> Option<&Arc<Key>> {
        match &self.pass {
            Pass::Key(key) => Some(key),
            _ => None,
        }
    }

    /// Who is signed in, if somebody is.
    pub(super) fn person(&self) -> Option<&Arc<Person>> {
        match &self.pass {
            Pass::Person(person) => Some(person),
            _ => None,
        }
    }

    /// What was shown, masked, where it is no person's: whether it is good or not.
    pub(super) fn masked(&self) -> Option<String> {
        match &self.pass {
            Pass::Key(key) => Some(key.info().masked.clone()),
            Pass::Unknown(masked) | Pass::Expired(masked) => Some(masked.clone()),
            Pass::Nothing | Pass::Person(_) => None,
        }
    }

    /// The project that they act in, where they are known and have one.
    pub(super) fn acts_in(&self) -> Option<Arc<str>> {
        match &self.pass {
            Pass::Key(key) => Some(key.project().into()),
            Pass::Person(person) => Some(self.place_of(person).ok()?.0),
            _ => None,
        }
    }

    /// Where somebody acts, and as what: in the project that is named, or else in the only one, or
    /// in `default`.
    fn place_of(&self, person: &Person) -> Result<(Arc<str>, Role), Problem> {
        let roles = &person.user.roles;
        let elsewhere = || Problem::refused(Refusal::fixed(Reason::ScopeMissing, "user:project"));
        let named = match &self.project {
            Some(project) => &**project,
            None if roles.contains_key(DEFAULT_PROJECT) => DEFAULT_PROJECT,
            None if roles.len() > 1 => return Err(Problem::no_place(PROJECT)),
            None => roles.keys().next().ok_or_else(elsewhere)?,
        };
        let role = person.user.role_in(named).ok_or_else(elsewhere)?;
        Ok((named.into(), role))
    }
}

impl Pass {
    fn of(api: &Api, secret: &[u8]) -> Self {
        let masked = || ids::mask(&String::from_utf8_lossy(secret));
        if !ids::is_token(secret) {
            return api.gate.key_of(secret).map_or_else(|| Self::Unknown(masked()), Self::Key);
        }
        match api.people.find(secret, now()) {
            Found::Person(person) => Self::Person(Arc::new(person)),
            // One of a session that has ended is not known any more, and none can be guessed.
            Found::Expired | Found::Unknown => Self::Expired(masked()),
        }
    }
}

impl Api {
    /// Lets a caller do what needs `scope`.
    ///
    /// Without a key that is someone on this machine, where the configuration lets them in, or
    /// anyone who wants to read, where it says that anyone may.
    pub(super) fn allow(&self, caller: &Caller, scope: Scope) -> Result<Allowed, Problem> {
        let peer = caller.peer;
        let (project, reader, by): (_, Arc<str>, _) = match &caller.pass {
            Pass::Key(key) => {
                self.check(key, scope, peer).map_err(Problem::refused)?;
                (key.project().into(), key.id().into(), By::Key(Arc::clone(key)))
            }
            Pass::Person(person) => {
                let (project, role) = caller.place_of(person)?;
                if !may(role, scope) {
                    let refusal = Refusal::fixed(Reason::ScopeMissing, "user:role");
                    return Err(Problem::refused(refusal));
                }
                let by = By::Person(Arc::clone(person), Some(role));
                (project, person.user.id.as_str().into(), by)
            }
            Pass::Unknown(_) => return Err(Problem::refused(Refusal::key_unknown())),
            Pass::Expired(_) => return Err(Problem::refused(no_session())),
            Pass::Nothing => {
                let is_here =
                    peer.is_loopback() && caller.is_of_here && !self.config.requires_key();
                let anyone = self.config.allow_anonymous && scope == Scope::ReadLogs;
                if !is_here && !anyone {
                    return Err(Problem::refused(Refusal::key_required()));
                }
                (DEFAULT_PROJECT.into(), "".into(), By::Nobody)
            }
        };
        if caller.project.as_ref().is_some_and(|named| *named != project) {
            return Err(Problem::other_project());
        }
        Ok(Allowed { project, reader, by, peer, scope })
    }

    /// Lets somebody see to what is their own, whatever they are and wherever; others, with `scope`,
    /// to that of those whom they administer.
    pub(super) fn allow_own(&self, caller: &Caller, scope: Scope) -> Result<Allowed, Problem> {
        let Pass::Person(person) = &caller.pass else { return self.allow(caller, scope) };
        let place = caller.place_of(person).ok();
        let (project, role) = place.map_or(("".into(), None), |(name, role)| (name, Some(role)));
        let reader = person.user.id.as_str().into();
        let by = By::Person(Arc::clone(person), role);
        Ok(Allowed { project, reader, by, peer: caller.peer, scope })
    }

    /// Whether a key may be used for this here, from there, now.
    pub(super) fn check(&self, key: &Key, scope: Scope, peer: IpAddr) -> Result<(), Refusal> {
        match self.config.environment {
            Some(environment) => self.gate.check_in(environment, key, scope, peer, now()),
            None => self.gate.check(key, scope, peer, now()),
        }
    }
}

/// The token was good once: to come with it says nothing against whoever does.
pub(super) fn no_session() -> Refusal {
    Refusal::fixed(Reason::ApiKeyExpired, "user:session")
}

/// The header that names a project. Why no parameter? Those of most calls are their own, and a
/// project among them says something else.
const PROJECT: &str = "x-logtrace-project";
