//! Takes the messages of one read into one open batch.

use std::sync::Arc;
use std::time::Duration;

use super::content::Inspector;
use super::copies::Copies;
use super::decoder::Decoder;
use super::heard::Heard;
use super::identities::Claim;
use super::listener::{Format, Listener};
use super::local::{Local, show};
use super::reads::Datagram;
use super::refusing::{Named, Refusing};
use super::scrub::{scrub, taken};
use super::sender::{Sender, who};
use super::session::Session;
use super::source::Source;
use super::{Ingest, skew};
use crate::batch::Ticket;
use crate::event::{Credential, Event, Known, Tag, Value};
use crate::frame::{Frames, Framing, JsonValues, Step, datagram};
use crate::gate::{Allowance, Offer, Reason, Refusal, Stage};
use crate::ids;
use crate::journal::Call;
use crate::metrics::Failure;
use crate::parse::{self, Context};
use crate::store::Rows;
use crate::time::Timestamp;

/// The messages of one read on their way into `rows`.
pub(super) struct Intake<'a> {
    pub(super) ingest: &'a Ingest,
    rows: &'a mut Rows,
    pub(super) at: Timestamp,
    pub(super) run: Option<Run>,
    refusing: Option<Refusing>,
    pub(super) wait: Duration,
    pub(super) inspector: Inspector,
    /// Messages accepted so far.
    pub(super) accepted: u64,
    /// Why messages were refused, and how many.
    pub(super) refused: Vec<(Refusal, u64)>,
    /// Whether it was told that the clock of a sender is off.
    pub(super) has_told: bool,
    /// The places of those that were over a limit.
    pub(super) over: Vec<usize>,
    /// What was stored lately and came again.
    pub(super) copies: Copies<'a>,
    /// Whom it heard; `None` where nobody wants to know.
    pub(super) heard: Option<Heard>,
}

/// Messages in a row of one sender, charged together.
pub(super) struct Run {
    pub(super) sender: Sender,
    /// What of it passes.
    allowance: Allowance,
    /// Whether its rows have begun.
    has_rows: bool,
    /// Whether all of it is over a limit, and to be marked so.
    is_queued: bool,
}

impl<'a> Intake<'a> {
    /// `at`: when the read was made.
    pub(super) fn new(
        ingest: &'a Ingest,
        session: &mut Session,
        rows: &'a mut Rows,
        at: Timestamp,
    ) -> Self {
        Self {
            ingest,
            rows,
            at,
            run: None,
            refusing: None,
            wait: Duration::ZERO,
            inspector: Inspector::new(&ingest.gate),
            accepted: 0,
            refused: Vec::new(),
            has_told: false,
            over: Vec::new(),
            copies: Copies::default(),
            heard: ingest.listen(session),
        }
    }

    /// Takes events that came before for what they are; `ticket` is that of `rows`.
    pub(super) fn knowing(self, ticket: &'a Ticket) -> Self {
        Self { copies: Copies { ticket: Some(ticket), ..self.copies }, ..self }
    }

    /// Takes one datagram: a message, or of Logstash's as many as its codec finds in it.
    pub(super) fn datagram(
        &mut self,
        session: &mut Session,
        Datagram { bytes, len, .. }: Datagram<'_>,
        max_len: usize,
    ) {
        let cut = (len > bytes.len()).then_some(len as u64);
        let mut decoder = match session.listener.format {
            Format::Json | Format::Beats | Format::Gelf => {
                Decoder::Json(Box::new(JsonValues::new(max_len)))
            }
            Format::Line => Decoder::Frames(Box::new(Frames::new(Framing::Lf, max_len))),
            Format::Syslog | Format::JournalExport => {
                let (bytes, original_len) = datagram(bytes, max_len);
                let original_len = original_len.max(cut);
                return match bytes {
                    [] => session.listener.account.fail(Failure::Empty, 1, 0),
                    _ => self.message(session, bytes, original_len, ids::suspects(bytes)),
                };
            }
        };
        let (mut rest, mut found) = (bytes, false);
        while let Step::Message { bytes, consumed, original_len } = decoder.next(rest, true) {
            self.message(session, bytes, original_len, ids::suspects(bytes));
            rest = rest.get(consumed..).unwrap_or_default();
            found = true;
        }
        if !found {
            session.listener.account.fail(Failure::Empty, 1, bytes.len() as u64);
        }
    }

