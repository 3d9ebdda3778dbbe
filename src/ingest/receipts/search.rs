//! Where a connection is in what others left.

/// How a connection is compared with what broken ones of its sender left.
#[derive(Debug)]
pub(super) struct Search {
    /// Who its sender is.
    pub(super) source: u64,
    /// Where its next message is expected: the connection that left it, and the place there.
    pub(super) at: Option<(u64, usize)>,
    /// Whether the messages before that place were surely copies.
    pub(super) is_sure: bool,
    /// How often it may yet be looked for a message that is not where it was expected.
    pub(super) scans: u32,
    /// Messages that may yet come which are in no list, because they are not stored.
    pub(super) missing: Option<usize>,
    /// Whether nothing is expected any longer.
    pub(super) is_over: bool,
    /// Connections all of whose messages have come again.
    pub(super) done: Vec<u64>,
}

impl Search {
    pub(super) fn new(source: u64) -> Self {
        Self {
            source,
            at: None,
            is_sure: false,
            scans: MAX_SCANS,
            missing: None,
            is_over: false,
            done: Vec::new(),
        }
    }
}

/// How often a connection may look through all that was left. A sender's workers that share their
/// windows go on elsewhere now and then.
const MAX_SCANS: u32 = 64;
