//! What is done of every call: its address is asked for, and what failed is noted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::HttpBody;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::caller::Caller;
use super::problem::{Noted, Problem};
use crate::ids;
use crate::journal::{Call, Failed};

/// Lets a call pass to its route, and notes what became of it.
pub(super) async fn watch(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let connection = match api.ingest.admit(&api.listener, peer.ip()) {
        Ok(connection) => connection,
        Err(refusal) => return Problem::refused(refusal).into_response(), // noted already
    };
    let caller = Caller::new(&api, peer.ip(), request.headers());
    let call = describe(&request, &caller);
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    drop(connection);
    // No answer is for anyone but who asked, or to be taken for anything but what it says.
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(noted) = response.extensions().get::<Noted>() {
        note(&api, call, noted.clone(), &response, began);
    }
    response
}

fn describe(request: &Request, caller: &Caller) -> Call {
    let agent = request.headers().get(header::USER_AGENT);
    Call {
        target: shown(request.uri().path().as_bytes(), MAX_PATH),
        method: shown(request.method().as_str().as_bytes(), MAX_METHOD),
        peer: Some(caller.peer),
        key: caller.key.as_ref().map(|key| key.info().masked.clone()),
        user_agent: agent.map(|agent| shown(agent.as_bytes(), MAX_AGENT)),
    }
}

fn note(api: &Api, call: Call, noted: Noted, response: &Response, began: Instant) {
    let Noted { code, detail, refusal } = noted;
    if let Some(refusal) = refusal {
        return api.ingest.note_refusal(&refusal, 1, call);
    }
    let failed = Failed {
        call,
        code,
        message: detail,
        status: Some(response.status().as_u16()),
        duration: Some(began.elapsed()),
        response_bytes: response.body().size_hint().exact().unwrap_or_default(),
        ..Failed::default()
    };
    api.ingest.note_failure(1, failed);
}

/// The beginning of what a caller wrote: without secrets, and without what a terminal obeys.
fn shown(bytes: &[u8], max: usize) -> String {
    let head = ids::scrub(bytes.get(..max.min(bytes.len())).unwrap_or_default());
    String::from_utf8_lossy(&head).replace(|c: char| c.is_control(), "\u{fffd}")
}

const MAX_PATH: usize = 256;

const MAX_METHOD: usize = 16;

const MAX_AGENT: usize = 256;
