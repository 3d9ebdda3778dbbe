//! What one of those who share the memory has of it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::By;
use super::budget::{Budget, Full};
use super::relief::Told;

/// Memory that is reserved, given back when dropped. Nothing at first, which costs nothing.
#[derive(Debug)]
pub struct Hold {
    budget: Arc<Budget>,
    by: By,
    bytes: usize,
    /// Its number, and whether it has to go, while it holds something that others may want.
    holder: Option<(u64, Arc<Told>)>,
}

impl Hold {
    /// Nothing yet.
    pub const fn new(budget: Arc<Budget>, by: By) -> Self {
        Self { budget, by, bytes: 0, holder: None }
    }

    /// How much it is, in bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is so little left that who can do with less should.
    pub fn is_pressed(&self) -> bool {
        self.budget.is_pressed()
    }

    /// Says how much is in use, whether or not there is room for it.
    pub fn set(&mut self, bytes: usize) {
        match bytes.checked_sub(self.bytes) {
            Some(0) => return,
            Some(more) => self.budget.take(self.by, more),
            None => self.budget.give(self.by, self.bytes - bytes),
        }
        self.hold(bytes);
    }

    /// The same, where more is only had if there is room for it.
    ///
    /// # Errors
    ///
    /// There is none; it is as it was.
    pub fn try_set(&mut self, bytes: usize) -> Result<(), Full> {
        if let Some(more @ 1..) = bytes.checked_sub(self.bytes) {
            self.budget.try_take(self.by, more)?;
            self.hold(bytes);
        } else {
            self.set(bytes);
        }
        Ok(())
    }

    /// Takes `more` when there is room. Nothing is taken where it is dropped before.
    pub async fn grow(&mut self, more: usize) {
        let holder = self.holder.as_ref().map(|(number, _)| *number);
        self.budget.wait(self.by, more, holder).await;
        self.hold(self.bytes.saturating_add(more));
    }

    /// Says that a message came to its end.
    pub fn progress(&self) {
        if let Some((number, _)) = &self.holder {
            self.budget.update(*number, self.bytes, true);
        }
    }

    /// Says that it is kept for us until it [goes on](Self::go_on): nobody gains by its going.
    pub fn keep_for_us(&self) {
        if let Some((number, _)) = &self.holder {
            self.budget.keep_for_us(*number);
        }
    }

    /// Says that its sender is waited for again.
    pub fn go_on(&self) {
        if let Some((number, _)) = &self.holder {
            self.budget.go_on(Some(*number));
        }
    }

    /// Ready once it has to go, because others wait for what it holds.
    pub fn poll_told(&self, cx: &Context<'_>) -> Poll<()> {
        match &self.holder {
            Some((_, told)) => told.poll(cx),
            None => Poll::Pending,
        }
    }

    /// Returns once it has to go.
    pub fn told(&self) -> impl Future<Output = ()> + Send + use<> {
        let told = self.holder.as_ref().map(|(_, told)| Arc::clone(told));
        poll_fn(move |cx| told.as_ref().map_or(Poll::Pending, |told| told.poll(cx)))
    }

    fn hold(&mut self, bytes: usize) {
        self.bytes = bytes;
        match &self.holder {
            // Queries end by themselves.
            _ if self.by == By::Queries => {}
            Some((number, _)) if bytes == 0 => {
                self.budget.forget(*number);
                self.holder = None;
            }
            Some((number, _)) => self.budget.update(*number, bytes, false),
            None if bytes > 0 => self.holder = Some(self.budget.register(self.by, bytes)),
            None => {}
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.set(0);
    }
}
