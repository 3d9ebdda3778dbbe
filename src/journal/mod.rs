//! What the daemon notes about itself: what was done, whom it turned away, what failed, and what
//! someone should look at.
//!
//! A note is folded into the equal ones of the same second, so that who floods the daemon with
//! refusals cannot fill the disk with them; the counts stay exact. Past a bound of different notes
//! the source, then everything but the code, is left out of them. Only calls that were done, and
//! what connections brought, have entries of their own, and are folded where there are very many.
//! What people do is told apart by all that there is of it.
//!
//! Noting takes a short lock and waits for nothing. Once a second [`Journal::drain`] makes events
//! of the notes, which are stored, queried and kept like any others, in projects of their own
//! (`_access`, `_advisory`, `_blocked`, `_dashboard`, `_failed`, `_session`). What is noted at all, [`Settings`] say.

mod access;
mod advisory;
mod entry;
mod fold;
mod person;
mod settings;
mod single;
mod told;
mod which;

pub use self::access::{Access, Status};
pub use self::advisory::Advisory;
pub use self::entry::{Blocked, Call, Failed, FieldError, shown};
pub use self::fold::{Journal, Note};
pub use self::person::{Activity, Actor, Visit};
pub use self::settings::{KeptBodies, MAX_BODIES, MAX_BODY_DAYS, Settings};
pub use self::which::Which;
