//! Serves HTTP/1.1 on a socket: bounded in connections and in the time that a request's head may
//! take.
//!
//! Why not `axum::serve`? It sets no timer, and without one hyper waits for headers for ever, as
//! long as there are clients that send none.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::{debug, warn};

/// Limits of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Open connections; others wait to be accepted.
    pub(crate) max_connections: usize,
    /// How long the head of a request may take to arrive, and a connection may be idle.
    pub(crate) header_timeout: Duration,
}

/// Serves `router` until `stop`, then lets the calls that are under way end: whoever waits for this
/// decides for how long. Routes find the client's address in `ConnectInfo<SocketAddr>`.
pub(crate) async fn serve(
    socket: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    http.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, socket.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let call = connection(http.clone(), stream, peer, router.clone(), stop.clone());
                connections.spawn(async move {
                    call.await;
                    drop(place);
                });
            }
            Err(error) if is_of_the_peer(&error) => debug!(%error, "a client went away"),
            Err(error) => {
                warn!(%error, "cannot accept");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(socket);
    connections.close();
    connections.wait().await;
}

async fn connection(
    http: http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    stop: CancellationToken,
) {
    let service = service_fn(move |request| answer(router.clone(), peer, request));
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%peer, %error, "a connection ended early");
    }
}

async fn answer(
    router: Router,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, std::convert::Infallible> {
    // A body in chunks may have come with a length as well, which hyper passes over. What follows
    // on the connection is then nothing to rely on (RFC 9112 §6.1).
    let in_chunks = request.headers().contains_key(header::TRANSFER_ENCODING);
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut response = router.oneshot(request).await?;
    if in_chunks {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// Whether an error of `accept` is one of the connection, and not of the machine.
fn is_of_the_peer(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// The most headers of a request.
const MAX_HEADERS: usize = 100;

/// How long to wait when the machine has no descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(100);
