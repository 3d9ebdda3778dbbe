//! People as they lie in the store.
//!
//! | key             | value                                                       |
//! |-----------------|-------------------------------------------------------------|
//! | `people/pepper` | 32 bytes                                                    |
//! | `user/<id>`     | `{"version":1,"record":{"password_hash":"…","user":{…}}}`   |
//! | `session/<id>`  | `{"version":1,"record":{"access_hash":"…",…}}`              |
//! | `seen/<id>`     | when something was last done in the session of that id; rides |
//!
//! A record with a field that is not known here is refused, not read without it: it may be the
//! one that keeps somebody out. A session that cannot be read is none: who was in it signs in again.

use std::net::IpAddr;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::PeopleError;
use super::password::Hashed;
use super::session::{Session, SessionInfo};
use super::token::TokenHash;
use super::user::{User, UserInfo};
use crate::db::{Db, Family, Write, read_record, write_record};
use crate::pepper::Pepper;
use crate::time::{Timestamp, text};

/// The form in which records are written.
pub(super) const VERSION: u32 = 1;

/// The part of the store that belongs to people. Every change is synced when it returns.
pub(super) struct Records {
    db: Arc<Db>,
}

/// A user as they are stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserRecord {
    password_hash: String,
    user: UserInfo,
}

/// A session as it is stored. Names of hashes say so: whoever records a change leaves them out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionRecord {
    id: String,
    user: String,
    #[serde(with = "text")]
    started: Timestamp,
    address: IpAddr,
    user_agent: String,
    access_hash: String,
    #[serde(with = "text")]
    access_until: Timestamp,
    refresh_hash: String,
    #[serde(with = "text")]
    refresh_until: Timestamp,
    family_hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    #[serde(with = "text")]
    at: Timestamp,
}

impl Records {
    pub(super) fn new(db: Arc<Db>) -> Self {
        Self { db }
    }

    /// The pepper, if it was ever made.
    pub(super) fn pepper(&self) -> Result<Option<Pepper>, PeopleError> {
        let Some(bytes) = self.db.meta_get(PEPPER)? else { return Ok(None) };
        let found = format!("{} bytes", bytes.len());
        let pepper = Pepper::restore(&bytes);
        pepper.map(Some).ok_or_else(|| PeopleError::Record { record: shown(PEPPER), found })
    }

    pub(super) fn put_pepper(&self, pepper: &Pepper) -> Result<(), PeopleError> {
        Ok(self.db.meta_put(PEPPER, pepper.as_bytes())?)
    }

    pub(super) fn users(&self) -> Result<Vec<User>, PeopleError> {
        let pairs = self.db.meta_scan(USERS.as_bytes())?;
        let mut users = Vec::new();
        for (key, value) in pairs {
            let UserRecord { password_hash, user } = read(&key, &value)?;
            users.push(User { info: user, hash: Hashed::restore(password_hash)? });
        }
        Ok(users)
    }

    /// Every session that can be read, with what was last done in it.
    pub(super) fn sessions(&self) -> Result<Vec<Session>, PeopleError> {
        let pairs = self.db.meta_scan(SESSIONS.as_bytes())?;
        let mut sessions: Vec<Session> = pairs
            .iter()
            .filter_map(|(key, value)| read::<SessionRecord>(key, value).ok()?.into_session())
            .collect();
        for session in &mut sessions {
            let key = format!("{SEEN}{}", session.info.id);
            let Some(value) = self.db.meta_get(key.as_bytes())? else { continue };
            if let Ok(Seen { at }) = read(key.as_bytes(), &value) {
                session.info.last_seen = at.max(session.info.started);
            }
        }
        Ok(sessions)
    }

    /// Writes a user and ends sessions, all with one sync.
    pub(super) fn put_user(&self, user: &User, ended: &[String]) -> Result<(), PeopleError> {
        let mut write = Write::default();
        let record =
            UserRecord { password_hash: user.hash.as_str().to_owned(), user: user.info.clone() };
        write.put(Family::Meta, key_of(USERS, &user.info.id), written(record));
        end(&mut write, ended);
        Ok(self.db.commit(&write)?)
    }

