//! How many messages of each connection were answered, as far as a daemon that is killed can still
//! say.
//!
//! ```text
//!  ANSWERED = what this is (16 bytes), which start of the machine (16), then slots of 16 bytes:
//!             connection, messages that were answered
//! ```
//!
//! The file is written behind each answer and never synced: what is killed leaves its pages to the
//! system. After another start of the machine it says nothing.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Builder;

use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;
use tracing::debug;

/// The file, and the thread that writes it: answers do not wait for it.
#[derive(Debug)]
pub struct Answered(Arc<Shared>);

/// The place of one connection in the file, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    shared: Arc<Shared>,
    number: usize,
}

/// What the file said when it was opened: how many messages of a connection were answered, and its
/// place, to be kept as long as somebody may ask again.
pub type Told = FxHashMap<u64, (u64, Slot)>;

#[derive(Debug)]
struct Shared {
    slots: Box<[Place]>,
    free: Mutex<Vec<usize>>,
    todo: Mutex<Todo>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Place {
    connection: AtomicU64,
    answered: AtomicU64,
    is_dirty: AtomicBool,
}

#[derive(Debug, Default)]
struct Todo {
    dirty: Vec<usize>,
    stop: bool,
}

impl Answered {
    /// Opens or makes the file in `folder`; with what it says.
    ///
    /// # Errors
    ///
    /// There is no room for it, or no thread.
    pub fn open(folder: &Path) -> io::Result<(Self, Told)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(folder.join(NAME))?;
        let head = [*MAGIC, boot()].concat();
        let mut bytes = vec![0; head.len() + SLOTS * LEN];
        let len = file.metadata()?.len();
        let is_ours = len == bytes.len() as u64 && file.read_exact_at(&mut bytes, 0).is_ok();
        if !is_ours || !bytes.starts_with(&head) {
            // All of it is written at once, so that there is room later.
            bytes.fill(0);
            file.write_all_at(&bytes, 0)?;
            file.write_all_at(&head, 0)?;
        }
        let (slots, _) = bytes.get(head.len()..).unwrap_or_default().as_chunks::<8>();
        let shared = Arc::new(Shared {
            slots: (0..SLOTS).map(|_| Place::default()).collect(),
            free: Mutex::default(),
            todo: Mutex::default(),
            wake: Condvar::new(),
        });
        let mut told = Told::default();
        for (number, place) in slots.as_chunks::<2>().0.iter().enumerate() {
            let [connection, answered] = place.map(u64::from_le_bytes);
            if connection == 0 {
                shared.free.lock().push(number);
                continue;
            }
            if let Some(place) = shared.slots.get(number) {
                place.connection.store(connection, Ordering::Relaxed);
                place.answered.store(answered, Ordering::Relaxed);
            }
            told.insert(connection, (answered, Slot { shared: Arc::clone(&shared), number }));
        }
        let own = Arc::clone(&shared);
        Builder::new().name("answered".to_owned()).spawn(move || own.write(&file, head.len()))?;
        Ok((Self(shared), told))
    }

    /// A place for a connection, none of whose messages was answered yet; none where too many have
    /// one.
    pub fn slot(&self, connection: u64) -> Option<Slot> {
        let number = self.0.free.lock().pop()?;
        let slot = Slot { shared: Arc::clone(&self.0), number };
        slot.set(connection, 0);
        Some(slot)
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.todo.lock().stop = true;
        self.0.wake.notify_one();
    }
}

impl Slot {
    /// Says that so many messages were answered.
    pub fn note(&self, answered: u64) {
        if let Some(place) = self.shared.slots.get(self.number) {
            place.answered.store(answered, Ordering::Release);
            self.shared.touch(self.number, place);
        }
    }

    /// Says nothing of the connection any longer.
    pub fn void(&self) {
        self.set(0, 0);
    }

    fn set(&self, connection: u64, answered: u64) {
        if let Some(place) = self.shared.slots.get(self.number) {
            place.connection.store(connection, Ordering::Relaxed);
        }
        self.note(answered);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.void();
        self.shared.free.lock().push(self.number);
    }
}

