//! Sessions: who is signed in.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::config::Config;
use super::token::{Token, TokenHash};
use super::user::UserInfo;
use crate::time::{Timestamp, text};

/// All that may be known of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionInfo {
    /// Its public id: `ses_` and hex digits. No secret, and no way in.
    pub id: String,
    /// The id of the user.
    pub user: String,
    /// When they signed in.
    #[serde(with = "text")]
    pub started: Timestamp,
    /// When something was last done in it.
    #[serde(with = "text")]
    pub last_seen: Timestamp,
    /// Where they signed in from.
    pub address: IpAddr,
    /// The client software that they signed in with, as it said; may be empty.
    pub user_agent: String,
}

/// Someone who is signed in, as they were when they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who it is.
    pub user: Arc<UserInfo>,
    /// The id of their session.
    pub session: Arc<str>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// That of someone who is signed in.
    Person(Person),
    /// That of a session, and no longer good.
    Expired,
    /// None that there is.
    Unknown,
}

/// What somebody gets who signs in.
#[derive(Debug)]
pub struct Granted {
    /// Who it is, and their session.
    pub person: Person,
    /// What calls are made with.
    pub access: Token,
    /// When that ends.
    pub access_until: Timestamp,
    /// What the next pair of tokens is had for, once.
    pub refresh: Token,
    /// When that ends.
    pub refresh_until: Timestamp,
}

/// Where somebody signs in from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The address.
    pub address: IpAddr,
    /// The client software, as it says; what is longer than 256 bytes is cut.
    pub user_agent: String,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Whoever was in it, or who administers it, ended it.
    SignedOut,
    /// Nothing was done in it for long, or its refresh token was not used in time.
    Idle,
    /// It was as old as a session may be.
    Old,
    /// A refresh token was used twice: somebody else had it.
    Reused,
    /// The user was changed: their roles, or whether they may sign in.
    Changed,
    /// Their password was.
    Password,
    /// The user is no more.
    Removed,
    /// They signed in once more than at so many places at once.
    Crowded,
}

/// A session that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What it was.
    pub session: SessionInfo,
    /// Whose, where the user is still there.
    pub user: Option<Arc<UserInfo>>,
    /// Why.
    pub why: End,
}

/// A session with the hashes of its tokens.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) info: SessionInfo,
    pub(super) access: TokenHash,
    pub(super) access_until: Timestamp,
    /// Of the refresh token that was not used.
    pub(super) refresh: TokenHash,
    pub(super) refresh_until: Timestamp,
    /// Of what is the same in all of its refresh tokens.
    pub(super) family: TokenHash,
}

/// All of them, by id and by their tokens.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: BTreeMap<String, Session>,
    by_access: HashMap<TokenHash, String>,
    by_family: HashMap<TokenHash, String>,
}

impl End {
    /// A word for it: `signed_out`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Idle => "idle",
            Self::Old => "expired",
            Self::Reused => "token_reused",
            Self::Changed => "user_changed",
            Self::Password => "password_changed",
            Self::Removed => "user_removed",
            Self::Crowded => "too_many",
        }
    }
}

impl Session {
    /// Why it has ended by now, if it has.
    pub(super) fn end(&self, config: &Config, now: Timestamp) -> Option<End> {
        let after = |time: Timestamp, lasts| time.plus(micros(lasts));
        if now >= after(self.info.started, config.max_lifetime) {
            return Some(End::Old);
        }
        let is_idle = now >= after(self.info.last_seen, config.idle_timeout);
        // Without either token nothing can be done in it any more.
        let is_over = now >= self.refresh_until.max(self.access_until);
        (is_idle || is_over).then_some(End::Idle)
    }
}

impl Sessions {
    pub(super) fn by_access(&self, hash: &TokenHash) -> Option<&Session> {
        self.by_id.get(self.by_access.get(hash)?)
    }

    pub(super) fn by_family(&self, hash: &TokenHash) -> Option<&Session> {
        self.by_id.get(self.by_family.get(hash)?)
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Session> {
        self.by_id.get(id)
    }

    /// Every one, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.by_id.values()
    }

    pub(super) fn of_user(&self, user: &str) -> impl Iterator<Item = &Session> {
        self.iter().filter(move |session| session.info.user == user)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Adds one, or puts it in place of the one with its id.
    pub(super) fn put(&mut self, session: Session) {
        self.remove(&session.info.id);
        let id = session.info.id.clone();
        self.by_access.insert(session.access, id.clone());
        self.by_family.insert(session.family, id.clone());
        self.by_id.insert(id, session);
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Session> {
        let session = self.by_id.remove(id)?;
        self.by_access.remove(&session.access);
        self.by_family.remove(&session.family);
        Some(session)
    }

    /// Says that something was done in one.
    pub(super) fn seen(&mut self, id: &str, at: Timestamp) {
        if let Some(session) = self.by_id.get_mut(id) {
            session.info.last_seen = session.info.last_seen.max(at);
        }
    }
}

/// A length of time in microseconds.
pub(super) fn micros(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