    /// Removes a user and ends sessions, all with one sync.
    pub(super) fn delete_user(&self, id: &str, ended: &[String]) -> Result<(), PeopleError> {
        let mut write = Write::default();
        write.delete(Family::Meta, key_of(USERS, id));
        end(&mut write, ended);
        Ok(self.db.commit(&write)?)
    }

    /// Writes a session and ends others, all with one sync.
    pub(super) fn put_session(
        &self,
        session: &Session,
        ended: &[String],
    ) -> Result<(), PeopleError> {
        let mut write = Write::default();
        let record = SessionRecord::of(session);
        write.put(Family::Meta, key_of(SESSIONS, &session.info.id), written(record));
        end(&mut write, ended);
        Ok(self.db.commit(&write)?)
    }

    /// Ends sessions, all with one sync.
    pub(super) fn end_sessions(&self, ended: &[String]) -> Result<(), PeopleError> {
        let mut write = Write::default();
        end(&mut write, ended);
        if write.is_empty() { Ok(()) } else { Ok(self.db.commit(&write)?) }
    }

    /// All that there is in `meta`.
    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.db.meta_scan(b"").unwrap()
    }

    /// Lets it go with the next commit that something was done in a session. It has a key of its
    /// own: so a session that ends meanwhile is not put back.
    pub(super) fn ride_seen(&self, id: &str, at: Timestamp) {
        self.db.ride(key_of(SEEN, id), written(Seen { at }));
    }

    /// Removes what was seen of sessions that there are no longer.
    pub(super) fn tidy(&self, is_there: impl Fn(&str) -> bool) -> Result<(), PeopleError> {
        let mut write = Write::default();
        for (key, _) in self.db.meta_scan(SEEN.as_bytes())? {
            let id = shown(key.get(SEEN.len()..).unwrap_or_default());
            if !is_there(&id) {
                write.delete(Family::Meta, key);
            }
        }
        if write.is_empty() { Ok(()) } else { Ok(self.db.commit(&write)?) }
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

impl SessionRecord {
    fn of(session: &Session) -> Self {
        let SessionInfo { id, user, started, address, user_agent, .. } = session.info.clone();
        let hash = |known: TokenHash| known.0.to_hex().to_string();
        Self {
            id,
            user,
            started,
            address,
            user_agent,
            access_hash: hash(session.access),
            access_until: session.access_until,
            refresh_hash: hash(session.refresh),
            refresh_until: session.refresh_until,
            family_hash: hash(session.family),
        }
    }

    fn into_session(self) -> Option<Session> {
        let hash = |text: &str| blake3::Hash::from_hex(text).ok().map(TokenHash);
        Some(Session {
            access: hash(&self.access_hash)?,
            access_until: self.access_until,
            refresh: hash(&self.refresh_hash)?,
            refresh_until: self.refresh_until,
            family: hash(&self.family_hash)?,
            info: SessionInfo {
                id: self.id,
                user: self.user,
                started: self.started,
                last_seen: self.started,
                address: self.address,
                user_agent: self.user_agent,
            },
        })
    }
}

fn end(write: &mut Write<'_>, ended: &[String]) {
    for id in ended {
        write.delete(Family::Meta, key_of(SESSIONS, id));
        write.delete(Family::Meta, key_of(SEEN, id));
    }
}

fn key_of(prefix: &str, id: &str) -> Vec<u8> {
    format!("{prefix}{id}").into_bytes()
}

fn written<T: Serialize>(record: T) -> Vec<u8> {
    write_record(VERSION, record)
}

fn read<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T, PeopleError> {
    read_record(VERSION, value).map_err(|found| PeopleError::Record { record: shown(key), found })
}

fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

const PEPPER: &[u8] = b"people/pepper";

const USERS: &str = "user/";

const SESSIONS: &str = "session/";

const SEEN: &str = "seen/";
