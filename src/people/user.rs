//! A user, as may be known of them, and what one is asked to be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::email::Email;
use super::error::PeopleError;
use super::password::{Hashed, Password};
use super::role::Role;
use crate::time::{Timestamp, text};

/// All that may be known of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserInfo {
    /// Their public id: `usr_` and hex digits.
    pub id: String,
    /// What they sign in with.
    pub email: Email,
    /// What people call them; may be empty.
    pub name: String,
    /// What they are, by project.
    pub roles: BTreeMap<String, Role>,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// When they were made.
    #[serde(with = "text")]
    pub created_at: Timestamp,
    /// When their password was set.
    #[serde(with = "text")]
    pub password_changed_at: Timestamp,
}

/// A user with the hash of their password.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) info: UserInfo,
    pub(super) hash: Hashed,
}

/// What a new user is asked to be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewUser {
    /// What they sign in with.
    pub email: String,
    /// What people call them: up to 100 bytes. Default: nothing else than their address.
    pub name: String,
    /// What they are, by project: one at the least.
    pub roles: BTreeMap<String, Role>,
    /// Their password: 12 characters at the least. Default: one that is made.
    pub password: Option<Password>,
}

/// What is to change of a user; what is not named stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UserChange {
    /// What people call them.
    pub name: Option<String>,
    /// What they are, by project; `null` takes a role away.
    pub roles: BTreeMap<String, Option<Role>>,
    /// Whether they may not sign in.
    pub disabled: Option<bool>,
}

impl UserInfo {
    /// What they are in a project.
    pub fn role_in(&self, project: &str) -> Option<Role> {
        self.roles.get(project).copied()
    }

    /// Whether they own the project whose owners govern the daemon, and may sign in.
    pub(super) fn is_first_owner(&self) -> bool {
        !self.disabled && self.role_in(DEFAULT_PROJECT) == Some(Role::Owner)
    }

    /// As they are after a change.
    pub(super) fn changed(&self, change: UserChange) -> Result<Self, PeopleError> {
        let mut changed = self.clone();
        if let Some(name) = change.name {
            changed.name = checked_name(name)?;
        }
        for (project, role) in change.roles {
            match role {
                Some(role) => drop(changed.roles.insert(project, role)),
                None => drop(changed.roles.remove(&project)),
            }
        }
        if changed.roles != self.roles {
            check_roles(&changed.roles)?;
        }
        changed.disabled = change.disabled.unwrap_or(changed.disabled);
        Ok(changed)
    }

    /// Whether a role is higher than it was before.
    pub(super) fn rises_from(&self, before: &Self) -> bool {
        self.roles.iter().any(|(project, role)| Some(*role) > before.role_in(project))
    }
}

/// Checks what people call somebody.
pub(super) fn checked_name(name: String) -> Result<String, PeopleError> {
    if name.len() > MAX_NAME || name.chars().any(char::is_control) {
        let expected = format!("at most {MAX_NAME} bytes without control characters");
        return Err(PeopleError::invalid("name", expected, "another"));
    }
    Ok(name)
}

/// Checks the roles of somebody.
pub(super) fn check_roles(roles: &BTreeMap<String, Role>) -> Result<(), PeopleError> {
    let count = roles.len();
    if (1..=MAX_ROLES).contains(&count) {
        return Ok(());
    }
    let expected = format!("roles in 1 to {MAX_ROLES} projects");
    Err(PeopleError::invalid("roles", expected, count))
}

/// The project whose owners and admins govern the daemon (SPEC §1).
pub(super) const DEFAULT_PROJECT: &str = "default";

/// The longest name, in bytes.
const MAX_NAME: usize = 100;

/// Projects that somebody may have a role in.
const MAX_ROLES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> UserInfo {
        UserInfo {
            id: "usr_1".to_owned(),
            email: Email::parse("ann@example.com").unwrap(),
            name: "Ann".to_owned(),
            roles: [("default".to_owned(), Role::Admin)].into(),
            disabled: false,
            created_at: Timestamp::default(),
            password_changed_at: Timestamp::default(),
        }
    }

    #[test]
    fn what_is_not_named_stays() {
        let change = |json: &str| ann().changed(serde_json::from_str(json).unwrap());
        assert_eq!(change("{}").unwrap(), ann());
        let with = change(r#"{"roles":{"shop":"viewer"}}"#).unwrap();
        assert_eq!(
            (with.role_in("shop"), with.role_in("default")),
            (Some(Role::Viewer), Some(Role::Admin))
        );
        assert!(change(r#"{"roles":{"default":null}}"#).is_err(), "one role at the least");
        let moved = change(r#"{"roles":{"default":null,"shop":"owner"},"disabled":true}"#).unwrap();
        assert_eq!((moved.role_in("default"), moved.disabled), (None, true));
        assert!(change(r#"{"name":"a\u0000b"}"#).is_err());
        let many: BTreeMap<_, _> = (0..101).map(|n| (n.to_string(), Some(Role::Viewer))).collect();
        assert!(ann().changed(UserChange { roles: many, ..UserChange::default() }).is_err());
    }

    #[test]
    fn a_role_rises_or_does_not() {
        let table = [
            (r#"{"default":"owner"}"#, true),
            (r#"{"default":"viewer"}"#, false),
            (r#"{"default":"admin"}"#, false),
            (r#"{"shop":"viewer"}"#, true),
            (r#"{"default":"viewer","shop":"viewer"}"#, true),
        ];
        for (roles, want) in table {
            let roles = serde_json::from_str(roles).unwrap();
            let changed = ann().changed(UserChange { roles, ..UserChange::default() }).unwrap();
            assert_eq!(changed.rises_from(&ann()), want, "{changed:?}");
        }
    }
}
