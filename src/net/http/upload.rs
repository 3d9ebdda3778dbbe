//! `POST /upload`: entries of systemd's journal, as systemd-journal-upload sends them.
//!
//! One call goes on until its sender has no more entries, which may take hours. Entries are stored
//! as they come, and the answer says that all of them are durable. The sender remembers how far it
//! came only when it is told so: whatever else is answered, it begins again behind the last call
//! that was done. What comes again so is known by its cursor, and stored once.
//!
//! Memory for a window and for a long entry is asked for before it is taken; a sender for whom there is
//! none, not even in a while, is told to come again.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::attempt::Attempt;
use super::call::{admit, count};
use super::carrier::Carrier;
use super::problem::{Blame, Problem};
use super::{Door, body, content_type};
use crate::batch::Ticket;
use crate::frame::{Encoding, InflateError, Inflating, JournalExport};
use crate::ingest::{Decoder, Format, Session};
use crate::memory::{By, Hold};
use crate::parse::http_secret;

/// Takes an upload.
pub(super) async fn take(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let door = Door {
        ingest: Arc::clone(&door.ingest),
        listener: Arc::new(door.listener.reading(Format::JournalExport)),
        config: door.config.clone(),
        stop: door.stop.clone(),
    };
    let mut attempt = Attempt::new(peer.ip(), &request);
    let (head, body) = request.into_parts();
    match admitted(&door, &mut attempt, &head, body).await {
        Ok(()) => say(StatusCode::ACCEPTED, "OK.\n".to_owned()),
        Err(problem) => attempt.answer_by(&door, problem, refused),
    }
}

/// An answer, which says how the next upload may be compressed (systemd 258 and later ask for it).
fn say(status: StatusCode, body: String) -> Response {
    (status, [(header::ACCEPT_ENCODING, "zstd")], body).into_response()
}

/// What is said of an upload that was not done.
fn refused(problem: &Problem) -> Response {
    let status = problem.status_for_shippers();
    let mut response = say(status, format!("{}\n", problem.detail));
    problem.add_headers(&mut response, "Basic realm=\"logtrace\"");
    response
}

async fn admitted(
    door: &Door,
    attempt: &mut Attempt,
    head: &Parts,
    content: Body,
) -> Result<(), Problem> {
    let secret = http_secret(|name| head.headers.get(name).map(HeaderValue::as_bytes));
    let carrier = head.extensions.get::<Carrier>().cloned();
    let (mut session, key) = admit(door, attempt, carrier.as_ref(), secret.as_deref())?;
    session.skip_greeting();
    let taken = async {
        if let Some(key) = key {
            count(door, attempt, &mut session, &key).await?;
        }
        if content_type(head) != "application/vnd.fdo.journal" {
            return Err(Problem::another_type("application/vnd.fdo.journal"));
        }
        let is_compressed = match body::encoding(&head.headers)? {
            Encoding::Identity => false,
            Encoding::Zstd => true,
            _ => return Err(another_encoding()),
        };
        let mut upload = Upload::new(door, attempt, &mut session);
        let taken = upload.run(content, is_compressed).await;
        door.ingest.note_end(&mut session);
        taken
    }
    .await;
    if let Some(carrier) = carrier {
        carrier.give_back(session.into_connection());
    }
    taken
}

/// An upload that is under way.
struct Upload<'a> {
    door: &'a Door,
    attempt: &'a mut Attempt,
    session: &'a mut Session,
    decoder: Decoder,
    /// Where the body is compressed.
    inflating: Option<Inflating>,
    /// What the longest entry may have taken so far, in bytes, where that is more than its own part.
    widest: usize,
    /// Of entries that are on their way to the disk, oldest first.
    tickets: VecDeque<Ticket>,
    /// What it has of the memory that all share.
    hold: Hold,
    /// Says when its sender may be one who may not send any longer.
    changes: watch::Receiver<u64>,
}

impl<'a> Upload<'a> {
    fn new(door: &'a Door, attempt: &'a mut Attempt, session: &'a mut Session) -> Self {
        let mut changes = door.ingest.gate().changes();
        changes.mark_unchanged();
        Self {
            door,
            attempt,
            session,
            decoder: decoder(door),
            inflating: None,
            widest: 0,
            tickets: VecDeque::new(),
            hold: Hold::new(Arc::clone(door.ingest.memory()), By::Bodies),
            changes,
        }
    }

    /// Takes a body to its end.
    async fn run(&mut self, mut body: Body, is_compressed: bool) -> Result<(), Problem> {
        while let Some(data) = self.read(&mut body).await? {
            self.attempt.request_bytes += data.len() as u64;
            match is_compressed {
                true => self.inflate(&data).await?,
                false => self.take_all(&data).await?,
            }
            self.settle_memory();
            self.door.ingest.note_minute(self.session);
        }
        if self.inflating.as_ref().is_some_and(|inflating| !inflating.is_whole()) {
            return Err(corrupt(&InflateError::Truncated));
        }
        self.take(&[], true).await?;
        // Who may not write by now may not be told that all was written.
        self.may_go_on()?;
        self.settle(0).await
    }

