//! What an event is known by, where its sender gave it an id.

/// What an event is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Of what its sender calls it, and where.
    pub id: u64,
    /// Of what it says.
    pub content: u64,
}
