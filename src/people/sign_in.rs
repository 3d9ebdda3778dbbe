//! How sessions begin, go on and end.

use std::sync::Arc;

use super::email::Email;
use super::error::PeopleError;
use super::password::Password;
use super::session::{End, Ended, Found, Granted, Person, Place, Session, SessionInfo, micros};
use super::throttle::source;
use super::token::{Token, TokenHash, draw_id};
use super::user::UserInfo;
use super::{Known, People, State};
use crate::time::{SECOND, Timestamp};

impl People {
    /// Begins a session of whoever has this address and password. Takes tens of milliseconds.
    ///
    /// # Errors
    ///
    /// [`Refused`](PeopleError::Refused), whatever of it is wrong; [`Slow`](PeopleError::Slow) where
    /// too many attempts failed; there are too many sessions, or the store or the system failed.
    pub fn sign_in(
        &self,
        email: &str,
        password: &Password,
        place: Place,
        now: Timestamp,
    ) -> Result<Granted, PeopleError> {
        // Those who write no address are counted as one.
        let email = Email::parse(email).ok();
        let account = email.as_ref().map(Email::as_str).unwrap_or_default();
        let found = email.as_ref().and_then(|email| self.state.read().by_email(email).cloned());
        let is_known = found.as_ref().is_some_and(|user| self.is_at_home(&user.info.id, &place));
        let attempt = self.throttle.begin(account, place.address, is_known, now);
        let attempt = attempt.map_err(PeopleError::Slow)?;
        let hash = found.as_ref().map_or(&self.nobody, |user| &user.hash);
        let is_right = hash.is_of(password);
        let user = found.filter(|user| is_right && !user.info.disabled);
        let user = user.ok_or(PeopleError::Refused)?;
        self.throttle.succeeded(&attempt);
        self.begin(&user, place, now)
    }

    /// Who has this access token.
    pub fn find(&self, token: &[u8], now: Timestamp) -> Found {
        let hash = TokenHash::of(token, &self.pepper);
        let now = self.clock.at(now);
        let state = self.state.read();
        let Some(session) = state.sessions.by_access(&hash) else { return Found::Unknown };
        let Some(user) = state.users.get(&session.info.user) else { return Found::Unknown };
        if now >= session.access_until || session.end(&self.config, now).is_some() {
            return Found::Expired;
        }
        let session = session.info.id.as_str().into();
        Found::Person(Person { user: Arc::clone(&user.info), session })
    }

    /// Whether somebody who was found is still signed in, as the one that they were.
    pub fn is_still(&self, person: &Person, now: Timestamp) -> bool {
        let now = self.clock.at(now);
        let state = self.state.read();
        let Some(session) = state.sessions.by_id(&person.session) else { return false };
        now < session.access_until && session.end(&self.config, now).is_none()
    }

    /// Says that somebody did something. It is written now and then, and with something else.
    pub fn seen(&self, person: &Person, now: Timestamp) {
        let now = self.clock.at(now);
        let state = self.state.upgradable_read();
        let Some(session) = state.sessions.by_id(&person.session) else { return };
        let (id, before) = (&session.info.id, session.info.last_seen);
        if now < before.plus(SECOND) {
            return;
        }
        // What a crash may take away is a minute of a month.
        if now.as_micros() / SEEN_EVERY > before.as_micros() / SEEN_EVERY {
            self.records.ride_seen(id, now);
        }
        parking_lot::RwLockUpgradableReadGuard::upgrade(state).sessions.seen(&person.session, now);
    }

    /// Gives the next two tokens for a refresh token, which is then used.
    ///
    /// # Errors
    ///
    /// [`NoSession`](PeopleError::NoSession); [`Reused`](PeopleError::Reused), where it was used
    /// before: the session is ended. Or the store or the system failed.
    pub fn refresh(&self, token: &str, now: Timestamp) -> Result<Granted, PeopleError> {
        let token = Token::read_refresh(token).ok_or(PeopleError::NoSession)?;
        let family = TokenHash::of(token.family(), &self.pepper);
        let _change = self.change.lock();
        let now = self.clock.at(now);
        let found = {
            let state = self.state.read();
            let session = state.sessions.by_family(&family).cloned();
            session.and_then(|one| Some((state.users.get(&one.info.user)?.info.clone(), one)))
        };
        let (user, session) = found.ok_or(PeopleError::NoSession)?;
        if session.refresh != TokenHash::of(token.reveal().as_bytes(), &self.pepper) {
            let (info, why) = (session.info.clone(), End::Reused);
            self.end_all(vec![(session, why)])?;
            let ended = Ended { session: info, user: Some(user), why };
            return Err(PeopleError::Reused(Box::new(ended)));
        }
        if let Some(why) = session.end(&self.config, now) {
            self.end_all(vec![(session, why)])?;
            return Err(PeopleError::NoSession);
        }
        if now >= session.refresh_until || user.disabled {
            return Err(PeopleError::NoSession);
        }
        let refresh = token.next()?;
        let info = SessionInfo { last_seen: session.info.last_seen.max(now), ..session.info };
        self.grant(info, user, refresh, now, &[])
    }

    /// Ends a session.
    ///
    /// # Errors
    ///
    /// There is none of that id, or the store failed.
    pub fn end(&self, id: &str) -> Result<SessionInfo, PeopleError> {
        let _change = self.change.lock();
        let session = self.state.read().sessions.by_id(id).cloned();
        let session = session.ok_or(PeopleError::UnknownSession)?;
        let info = session.info.clone();
        self.end_all(vec![(session, End::SignedOut)])?;
        Ok(info)
    }

