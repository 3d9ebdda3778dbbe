//! Serves HTTP/1.1 on a connection: bounded in the size of a head, and in the time that one may take.
//!
//! Why not `axum::serve`? It sets no timer, and without one hyper waits for headers for ever, as
//! long as there are clients that send none.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, header};
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::super::rewound::{Rewound, read_some};
use super::super::waiting::before;
use super::Carrier;
use super::patient::Patient;
use crate::gate::Gate;
use crate::parse::{ForSomeone, TrustedProxies};

/// What connections are served with.
#[derive(Clone, Debug)]
pub struct Server {
    /// What answers. Routes find the client's address in `ConnectInfo<SocketAddr>`.
    pub router: Router,
    /// How long the head of a request may take to arrive, and a connection may be idle.
    pub header_timeout: Duration,
    /// Who is let in: idle connections end when their address is blocked. Each call is asked for
    /// anew, by its route.
    pub guard: Option<Arc<Gate>>,
    /// How long a client may read nothing of an answer that is on its way.
    pub patience: Duration,
    /// Who is trusted to say for whom they call.
    pub proxies: Arc<TrustedProxies>,
    /// Ends connections once the calls that are under way have ended.
    pub stop: CancellationToken,
    /// Whether a call goes on whose client has closed its side: some that ship logs do not wait for
    /// an answer. Otherwise nobody wants it any longer.
    pub goes_on: bool,
}

/// Serves a connection of `peer` to its end.
///
/// # Errors
///
/// It did not end as it should: what came was not HTTP, the peer was too slow, or went away.
pub async fn serve_connection(
    server: &Server,
    socket: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
) -> Result<(), hyper::Error> {
    run(server, socket, peer, None).await
}

/// The same, for a connection that was admitted before.
pub(crate) async fn serve(
    server: &Server,
    socket: impl AsyncRead + AsyncWrite + Unpin,
    peer: IpAddr,
    carrier: Carrier,
) -> Result<(), hyper::Error> {
    run(server, socket, SocketAddr::new(peer, 0), Some(carrier)).await
}

async fn run(
    server: &Server,
    socket: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    carrier: Option<Carrier>,
) -> Result<(), hyper::Error> {
    let Some(socket) = spoken(server, socket, peer).await else { return Ok(()) };
    // By itself, and so only where there is something to serve: it takes kilobytes.
    Box::pin(converse(server, socket, peer, carrier)).await
}

/// A connection once something has come over it; none where nothing will. hyper would have made room
/// to read into.
async fn spoken<S>(server: &Server, mut socket: S, peer: SocketAddr) -> Option<Rewound<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut front = Vec::new();
    let read = {
        let reading = timeout(server.header_timeout, read_some(&mut socket, &mut front));
        let reading = std::pin::pin!(reading);
        tokio::select! {
            biased;
            read = before(&server.stop, reading) => read?,
            () = blocked(server.guard.as_deref(), peer) => return None,
        }
    };
    matches!(read, Ok(Ok(1..))).then(|| Rewound::new(front, socket))
}

async fn converse(
    server: &Server,
    socket: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    carrier: Option<Carrier>,
) -> Result<(), hyper::Error> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(server.header_timeout);
    http.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS).half_close(server.goes_on);
    let service = service_fn(move |request| begun(answer(server, peer, carrier.clone(), request)));
    let socket = Patient::new(socket, server.patience);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(socket), service));
    tokio::select! {
        biased;
        // First: whoever has called by the stop is answered, and hyper has to have seen that.
        ended = connection.as_mut() => ended,
        () = server.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = blocked(server.guard.as_deref(), peer) => {
            // A call that is under way is answered; it may be the one that blocked the caller.
            connection.as_mut().graceful_shutdown();
            timeout(CUT, connection).await.unwrap_or(Ok(()))
        }
    }
}

/// Returns once the address is blocked.
async fn blocked(guard: Option<&Gate>, peer: SocketAddr) {
    let Some(gate) = guard else { return std::future::pending().await };
    let mut changes = gate.changes();
    // Who was blocked before is told so by each call.
    while changes.changed().await.is_ok() {
        if gate.admit_peer(peer.ip(), crate::ingest::steady()).is_err() {
            return;
        }
    }
}

/// Begins a call at once. hyper looks first whether its client is gone, and drops the call if so: one
/// that is to go on all the same has to have begun by then.
fn begun<C: Future>(call: C) -> impl Future<Output = C::Output> {
    let mut call = Box::pin(call);
    let ended = call.as_mut().now_or_never();
    async move {
        match ended {
            Some(ended) => ended,
            None => call.await,
        }
    }
}

async fn answer(
    server: &Server,
    mut peer: SocketAddr,
    mut carrier: Option<Carrier>,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, std::convert::Infallible> {
    // A body in chunks may have come with a length as well, which hyper passes over. What follows
    // on the connection is then nothing to rely on (RFC 9112 §6.1).
    let in_chunks = request.headers().contains_key(header::TRANSFER_ENCODING);
    let proxies = &server.proxies;
    let lines = request.headers().get_all(proxies.header.name()).iter().map(HeaderValue::as_bytes);
    if let Some(client) = proxies.client(peer.ip(), lines) {
        peer = SocketAddr::new(client, 0);
        carrier = carrier.as_ref().map(Carrier::for_someone);
        request.extensions_mut().insert(ForSomeone);
    }
    request.extensions_mut().insert(ConnectInfo(peer));
    if let Some(carrier) = carrier {
        request.extensions_mut().insert(carrier);
    }
    let mut response = server.router.clone().oneshot(request).await?;
    if in_chunks {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// How long a client may read nothing of an answer, unless said otherwise: a person may look at a
/// tail for a while.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// The most headers of a request.
const MAX_HEADERS: usize = 100;

/// How long a call that is under way may take to end when its caller is blocked.
const CUT: Duration = Duration::from_millis(500);
