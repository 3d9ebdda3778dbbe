//! Whoever makes changes on behalf of somebody lets them be recorded in the batch that makes them.
//!
//! Why by thread, and not as an argument? What is changed knows nothing of who asked for it, and
//! is not to: the recorder is held on the stack of the call that knows, for as long as that call
//! takes, and a commit below it finds it.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Db, Error, Write};

/// Commits writes together with what is to be known of them.
pub trait Recorder {
    /// Does what [`Db::commit`] would: `write`, and whatever else, durable together.
    ///
    /// # Errors
    ///
    /// As [`Db::commit`]; nothing of it is then done.
    fn commit(&self, db: &Db, write: &Write<'_>) -> Result<(), Error>;
}

impl Db {
    /// Runs `change`; everything that it commits on this thread is committed by `recorder`, whose
    /// own commits are plain ones. Of recorders within each other the innermost counts.
    pub fn recorded<T>(recorder: Rc<dyn Recorder>, change: impl FnOnce() -> T) -> T {
        let before = RECORDER.replace(Some(recorder));
        let _back = Back(before);
        change()
    }
}

/// The recorder of this thread, which has none until it is dropped.
pub(super) struct Taken {
    recorder: Rc<dyn Recorder>,
    _back: Back,
}

/// Puts the recorder back that was there before, however the call ends.
struct Back(Option<Rc<dyn Recorder>>);

/// Takes the recorder of this thread, if it has one.
pub(super) fn take() -> Option<Taken> {
    let recorder = RECORDER.take()?;
    Some(Taken { _back: Back(Some(Rc::clone(&recorder))), recorder })
}

impl Taken {
    pub(super) fn commit(&self, db: &Db, write: &Write<'_>) -> Result<(), Error> {
        self.recorder.commit(db, write)
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        RECORDER.set(self.0.take());
    }
}

thread_local! {
    static RECORDER: RefCell<Option<Rc<dyn Recorder>>> = const { RefCell::new(None) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Family, Options};

    /// Counts what it commits under a key of its own.
    struct Count(RefCell<u8>);

    impl Recorder for Count {
        fn commit(&self, db: &Db, write: &Write<'_>) -> Result<(), Error> {
            *self.0.borrow_mut() += 1;
            let mut own = Write::default();
            own.put(Family::Audit, b"n".as_slice(), vec![*self.0.borrow()]);
            db.commit_together(db.opened(), &[write, &own])
        }
    }

    #[test]
    fn changes_are_recorded_in_their_own_batch_and_no_others_are() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), &Options::default()).unwrap();
        let count = Rc::new(Count(RefCell::new(0)));
        let recorder: Rc<dyn Recorder> = Rc::<Count>::clone(&count);
        db.meta_put(b"a", b"1").unwrap();
        Db::recorded(recorder, || {
            db.meta_put(b"a", b"2").unwrap();
            db.meta_delete(b"a").unwrap();
            let other = std::thread::scope(|scope| {
                scope.spawn(|| db.meta_put(b"b", b"1").is_ok()).join().unwrap()
            });
            assert!(other);
        });
        db.meta_put(b"a", b"3").unwrap();
        assert_eq!(*count.0.borrow(), 2);
        assert_eq!(db.get(Family::Audit, b"n").unwrap().as_deref(), Some(&[2][..]));
        assert_eq!(db.meta_get(b"a").unwrap().as_deref(), Some(&b"3"[..]));
    }

    #[test]
    fn what_was_read_before_a_reopen_is_not_built_upon() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), &Options::default()).unwrap();
        let opened = db.opened();
        let mut write = Write::default();
        write.put(Family::Audit, b"n".as_slice(), b"1".as_slice());
        db.commit_together(opened, &[&write]).unwrap();
        db.reopen().unwrap();
        assert!(matches!(db.commit_together(opened, &[&write]), Err(Error::Reopened)));
        assert_eq!(db.latched(), None);
        db.commit_together(db.opened(), &[&write]).unwrap();
    }
}