impl Shared {
    fn touch(&self, number: usize, place: &Place) {
        if !place.is_dirty.swap(true, Ordering::AcqRel) {
            self.todo.lock().dirty.push(number);
            self.wake.notify_one();
        }
    }

    /// Writes what has changed, until it is told to stop.
    fn write(&self, file: &File, head: usize) {
        let mut dirty = Vec::new();
        loop {
            {
                let mut todo = self.todo.lock();
                while todo.dirty.is_empty() && !todo.stop {
                    self.wake.wait(&mut todo);
                }
                std::mem::swap(&mut dirty, &mut todo.dirty);
                if dirty.is_empty() {
                    return;
                }
            }
            for number in dirty.drain(..) {
                let Some(place) = self.slots.get(number) else { continue };
                place.is_dirty.store(false, Ordering::Release);
                let answered = place.answered.load(Ordering::Acquire);
                let numbers = [place.connection.load(Ordering::Acquire), answered];
                let bytes = numbers.map(u64::to_le_bytes).concat();
                // What is not said here is told from what its sender says twice by its time.
                if let Err(error) = file.write_all_at(&bytes, (head + number * LEN) as u64) {
                    debug!(%error, "cannot write down how much was answered");
                }
            }
        }
    }
}

/// Which start of the machine this is; zeros where it does not say.
fn boot() -> [u8; 16] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).unwrap_or_default().to_be_bytes()
}

const NAME: &str = "ANSWERED";

const MAGIC: &[u8; 16] = b"logtrace answers";

/// Connections that have a place at the same time; of others it is not told.
const SLOTS: usize = 16_384;

/// Bytes of a place.
const LEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// What the file says once the thread has nothing to do.
    fn told(folder: &Path) -> Vec<(u64, u64)> {
        let (_answered, told) = Answered::open(folder).unwrap();
        let mut told: Vec<_> = told.iter().map(|(id, (answered, _))| (*id, *answered)).collect();
        told.sort_unstable();
        told
    }

    #[test]
    fn what_was_answered_is_told_after_the_end_and_places_are_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let wait = |want: &[(u64, u64)]| {
            let bytes = || fs::read(folder.path().join(NAME)).unwrap();
            let place = |at: &[u8]| {
                let number = |at: &[u8]| u64::from_le_bytes(at.try_into().unwrap());
                (number(&at[..8]), number(&at[8..]))
            };
            loop {
                let bytes = bytes();
                let places = bytes[32..].chunks(LEN).map(place).filter(|(id, _)| *id != 0);
                let mut found: Vec<_> = places.collect();
                found.sort_unstable();
                if found == want {
                    return;
                }
                std::thread::yield_now();
            }
        };
        let (answered, before) = Answered::open(folder.path()).unwrap();
        assert_eq!(before.len(), 0);
        let (one, two) = (answered.slot(1).unwrap(), answered.slot(2).unwrap());
        one.note(5);
        one.note(7);
        wait(&[(1, 7), (2, 0)]);
        drop(two);
        wait(&[(1, 7)]);
        let all: Vec<_> = (2..).map_while(|id| answered.slot(id)).collect();
        assert_eq!(all.len(), SLOTS - 1);
        drop(all);
        wait(&[(1, 7)]);
        std::mem::forget(one); // as a daemon that is killed leaves it
        assert_eq!(told(folder.path()), [(1, 7)]);
    }

    #[test]
    fn of_another_start_of_the_machine_nothing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let head = [*MAGIC, *b"another boot id."].concat();
        let mut bytes = [&head[..], &vec![1; SLOTS * LEN]].concat();
        fs::write(&path, &bytes).unwrap();
        assert_eq!(told(folder.path()), []);
        assert_eq!(fs::read(&path).unwrap().len(), bytes.len());
        bytes.truncate(100);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(told(folder.path()), []);
    }
}
