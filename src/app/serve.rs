//! Serves HTTP on a socket: bounded in connections.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::gate::Gate;
use crate::net::http::{Server, serve_connection};
use crate::parse::TrustedProxies;

/// Limits of a server.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Open connections; others wait to be accepted.
    pub(crate) max_connections: usize,
    /// How long the head of a request may take to arrive, and a connection may be idle.
    pub(crate) header_timeout: Duration,
    /// How long a client may read nothing of an answer that is on its way.
    pub(crate) patience: Duration,
    /// Who is trusted to say for whom they call.
    pub(crate) proxies: TrustedProxies,
}

/// Who is let in: each call is asked for anew, and idle connections end when their address is
/// blocked.
pub(crate) type Guard = Option<Arc<Gate>>;

/// Serves `router` until `stop`, then lets the calls that are under way end: whoever waits for this
/// decides for how long. Routes find the client's address in `ConnectInfo<SocketAddr>`.
pub(crate) async fn serve(
    socket: TcpListener,
    router: Router,
    limits: Limits,
    guard: Guard,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let mut has_told = false;
    let server = Arc::new(Server {
        router,
        header_timeout: limits.header_timeout,
        guard,
        patience: limits.patience,
        proxies: Arc::new(limits.proxies),
        stop: stop.clone(),
        goes_on: false,
    });
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
                has_told = false;
                let server = Arc::clone(&server);
                connections.spawn(async move {
                    if let Err(error) = serve_connection(&server, stream, peer).await {
                        debug!(%peer, %error, "a connection ended early");
                    }
                    drop(place);
                });
            }
            Err(error) if is_of_the_peer(&error) => debug!(%error, "a client went away"),
            Err(error) => {
                if !std::mem::replace(&mut has_told, true) {
                    warn!(%error, "cannot accept; it is tried again");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(socket);
    connections.close();
    connections.wait().await;
}

/// Whether an error of `accept` is one of the connection, and not of the machine.
fn is_of_the_peer(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

/// How long to wait when the machine has no descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use axum::extract::ConnectInfo;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    /// A server, where it is, and how it is told to stop.
    async fn server() -> (SocketAddr, CancellationToken, TaskTracker) {
        with(Duration::from_secs(240), Duration::from_secs(240)).await
    }

    /// The same, with little patience.
    async fn hasty() -> (SocketAddr, CancellationToken, TaskTracker) {
        with(Duration::from_millis(50), Duration::from_millis(200)).await
    }

    async fn with(
        header_timeout: Duration,
        patience: Duration,
    ) -> (SocketAddr, CancellationToken, TaskTracker) {
        let proxies = TrustedProxies::default();
        let limits = Limits { max_connections: 4, header_timeout, patience, proxies };
        let router = Router::new()
            .route("/", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()))
            .route("/echo", post(async |body: String| body))
            .route("/endless", get(async || endless()));
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, stop) = (socket.local_addr().unwrap(), CancellationToken::new());
        let tasks = TaskTracker::new();
        tasks.spawn(serve(socket, router, limits, None, stop.clone()));
        tasks.close();
        (at, stop, tasks)
    }

    /// An answer without an end.
    fn endless() -> axum::body::Body {
        let chunk = || Ok::<_, std::io::Error>(axum::body::Bytes::from_static(&[b'x'; 65_536]));
        axum::body::Body::from_stream(futures_util::stream::repeat_with(chunk))
    }

    /// What is answered to `bytes` until the server closes the connection.
    async fn talk(at: SocketAddr, bytes: &str) -> (SocketAddr, String) {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that closes with bytes unread may reset the connection behind its answer.
        stream.read_to_end(&mut answer).await.ok();
        (stream.local_addr().unwrap(), String::from_utf8(answer).unwrap())
    }

    /// Talks to one with little patience, until it was talked to in time.
    async fn answered(at: SocketAddr, bytes: &str) {
        for _ in 0..100 {
            match talk(at, bytes).await.1 {
                answer if answer.is_empty() => {}
                answer => return assert!(answer.starts_with("HTTP/1.1 200"), "{answer}"),
            }
        }
        panic!("it answers nobody");
    }

    #[tokio::test]
    async fn callers_are_known_by_their_address() {
        let (at, _stop, _tasks) = server().await;
        let (peer, answer) =
            talk(at, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with(&peer.to_string()), "{answer}");
    }

    #[tokio::test]
    async fn ht_01_heads_that_do_not_end_are_not_waited_for() {
        let (at, _stop, _tasks) = hasty().await;
        for bytes in ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nhost: x\r\n"] {
            // More of them than there may be, so those behind wait for the first to end.
            let silent = (0..8).map(|_| talk(at, bytes));
            futures_util::future::join_all(silent).await;
        }
        // A connection that was good once is not idle for ever either.
        answered(at, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    }

    #[tokio::test]
    async fn ht_02_lengths_that_contradict_each_other_end_the_connection() {
        let (at, _stop, _tasks) = server().await;
        let refused = [
            "content-length: -1\r\n",
            "content-length: +1\r\n",
            "content-length: 1\r\ncontent-length: 2\r\n",
            "content-length: 1, 2\r\n",
            "content-length: 99999999999999999999\r\n",
            "transfer-encoding: gzip\r\n",
            "host: y\r\n folded: z\r\ncontent-length: 1\r\n",
            "content-length : 1\r\n",
        ];
        for head in refused {
            let (_, answer) = talk(at, &format!("POST /echo HTTP/1.1\r\n{head}\r\na")).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{head}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{head}: {answer}");
        }
        // What follows a body in chunks is not taken for a request.
        for head in ["", "content-length: 4\r\n"] {
            let head = format!("{head}transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
            let next = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
            let (_, answer) = talk(at, &format!("POST /echo HTTP/1.1\r\n{head}{next}")).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        }
        let (_, answer) =
            talk(at, "POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nz\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }

    /// HTTP/2 is not spoken, so its floods (resets, continuations, empty frames) end at the preface.
    #[tokio::test]
    async fn ht_05_what_begins_as_http_2_is_ended_at_once() {
        let (at, _stop, _tasks) = server().await;
        let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let resets = "\0\0\u{4}\u{3}\0\0\0\0\u{1}\0\0\0\u{8}".repeat(1000);
        let (_, answer) = talk(at, &format!("{preface}{resets}")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 "), "{answer}");
        assert!(!answer.contains(" 200 "), "{answer}");
        let upgrade = "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings, close\r\n\
                       upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\ncontent-length: 1\r\n\r\na";
        let (_, answer) = talk(at, upgrade).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[tokio::test]
    async fn ht_07_long_heads_are_refused() {
        let (at, _stop, _tasks) = server().await;
        let long = "a".repeat(100_000);
        for head in
            [format!("GET /{long} HTTP/1.1\r\n"), format!("GET / HTTP/1.1\r\na: {long}\r\n")]
        {
            let (_, answer) = talk(at, &head).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
        let many = "a: b\r\n".repeat(101);
        let (_, answer) = talk(at, &format!("GET / HTTP/1.1\r\n{many}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }

    #[tokio::test]
    async fn ht_13_who_does_not_read_holds_no_place_for_ever() {
        let (at, _stop, _tasks) = hasty().await;
        // As many as there may be; who comes behind them waits until they are given up.
        let mut stalled = Vec::new();
        for _ in 0..4 {
            let mut stream = TcpStream::connect(at).await.unwrap();
            let _in_time = stream.write_all(ENDLESS).await.is_ok();
            stalled.push(stream);
        }
        answered(at, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        // Who reads, slowly, gets on: it is no limit of how long an answer takes. A machine that
        // stands still for so long cuts it off, but not each time.
        for _ in 0..50 {
            if gets_on(at).await {
                return;
            }
        }
        panic!("it is cut off each time");
    }

    /// Whether one who reads slowly is not cut off within a second.
    async fn gets_on(at: SocketAddr) -> bool {
        let mut slow = TcpStream::connect(at).await.unwrap();
        let _in_time = slow.write_all(ENDLESS).await.is_ok();
        let (began, mut buffer) = (std::time::Instant::now(), vec![0; 1 << 20]);
        while began.elapsed() < Duration::from_secs(1) {
            if !matches!(slow.read(&mut buffer).await, Ok(1..)) {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    const ENDLESS: &[u8] = b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";

    #[tokio::test]
    async fn a_stop_ends_idle_connections() {
        let (at, stop, tasks) = server().await;
        let idle = TcpStream::connect(at).await.unwrap();
        stop.cancel();
        tasks.wait().await;
        drop(idle);
        assert!(TcpStream::connect(at).await.is_err());
    }
}
