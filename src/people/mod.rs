//! People: who they are, what they are in which project, and who is signed in.
//!
//! A user has a role in each of some projects. They sign in with their e-mail address and password,
//! which begins a session with two tokens: one that calls are made with, and one that the next two
//! are had for. What a role may is the affair of whoever asks ([`crate::api`]); here is only who has
//! which. Other ways to sign in would begin sessions just like this one.
//!
//! ```text
//!  e-mail, password ─▶ [throttle] ─▶ [password] ─▶ session ─▶ access token ─▶ Person ─▶ the call
//!                                                     ▲  └──▶ refresh token ──┐
//!                                                     └────── once each ──────┘
//! ```
//!
//! # Invariants
//!
//! * *A change is on disk before it is in force*, as with keys; one is made at a time.
//! * *A session is there as long as it lasts*: it is removed when it ends, and everything is asked of
//!   those that are there. It ends with a sign-out, with any change of what its user may or of their
//!   password, when it is idle or old, and when one of its refresh tokens comes twice.
//! * *Who may not sign in is told nothing else*: whether there is such a user, whether they are
//!   disabled and how long the answer takes does not depend on it.
//! * *No secret is kept*: of passwords and tokens there are hashes, and only here.
//! * *The project `default` has an owner* once it had one, and nobody raises their own role.
//! * *A clock that is set back* a little revives nothing: see `Clock`.

mod admin;
mod clock;
mod config;
mod email;
mod error;
mod password;
mod records;
mod role;
mod session;
mod sign_in;
#[cfg(test)]
mod tests;
mod throttle;
mod token;
mod user;

pub use self::config::Config;
pub use self::email::Email;
pub use self::error::PeopleError;
pub use self::password::Password;
pub use self::role::Role;
pub use self::session::{End, Ended, Found, Granted, Person, Place, SessionInfo};
pub use self::token::Token;
pub use self::user::{NewUser, UserChange, UserInfo};

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use self::clock::Clock;
use self::password::Hashed;
use self::records::Records;
use self::session::Sessions;
use self::throttle::Throttle;
use crate::db::Db;
use crate::pepper::Pepper;
use crate::time::Timestamp;

/// Everybody, and who is signed in. Shared by all threads.
#[derive(Debug)]
pub struct People {
    config: Config,
    records: Records,
    pepper: Pepper,
    /// What the password of somebody who is not there is compared with.
    nobody: Hashed,
    state: RwLock<State>,
    /// Held while anything is changed, for as long as the disk takes.
    change: Mutex<()>,
    throttle: Throttle,
    clock: Clock,
    /// Sessions that have ended and were not told of.
    ended: Mutex<Vec<Ended>>,
}

#[derive(Debug, Default)]
struct State {
    users: BTreeMap<String, Known>,
    /// Ids by address.
    by_email: HashMap<Email, String>,
    sessions: Sessions,
}

/// A user as they are held.
#[derive(Clone, Debug)]
struct Known {
    info: Arc<UserInfo>,
    hash: Hashed,
}

impl People {
    /// Loads everybody; makes the pepper where there is none.
    ///
    /// # Errors
    ///
    /// A user cannot be read, or the store or the system failed.
    pub fn open(config: Config, db: Arc<Db>, now: Timestamp) -> Result<Self, PeopleError> {
        let records = Records::new(db);
        let pepper = match records.pepper()? {
            Some(pepper) => pepper,
            None => {
                let pepper = Pepper::draw()?;
                records.put_pepper(&pepper)?;
                pepper
            }
        };
        let mut state = State::default();
        for user in records.users()? {
            state.put_user(user.info.into(), user.hash);
        }
        let clock = Clock::default();
        clock.at(now);
        for session in records.sessions()? {
            // One that was seen is not of a time to come, unless the clock is wrong.
            clock.at(session.info.last_seen);
            state.sessions.put(session);
        }
        records.tidy(|id| state.sessions.by_id(id).is_some())?;
        let nobody = Hashed::of_nobody()?;
        Ok(Self {
            config,
            records,
            pepper,
            nobody,
            state: RwLock::new(state),
            change: Mutex::default(),
            throttle: Throttle::default(),
            clock,
            ended: Mutex::default(),
        })
    }

    /// How many passwords may be checked at the same time.
    pub fn max_checks(&self) -> usize {
        self.config.max_checks
    }

    /// Every user, the oldest first.
    pub fn users(&self) -> Vec<Arc<UserInfo>> {
        let state = self.state.read();
        let mut users: Vec<_> = state.users.values().map(|user| Arc::clone(&user.info)).collect();
        users.sort_by_key(|user| user.created_at);
        users
    }

    /// The user with this id.
    pub fn user(&self, id: &str) -> Option<Arc<UserInfo>> {
        self.state.read().users.get(id).map(|user| Arc::clone(&user.info))
    }

    /// The user with this address.
    pub fn user_of(&self, email: &Email) -> Option<Arc<UserInfo>> {
        self.state.read().by_email(email).map(|user| Arc::clone(&user.info))
    }

    /// Whether anybody owns the project `default`, and may sign in.
    pub fn has_owner(&self) -> bool {
        self.state.read().users.values().any(|user| user.info.is_first_owner())
    }

    /// Everyone who is signed in, the latest first.
    pub fn sessions(&self, now: Timestamp) -> Vec<SessionInfo> {
        let now = self.clock.at(now);
        let state = self.state.read();
        let lasts = state.sessions.iter().filter(|one| one.end(&self.config, now).is_none());
        let mut sessions: Vec<_> = lasts.map(|session| session.info.clone()).collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.started));
        sessions
    }

    /// Sessions that have ended since the last call, for whoever tells of them.
    pub fn take_ended(&self) -> Vec<Ended> {
        std::mem::take(&mut *self.ended.lock())
    }
}

impl State {
    fn put_user(&mut self, info: Arc<UserInfo>, hash: Hashed) {
        self.by_email.insert(info.email.clone(), info.id.clone());
        self.users.insert(info.id.clone(), Known { info, hash });
    }

    fn by_email(&self, email: &Email) -> Option<&Known> {
        self.users.get(self.by_email.get(email)?)
    }
}
