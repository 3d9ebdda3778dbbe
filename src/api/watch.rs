//! What is done of every call: its address is asked for, and what failed is noted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::HttpBody;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;

use super::Api;
use super::caller::Caller;
use super::problem::{Noted, Problem};
use crate::ingest::now;
use crate::journal::{Call, Failed, shown};

/// Lets a call pass to its route, and notes what became of it.
pub(super) async fn watch(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let caller = Caller::new(&api, peer.ip(), request.headers());
    let call = describe(&request, &caller);
    let connection = match api.ingest.admit(peer.ip(), || call.clone()) {
        Ok(connection) => connection,
        Err(refusal) => return Problem::refused(refusal).into_response(), // noted already
    };
    let (seen, key) = (Seen::new(&request), caller.key.clone());
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(seen.clone());
    let mut response = next.run(request).await;
    drop(connection);
    // No answer is for anyone but who asked, or to be taken for anything but what it says.
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(key) = key {
        let refusal = response.extensions().get::<Noted>().and_then(|noted| noted.refusal.as_ref());
        match refusal {
            Some(refusal) => api.gate.note_refused(&key, refusal.reason, 1, now()),
            None => api.gate.note_request(&key, now()),
        }
    }
    if let Some(noted) = response.extensions().get::<Noted>() {
        note(&api, call, noted.clone(), &seen, &response, began);
    }
    response
}

fn describe(request: &Request, caller: &Caller) -> Call {
    let agent = request.headers().get(header::USER_AGENT);
    Call {
        target: shown(request.uri().path().as_bytes(), MAX_PATH),
        method: shown(request.method().as_str().as_bytes(), MAX_METHOD),
        peer: Some(caller.peer),
        key: caller.masked.clone(),
        user_agent: agent.map(|agent| shown(agent.as_bytes(), MAX_AGENT)),
    }
}

fn note(api: &Api, call: Call, noted: Noted, seen: &Seen, response: &Response, began: Instant) {
    let Noted { code, detail, fields, refusal } = noted;
    let (request_bytes, sample) = seen.0.lock().clone();
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
        response_bytes: response.body().size_hint().exact().unwrap_or_default(),
        ..Failed::default()
    };
    api.ingest.note_failure(1, failed);
}

/// What came of a call beside its head, for the journal: how many bytes of a body, and the
/// beginning of that body or of the parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<(u64, Option<String>)>>);

impl Seen {
    fn new(request: &Request) -> Self {
        let parameters = request.uri().query().map(|query| shown(query.as_bytes(), MAX_SAMPLE));
        Self(Arc::new(Mutex::new((0, parameters))))
    }

    /// Says what came.
    pub(super) fn body(&self, body: &[u8]) {
        *self.0.lock() = (body.len() as u64, Some(shown(body, MAX_SAMPLE)));
    }
}

const MAX_PATH: usize = 256;

const MAX_METHOD: usize = 16;

const MAX_AGENT: usize = 256;

/// Bytes of a body that its note in the journal shows.
const MAX_SAMPLE: usize = 256;
