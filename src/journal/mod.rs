//! What the daemon notes about itself: whom it turned away, and what failed.
//!
//! A note is folded into the equal ones of the same second, so that who floods the daemon with
//! refusals cannot fill the disk with them; the counts stay exact. Past a bound of different notes
//! the source, then everything but the code, is left out of them.
//!
//! Noting takes a short lock and waits for nothing. Once a second [`Journal::drain`] makes events
//! of the notes, which are stored, queried and kept like any others, in projects of their own
//! (`_blocked`, `_failed`).

mod entry;
mod fold;

pub use self::entry::{Blocked, Call, Failed, FieldError, Which, shown};
pub use self::fold::{Journal, Note};
