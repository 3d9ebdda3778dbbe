//! A caller who may do what they ask for: where, as whom, and whose affairs are theirs.
//!
//! # What a role may, in its project
//!
//! | to                                   | viewer | admin | owner |
//! |--------------------------------------|--------|-------|-------|
//! | read logs (`read:logs`)              | yes    | yes   | yes   |
//! | read journals (`read:audit`)         |        | yes   | yes   |
//! | change alerts (`write:alerts`)       |        | yes   | yes   |
//! | change keys, lists, … (`admin:projects`), list users | | yes | yes |
//! | change users and their roles         |        |       | yes   |
//! | send logs (`write:logs`)             |        |       |       |
//!
//! In project `default` an admin or owner governs the whole daemon, as keys of production there do.
//! People see all environments of their project. Machines send logs, so nobody has `write:logs`; and
//! yet an admin makes keys that have it. Machines change no people: but for a key that governs the
//! daemon, until it has its first owner.

use std::net::IpAddr;
use std::sync::Arc;

use super::Api;
use super::problem::Problem;
use crate::audit::Who;
use crate::gate::{Environment, Key, Refusal, Scope};
use crate::ingest::{now, steady};
use crate::people::{Person, Role, UserInfo};

/// A caller who may do what they ask for.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    /// The wall: all that the caller sees is in this project.
    pub(super) project: Arc<str>,
    /// The public id of the key or of the user; empty without one.
    pub(super) reader: Arc<str>,
    pub(super) by: By,
    pub(super) peer: IpAddr,
    pub(super) scope: Scope,
}

/// As whom.
#[derive(Clone, Debug)]
pub(super) enum By {
    /// As nobody: on this machine, or as one of all.
    Nobody,
    /// As a machine.
    Key(Arc<Key>),
    /// As somebody with this role in the project, if they have one there.
    Person(Arc<Person>, Option<Role>),
}

impl Allowed {
    /// Whether the caller still may, now.
    pub(super) fn still(&self, api: &Api) -> Result<(), Refusal> {
        api.gate.admit_peer(self.peer, steady())?;
        match &self.by {
            By::Nobody => Ok(()),
            By::Key(key) => api.check(key, self.scope, self.peer),
            // With any change of what somebody may, their session ends.
            By::Person(person, _) if api.people.is_still(person, now()) => Ok(()),
            By::Person(..) => Err(super::caller::no_session()),
        }
    }

    /// The key, where it is a machine that calls.
    pub(super) fn key(&self) -> Option<&Arc<Key>> {
        match &self.by {
            By::Key(key) => Some(key),
            _ => None,
        }
    }

    /// Who it is, where it is a person that calls.
    pub(super) fn person(&self) -> Option<&Arc<Person>> {
        match &self.by {
            By::Person(person, _) => Some(person),
            _ => None,
        }
    }

    /// Lets the caller see what is of the whole daemon.
    pub(super) fn of_the_daemon(&self) -> Result<(), Problem> {
        if self.governs() { Ok(()) } else { Err(Problem::other_project()) }
    }

    /// Who they are, for the record.
    pub(super) fn who(&self) -> Who {
        match &self.by {
            By::Nobody => {
                Who { actor: "local".to_owned(), operator: None, address: Some(self.peer) }
            }
            By::Key(key) => Who {
                actor: key.info().masked.clone(),
                operator: Some(key.id().to_owned()),
                address: Some(self.peer),
            },
            By::Person(person, _) => who(&person.user, self.peer),
        }
    }

    /// Whether the caller may see and change what is of all projects: a key of production in the
    /// project `default`, an admin or owner there, or someone on this machine who needs no key.
    pub(super) fn governs(&self) -> bool {
        self.administers() && *self.project == *DEFAULT_PROJECT
    }

    /// Whether what is of a place is the caller's affair: it governs, or is of that very place.
    pub(super) fn sees(&self, project: &str, environment: Environment) -> bool {
        let is_own = match &self.by {
            By::Nobody => false,
            By::Key(key) => key.project() == project && key.info().environment == environment,
            By::Person(_, role) => role.is_some() && *self.project == *project,
        };
        self.governs() || is_own
    }

    /// Whether the caller may let a key have this right.
    pub(super) fn may_give(&self, scope: Scope) -> bool {
        match &self.by {
            By::Nobody => true,
            By::Key(key) => key.info().scopes.contains(scope),
            By::Person(_, role) => {
                scope == Scope::WriteLogs || role.is_some_and(|role| may(role, scope))
            }
        }
    }

    /// Whether the whole of its project is the caller's affair, as far as they have the scope: all
    /// environments, and the people, who see them all.
    pub(super) fn administers(&self) -> bool {
        match &self.by {
            By::Nobody => true,
            By::Key(key) => key.info().environment == Environment::Production,
            By::Person(_, role) => *role >= Some(Role::Admin),
        }
    }

    /// Whether the caller may change people.
    pub(super) fn owns(&self, api: &Api) -> bool {
        match &self.by {
            By::Nobody => self.governs(),
            By::Key(_) => self.governs() && !api.people.has_owner(),
            By::Person(_, role) => *role == Some(Role::Owner),
        }
    }

    /// Whether a user as a whole is the affair of those who administer the caller's project: it is
    /// the one that governs, or the only one where the user has a role.
    pub(super) fn has_whole(&self, user: &UserInfo) -> bool {
        let is_only =
            !user.roles.is_empty() && user.roles.keys().all(|name| *name == *self.project);
        self.governs() || is_only
    }

    /// Whether it is this user who calls.
    pub(super) fn is(&self, user: &str) -> bool {
        self.person().is_some_and(|person| person.user.id == user)
    }
}

/// Whether a role has a right.
pub(super) fn may(role: Role, scope: Scope) -> bool {
    match scope {
        Scope::WriteLogs => false,
        Scope::ReadLogs => true,
        Scope::ReadAudit | Scope::WriteAlerts | Scope::AdminProjects => role >= Role::Admin,
    }
}

/// Somebody, for the record.
pub(super) fn who(user: &UserInfo, peer: IpAddr) -> Who {
    let (actor, operator) = (user.email.to_string(), Some(user.id.clone()));
    Who { actor, operator, address: Some(peer) }
}

/// The project of callers without a key, and the one whose keys, admins and owners govern the daemon
/// (SPEC §1).
pub(super) const DEFAULT_PROJECT: &str = "default";
