//! Calls to servers of this machine, which are allowed or not.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::rustls;

use super::*;

/// Calls that may go to this machine, without TLS.
fn open() -> Config {
    let allow_networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    let timeout = Duration::from_secs(60);
    Config { allow_networks, allow_http: true, timeout, ..Config::default() }
}

/// A server that answers whatever comes with `answer`, and passes on what came.
async fn server(answer: Vec<u8>) -> (SocketAddr, mpsc::Receiver<String>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let (came, seen) = mpsc::channel(16);
    let answer = Arc::new(answer);
    let _task = tokio::task::spawn_local(async move {
        loop {
            let (mut stream, _) = socket.accept().await.unwrap();
            let (answer, came) = (Arc::clone(&answer), came.clone());
            let _task = tokio::task::spawn_local(async move {
                let mut bytes = vec![0; 4096];
                while let Ok(len @ 1..) = stream.read(&mut bytes).await {
                    came.send(String::from_utf8_lossy(&bytes[..len]).into_owned()).await.ok();
                    stream.write_all(&answer).await.ok();
                }
            });
        }
    });
    (at, seen)
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

fn answers(answers: &[&[&str]]) -> Lookup {
    let address = |text: &&str| text.parse::<IpAddr>().unwrap();
    let answers = answers.iter().map(|answer| answer.iter().map(address).collect()).collect();
    Lookup::Answers(Arc::new(parking_lot::Mutex::new(answers)))
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\netag: \"7\"\r\ncontent-length: 5\r\n\r\nhello";

#[test]
fn co_14_urls_that_are_never_called() {
    let outbound = Outbound::new(&Config::default()).unwrap();
    let table = [
        ("http://example.com/", "expected https, or ship.allow_http = true, but found \"http\""),
        ("file:///etc/passwd", "expected https, but found \"file\""),
        ("gopher://example.com/", "expected https, but found \"gopher\""),
        ("example.com", "expected a URL, but found \"another text\""),
        (
            "https://user:secret@example.com/",
            "expected a URL without a user and password, but found \"one with them\"",
        ),
        (
            "https://user@example.com/",
            "expected a URL without a user and password, but found \"one with them\"",
        ),
    ];
    for (url, want) in table {
        assert_eq!(outbound.check(url).unwrap_err().to_string(), want, "{url}");
    }
    let hosts = [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "127.1",
        "0x7f.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "１２７.0.0.1",
        "[::]",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
    ];
    for host in hosts {
        let refused = outbound.check(&format!("https://{host}:8443/hook"));
        assert!(matches!(refused, Err(OutboundError::Internal(_))), "{host}: {refused:?}");
    }
    outbound.check("https://example.com:8443/hook?a=b").unwrap();
    let long = format!("https://example.com/{}", "a".repeat(MAX_URL));
    assert!(outbound.check(&long).is_err());
}

#[test]
fn co_14_names_are_judged_by_the_addresses_they_have_when_connecting() {
    run(async {
        let (at, mut seen) = server(OK.to_vec()).await;
        let url = format!("http://rebind.example:{}/", at.port());
        let config = Config { allow_http: true, ..Config::default() };
        let inside = ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"];
        let outbound = Outbound::looking_up(&config, answers(&[&inside])).unwrap();
        let refused = OutboundError::Internal("rebind.example".into());
        assert_eq!(outbound.fetch(&url, None, 100).await, Err(refused.clone()));
        assert_eq!(outbound.post(&url, vec![], Bytes::new()).await, Err(refused.clone()));
        // The name that the system knows for this machine.
        let system = Outbound::new(&config).unwrap();
        let url = format!("http://localhost:{}/", at.port());
        let refused = OutboundError::Internal("localhost".into());
        assert_eq!(system.fetch(&url, None, 100).await, Err(refused));
        assert!(seen.try_recv().is_err(), "nobody connected");
    });
}

#[test]
fn co_14_a_name_that_changes_its_mind_is_refused_the_next_time() {
    run(async {
        // The server ends each connection, so that the next call has to look the name up again.
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let (at, mut seen) = server(answer.to_vec()).await;
        let allowed = "127.0.0.1/32".parse().unwrap();
        let config = Config { allow_networks: vec![allowed], ..open() };
        let lookup = answers(&[&["127.0.0.1", "10.0.0.1"], &["127.0.0.2"]]);
        let outbound = Outbound::looking_up(&config, lookup).unwrap();
        let url = format!("http://rebind.example:{}/", at.port());
        assert!(outbound.post(&url, vec![], Bytes::new()).await.unwrap().is_taken());
        assert!(seen.recv().await.is_some());
        let refused = OutboundError::Internal("rebind.example".into());
        assert_eq!(outbound.post(&url, vec![], Bytes::new()).await, Err(refused));
        assert!(seen.try_recv().is_err(), "nobody connected");
    });
}

#[test]
fn co_14_redirects_are_not_followed() {
    run(async {
        let (inside, mut seen) = server(OK.to_vec()).await;
        let answer = format!(
            "HTTP/1.1 307 X\r\nlocation: http://{inside}/secret\r\ncontent-length: 0\r\n\r\n"
        );
        let (at, _kept) = server(answer.into_bytes()).await;
        let outbound = Outbound::new(&open()).unwrap();
        let url = format!("http://{at}/");
        let redirect = OutboundError::Redirect(307);
        assert_eq!(outbound.fetch(&url, None, 100).await, Err(redirect.clone()));
        assert_eq!(outbound.post(&url, vec![], Bytes::new()).await, Err(redirect));
        assert!(seen.try_recv().is_err(), "nobody was sent on");
    });
}

#[test]
fn what_was_fetched_has_a_bound_and_a_tag() {
    run(async {
        let (at, mut seen) = server(OK.to_vec()).await;
        let outbound = Outbound::new(&open()).unwrap();
        let url = format!("http://{at}/list.txt");
        let fetched = outbound.fetch(&url, Some("\"6\""), 5).await.unwrap();
        let (body, etag) = (Bytes::from("hello"), Some("\"7\"".to_owned()));
        assert_eq!(fetched, Fetched::New { body, etag });
        let request = seen.recv().await.unwrap();
        assert!(request.contains("if-none-match: \"6\"\r\n"), "{request}");
        assert_eq!(outbound.fetch(&url, None, 4).await, Err(OutboundError::TooLarge(4)));
        // One that does not tell how long it is.
        let endless = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'a'; 10_000]].concat();
        let (at, _kept) = server(endless).await;
        let url = format!("http://{at}/");
        assert_eq!(outbound.fetch(&url, None, 99).await, Err(OutboundError::TooLarge(99)));
        let (at, _kept) = server(b"HTTP/1.1 304 X\r\n\r\n".to_vec()).await;
        let url = format!("http://{at}/");
        assert_eq!(outbound.fetch(&url, Some("x"), 99).await, Ok(Fetched::Same));
        let (at, _kept) = server(b"HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
        let url = format!("http://{at}/");
        assert_eq!(outbound.fetch(&url, None, 99).await, Err(OutboundError::Status(404)));
    });
}

#[test]
fn co_15_receivers_that_are_slow_or_endless_are_not_waited_for() {
    run(async {
        let timeout = Duration::from_millis(500);
        let hasty = Outbound::new(&Config { timeout, ..open() }).unwrap();
        let outbound = Outbound::new(&open()).unwrap();
        let late = OutboundError::TimedOut(timeout);
        for answer in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nx: "] {
            let (at, _kept) = server(answer.to_vec()).await;
            let url = format!("http://{at}/");
            assert_eq!(hasty.post(&url, vec![], Bytes::from("{}")).await, Err(late.clone()));
        }
        // The status is an answer, whatever comes behind it.
        let endless = [&b"HTTP/1.1 503 X\r\nretry-after: 7\r\n\r\n"[..], &[b'a'; 100_000]].concat();
        let (at, _kept) = server(endless).await;
        let answer = outbound.post(&format!("http://{at}/"), vec![], Bytes::from("{}")).await;
        let retry_after = Some(Duration::from_secs(7));
        assert_eq!(answer, Ok(Answer { status: 503, retry_after }));
        // A list that stops in the middle.
        let (at, _kept) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec()).await;
        assert_eq!(hasty.fetch(&format!("http://{at}/"), None, 99).await, Err(late));
        // Nobody there.
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", socket.local_addr().unwrap());
        drop(socket);
        let gone = outbound.post(&url, vec![], Bytes::new()).await;
        assert!(matches!(gone, Err(OutboundError::Unreachable(_))), "{gone:?}");
    });
}

