//! Lines of the log on their way to standard error.
//!
//! Whoever reads it may be slow, gone, or out of room. A thread of its own writes, so that nobody
//! else ever waits: lines for which there is no place are left out, and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Where lines go.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    to: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

/// What is sent to the thread that writes.
enum Item {
    Line(Vec<u8>),
    /// Whoever asks waits until all before it is written.
    Flush(SyncSender<()>),
}

impl Lines {
    /// Begins writing to `place`.
    ///
    /// # Errors
    ///
    /// The system has no thread left.
    pub(super) fn begin(place: impl Write + Send + 'static) -> io::Result<Self> {
        let (to, lines) = sync_channel(MAX_LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(&lines, place, &counted))?;
        Ok(Self { to, lost })
    }

    /// How many lines were left out so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits until what was said is written, but not for ever.
    pub(super) fn flush(&self) {
        let (written, waiting) = sync_channel(1);
        let mut left = FLUSH;
        let mut item = Item::Flush(written);
        loop {
            match self.to.try_send(item) {
                Ok(()) => break,
                Err(std::sync::mpsc::TrySendError::Full(back)) if !left.is_zero() => item = back,
                Err(_) => return,
            }
            thread::sleep(PAUSE);
            left = left.saturating_sub(PAUSE);
        }
        let _written: Result<(), RecvTimeoutError> = waiting.recv_timeout(left);
    }
}

/// Takes a line at a time.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut kept = line.get(..MAX_LINE).unwrap_or(line).to_vec();
        if kept.len() < line.len() {
            kept.extend_from_slice(CUT);
        }
        if self.to.try_send(Item::Line(kept)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Writes until nobody is left who could say something.
fn write_all(lines: &Receiver<Item>, mut place: impl Write, lost: &AtomicU64) {
    let mut told = 0;
    while let Ok(item) = lines.recv() {
        match item {
            Item::Flush(written) => drop(written.try_send(())),
            Item::Line(line) => {
                let missing = lost.load(Ordering::Relaxed);
                if missing > told {
                    let what =
                        format!("logtrace: {} lines of the log are missing\n", missing - told);
                    if place.write_all(what.as_bytes()).is_ok() {
                        told = missing;
                    }
                }
                if place.write_all(&line).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Lines that wait to be written: at most so many,
const MAX_LINES: usize = 1024;
/// and so many bytes of each.
const MAX_LINE: usize = 8 << 10;
/// Stands where a line was cut.
const CUT: &[u8] = " …\n".as_bytes();

/// How long the last lines may take.
const FLUSH: Duration = Duration::from_secs(1);
/// How often it is looked whether there is a place.
const PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    /// Takes what is written once it is let, and fails where it is told to.
    #[derive(Clone, Default)]
    struct Place {
        taken: Arc<Mutex<Vec<u8>>>,
        fails: Arc<std::sync::atomic::AtomicBool>,
    }

    impl Write for Place {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.fails.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.taken.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn cf_06_nobody_waits_for_a_reader_and_what_is_missing_is_said() {
        let place = Place::default();
        let mut lines = Lines::begin(place.clone()).unwrap();
        let held = place.taken.lock();
        // The writer waits with a line in its hands at the most.
        for number in 0..MAX_LINES + 10 {
            lines.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        assert!((9..=10).contains(&lines.lost()), "{}", lines.lost());
        drop(held);
        lines.flush();
        let missing = lines.lost();
        lines.write_all("x".repeat(20_000).as_bytes()).unwrap();
        lines.flush();
        let said = String::from_utf8(place.taken.lock().clone()).unwrap();
        assert!(said.contains(&format!("logtrace: {missing} lines of the log are missing\n")));
        assert!(said.ends_with("xx …\n"));
        assert!(said.len() < 2 * MAX_LINE + MAX_LINES * 10, "{}", said.len());
    }

    #[test]
    fn cf_06_a_full_disk_costs_lines_and_nothing_else() {
        let place = Place::default();
        let mut lines = Lines::begin(place.clone()).unwrap();
        place.fails.store(true, Ordering::Relaxed);
        lines.write_all(b"nowhere to go\n").unwrap();
        lines.flush();
        assert_eq!(lines.lost(), 1);
        place.fails.store(false, Ordering::Relaxed);
        lines.write_all(b"room again\n").unwrap();
        lines.flush();
        let said = String::from_utf8(place.taken.lock().clone()).unwrap();
        assert_eq!(said, "logtrace: 1 lines of the log are missing\nroom again\n");
    }
}
