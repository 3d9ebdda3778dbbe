//! What is remembered of a connection from one read to the next: above all, whose it is.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::heard::{Framed, Heard};
use super::listener::Listener;
use super::local::{Local, Process};
use super::receipts::{Life, Own};
use super::requests::Counted;
use super::sender::Sender;
use super::usage::Usage;
use super::{Ingest, now, steady};
use crate::event::{AuthMethod, Credential, Memory};
use crate::gate::{Connection, Environment, Key, Reason, Refusal, Scope};
use crate::ids;
use crate::journal::Call;
use crate::store::Origin;
use crate::time::Timestamp;

/// One connection, or one address that sends datagrams.
#[derive(Debug)]
pub struct Session {
    pub(super) listener: Arc<Listener>,
    pub(super) peer: IpAddr,
    /// What the kernel says of a sender on this machine, who has no address.
    pub(super) local: Option<Local>,
    /// Whether it is one.
    is_local: bool,
    /// Counts as open as long as the session lasts.
    pub(super) connection: Option<Connection>,
    /// The key of the connection itself, before any in a message (certificate, SNI).
    above: Option<(String, AuthMethod)>,
    /// The key of the connection itself, after any in a message (first line, HTTP header).
    below: Option<(Vec<u8>, AuthMethod)>,
    /// Whether only a key that it names itself lets it pass: not that of its place or its browser.
    is_page: bool,
    /// The lists and keys that all verdicts here were made from.
    generation: Option<u64>,
    /// What the journals say of it, where that is more than of its listener.
    pub(super) described: Option<Call>,
    /// Who sends what names no key.
    plain: Option<Verdict>,
    /// The last key that a message named, and who that is.
    last: Option<(Vec<u8>, AuthMethod, Verdict)>,
    /// Whether all that comes is over a limit, and to be marked so.
    pub(super) is_queued: bool,
    /// The keys that it was counted for, where it is a call over HTTP.
    pub(super) counted: Option<Counted>,
    /// Who its sender is, and what others of it know of it, where that sends again what it is not
    /// told is stored.
    pub(super) life: Option<(u64, Arc<Life>)>,
    /// What is kept of messages whose sender may not know that they are stored.
    pub(super) own: Option<Box<Own>>,
    /// Its sender and itself, once it has left something.
    pub(super) left: Option<(u64, u64)>,
    /// What it has brought.
    pub(super) usage: Usage,
    /// How its messages are told apart.
    pub(super) framed: Framed,
    /// Whom it was from, where that is not put down yet.
    pub(super) held: Option<Box<Heard>>,
    /// Whether a first line may still name the key of all that follows.
    pub(super) may_greet: bool,
    /// Whether we end it, though its last message may have more to come.
    is_cut_short: bool,
    /// Whether the message at hand is the beginning of one, and the rest will not come.
    pub(super) is_beginning: bool,
    /// The memory of the last event.
    pub(super) spare: Memory,
}

/// Whether a sender may pass.
pub(super) type Verdict = Result<Sender, Refusal>;

/// A key that somebody showed, masked; and its project, where there is such a key.
pub(super) type NamedKey = (String, Option<Arc<str>>);

impl Session {
    /// A session of someone at `peer`. `connection` is what [`Ingest::admit`] gave.
    pub fn new(listener: Arc<Listener>, peer: IpAddr, connection: Option<Connection>) -> Self {
        let may_greet = !listener.datagrams;
        Self {
            listener,
            peer: peer.to_canonical(),
            local: None,
            is_local: false,
            connection,
            above: None,
            below: None,
            is_page: false,
            generation: None,
            described: None,
            plain: None,
            last: None,
            is_queued: false,
            counted: None,
            life: None,
            own: None,
            left: None,
            usage: Usage::default(),
            framed: Framed::default(),
            held: None,
            may_greet,
            is_cut_short: false,
            is_beginning: false,
            spare: Memory::default(),
        }
    }

    /// Ends it, and gives back what [`Ingest::admit`] gave, for the next one of the same connection.
    pub fn into_connection(self) -> Option<Connection> {
        self.connection
    }

    /// A session of someone on this machine, which is called `host`. For lists and limits that is
    /// the loopback address.
    pub fn local(listener: Arc<Listener>, host: Arc<str>, connection: Option<Connection>) -> Self {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let local = Some(Local::new(host));
        Self { local, is_local: true, ..Self::new(listener, peer, connection) }
    }

    /// Says which process sends what comes next, on this machine.
    pub fn set_process(&mut self, process: Option<Process>) {
        if let Some(local) = &mut self.local {
            local.set(process);
        }
    }

    /// Whom it serves.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Where it came in.
    pub fn listener(&self) -> &Arc<Listener> {
        &self.listener
    }

    /// Marks all that it brings as over a limit.
    pub fn queue(&mut self) {
        self.is_queued = true;
    }

    /// Says what the journals are to say of it, but for its key.
    pub fn describe(&mut self, call: Call) {
        self.described = Some(call);
    }

