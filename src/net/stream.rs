//! Reads a connection to its end.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Sink, split};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

use super::answering::{Answering, Mute};
use super::config::OnRefused;
use super::decoding::decoder;
use super::flushed::Flushed;
use super::inbox::Inbox;
use super::phase::Phase;
use super::tcp::Acceptor;
use super::waiting::{arrived, at_once, beside, look};
use crate::event::AuthMethod;
use crate::frame::{Foreign, FrameErrors, foreign};
use crate::ingest::{Decoder, Life, Session};
use crate::parse::http_head;

/// A connection, plain or through TLS.
pub(super) struct Stream<'a> {
    acceptor: &'a Acceptor,
    session: Session,
    decoder: Decoder,
    inbox: Inbox,
    published: FrameErrors,
    /// Whether the connection ends, because its sender may not pass.
    is_refused: bool,
    /// Whether it has given back what it keeps for what comes next.
    is_resting: bool,
    /// Whether it was looked at what it begins with.
    is_begun: bool,
    /// Bytes that were read since others had their turn.
    since_turn: usize,
    /// Says when its sender may be one who is blocked by now.
    changes: watch::Receiver<u64>,
    /// Who is told whether its sender is still there, where that is answered.
    life: Option<Arc<Life>>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By its sender, in good order.
    Theirs,
    /// Its sender is gone.
    Broken,
    /// By us: its sender may still hear what there is to say.
    Ours,
}

/// A connection has to end, because others wait for the memory that it holds.
struct Crowded;

/// A connection is of something that is not spoken here.
struct IsForeign;

/// What a read brought.
enum Read {
    Bytes,
    End,
    /// The end, and not in good order.
    Broken,
    Idle,
    Stop,
    /// Others wait for the memory that its unfinished message holds.
    Crowded,
    /// Nothing: keys or lists have changed.
    Changed,
}

impl<'a> Stream<'a> {
    pub(super) fn new(acceptor: &'a Acceptor, mut session: Session) -> Self {
        let mut changes = acceptor.ingest.gate().changes();
        changes.mark_changed(); // the address was asked for some time ago, before a handshake
        let decoder = decoder(&acceptor.config);
        if decoder.is_dialogue() {
            session.skip_greeting();
        }
        Self {
            acceptor,
            session,
            changes,
            decoder,
            inbox: Inbox::new(Arc::clone(acceptor.ingest.memory())),
            published: FrameErrors::default(),
            is_refused: false,
            is_resting: true,
            is_begun: false,
            since_turn: 0,
            life: None,
        }
    }

    /// Binds the connection to the key of that public id.
    pub(super) fn bind(&mut self, id: &str, method: AuthMethod) {
        self.session.bind_id(id, method);
    }

    /// Reads until the peer ends, the connection breaks, idles too long, or the stop; what is to be
    /// answered by then is answered.
    pub(super) fn serve<S>(mut self, socket: S) -> Phase<'a>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'a,
    {
        if self.decoder.is_dialogue() {
            let (mut reader, writer) = split(socket);
            let mut answering = Answering::new(Some(writer));
            answering.hold(None, self.decoder.greeting(), 0);
            self.life = Some(self.acceptor.ingest.expect_copies(&mut self.session));
            return Phase::last(async move {
                let end = self.read_all(&mut reader, &mut answering).await;
                self.end(end, &mut answering).await;
                self.acceptor.ingest.note_end(&mut self.session);
            });
        }
        let mut reader = Flushed(socket);
        let mut unanswered = Answering::<Sink>::new(None);
        Phase::last(async move {
            self.read_all(&mut reader, &mut unanswered).await;
            self.acceptor.ingest.note_end(&mut self.session);
        })
    }