    /// The next part of the body; `None` at its end.
    async fn read(&mut self, body: &mut Body) -> Result<Option<Bytes>, Problem> {
        self.door.ingest.rest(self.session); // the next part may be hours away
        loop {
            let patience = self.door.config.body_timeout;
            let frame = tokio::select! {
                biased;
                Ok(()) = self.changes.changed() => {
                    self.may_go_on()?;
                    continue;
                }
                () = self.door.stop.cancelled() => return Err(Problem::stopping()),
                () = self.hold.told() => return Err(body::busy()),
                frame = timeout(patience, body.frame()) => frame,
            };
            let Ok(frame) = frame else {
                let detail = format!("expected more of the body within {patience:?}");
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail));
            };
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    Err(_trailers) => {}
                },
                Some(Err(_)) => {
                    let detail = "expected the rest of the body, but found the end";
                    return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_body", detail));
                }
            }
        }
    }

    /// Takes a part of the body, and undoes its compression.
    async fn inflate(&mut self, mut data: &[u8]) -> Result<(), Problem> {
        if self.inflating.is_none() {
            body::reserve(&mut self.hold, Inflating::OWN + self.widest).await?;
            self.inflating = Some(Inflating::new().map_err(|error| corrupt(&error))?);
        }
        while let Some(inflating) = &mut self.inflating {
            let wanted = inflating.memory_for(data) + Inflating::MAX_PART + self.widest;
            body::reserve(&mut self.hold, wanted).await?;
            let (used, part) = inflating.next(data).map_err(|error| corrupt(&error))?;
            data = data.get(used..).unwrap_or_default();
            if used == 0 && part.is_empty() {
                break;
            }
            self.take_all(&part).await?;
        }
        Ok(())
    }

    /// Takes content, a little at a time: what is kept of an entry grows by no more than there is
    /// memory for.
    async fn take_all(&mut self, content: &[u8]) -> Result<(), Problem> {
        for part in content.chunks(PART) {
            let entry = self.decoder.memory() + part.len();
            if entry > OWN {
                // A buffer that grows has room for twice as much.
                self.widest = self.widest.max(2 * entry);
                let wanted = self.of_inflating() + self.widest;
                body::reserve(&mut self.hold, wanted).await?;
            }
            self.take(part, false).await?;
        }
        Ok(())
    }

    /// Gives back what it has no use for until more comes.
    fn settle_memory(&mut self) {
        if self.widest > 0 && self.decoder.memory() == 0 {
            // Between two entries a new one is as good, and has no room for a long one.
            (self.decoder, self.widest) = (decoder(self.door), 0);
        }
        let kept = self.of_inflating() + self.widest;
        self.hold.set(kept.min(self.hold.bytes()));
    }

    /// What undoing the compression takes, in bytes.
    fn of_inflating(&self) -> usize {
        self.inflating.as_ref().map_or(0, |one| one.memory() + Inflating::MAX_PART)
    }

    /// Takes content that came.
    async fn take(&mut self, mut content: &[u8], eof: bool) -> Result<(), Problem> {
        loop {
            let ingest = &self.door.ingest;
            let taken = ingest.stream(self.session, &mut self.decoder, content, eof).await;
            content = content.get(taken.consumed..).unwrap_or_default();
            if taken.ticket.is_some() {
                self.hold.progress();
            }
            // What came before is answered for as well.
            self.tickets.extend(taken.earlier);
            self.tickets.extend(taken.ticket);
            if let Some(error) = self.decoder.broken() {
                ingest.malformed(self.session, &error);
                let problem = Problem::new(StatusCode::BAD_REQUEST, error.code, error.message);
                return Err(problem.blamed(Blame::Noted));
            }
            self.settle(MAX_TICKETS).await?;
            self.wait(taken.wait).await?;
            if taken.drained {
                return Ok(());
            }
        }
    }

    /// Waits: a sender over its limit is read more slowly; it loses nothing.
    async fn wait(&mut self, long: Duration) -> Result<(), Problem> {
        if long.is_zero() {
            return Ok(());
        }
        tokio::select! {
            () = sleep(long.min(MAX_WAIT)) => Ok(()),
            () = self.hold.told() => Err(body::busy()),
        }
    }

    /// Waits until all but the last so many tickets are durable.
    async fn settle(&mut self, but: usize) -> Result<(), Problem> {
        while self.tickets.len() > but {
            let Some(ticket) = self.tickets.pop_front() else { break };
            ticket.durable().await.map_err(|_| Problem::not_stored())?;
        }
        while self.tickets.front().is_some_and(Ticket::is_durable) {
            self.tickets.pop_front();
        }
        Ok(())
    }

    /// Whether the sender may still write.
    fn may_go_on(&mut self) -> Result<(), Problem> {
        let ingest = &self.door.ingest;
        match ingest.admit_call(self.session) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(Problem::refused(&refusal)),
        }
    }
}

fn decoder(door: &Door) -> Decoder {
    Decoder::Dialogue(Box::new(JournalExport::new(door.config.max_message)))
}

fn another_encoding() -> Problem {
    let detail = "expected a Content-Encoding of zstd or identity, but found another";
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Problem::new(status, "unsupported_encoding", detail).at("content-encoding")
}

fn corrupt(error: &InflateError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_encoding", error.to_string()).at("body")
}

/// Bytes of an entry that are its own, and part of what a connection takes.
const OWN: usize = 16 << 10;

/// Bytes of content that are taken at once.
const PART: usize = 8 << 10;

/// Batches of a sender that may be on their way to the disk.
const MAX_TICKETS: usize = 64;

/// How long a sender over its limit is held back before it is looked at again.
const MAX_WAIT: Duration = Duration::from_secs(10);