    /// What the journals say of it; `key` is masked.
    pub(super) fn call(&self, key: Option<String>) -> Call {
        match &self.described {
            Some(call) => Call { key, ..call.clone() },
            None => Call { key, ..self.listener.call(self.peer, None) },
        }
    }

    /// Says that a web page makes it send: what the page does not know is no key of the page's.
    pub fn of_a_page(&mut self) {
        self.is_page = !self.listener.takes_pages;
    }

    /// Takes no first line for a greeting: its protocol has other words.
    pub fn skip_greeting(&mut self) {
        self.may_greet = false;
    }

    /// We end it, though its last message may have more to come.
    pub fn cut_short(&mut self) {
        self.is_cut_short = true;
    }

    /// Looks whether the message at hand, up to the byte `consumed` of what came, is the beginning of one
    /// whose rest is not waited for.
    #[inline]
    pub(super) fn begins_with(&mut self, came: &[u8], consumed: usize, eof: bool) {
        let is_last = eof && self.is_cut_short && consumed == came.len();
        self.is_beginning = is_last && !matches!(came.last(), Some(b'\n' | b'\0'));
    }

    /// The key of its client certificate.
    pub(super) fn certificate(&self) -> Option<&str> {
        let above = self.above.as_ref().filter(|(_, method)| *method == AuthMethod::Certificate);
        above.map(|(key, _)| &**key)
    }

    /// Binds the session to the key of that public id, whatever its messages say.
    pub fn bind_id(&mut self, id: &str, method: AuthMethod) {
        self.above = Some((id.to_owned(), method));
        (self.plain, self.last) = (None, None);
    }

    /// Binds the session to a key for all messages that name none.
    pub fn bind_secret(&mut self, secret: &[u8], method: AuthMethod) {
        self.below = Some((secret.to_owned(), method));
        self.plain = None;
    }
}

