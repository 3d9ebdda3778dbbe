//! What is done of every call: its address is asked for, and what failed is noted.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;

use super::Api;
use super::caller::Caller;
use super::held::holding;
use super::problem::{Noted, Problem};
use super::route;
use crate::gate::Key;
use crate::ingest::now;
use crate::journal::{Access, Activity, Actor, Call, Failed, Status, shown};
use crate::parse::ForSomeone;
use crate::people::Person;

/// Lets a call pass to its route, and notes what became of it.
pub(super) async fn watch(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let mut caller = Caller::new(&api, peer.ip(), request.method(), request.headers());
    caller.is_of_here &= request.extensions().get::<ForSomeone>().is_none();
    let call = describe(&request, &caller);
    let admitted = api.ingest.admit(peer.ip(), || call.clone());
    let admitted = admitted.and_then(|open| api.ingest.admit_software(&call).map(|()| open));
    let connection = match admitted {
        Ok(connection) => connection,
        Err(refusal) => return Problem::refused(refusal).into_response(), // noted already
    };
    let keeps = |key: &Arc<Key>| api.ingest.journal().keeps_bodies_of(key.id(), now());
    let seen = Seen::new(&request, caller.key().is_some_and(keeps));
    let (key, person) = (caller.key().cloned(), caller.person().cloned());
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(seen.clone());
    let mut response = holding(next.run(request)).await;
    drop(connection);
    // No answer is for anyone but who asked, or to be taken for anything but what it says.
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(person) = &person {
        api.people.seen(person, now());
        note_activity(&api, &call, person, &seen, &response);
    }
    if call.method != "GET" {
        api.ingest.note_ended(&api.people);
    }
    if let Some(key) = key {
        let refusal = response.extensions().get::<Noted>().and_then(|noted| noted.refusal.as_ref());
        match refusal {
            Some(refusal) => api.gate.note_refused(&key, refusal.reason, 1, now()),
            None => api.gate.note_request(&key, now()),
        }
    }
    if let Some(noted) = response.extensions().get::<Noted>() {
        note(&api, call, noted.clone(), &seen, &response, began);
        return response;
    }
    let status = Status::Code(response.status().as_u16());
    let done = Done { api, call, status, seen, began };
    match response.body().size_hint().exact() {
        Some(bytes) => {
            done.note(bytes);
            response
        }
        // How long it gets, and takes, is known when it has been sent.
        None => response.map(|body| Body::new(Counted { body, bytes: 0, done: Some(done) })),
    }
}

/// A call that was done, but for the end of its answer.
struct Done {
    api: Arc<Api>,
    call: Call,
    status: Status,
    seen: Seen,
    began: Instant,
}

/// An answer that is sent as it is made. It is noted when it ends, or nobody wants more of it.
struct Counted {
    body: Body,
    bytes: u64,
    done: Option<Done>,
}

impl Done {
    fn note(self, response_bytes: u64) {
        let SeenSoFar { request_bytes, kept, .. } = self.seen.0.lock().clone();
        self.api.ingest.note_access(Access {
            call: self.call,
            status: self.status,
            duration: self.began.elapsed(),
            request_bytes,
            response_bytes,
            events_accepted: 0,
            body: kept,
        });
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done.note(self.bytes);
        }
    }
}

/// What the journals say of a call.
pub(super) fn describe(request: &Request, caller: &Caller) -> Call {
    let agent = request.headers().get(header::USER_AGENT);
    Call {
        target: shown(request.uri().path().as_bytes(), MAX_PATH),
        method: shown(request.method().as_str().as_bytes(), MAX_METHOD),
        peer: Some(caller.peer),
        key: caller.masked(),
        user: caller.person().map(|person| person.user.email.to_string()),
        user_agent: agent.map(|agent| shown(agent.as_bytes(), MAX_AGENT)),
        project: caller.acts_in(),
        is_forgeable: caller.is_forgeable,
    }
}

/// Notes what somebody did.
fn note_activity(api: &Api, call: &Call, person: &Person, seen: &Seen, response: &Response) {
    let Some(made) = response.extensions().get::<Arc<route::Call>>() else { return };
    api.ingest.note_activity(Activity {
        actor: Actor {
            user: person.user.email.to_string(),
            user_id: Some(person.user.id.clone()),
            session: Some(person.session.to_string()),
            peer: call.peer,
            user_agent: call.user_agent.clone(),
            project: call.project.clone(),
        },
        action: format!("{} {}", made.method, made.path),
        resource: call.target.clone(),
        details: seen.0.lock().sample.clone(),
        status: response.status().as_u16(),
    });
}

fn note(api: &Api, call: Call, noted: Noted, seen: &Seen, response: &Response, began: Instant) {
    let Noted { code, detail, fields, refusal } = noted;
    let SeenSoFar { request_bytes, sample, kept, .. } = seen.0.lock().clone();
    if let Some(refusal) = refusal {
        return api.ingest.note_refusal(&refusal, 1, call);
    }
    let failed = Failed {
        call,
        code,
        message: detail,
        status: Some(response.status().as_u16()),
        duration: Some(began.elapsed()),
        request_bytes,
        fields,
        sample,
        body: kept,
        response_bytes: response.body().size_hint().exact().unwrap_or_default(),
        ..Failed::default()
    };
    api.ingest.note_failure(1, failed);
}

/// What came of a call beside its head, for the journal: how many bytes of a body, and the
/// beginning of that body or of the parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<SeenSoFar>>);

#[derive(Clone, Debug, Default)]
struct SeenSoFar {
    request_bytes: u64,
    sample: Option<String>,
    /// Whether nothing of it is to be seen.
    is_hidden: bool,
    /// Whether bodies of this caller are kept.
    keeps_body: bool,
    /// The body, then.
    kept: Option<String>,
}

impl Seen {
    fn new(request: &Request, keeps_body: bool) -> Self {
        let sample = request.uri().query().map(|query| shown(query.as_bytes(), MAX_SAMPLE));
        Self(Arc::new(Mutex::new(SeenSoFar { sample, keeps_body, ..SeenSoFar::default() })))
    }

    /// Lets nothing of what comes be seen.
    pub(super) fn hide(&self) {
        let mut seen = self.0.lock();
        (seen.is_hidden, seen.sample) = (true, None);
    }

    /// Whether nothing of it is to be seen.
    pub(super) fn is_hidden(&self) -> bool {
        self.0.lock().is_hidden
    }

    /// Says what came.
    pub(super) fn body(&self, body: &[u8]) {
        let mut seen = self.0.lock();
        seen.request_bytes = body.len() as u64;
        if seen.is_hidden {
            return;
        }
        seen.sample = Some(shown(body, MAX_SAMPLE));
        seen.kept = seen.keeps_body.then(|| shown(body, MAX_KEPT));
    }
}

const MAX_PATH: usize = 256;

const MAX_METHOD: usize = 16;

const MAX_AGENT: usize = 256;

/// Bytes of a body that its note in the journal shows.
const MAX_SAMPLE: usize = 256;

/// The same, where it is asked for.
const MAX_KEPT: usize = 64 << 10;
