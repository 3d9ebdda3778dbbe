//! What a key may do, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One right of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Send events.
    #[serde(rename = "write:logs")]
    WriteLogs,
    /// Query events.
    #[serde(rename = "read:logs")]
    ReadLogs,
    /// Change alerts and monitors.
    #[serde(rename = "write:alerts")]
    WriteAlerts,
    /// Read the journals.
    #[serde(rename = "read:audit")]
    ReadAudit,
    /// Change projects, keys, lists and settings.
    #[serde(rename = "admin:projects")]
    AdminProjects,
}

/// Some of the rights; shown as a list of their names.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes(u8);

/// The place of a key in its project.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Keys that begin with `lt_live_`.
    #[default]
    Production,
    /// Keys that begin with `lt_test_`.
    Staging,
    /// Keys that begin with `lt_test_`.
    Development,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] =
        [Self::WriteLogs, Self::ReadLogs, Self::WriteAlerts, Self::ReadAudit, Self::AdminProjects];

    /// The name, such as `write:logs`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WriteLogs => "write:logs",
            Self::ReadLogs => "read:logs",
            Self::WriteAlerts => "write:alerts",
            Self::ReadAudit => "read:audit",
            Self::AdminProjects => "admin:projects",
        }
    }

    /// The scope of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }

    /// The rule that refuses who does not have it.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::WriteLogs => "key:scope:write:logs",
            Self::ReadLogs => "key:scope:read:logs",
            Self::WriteAlerts => "key:scope:write:alerts",
            Self::ReadAudit => "key:scope:read:audit",
            Self::AdminProjects => "key:scope:admin:projects",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::WriteLogs => 1,
            Self::ReadLogs => 2,
            Self::WriteAlerts => 4,
            Self::ReadAudit => 8,
            Self::AdminProjects => 16,
        }
    }
}

impl Scopes {
    /// All of them.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether `scope` is one of these.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// These, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl From<Vec<Scope>> for Scopes {
    fn from(scopes: Vec<Scope>) -> Self {
        scopes.into_iter().collect()
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.iter().collect()
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Scope::as_str)).finish()
    }
}

impl Environment {
    /// The name, such as `production`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
        }
    }

    /// What its secrets begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Production => "lt_live_",
            Self::Staging | Self::Development => "lt_test_",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for scope in Scope::ALL {
            assert_eq!(Scope::named(scope.as_str()), Some(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
            assert_eq!(scope.rule(), format!("key:scope:{}", scope.as_str()));
        }
        assert_eq!(Scope::named("write"), None);
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        for bits in 0..32u8 {
            let scopes: Scopes = Scope::ALL.into_iter().filter(|s| bits & s.bit() != 0).collect();
            for scope in Scope::ALL {
                assert_eq!(scopes.contains(scope), bits & scope.bit() != 0);
            }
            let text = serde_json::to_string(&scopes).unwrap();
            assert_eq!(serde_json::from_str::<Scopes>(&text).unwrap(), scopes);
        }
    }
}