impl Ingest {
    /// Who sends a message with this credential in it. Asked for every message: a key that did not
    /// change costs a comparison.
    pub(super) fn verdict<'s>(
        &self,
        session: &'s mut Session,
        credential: Option<&Credential<'_>>,
        at: Timestamp,
    ) -> &'s Verdict {
        let named = credential.filter(|_| session.above.is_none());
        match named {
            Some(named) => {
                let known = session.last.as_ref().is_some_and(|(secret, method, _)| {
                    **secret == *named.secret && *method == named.method
                });
                if !known {
                    let key = self.gate.key_of(&named.secret);
                    let key = key.ok_or_else(Refusal::key_unknown);
                    let verdict = self.judge(session, key, named.method, at);
                    session.last = Some((named.secret.to_vec(), named.method, verdict));
                }
                &session.last.as_ref().expect("just set").2
            }
            None => {
                if session.plain.is_none() {
                    session.plain = Some(self.judge_plain(session, at));
                }
                session.plain.as_ref().expect("just set")
            }
        }
    }

    /// The key that a message with this credential is judged by, masked, whether there is such a key
    /// or not; and its project, if there is and it `is_known` that there is.
    pub(super) fn named(
        &self,
        session: &Session,
        credential: Option<&Credential<'_>>,
        is_known: bool,
    ) -> Option<NamedKey> {
        let known = |key: Arc<Key>| (key.info().masked.clone(), Some(key.project().into()));
        let mask = |secret: &[u8]| {
            let unknown = || (ids::mask(&String::from_utf8_lossy(secret)), None);
            let key = is_known.then(|| self.gate.key_of(secret)).flatten();
            key.map_or_else(unknown, known)
        };
        match (&session.above, credential, &session.below, &session.listener.key) {
            (Some((id, _)), ..) | (None, None, None, Some(id)) => {
                self.gate.key_by_id(id).map(known)
            }
            (None, Some(named), ..) => Some(mask(&named.secret)),
            (None, None, Some((secret, _)), _) => Some(mask(secret)),
            (None, None, None, None) => self.gate.network_key(session.peer).map(known),
        }
    }

    /// Notes a refusal in the usage of the key that is refused, where there is such a key.
    pub(super) fn blame(
        &self,
        session: &Session,
        secret: Option<&[u8]>,
        refusal: &Refusal,
        count: u64,
        at: Timestamp,
    ) {
        if refusal.reason == Reason::InvalidApiKey {
            return; // there is none, and its sender is not worth a second look
        }
        let key = match (&session.above, secret, &session.below, &session.listener.key) {
            (Some((id, _)), ..) | (None, None, None, Some(id)) => self.gate.key_by_id(id),
            (None, Some(named), ..) => self.gate.key_of(named),
            (None, None, Some((secret, _)), _) => self.gate.key_of(secret),
            (None, None, None, None) => self.gate.network_key(session.peer),
        };
        if let Some(key) = key {
            self.gate.note_refused(&key, refusal.reason, count, at);
        }
    }

    /// Forgets verdicts that keys and lists of now, or the time, may have made wrong. Called once
    /// for each read.
    pub(super) fn refresh(&self, session: &mut Session, at: Timestamp) {
        let generation = self.gate.generation();
        let (environment, peer) = (session.listener.environment, session.peer);
        let stale = |verdict: &Verdict| match verdict {
            Ok(Sender { key: Some(key), .. }) => self.check(environment, key, peer, at).is_err(),
            // A limit of connections may have room by now.
            Err(refusal) => refusal.reason == Reason::RateLimitExceeded,
            Ok(_) => false,
        };
        if session.generation != Some(generation) {
            (session.plain, session.last) = (None, None);
            session.generation = Some(generation);
        } else {
            if session.plain.as_ref().is_some_and(stale) {
                session.plain = None;
            }
            if session.last.as_ref().is_some_and(|(_, _, verdict)| stale(verdict)) {
                session.last = None;
            }
        }
    }

    /// Who sends what names no key of its own (SPEC §2.3, from the connection's key down).
    fn judge_plain(&self, session: &mut Session, at: Timestamp) -> Verdict {
        self.gate.admit_peer(session.peer, steady())?;
        if session.is_page && session.below.is_none() {
            return Err(Refusal::web_page());
        }
        let by_id = |id: &str| self.gate.key_by_id(id).ok_or_else(Refusal::key_unknown);
        if let Some((id, method)) = session.above.clone() {
            return self.judge(session, by_id(&id), method, at);
        }
        if let Some((secret, method)) = session.below.clone() {
            let key = self.gate.key_of(&secret).ok_or_else(Refusal::key_unknown);
            return self.judge(session, key, method, at);
        }
        if let Some(id) = session.listener.key.clone() {
            return self.judge(session, by_id(&id), AuthMethod::Listener, at);
        }
        if let Some(key) = self.gate.network_key(session.peer) {
            return self.judge(session, Ok(key), AuthMethod::Network, at);
        }
        if session.listener.require_key {
            return Err(Refusal::key_required());
        }
        let sender = self.sender(session, None, AuthMethod::Anonymous);
        if let Some(connection) = &mut session.connection {
            connection.claim_project(&sender.project)?;
            if let Some(rule) = connection.would_refuse() {
                let project = Some(Arc::clone(sender.project.name()));
                self.note_shadow(rule, 1, Call { project, ..session.call(None) });
            }
        }
        Ok(sender)
    }

    fn judge(
        &self,
        session: &mut Session,
        key: Result<Arc<Key>, Refusal>,
        method: AuthMethod,
        at: Timestamp,
    ) -> Verdict {
        self.gate.admit_peer(session.peer, steady())?;
        let key = key?;
        self.check(session.listener.environment, &key, session.peer, at)?;
        if !session.listener.datagrams {
            self.gate.passed(session.peer, key.id());
        }
        if let Some(connection) = &mut session.connection {
            connection.claim(&key)?;
            if let Some(rule) = connection.would_refuse() {
                let call = session.call(Some(key.info().masked.clone()));
                self.note_shadow(rule, 1, Call { project: Some(key.project().into()), ..call });
            }
        }
        Ok(self.sender(session, Some(key), method))
    }

    /// Whether a key may be used to write logs there, now.
    fn check(
        &self,
        environment: Option<Environment>,
        key: &Key,
        peer: IpAddr,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let scope = Scope::WriteLogs;
        match environment {
            Some(environment) => self.gate.check_in(environment, key, scope, peer, at),
            None => self.gate.check(key, scope, peer, at),
        }
    }

    fn sender(&self, session: &Session, key: Option<Arc<Key>>, method: AuthMethod) -> Sender {
        let project = match &key {
            Some(key) => Arc::clone(key.budget()),
            None => self.gate.project(&session.listener.project),
        };
        let origin = Origin {
            project: Arc::clone(project.name()),
            listener: Arc::clone(&session.listener.name),
            peer: Some(session.peer).filter(|_| !session.is_local),
            key: key.as_ref().map(|key| key.id().into()),
            auth: Some(method),
        };
        let account = key.as_ref().map(|key| self.ledger.key(key.id()));
        Sender { origin: Arc::new(origin), key, project, account }
    }

    /// Whether the address that a session serves may not be connected any longer; this is noted.
    pub fn is_cut(&self, session: &Session) -> bool {
        let admitted = self.gate.admit_peer(session.peer, steady());
        let noted =
            admitted.inspect_err(|refusal| self.note_refusal(refusal, 1, session.call(None)));
        noted.is_err()
    }

    /// Whether a call with this key may write logs, before its body is read: what
    /// the session says of a message without a key of its own.
    ///
    /// # Errors
    ///
    /// It may not; this is noted.
    pub fn admit_call(&self, session: &mut Session) -> Result<Sender, Refusal> {
        let at = now();
        self.refresh(session, at);
        let verdict = self.verdict(session, None, at).clone();
        match &verdict {
            Ok(Sender { key: Some(key), .. }) => self.gate.note_request(key, at),
            Ok(_) => {}
            Err(refusal) => self.blame(session, None, refusal, 1, at),
        }
        // A key may still come with each log; whoever brings none is then refused by log.
        match verdict {
            Err(refusal) if refusal.reason != Reason::InvalidApiKey || session.below.is_some() => {
                Err(refusal)
            }
            verdict => verdict,
        }
    }
}
