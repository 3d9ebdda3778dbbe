//! Which journals there are.

use serde::{Deserialize, Serialize};

/// A journal whose entries are kept as events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Calls that were done, and what connections brought.
    Access,
    /// What someone should look at.
    Advisory,
    /// Whom the gate turned away.
    Blocked,
    /// What people did.
    Dashboard,
    /// Calls that failed, and messages that did not parse.
    Failed,
    /// How people came and went.
    Session,
}

impl Which {
    /// Every journal.
    pub const ALL: [Self; 6] =
        [Self::Access, Self::Advisory, Self::Blocked, Self::Dashboard, Self::Failed, Self::Session];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Advisory => "advisory",
            Self::Blocked => "blocked",
            Self::Dashboard => "dashboard",
            Self::Failed => "failed",
            Self::Session => "session",
        }
    }

    /// The project that its entries are kept in.
    pub const fn project(self) -> &'static str {
        match self {
            Self::Access => "_access",
            Self::Advisory => "_advisory",
            Self::Blocked => "_blocked",
            Self::Dashboard => "_dashboard",
            Self::Failed => "_failed",
            Self::Session => "_session",
        }
    }
}
