//! What every test of people begins with.

use std::net::IpAddr;
use std::sync::Arc;

use tempfile::TempDir;

use crate::db::{self, Db};
use crate::people::{
    Config, Found, Granted, NewUser, Password, People, PeopleError, Place, Role, UserChange,
    UserInfo,
};
use crate::time::{SECOND, Timestamp};

pub(super) const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

pub(super) const PASSWORD: &str = "correct horse battery";

/// People over a store in a folder of its own.
pub(super) struct House {
    people: Option<People>,
    folder: TempDir,
}

impl House {
    pub(super) fn new() -> Self {
        let mut house = Self { people: None, folder: tempfile::tempdir().unwrap() };
        house.reopen(NOW);
        house
    }

    /// As after a crash: what was not written is gone.
    pub(super) fn reopen(&mut self, now: Timestamp) {
        self.people = None;
        let db = Db::open(self.folder.path(), &db::Options::default()).unwrap();
        self.people = Some(People::open(Config::default(), Arc::new(db), now).unwrap());
    }

    pub(super) fn people(&self) -> &People {
        self.people.as_ref().unwrap()
    }

    pub(super) fn user(&self, name: &str, roles: &[(&str, Role)]) -> Arc<UserInfo> {
        let roles = roles.iter().map(|(project, role)| ((*project).to_owned(), *role)).collect();
        let email = format!("{name}@example.com");
        let password = Some(password(PASSWORD));
        let new = NewUser { email, name: String::new(), roles, password };
        self.people().create(new, NOW).unwrap().0
    }

    pub(super) fn sign_in(&self, name: &str, now: Timestamp) -> Granted {
        self.try_sign_in(name, PASSWORD, "192.0.2.1", now).unwrap()
    }

    pub(super) fn try_sign_in(
        &self,
        name: &str,
        secret: &str,
        from: &str,
        now: Timestamp,
    ) -> Result<Granted, PeopleError> {
        let email = format!("{name}@example.com");
        self.people().sign_in(&email, &password(secret), place(from), now)
    }

    pub(super) fn is_in(&self, granted: &Granted, now: Timestamp) -> bool {
        let found = self.people().find(granted.access.reveal().as_bytes(), now);
        let still = self.people().is_still(&granted.person, now);
        assert_eq!(matches!(found, Found::Person(_)), still, "{found:?}");
        still
    }

    pub(super) fn why(&self) -> Vec<&'static str> {
        self.people().take_ended().iter().map(|ended| ended.why.as_str()).collect()
    }
}

pub(super) fn password(text: &str) -> Password {
    Password::new(text.to_owned()).unwrap()
}

pub(super) fn place(from: &str) -> Place {
    let address: IpAddr = from.parse().unwrap();
    Place { address, user_agent: "curl/8".to_owned() }
}

pub(super) fn after(seconds: i64) -> Timestamp {
    NOW.plus(seconds * SECOND)
}

pub(super) fn roles(json: &str) -> UserChange {
    UserChange { roles: serde_json::from_str(json).unwrap(), ..UserChange::default() }
}