    /// Removes sessions that are idle or old. Called every few seconds: they are over before.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub fn sweep(&self, now: Timestamp) -> Result<(), PeopleError> {
        let now = self.clock.at(now);
        let _change = self.change.lock();
        let over = |one: &Session| Some((one.clone(), one.end(&self.config, now)?));
        let over: Vec<_> = self.state.read().sessions.iter().filter_map(over).collect();
        self.end_all(over)
    }

    /// Whether somebody is signed in from there.
    fn is_at_home(&self, user: &str, place: &Place) -> bool {
        let here = source(place.address);
        let state = self.state.read();
        state.sessions.of_user(user).any(|session| source(session.info.address) == here)
    }

    /// Begins a session of a user whose password was right a moment ago.
    fn begin(&self, user: &Known, place: Place, now: Timestamp) -> Result<Granted, PeopleError> {
        let _change = self.change.lock();
        let now = self.clock.at(now);
        let id = draw_id("ses_")?;
        let crowded = {
            let state = self.state.read();
            state.is_still(user)?;
            if state.sessions.len() >= MAX_SESSIONS {
                return Err(PeopleError::Full { of: "sessions", max: MAX_SESSIONS });
            }
            let mut own: Vec<_> = state.sessions.of_user(&user.info.id).cloned().collect();
            own.sort_by_key(|session| std::cmp::Reverse(session.info.last_seen));
            own.drain(own.len().min(MAX_OF_USER - 1)..).collect::<Vec<_>>()
        };
        let info = SessionInfo {
            id,
            user: user.info.id.clone(),
            started: now,
            last_seen: now,
            address: place.address.to_canonical(),
            user_agent: cut(place.user_agent),
        };
        self.grant(info, Arc::clone(&user.info), Token::refresh()?, now, &crowded)
    }

    /// Lets a session have two new tokens; `crowded` end for it.
    fn grant(
        &self,
        info: SessionInfo,
        user: Arc<UserInfo>,
        refresh: Token,
        now: Timestamp,
        crowded: &[Session],
    ) -> Result<Granted, PeopleError> {
        let access = Token::access()?;
        let oldest = info.started.plus(micros(self.config.max_lifetime));
        let until = |lifetime| now.plus(micros(lifetime)).min(oldest);
        let session = Session {
            access: TokenHash::of(access.reveal().as_bytes(), &self.pepper),
            access_until: until(self.config.access_lifetime),
            refresh: TokenHash::of(refresh.reveal().as_bytes(), &self.pepper),
            refresh_until: until(self.config.refresh_lifetime),
            family: TokenHash::of(refresh.family(), &self.pepper),
            info,
        };
        let (access_until, refresh_until) = (session.access_until, session.refresh_until);
        let person = Person { user, session: session.info.id.as_str().into() };
        let ids: Vec<_> = crowded.iter().map(|session| session.info.id.clone()).collect();
        self.records.put_session(&session, &ids)?;
        self.forget(crowded.iter().map(|session| (session.clone(), End::Crowded)).collect());
        self.state.write().sessions.put(session);
        Ok(Granted { person, access, access_until, refresh, refresh_until })
    }

    /// Ends sessions, on disk and then here.
    fn end_all(&self, sessions: Vec<(Session, End)>) -> Result<(), PeopleError> {
        let ids: Vec<_> = sessions.iter().map(|(session, _)| session.info.id.clone()).collect();
        self.records.end_sessions(&ids)?;
        self.forget(sessions);
        Ok(())
    }

    /// Takes away sessions that are ended on disk, and has it told.
    pub(super) fn forget(&self, sessions: Vec<(Session, End)>) {
        let mut state = self.state.write();
        let mut ended = self.ended.lock();
        for (session, why) in sessions {
            state.sessions.remove(&session.info.id);
            let user = state.users.get(&session.info.user).map(|user| Arc::clone(&user.info));
            if ended.len() < MAX_ENDED {
                ended.push(Ended { session: session.info, user, why });
            }
        }
    }
}

impl State {
    /// Whether a user is just as they were, for a session to begin.
    fn is_still(&self, user: &Known) -> Result<(), PeopleError> {
        let now = self.users.get(&user.info.id);
        let is_same = |now: &Known| now.hash == user.hash && !now.info.disabled;
        if now.is_some_and(is_same) { Ok(()) } else { Err(PeopleError::Refused) }
    }
}

/// Text of a client, without what a terminal obeys and not longer than there is room for.
fn cut(text: String) -> String {
    let mut text = text.replace(|c: char| c.is_control(), "\u{fffd}");
    text.truncate(text.floor_char_boundary(MAX_AGENT));
    text
}

/// Sessions that there may be at once.
const MAX_SESSIONS: usize = 20_000;

/// Sessions that somebody may have at once: the one that was not used for longest ends for the next.
const MAX_OF_USER: usize = 10;

/// Sessions that have ended and wait to be told of.
const MAX_ENDED: usize = 20_000;

/// The longest name of client software, in bytes.
const MAX_AGENT: usize = 256;

/// How often it is written when a session was last used, in microseconds.
const SEEN_EVERY: i64 = 60 * SECOND;
