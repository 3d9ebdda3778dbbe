//! Changes of users.
//!
//! Whoever calls says who asks for it (`by`, the id of a user; `None` where it is nobody of these),
//! and has seen to it that they may.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::email::Email;
use super::error::PeopleError;
use super::password::{Hashed, Password};
use super::session::{End, Place, Session};
use super::token::draw_id;
use super::user::{NewUser, User, UserChange, UserInfo, check_roles, checked_name};
use super::{Known, People, State};
use crate::time::Timestamp;

impl People {
    /// Makes a user. Returned with them is the password that was made, where none was named. Takes
    /// tens of milliseconds.
    ///
    /// # Errors
    ///
    /// What was asked makes no sense, somebody has the address, there are too many users, or the
    /// store or the system failed.
    pub fn create(
        &self,
        new: NewUser,
        now: Timestamp,
    ) -> Result<(Arc<UserInfo>, Option<Password>), PeopleError> {
        let NewUser { email, name, roles, password } = new;
        let (email, name) = (Email::parse(&email)?, checked_name(name)?);
        check_roles(&roles)?;
        let (password, made) = match password {
            Some(password) => (password, false),
            None => (Password::draw()?, true),
        };
        password.check(email.as_str())?;
        let hash = password.hash()?;
        let _change = self.change.lock();
        let now = self.clock.at(now);
        let mut id = draw_id("usr_")?;
        {
            let state = self.state.read();
            if state.by_email(&email).is_some() {
                return Err(PeopleError::Taken);
            }
            if state.users.len() >= MAX_USERS {
                return Err(PeopleError::Full { of: "users", max: MAX_USERS });
            }
            while state.users.contains_key(&id) {
                id = draw_id("usr_")?;
            }
        }
        let (created_at, password_changed_at) = (now, now);
        let disabled = false;
        let info = UserInfo { id, email, name, roles, disabled, created_at, password_changed_at };
        let info = self.put(info, hash, None)?;
        Ok((info, made.then_some(password)))
    }

    /// Changes a user. Their sessions end where it changes what they may.
    ///
    /// # Errors
    ///
    /// There is no such user; what was asked makes no sense; nobody would own the project `default`;
    /// they raise their own role; or the store failed.
    pub fn change(
        &self,
        id: &str,
        change: UserChange,
        by: Option<&str>,
    ) -> Result<Arc<UserInfo>, PeopleError> {
        let _change = self.change.lock();
        let old = self.known(id)?;
        let info = old.info.changed(change)?;
        if by == Some(id) && info.rises_from(&old.info) {
            return Err(PeopleError::OwnRole);
        }
        if old.info.is_first_owner() && !info.is_first_owner() {
            self.state.read().has_other_owner(id)?;
        }
        let is_other = (&info.roles, info.disabled) != (&old.info.roles, old.info.disabled);
        if info == *old.info {
            return Ok(old.info);
        }
        self.put(info, old.hash, is_other.then_some(End::Changed))
    }

    /// Gives a user another password, and ends their sessions. Takes tens of milliseconds.
    ///
    /// # Errors
    ///
    /// There is no such user, it may not be chosen, or the store or the system failed.
    pub fn set_password(
        &self,
        id: &str,
        password: &Password,
        now: Timestamp,
    ) -> Result<Arc<UserInfo>, PeopleError> {
        password.check(self.known(id)?.info.email.as_str())?;
        let hash = password.hash()?;
        let _change = self.change.lock();
        let info = UserInfo::clone(&self.known(id)?.info);
        let info = UserInfo { password_changed_at: self.clock.at(now), ..info };
        self.put(info, hash, Some(End::Password))
    }