/// A receiver over TLS on 127.0.0.1 whose certificate, written to `ca`, is of `name`; its URL.
async fn receiver_of(name: &str, ca: &Path) -> String {
    let own = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    std::fs::write(ca, own.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", socket.local_addr().unwrap());
    let _task = tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = socket.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut bytes = [0; 4096];
            let _len = stream.read(&mut bytes).await.unwrap_or_default();
            stream.write_all(OK).await.ok();
        }
    });
    url
}

#[test]
fn co_15_a_certificate_of_nobody_or_of_another_is_refused() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        let url = receiver_of("127.0.0.1", &ca).await;
        let refused = Outbound::new(&open()).unwrap().fetch(&url, None, 99).await;
        assert!(matches!(refused, Err(OutboundError::Certificate(_))), "{refused:?}");
        let trusting = Config { ca: Some(ca.clone()), ..open() };
        let fetched = Outbound::new(&trusting).unwrap().fetch(&url, None, 99).await;
        assert!(matches!(fetched, Ok(Fetched::New { .. })), "{fetched:?}");
        let url = receiver_of("receiver.example", &ca).await;
        let refused = Outbound::new(&trusting).unwrap().fetch(&url, None, 99).await;
        assert!(matches!(refused, Err(OutboundError::Certificate(_))), "{refused:?}");
    });
}
