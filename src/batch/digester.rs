//! The thread beside the writer that tells what sealing has to know of what is on disk.
//!
//! Words are a third of the work that a text of some kilobytes makes: a writer that gathers them as well
//! is behind while other processors idle. Of short texts they are little, and done sooner where the rows
//! still are in the processor's cache.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, Scope};

use super::open::Batcher;
use crate::failpoint;
use crate::store::{Rows, Staged, tokens::Words};

/// Batches that are on disk, and the rows that they were packed from, in the same order.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) packed: Vec<Arc<Staged>>,
    pub(super) rows: Vec<Rows>,
}

/// Gives what is written to the thread.
#[derive(Debug)]
pub(super) struct Digester<'b> {
    batcher: &'b Batcher,
    thread: SyncSender<Written>,
    words: Words,
}

impl<'b> Digester<'b> {
    /// Starts the thread; it ends when this is dropped.
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>, batcher: &'b Batcher) -> Self
    where
        'b: 'scope,
    {
        let (thread, written) = sync_channel(0);
        let work = move || work(&written, batcher);
        Builder::new()
            .name("digester".to_owned())
            .spawn_scoped(scope, work)
            .expect("a thread more");
        Self { batcher, thread, words: Words::default() }
    }

    /// Tells what has to be known of what is `written`, and lets the batcher have the memory again. The
    /// thread does so of long texts while it has nothing else to do: without a queue it cannot fall behind.
    ///
    /// # Panics
    ///
    /// When the thread did.
    pub(super) fn digest(&mut self, written: Written) {
        if !written.is_long() {
            return written.digest(self.batcher, &mut self.words);
        }
        match self.thread.try_send(written) {
            Err(TrySendError::Full(written)) => written.digest(self.batcher, &mut self.words),
            sent => sent.expect("it goes on for as long as this does"),
        }
    }
}

impl Written {
    fn is_long(&self) -> bool {
        let (bytes, rows) = (self.rows.iter().map(Rows::bytes), self.rows.iter().map(Rows::len));
        bytes.sum::<usize>() >= rows.sum::<usize>() * LONG
    }

    fn digest(self, batcher: &Batcher, words: &mut Words) {
        for (staged, rows) in self.packed.iter().zip(self.rows) {
            staged.digest(&rows, words);
            batcher.give_back(rows);
        }
    }
}

fn work(written: &Receiver<Written>, batcher: &Batcher) {
    let mut words = Words::default();
    while let Ok(written) = written.recv() {
        failpoint::reached("digester");
        written.digest(batcher, &mut words);
    }
}

/// Bytes of a row from which on words are much of the work.
const LONG: usize = 512;