    /// Sees that whoever changes their own password has the one before. Takes tens of milliseconds,
    /// and is slowed as signing in is.
    ///
    /// # Errors
    ///
    /// There is no such user, they do not, or too many attempts failed.
    pub fn check_password(
        &self,
        id: &str,
        password: &Password,
        place: &Place,
        now: Timestamp,
    ) -> Result<(), PeopleError> {
        let user = self.known(id)?;
        let email = user.info.email.as_str();
        let attempt = self.throttle.begin(email, place.address, true, now);
        let attempt = attempt.map_err(PeopleError::Slow)?;
        if !user.hash.is_of(password) {
            return Err(PeopleError::Refused);
        }
        self.throttle.succeeded(&attempt);
        Ok(())
    }

    /// Removes a user, and ends their sessions.
    ///
    /// # Errors
    ///
    /// There is no such user, nobody would own the project `default`, or the store failed.
    pub fn remove(&self, id: &str) -> Result<Arc<UserInfo>, PeopleError> {
        let _change = self.change.lock();
        let old = self.known(id)?;
        if old.info.is_first_owner() {
            self.state.read().has_other_owner(id)?;
        }
        let sessions = self.state.read().sessions_of(id);
        self.records.delete_user(id, &ids(&sessions))?;
        self.forget(sessions.into_iter().map(|session| (session, End::Removed)).collect());
        let mut state = self.state.write();
        state.users.remove(id);
        state.by_email.remove(&old.info.email);
        Ok(old.info)
    }

    /// Takes away the roles of a project that is no more, so that nobody has one in another of its
    /// name. Says whose they were.
    ///
    /// # Errors
    ///
    /// The store failed; some may have their role still.
    pub fn forget_project(&self, project: &str) -> Result<Vec<Arc<UserInfo>>, PeopleError> {
        let _change = self.change.lock();
        let all = self.state.read().users.clone();
        let members = all.into_values().filter(|user| user.info.role_in(project).is_some());
        let mut changed = Vec::new();
        for Known { info, hash } in members {
            // Who has no role left may not do anything, and is there for whoever gives them one.
            let roles: BTreeMap<_, _> =
                info.roles.iter().filter(|(name, _)| *name != project).collect();
            let roles = roles.into_iter().map(|(name, role)| (name.clone(), *role)).collect();
            let info = UserInfo { roles, ..UserInfo::clone(&info) };
            changed.push(self.put(info, hash, Some(End::Changed))?);
        }
        Ok(changed)
    }

    fn known(&self, id: &str) -> Result<Known, PeopleError> {
        self.state.read().users.get(id).cloned().ok_or(PeopleError::UnknownUser)
    }

    /// Puts a user as they are now, on disk and then here; their sessions end for `why`.
    fn put(
        &self,
        info: UserInfo,
        hash: Hashed,
        why: Option<End>,
    ) -> Result<Arc<UserInfo>, PeopleError> {
        let sessions = match why {
            Some(why) => {
                let sessions = self.state.read().sessions_of(&info.id);
                sessions.into_iter().map(|session| (session, why)).collect()
            }
            None => Vec::new(),
        };
        let ended: Vec<_> = sessions.iter().map(|(session, _)| session.info.id.clone()).collect();
        let user = User { info, hash };
        self.records.put_user(&user, &ended)?;
        let info = Arc::new(user.info);
        self.state.write().put_user(Arc::clone(&info), user.hash);
        self.forget(sessions);
        Ok(info)
    }
}

impl State {
    /// Sees that somebody else owns the project `default`.
    fn has_other_owner(&self, id: &str) -> Result<(), PeopleError> {
        let mut owners = self.users.values().filter(|user| user.info.is_first_owner());
        match owners.any(|owner| owner.info.id != id) {
            true => Ok(()),
            false => Err(PeopleError::LastOwner),
        }
    }

    fn sessions_of(&self, user: &str) -> Vec<Session> {
        self.sessions.of_user(user).cloned().collect()
    }
}

fn ids(sessions: &[Session]) -> Vec<String> {
    sessions.iter().map(|session| session.info.id.clone()).collect()
}

/// The most users that there may be.
const MAX_USERS: usize = 10_000;
