//! Whether there is room on the disk, and what is done while there is none.
//!
//! ```text
//!           free < floor                      refused: full, read-only, no descriptors, gone
//!  clear ─────────────────▶ held ◀────────────────────────────────────────────── clear
//!    ▲                        │ nothing is written; readers wait, queries go on
//!    └── free ≥ floor + ⅛ ────┘ and, where a write was refused, the engine opened anew
//! ```

use std::path::Path;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::{error, info, warn};

use crate::db::{Ballast, DiskConfig, Space, Trouble};
use crate::store::{Error, Store};

/// The room that a store has.
#[derive(Debug)]
pub struct Room {
    config: DiskConfig,
    ballast: Ballast,
    /// Held while the engine is opened anew.
    state: Mutex<State>,
    /// What is told meanwhile.
    shown: Mutex<RoomStatus>,
}

/// How it is, for health and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoomStatus {
    /// What the file system has.
    pub space: Space,
    /// Bytes that are to stay free.
    pub floor: u64,
    /// Why nothing is written for the time being, in a few words.
    pub held: Option<&'static str>,
    /// How often the engine was opened anew since the start.
    pub reopened: u64,
}

#[derive(Debug, Default)]
struct State {
    status: RoomStatus,
    why: Option<Why>,
    looked: Option<Instant>,
    /// When it was last tried to open the engine anew.
    tried: Option<Instant>,
    /// Whether it was said that this failed.
    has_told: bool,
}

/// Why nothing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Less is free than should be.
    Low,
    /// No more files can be made, or soon none.
    Files,
    /// A write was refused, or would be.
    Trouble(Trouble),
}

impl Room {
    /// The room of the store in `folder`.
    pub fn new(folder: &Path, config: &DiskConfig) -> Self {
        let ballast = Ballast::new(folder, config);
        Self { config: config.clone(), ballast, state: Mutex::default(), shown: Mutex::default() }
    }

    /// How it was when it was last looked at.
    pub fn status(&self) -> RoomStatus {
        *self.shown.lock()
    }

    /// Says that a write was refused: the next look is not put off.
    pub(super) fn refused(&self) {
        self.state.lock().looked = None;
    }

    /// Looks, unless it has just been done, and says whether `store` may be written to. Where there
    /// is room again, the engine is opened anew if it has to be.
    ///
    /// # Errors
    ///
    /// The disk failed, and only a new process may go on.
    pub(super) fn look(&self, store: &Store) -> Result<bool, Trouble> {
        let state = &mut *self.state.lock();
        if state.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(state.why.is_none());
        }
        state.looked = Some(Instant::now());
        let now = self.found(store, state);
        if now == Some(Why::Trouble(Trouble::Fatal)) {
            return Err(Trouble::Fatal);
        }
        match (state.why, now) {
            (None, Some(why)) => state.enter(why),
            (Some(before), Some(why)) if before != why => state.enter(why),
            (Some(_), None) => state.leave(),
            _ => {}
        }
        *self.shown.lock() = state.status;
        if state.why.is_none() {
            self.make_ballast(state.status);
        }
        Ok(state.why.is_none())
    }

    /// Makes way for something small on a disk that is full: throws the ballast overboard, and
    /// opens the engine anew where it takes no more writes.
    ///
    /// # Errors
    ///
    /// When that was not enough.
    pub fn make_way(&self, store: &Store) -> Result<(), Error> {
        store.make_way()
    }

    /// Why nothing may be written now.
    fn found(&self, store: &Store, state: &mut State) -> Option<Why> {
        let latched = store.db().latched();
        if latched == Some(Trouble::Fatal) {
            return Some(Why::Trouble(Trouble::Fatal));
        }
        let space = Space::of(store.db().path()).unwrap_or_default();
        let floor = self.config.floor(space.total);
        (state.status.space, state.status.floor) = (space, floor);
        if !store.db().is_in_place() {
            // It may be mounted again.
            return self.reopen(store, state, Trouble::Gone);
        }
        if space.read_only {
            return Some(Why::Trouble(Trouble::ReadOnly));
        }
        let more = match state.why {
            None => 0,
            Some(_) if self.ballast.is_there() => floor / 8,
            Some(_) => floor / 8 + self.ballast.len(space.total),
        };
        if space.files < MIN_FILES {
            return Some(Why::Files);
        }
        if space.free < floor + more {
            return Some(latched.map_or(Why::Low, Why::Trouble));
        }
        latched.and_then(|trouble| self.reopen(store, state, trouble))
    }

    /// Opens the engine anew, if a file can be written at all, and not more often than once in a
    /// while: a quota that is used up, for one, is not to be seen from the space that is free.
    fn reopen(&self, store: &Store, state: &mut State, trouble: Trouble) -> Option<Why> {
        if state.tried.is_some_and(|at| at.elapsed() < RETRY_EVERY) {
            return Some(Why::Trouble(trouble));
        }
        state.tried = Some(Instant::now());
        match store.db().probe().map_err(Error::from).and_then(|()| store.reopen()) {
            Ok(()) => {
                state.has_told = false;
                state.status.reopened += 1;
                info!("the store was opened anew");
                None
            }
            Err(error) if store.db().latched() == Some(Trouble::Fatal) => {
                error!(%error, "the store cannot be opened anew");
                Some(Why::Trouble(Trouble::Fatal))
            }
            Err(error) => {
                if !std::mem::replace(&mut state.has_told, true) {
                    warn!(%error, "the store cannot be opened anew yet");
                }
                Some(Why::Trouble(trouble))
            }
        }
    }

    fn make_ballast(&self, status: RoomStatus) {
        let RoomStatus { space, floor, .. } = status;
        let len = self.ballast.len(space.total);
        if !self.ballast.is_there() && space.free > floor + floor / 8 + len {
            // The next look tries again.
            let _no_room_after_all = self.ballast.make(space.total).is_err();
        }
    }
}

impl State {
    fn enter(&mut self, why: Why) {
        let reason = match why {
            Why::Low => "the disk is nearly full",
            Why::Files => "the disk has no room for more files",
            Why::Trouble(trouble) => trouble.as_str(),
        };
        let RoomStatus { space, floor, .. } = self.status;
        warn!(
            reason,
            free = space.free,
            wanted = floor,
            "nothing is stored until this is mended; senders wait"
        );
        self.why = Some(why);
        self.status.held = Some(reason);
    }

    fn leave(&mut self) {
        info!(free = self.status.space.free, "there is room again: storing goes on");
        self.why = None;
        self.status.held = None;
    }
}

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long not to try again to open the engine anew.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Files that the file system must still have room for.
const MIN_FILES: u64 = 64;