    async fn read_all<R, W>(&mut self, socket: &mut R, answering: &mut Answering<W>) -> End
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            let read = self.read(socket, answering).await;
            if matches!(read, Read::Changed) {
                if self.acceptor.ingest.is_cut(&self.session) {
                    return End::Ours;
                }
                continue;
            }
            if self.is_foreign() {
                return End::Ours;
            }
            let end = match read {
                Read::End => Some(End::Theirs),
                Read::Broken => Some(End::Broken),
                Read::Idle | Read::Stop | Read::Crowded => Some(End::Ours),
                Read::Bytes | Read::Changed => None,
            };
            match read {
                Read::Stop if self.drain(socket, answering).await.is_err() => return End::Ours,
                Read::Crowded if self.crowded() => return End::Ours,
                _ => {}
            }
            let Ok(wait) = self.take(end.is_some(), answering).await else {
                self.crowded();
                return End::Ours;
            };
            self.publish_errors();
            if let Some(error) = self.decoder.broken() {
                self.acceptor.ingest.malformed(&self.session, &error);
                return end.unwrap_or(End::Ours);
            }
            if let Some(end) = end {
                return end;
            }
            if self.is_refused || self.decoder.is_over() {
                return End::Ours;
            }
            // The runtime counts reads, and looks for what else has come once in so many of them:
            // with long ones, other connections and all clocks would stand still for seconds.
            if self.since_turn >= TURN {
                self.since_turn = 0;
                self.inbox.narrow();
                yield_now().await;
            }
            // A sender over its limit is read more slowly; it loses nothing.
            if !wait.is_zero() && self.pause(wait, answering).await {
                return End::Ours;
            }
        }
    }

    /// Says what there is to say, and finds out what of it was heard.
    async fn end<W: AsyncWrite + Unpin>(&mut self, end: End, answering: &mut Answering<W>) {
        self.life = None;
        self.heard(answering);
        let ingest = &self.acceptor.ingest;
        let all = answering.is_done();
        let last = self.decoder.last_word().filter(|_| end == End::Theirs);
        // What is left of a message is of no use to anyone, and hearing may take long.
        self.decoder = decoder(&self.acceptor.config);
        self.inbox.close(answering.memory());
        match end {
            End::Ours => {
                finish(&self.inbox, None, answering).await;
                self.heard(answering);
                ingest.ended(&mut self.session, answering.is_done());
            }
            // It may have gone while the answer was on its way.
            End::Theirs if all && ingest.may_be_unheard(&self.session) => {
                let is_clean = finish(&self.inbox, Some(last.unwrap_or_default()), answering).await;
                if !is_clean {
                    ingest.unheard(&mut self.session);
                }
                ingest.ended(&mut self.session, is_clean);
            }
            // It may be back before all is said that, most likely, nobody hears.
            End::Theirs | End::Broken => {
                ingest.ended(&mut self.session, end == End::Theirs && all);
                let last = last.filter(|_| !all);
                if finish(&self.inbox, last, answering).await && last.is_some() {
                    self.heard(answering);
                }
            }
        }
    }

    /// Notes what was said.
    fn heard<W: AsyncWrite + Unpin>(&mut self, answering: &Answering<W>) {
        self.acceptor.ingest.answered(&mut self.session, answering.said());
    }

    /// Waits; says whether the sender was blocked meanwhile, or reads no answers, or others wait for
    /// the memory that it holds.
    async fn pause<W>(&mut self, wait: Duration, answering: &mut Answering<W>) -> bool
    where
        W: AsyncWrite + Unpin,
    {
        self.inbox.narrow();
        let mut over = std::pin::pin!(sleep(wait));
        let mut told = std::pin::pin!(self.inbox.told());
        loop {
            tokio::select! {
                () = &mut over => return false,
                () = &mut told => {
                    self.crowded();
                    return true;
                }
                () = self.acceptor.stop.cancelled() => return false,
                spoken = answering.speak(true) => if spoken == Err(Mute) {
                    return true;
                },
                Ok(()) = self.changes.changed() => {
                    if self.acceptor.ingest.is_cut(&self.session) {
                        return true;
                    }
                }
            }
        }
    }

    async fn read<R, W>(&mut self, socket: &mut R, answering: &mut Answering<W>) -> Read
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        if self.acceptor.stop.is_cancelled() {
            return Read::Stop; // a sender that never pauses would otherwise never be stopped
        }
        let mut idle = self.acceptor.config.idle().unwrap_or(FOREVER);
        let read = loop {
            // What an idle connection has brought before is noted in time all the same.
            let due = self.acceptor.ingest.note_minute(&mut self.session);
            let rest = (!self.is_resting).then_some(REST);
            let patience = [due, rest].into_iter().flatten().fold(idle, Duration::min);
            let is_full = answering.is_full();
            let is_answered = self.acceptor.ingest.is_answered(&self.session);
            let look = look(self.life.as_deref(), is_full, is_answered);
            self.inbox.beside(self.decoder.memory() + answering.memory());
            let arrived = async {
                if is_full {
                    self.inbox.narrow();
                    self.acceptor.ingest.rest(&mut self.session);
                    self.inbox.told().await; // or until something was answered
                    return Err(io::ErrorKind::QuotaExceeded.into());
                }
                let mut arriving = std::pin::pin!(self.inbox.fill(socket));
                if let Poll::Ready(read) = at_once(arriving.as_mut()).await {
                    return read;
                }
                self.acceptor.ingest.rest(&mut self.session);
                arriving.await
            };
            let read = tokio::select! {
                biased; // what has arrived comes before the order to stop
                Ok(()) = self.changes.changed() => return Read::Changed,
                spoken = answering.speak(false) => match spoken {
                    Ok(()) => {
                        self.acceptor.ingest.answered(&mut self.session, answering.said());
                        continue;
                    }
                    Err(Mute) => return Read::Broken,
                },
                read = timeout(patience, arrived) => read,
                () = self.acceptor.stop.cancelled() => return Read::Stop,
                () = look => continue, // last: here nothing of the above has come
            };
            idle = idle.saturating_sub(patience);
            if read.is_ok() || idle.is_zero() {
                break read;
            }
            if rest == Some(patience) {
                self.inbox.rest();
                self.session.drop_spare();
                answering.rest();
                self.is_resting = answering.is_done();
            }
        };
        self.came(read)
    }

    /// What a read brought that may have taken too long.
    fn came(&mut self, read: Result<io::Result<usize>, Elapsed>) -> Read {
        match read {
            Ok(Ok(0)) => Read::End,
            Ok(Ok(len)) => {
                self.since_turn += len;
                self.is_resting = false;
                Read::Bytes
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::QuotaExceeded => Read::Crowded,
            // A reset connection ends like any other: what came before it counts.
            Ok(Err(_)) => Read::Broken,
            Err(_) => Read::Idle,
        }
    }

    /// Reads what the kernel holds already, unless the connection is none of ours.
    async fn drain<R, W>(
        &mut self,
        socket: &mut R,
        answering: &mut Answering<W>,
    ) -> Result<(), IsForeign>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        for _ in 0..MAX_DRAINS {
            if !matches!(arrived(self.inbox.fill(socket)).await, Some(Ok(1..))) {
                return Ok(());
            }
            if self.is_foreign() {
                return Err(IsForeign);
            }
            if self.take(false, answering).await.is_err() {
                self.crowded();
                return Ok(());
            }
            yield_now().await;
        }
        Ok(())
    }

    /// Takes what has come; says how long to wait.
    async fn take<W>(
        &mut self,
        eof: bool,
        answering: &mut Answering<W>,
    ) -> Result<Duration, Crowded>
    where
        W: AsyncWrite + Unpin,
    {
        let (mut wait, mut is_mute) = (Duration::ZERO, false);
        loop {
            self.heard(answering);
            answering.keep_alive(self.decoder.keep_alive());
            let taken = {
                let (session, decoder) = (&mut self.session, &mut self.decoder);
                let (unused, mut lent) = self.inbox.lend();
                let taking = self.acceptor.ingest.stream(session, decoder, unused, eof);
                let mut taking = std::pin::pin!(taking);
                match at_once(taking.as_mut()).await {
                    Poll::Ready(taken) => taken,
                    // Room may take its time: a sender who waits is told so meanwhile.
                    Poll::Pending => {
                        lent.keep_for_us();
                        let taken = beside(taking, answering, &mut is_mute).await;
                        lent.go_on();
                        taken
                    }
                }
            };
            if taken.refused && self.acceptor.config.on_refused == OnRefused::Close {
                // What it is not told is stored it keeps, and tries again later.
                self.is_refused = true;
                return Ok(wait);
            }
            let has_messages = taken.ticket.is_some();
            for ticket in taken.earlier {
                answering.hold(Some(ticket), Vec::new(), 0);
            }
            answering.hold(taken.ticket, taken.answers, taken.answered);
            answering.keep_alive(self.decoder.keep_alive());
            self.inbox.advance(taken.consumed);
            self.inbox.beside(self.decoder.memory() + answering.memory());
            if has_messages {
                self.inbox.progress();
            }
            wait = wait.max(taken.wait);
            match self.decoder.wants() {
                0 if taken.drained => return Ok(wait),
                0 => {}
                more => {
                    let reserving = std::pin::pin!(self.inbox.reserve(more));
                    let reserved = beside(reserving, answering, &mut is_mute).await;
                    reserved.map_err(|_| Crowded)?;
                    self.decoder.grant();
                }
            }
        }
    }

    /// Whether this is a TLS handshake on a port that has none: binary, and no log. Noted, so that
    /// an operator finds out; as is HTTP, which is text, and stays that. But a web page could write
    /// events so on a port that needs no key: what it makes a browser send has to have one. Looked at once.
    fn is_foreign(&mut self) -> bool {
        if self.is_begun || self.inbox.unused().is_empty() {
            return false;
        }
        self.is_begun = true;
        if let Some(by_page) = http_head(self.inbox.unused()) {
            let what = "expected log lines, but found what looks like HTTP".to_owned();
            self.acceptor.note(self.session.peer(), "HTTP_ON_PLAIN_PORT", what);
            if by_page {
                self.session.of_a_page();
            }
        }
        if !self.decoder.is_dialogue()
            && let Some(Foreign { code, name }) = foreign(self.inbox.unused())
        {
            // What it says is kept all the same.
            let what = format!("expected log lines, but found what looks like {name}");
            self.acceptor.note(self.session.peer(), code, what);
        }
        let foreign = self.acceptor.tls.is_none() && self.inbox.unused().starts_with(&[0x16, 0x03]);
        if foreign {
            self.acceptor.note_tls_on_plain_port(self.session.peer(), self.inbox.unused().len());
        }
        foreign
    }

    /// Notes that it ends for others; says whether what came of a message is of no use, because it comes
    /// again.
    fn crowded(&mut self) -> bool {
        let held = self.inbox.held();
        let what = format!(
            "expected the end of a message, and answers to be read, while others wait for memory, but \
             found {held} bytes that are kept"
        );
        self.acceptor.note(self.session.peer(), "MEMORY_EXHAUSTED", what);
        self.session.cut_short();
        self.decoder.is_dialogue()
    }

    fn publish_errors(&mut self) {
        let errors = self.decoder.errors();
        if errors == self.published {
            return;
        }
        let (ingest, name) = (&self.acceptor.ingest, &*self.acceptor.listener.name);
        for ((reason, now), (_, before)) in errors.iter().zip(self.published.iter()) {
            let counter = ingest.gauges().framing_errors.with_label_values(&[name, reason]);
            counter.inc_by(now - before);
        }
        self.published = errors;
    }
}

/// Says all that is held back and a last word, unless others wait for the memory that this takes.
async fn finish<W>(inbox: &Inbox, last: Option<&[u8]>, answering: &mut Answering<W>) -> bool
where
    W: AsyncWrite + Unpin,
{
    tokio::select! {
        biased;
        is_clean = answering.finish(last) => is_clean,
        () = inbox.told() => false,
    }
}

/// Bytes that one connection may bring before others have their turn.
const TURN: usize = 64 << 10;

/// How long nothing comes before a connection gives back what it keeps for what comes next.
const REST: Duration = Duration::from_secs(10);

/// Where there is no idle timeout.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

/// Reads after a stop, for senders that never pause.
const MAX_DRAINS: usize = 64;
