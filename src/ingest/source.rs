//! What an event was parsed from.

/// What an event was parsed from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// The message, or the body that it came in with others.
    pub(super) raw: &'a [u8],
    /// Secrets that seem to be in there.
    pub(super) suspects: usize,
    /// Bytes that it is charged for.
    pub(super) bytes: u64,
    /// The length that it had before it was cut.
    pub(super) original_len: Option<u64>,
    /// Its place in the list that it came in.
    pub(super) place: Option<usize>,
}