    /// Takes one message in which, or around which, so many secrets seem to be.
    pub(super) fn message(
        &mut self,
        session: &mut Session,
        raw: &[u8],
        original_len: Option<u64>,
        suspects: usize,
    ) {
        if session.may_greet {
            session.may_greet = false;
            if let Some(secret) = parse::hello(raw) {
                session.bind_secret(secret, crate::event::AuthMethod::Hello);
                return;
            }
        }
        self.inspector.look(raw, session.listener.format);
        let cx = self.context(&session.listener);
        let mut event = std::mem::take(&mut session.spare).begin();
        let bytes = original_len.unwrap_or(raw.len() as u64);
        let source = Source { raw, suspects, bytes, original_len, place: None };
        let local = session.local.take();
        match session.listener.format {
            Format::Syslog => {
                parse::syslog(raw, &cx, &mut event);
                show(local.as_ref(), &mut event);
                self.event(session, &mut event, source);
            }
            Format::Line => {
                parse::line(raw, &cx, &mut event);
                show(local.as_ref(), &mut event);
                self.event(session, &mut event, source);
            }
            Format::JournalExport => {
                parse::journal(raw, &cx, &mut event);
                self.event(session, &mut event, source);
            }
            Format::Json | Format::Beats | Format::Gelf => {
                self.values(session, local.as_ref(), source, &mut event);
            }
        }
        if event.fields.capacity() <= MAX_SPARE {
            event.leave(&mut session.spare);
        }
        session.local = local;
        if let Some(own) = &mut session.own {
            own.end_message();
        }
    }

