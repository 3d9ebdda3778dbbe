//! The connection that calls come on, where it is one of a listener.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::event::AuthMethod;
use crate::gate::Connection;

/// A connection that was admitted before its first call, and what its handshake told.
///
/// Its calls follow one another. Each takes the gate's count of the connection with it and gives it
/// back, so that the key of a call is counted as the connection's.
#[derive(Clone, Debug)]
pub(crate) struct Carrier {
    connection: Arc<Mutex<Option<Connection>>>,
    key: Option<(Arc<str>, AuthMethod)>,
    /// Whether who calls is who was admitted, and not someone for whom a proxy calls.
    is_admitted: bool,
}

impl Carrier {
    /// An admitted connection, bound to the key of that public id if its handshake showed one.
    pub(crate) fn new(connection: Connection, key: Option<(String, AuthMethod)>) -> Self {
        let key = key.map(|(id, method)| (id.into(), method));
        Self { connection: Arc::new(Mutex::new(Some(connection))), key, is_admitted: true }
    }

    /// The same for a call that its peer makes for someone else, who is yet to be admitted.
    pub(super) fn for_someone(&self) -> Self {
        let key = self.key.clone();
        Self { connection: Arc::default(), key, is_admitted: false }
    }

    /// Whether who calls was admitted with the connection.
    pub(super) fn is_admitted(&self) -> bool {
        self.is_admitted
    }

    /// The key of all of its calls, whatever they say, by its public id.
    pub(super) fn key(&self) -> Option<(&str, AuthMethod)> {
        self.key.as_ref().map(|(id, method)| (&**id, *method))
    }

    /// The gate's count of it, for a call.
    pub(super) fn take(&self) -> Option<Connection> {
        self.connection.lock().take()
    }

    /// Takes it back.
    pub(super) fn give_back(&self, connection: Option<Connection>) {
        *self.connection.lock() = connection;
    }
}
