//! What a connection costs over which nothing comes, and when it goes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::auto::Variants;
use super::config::{ListenerConfig, Protocol, Transport};
use super::http;
use super::tcp::{Acceptor, Client};
use crate::frame::{Frames, Lumberjack, Relp};
use crate::ingest::Listener;
use crate::ingest::testing::Yard;
use crate::memory::{By, Hold};

fn acceptor(yard: &Yard, protocol: Protocol) -> Arc<Acceptor> {
    let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let config = Arc::new(ListenerConfig::new("test", protocol, Transport::Tcp, here));
    let listener = Listener { format: config.format(), ..(*yard.listener).clone() };
    let (listener, stop) = (Arc::new(listener), CancellationToken::new());
    let http = (protocol == Protocol::Http).then(|| {
        let ingest = Arc::clone(&yard.ingest);
        Arc::new(http::server(ingest, Arc::clone(&listener), &config, &stop))
    });
    let mut acceptor = Acceptor {
        ingest: Arc::clone(&yard.ingest),
        listener,
        config,
        tls: None,
        http,
        variants: None,
        host: "here".into(),
        last: stop.clone(),
        close: stop.clone(),
        stop,
        slots: Arc::new(Semaphore::new(1)),
        places: Arc::new(Semaphore::new(1)),
        tasks: TaskTracker::new(),
    };
    if protocol == Protocol::Auto {
        acceptor.variants = Some(Arc::new(Variants::of(&acceptor)));
    }
    Arc::new(acceptor)
}

/// Bytes that a connection has in its task, and for what is done with it first.
async fn cost(acceptor: &Arc<Acceptor>) -> (usize, usize) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _theirs = TcpStream::connect(socket.local_addr().unwrap()).await.unwrap();
    let (ours, peer) = socket.accept().await.unwrap();
    let call = || acceptor.listener.call(peer.ip(), None);
    let connection = acceptor.ingest.admit(peer.ip(), call).unwrap();
    let phase = acceptor.serve(ours, Client::At(peer.ip()), connection);
    let (ours, theirs) = tokio::io::duplex(1);
    drop(theirs);
    let connection = acceptor.ingest.admit(peer.ip(), call).unwrap();
    let slots =
        [&acceptor.slots, &acceptor.places].map(|slots| Arc::clone(slots).try_acquire_owned());
    let slots = slots.map(Result::unwrap);
    let task = Arc::clone(acceptor).connected(ours, Client::At(peer.ip()), Some(connection), slots);
    (size_of_val(&task), phase.bytes())
}

#[tokio::test]
async fn fr_15_a_connection_that_says_nothing_is_small() {
    let yard = Yard::new("{}", false);
    // With 10,000 of them the daemon is to have less than 100 MB, of which it needs a third itself.
    for (protocol, limit) in [
        (Protocol::Syslog, 3072),
        (Protocol::Logstash, 3072),
        (Protocol::Beats, 3072),
        (Protocol::Relp, 3072),
        (Protocol::Gelf, 3072),
        (Protocol::Fluent, 3072),
        (Protocol::Auto, 1024),
        (Protocol::Http, 1536),
    ] {
        let acceptor = acceptor(&yard, protocol);
        let (task, phase) = cost(&acceptor).await;
        assert!(task <= 256, "{protocol:?}: {task} in its task");
        assert!(task + phase <= limit, "{protocol:?}: {phase} for what is done first");
    }
    let decoders = [size_of::<Frames>(), size_of::<Lumberjack>(), size_of::<Relp>()];
    assert!(decoders.into_iter().all(|bytes| bytes <= 256), "{decoders:?}");
}

/// Nothing is stored, so that nothing is answered: one that has sent as much as is held back keeps that
/// until others want it.
#[tokio::test]
async fn st_21_a_connection_whose_answers_are_held_back_goes_when_others_wait() {
    let yard = Yard::new("{}", false);
    let acceptor = acceptor(&yard, Protocol::Relp);
    let peer = "127.0.0.1".parse().unwrap();
    let connection = acceptor.ingest.admit(peer, || acceptor.listener.call(peer, None)).unwrap();
    // Little at a time, each with an answer of its own.
    let (ours, mut theirs) = tokio::io::duplex(128);
    let memory = Arc::clone(acceptor.ingest.memory());
    let others = async {
        let offer = "relp_version=0\nrelp_software=test\ncommands=syslog";
        let open = format!("1 open {} {offer}\n", offer.len());
        theirs.write_all(open.as_bytes()).await.unwrap();
        let hello = theirs.read(&mut [0; 128]).await.unwrap();
        assert!(hello > 0 && hello < 128, "{hello} bytes");
        let mut taken = 1;
        loop {
            let frame = format!("{} syslog 23 <13>1 - h a - - - hello\n", taken + 1);
            match timeout(LONG, theirs.write_all(frame.as_bytes())).await {
                Ok(written) => written.unwrap(),
                Err(_) => break,
            }
            taken += 1;
        }
        let held = memory.reserved();
        assert!(taken >= 64 && held > 0, "{taken} frames, {held} bytes");
        let mut others = Hold::new(Arc::clone(&memory), By::Queries);
        others.set(memory.size() - held);
        Hold::new(Arc::clone(&memory), By::Messages).grow(held / 2).await;
    };
    let serving = acceptor.serve(ours, Client::At(peer), connection).run();
    timeout(60 * LONG, async { tokio::join!(others, serving) }).await.expect("it goes");
}

/// After that a connection is taken to read no more.
const LONG: Duration = Duration::from_secs(1);