    /// Takes the events of a line of JSON, or of a message of Beats.
    fn values<'e>(
        &mut self,
        session: &mut Session,
        local: Option<&'e Local>,
        mut source: Source<'e>,
        event: &mut Event<'e>,
    ) {
        let (cx, raw) = (self.context(&session.listener), source.raw);
        let format = session.listener.format;
        let mut each = |event: &mut Event<'e>| {
            show(local, event);
            self.event(session, event, source);
            source.bytes = 0; // the events of one line have its bytes once
        };
        // What is no JSON came as an event with a tag, which says so.
        let read = match format {
            Format::Beats => parse::json::beats(raw, &cx, event, &mut each),
            Format::Gelf => parse::json::gelf(raw, &cx, event, &mut each),
            _ => parse::json::json(raw, &cx, event, &mut each),
        };
        let _tagged = read.is_err();
        if format == Format::Beats && source.bytes > 0 {
            // Its sender counts it, though there is nothing in it.
            session.listener.account.fail(Failure::Empty, 1, source.bytes);
        }
    }

    /// Takes one parsed event; says whether its sender may pass.
    pub(super) fn event(
        &mut self,
        session: &mut Session,
        event: &mut Event<'_>,
        source: Source<'_>,
    ) -> bool {
        if let Some(own) = &mut session.own {
            own.event();
        }
        if self.inspector.suspects() && self.offends(session, event, source) {
            return false;
        }
        let verdict = self.ingest.verdict(session, event.credential.as_ref(), self.at);
        let same = match (verdict, &self.run) {
            (Ok(sender), Some(run)) => Arc::ptr_eq(&sender.origin, &run.sender.origin),
            _ => false,
        };
        if !same {
            match verdict.clone() {
                Ok(sender) => {
                    if !self.begin_run(session, sender, source) {
                        return true;
                    }
                }
                Err(refusal) => {
                    self.turn_away(session, refusal, event.credential.as_ref(), source.bytes);
                    return false;
                }
            }
        }
        if session.own.is_some() && self.is_again(session, event, source) {
            return true;
        }
        let project = self.run.as_ref().map(|run| &*run.sender.origin.project);
        let identity = match self.copies.claim(self.ingest, project.unwrap_or_default(), event) {
            Some(Claim::Again(ticket)) => {
                self.copies.add(session, source.place, source.bytes, ticket);
                return true;
            }
            Some(Claim::New(identity)) => Some(identity),
            None => None,
        };
        if let Some(heard) = &mut self.heard {
            heard.note(event, &source, self.at); // with room for it or not: its sender is not quiet
        }
        if !self.admit(event, source) {
            identity.into_iter().for_each(|identity| self.ingest.identities.give_up(identity));
            return true;
        }
        self.mark(session, event, source);
        self.rows.push(event);
        if let Some(own) = &mut session.own {
            own.stored();
        }
        if let Some(identity) = identity {
            self.rows.remember(identity);
        }
        true
    }

    /// Begins the run of another sender, unless it has had all its requests of this hour.
    fn begin_run(&mut self, session: &mut Session, sender: Sender, source: Source<'_>) -> bool {
        let is_queued = match self.ingest.request_within(session, sender.key.as_ref()) {
            Ok(is_queued) => is_queued || session.is_queued,
            Err(refusal) => {
                self.refuse(session, &refusal, Named::Sender(&sender), 1, source.bytes);
                self.over.extend(source.place);
                return false;
            }
        };
        self.end_run(session);
        if let Some(heard) = &mut self.heard {
            self.ingest.hear_others(session, heard, &sender, self.at);
        }
        let who = who(session, &sender);
        let allowance = self.ingest.gate.grant(who, self.ingest.elapsed());
        self.run = Some(Run { sender, allowance, has_rows: false, is_queued });
        true
    }

    /// Marks what is odd about an event, and takes secrets out.
    fn mark(&mut self, session: &Session, event: &mut Event<'_>, source: Source<'_>) {
        if self.run.as_ref().is_some_and(|run| run.is_queued) {
            event.tag(Tag::Queued);
        }
        if let Some(len) = source.original_len {
            event.tag(Tag::Truncated);
            event.set(Known::OriginalLength, Value::Number(len.to_string().into()));
        } else if session.is_beginning {
            event.tag(Tag::Truncated);
        }
        skew::show(event, self.at);
        scrub(event, source.suspects > taken(event));
        if !event.tags.is_empty() {
            self.note_tags(session, event, source.raw);
        }
    }

    /// Whether content rules turn an event away, after what comes before them in the order of checks.
    fn offends(&mut self, session: &mut Session, event: &Event<'_>, source: Source<'_>) -> bool {
        let credential = event.credential.as_ref();
        let verdict = self.ingest.verdict(session, credential, self.at).clone();
        if verdict.as_ref().is_err_and(|refusal| refusal.reason.stage() < Stage::Content) {
            return false;
        }
        let is_known =
            verdict.as_ref().is_err_and(|refusal| refusal.reason != Reason::InvalidApiKey);
        let sender = verdict.ok();
        let project = sender.as_ref().map(|sender| &*sender.origin.project);
        let name = &session.listener.name;
        let verdicts = self.inspector.verdicts(event, name, project, self.at);
        let stranger = match &sender {
            Some(_) => None,
            None => self.ingest.named(session, credential, is_known),
        };
        let key = match &sender {
            Some(sender) => sender.masked().map(str::to_owned),
            None => stranger.as_ref().map(|(key, _)| key.clone()),
        };
        for dry in &verdicts.dry {
            let project = sender.as_ref().map(|sender| Arc::clone(&sender.origin.project));
            let project = project.or_else(|| stranger.as_ref().and_then(|(_, of)| of.clone()));
            self.ingest.note_dry(dry, 1, Call { project, ..session.call(key.clone()) });
        }
        let Some(refusal) = verdicts.refusal else { return false };
        let named = match &sender {
            Some(sender) => Named::Sender(sender),
            None => Named::Stranger(stranger),
        };
        self.refuse(session, &refusal, named, 1, source.bytes);
        true
    }

    /// Whether the limits of the run let an event pass, marked as one over them if need be.
    fn admit(&mut self, event: &mut Event<'_>, source: Source<'_>) -> bool {
        let Some(run) = &mut self.run else { return false };
        match run.allowance.offer(source.bytes, || event.is_severe()) {
            Offer::Pass => {}
            Offer::Queue => event.tag(Tag::Queued),
            Offer::Sample(one_in) => {
                event.tag(Tag::Sampled);
                let rate = Value::Number(one_in.to_string().into());
                event.put(SAMPLE_RATE.into(), rate);
            }
            Offer::Shed => {
                self.over.extend(source.place);
                return false;
            }
        }
        if !std::mem::replace(&mut run.has_rows, true) {
            self.rows.begin(&run.sender.origin, self.at.as_micros());
        }
        true
    }

    /// Charges and books what is left. Returns how long the sender is to wait, and what was
    /// refused.
    pub(super) fn finish(&mut self, session: &mut Session) -> (Duration, u64) {
        self.end_run(session);
        self.end_refusing(session);
        if let Some(heard) = self.heard.take() {
            self.ingest.end_listening(session, heard, self.at);
        }
        (self.wait, self.accepted)
    }

    /// Whether the batch takes more, of up to so many bytes.
    pub(super) fn has_room(&self, max_bytes: usize) -> bool {
        self.rows.bytes() < max_bytes && !self.rows.is_full()
    }

    pub(super) fn context(&self, listener: &Listener) -> Context {
        Context {
            received_at: self.at,
            zone_offset: listener.zone_offset,
            keep_original: listener.keep_original,
        }
    }

    /// Charges the run to its sender, and books it.
    fn end_run(&mut self, session: &mut Session) {
        let Some(Run { sender, allowance, .. }) = self.run.take() else { return };
        let tally = allowance.tally();
        if tally.passed + tally.shed == 0 {
            return;
        }
        let at = self.ingest.elapsed();
        let charge = self.ingest.gate.settle(who(session, &sender), &allowance, at);
        self.wait = self.wait.max(charge.wait);
        if tally.passed > 0 {
            session.listener.account.accept(tally.passed, tally.bytes);
            if let Some(account) = &sender.account {
                account.accept(tally.passed, tally.bytes);
            }
            session.usage.add(&sender, tally.passed, tally.bytes, at);
        }
        if let Some(key) = sender.key.as_ref().filter(|_| tally.passed > 0) {
            self.ingest.gate.note_events(key, tally.passed, tally.bytes, self.at);
        }
        self.accepted += tally.passed;
        if let Some(rule) = charge.rule {
            self.ingest.count_over(rule, tally, &charge);
        }
        for (rule, would) in charge.shadow.into_iter().flatten() {
            let call = session.call(sender.masked().map(str::to_owned));
            let project = Some(Arc::clone(&sender.origin.project));
            self.ingest.note_shadow(rule, would, Call { project, ..call });
        }
        if let Some(rule) = tally.shed_by() {
            let refusal = Refusal::fixed(Reason::RateLimitExceeded, rule);
            self.refuse(session, &refusal, Named::Sender(&sender), tally.shed, tally.shed_bytes);
        }
        if let Some(heard) = &mut self.heard {
            heard.sender = Some(sender);
        }
    }

    /// Turns away a message of one who may not pass. In a flood the next one is most often alike.
    fn turn_away(
        &mut self,
        session: &Session,
        refusal: Refusal,
        credential: Option<&Credential<'_>>,
        bytes: u64,
    ) {
        let secret = credential.map(|credential| &*credential.secret);
        if let Some(same) = &mut self.refusing
            && same.refusal == refusal
            && same.secret.as_deref() == secret
        {
            same.count += 1;
            same.bytes += bytes;
            return;
        }
        self.end_refusing(session);
        let is_known = refusal.reason != Reason::InvalidApiKey;
        let named = self.ingest.named(session, credential, is_known);
        let secret = secret.map(<[u8]>::to_vec);
        self.refusing = Some(Refusing { refusal, secret, named, count: 1, bytes });
    }

    /// Books and notes the messages that were turned away.
    fn end_refusing(&mut self, session: &Session) {
        let Some(Refusing { refusal, secret, named, count, bytes }) = self.refusing.take() else {
            return;
        };
        self.ingest.blame(session, secret.as_deref(), &refusal, count, self.at);
        self.refuse(session, &refusal, Named::Stranger(named), count, bytes);
    }

    fn refuse(
        &mut self,
        session: &Session,
        refusal: &Refusal,
        named: Named<'_>,
        count: u64,
        bytes: u64,
    ) {
        let reason = Reason::ALL.iter().position(|reason| *reason == refusal.reason);
        let reason = reason.unwrap_or_default();
        session.listener.account.block(reason, count, bytes);
        // What a message says is not always its sender's doing: a web server brings what strangers ask
        // of it. Who has a good key is not blocked for that.
        let is_brought = matches!(&named, Named::Sender(sender) if sender.key.is_some());
        let (key, project) = match named {
            Named::Sender(sender) => {
                if let Some(account) = &sender.account {
                    account.block(reason, count, bytes);
                }
                if let Some(key) = &sender.key {
                    self.ingest.gate.note_refused(key, refusal.reason, count, self.at);
                }
                let project = Some(Arc::clone(&sender.origin.project));
                (sender.masked().map(str::to_owned), project)
            }
            Named::Stranger(Some((key, project))) => (Some(key), project),
            Named::Stranger(None) => (None, None),
        };
        match self.refused.iter_mut().find(|(other, _)| other == refusal) {
            Some((_, sum)) => *sum += count,
            None => self.refused.push((refusal.clone(), count)),
        }
        let mut call = Call { project, ..session.call(key) };
        call.is_forgeable |= is_brought;
        self.ingest.note_refusal(refusal, count, call);
    }
}

/// The field that says of how many events one that was sampled stands for.
const SAMPLE_RATE: &str = "event.sample_rate";

/// Fields that an event kept for its memory may have room for; one with more was an exception.
const MAX_SPARE: usize = 64;
