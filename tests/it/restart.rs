//! The daemon becomes another program with the same sockets.

use std::io::{ErrorKind, Read, Write};
use std::mem::replace;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::Signal;

use crate::disk::wait_until_held;
use crate::support::{Daemon, SmallDisk, free_address, wait_for};

fn line(n: usize) -> String {
    format!("<13>1 - h a - - - line {n}\n")
}

/// Sends datagrams, and lines over connections of their own; says how many of these ended well.
fn flood(at: SocketAddr) -> JoinHandle<usize> {
    thread::spawn(move || {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut whole = 0;
        for n in 0..SENT {
            sender.send_to(format!("datagram {n}").as_bytes(), at).unwrap();
            if n % 10 == 0 {
                // Nobody is refused at any time.
                let mut stream = TcpStream::connect(at).unwrap();
                let sent = stream.write_all(line(n).as_bytes());
                let ended = sent.and_then(|()| stream.shutdown(Shutdown::Write));
                match ended.and_then(|()| stream.read_to_end(&mut Vec::new())) {
                    Ok(_) => whole += 1,
                    Err(error) if CUT.contains(&error.kind()) => {}
                    Err(error) => panic!("{error}"),
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
        whole
    })
}

/// What was sent over connections that the daemon ended in the middle is not acknowledged, and not
/// counted; whole connections and all datagrams are.
#[test]
fn up_05_a_restart_hands_its_sockets_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = free_address();
    let listeners: String = ["tcp", "udp"]
        .map(|transport| {
            format!(
                "[[listener]]\nname = \"{transport}\"\nprotocol = \"syslog\"\n\
                 transport = \"{transport}\"\nlisten = \"{at}\"\n"
            )
        })
        .concat();
    let mut daemon = Daemon::with_listeners(folder.path(), "", &listeners);
    let before = daemon.pid();
    let flood = flood(at);
    for n in 1..=3 {
        daemon.signal(Signal::USR2);
        let started = || daemon.said().matches("store opened").count() == n + 1;
        wait_for("the next program", || started().then_some(()));
        wait_for("its sockets", || {
            folder.path().join("data/listening.json").exists().then_some(())
        });
    }
    let whole = flood.join().unwrap();
    daemon.look();
    assert_eq!(daemon.pid(), before);
    has_all(&daemon, whole);
    assert!(daemon.stop().success());
}

/// All datagrams that the kernel had room for are there, and the lines of `whole` connections.
#[track_caller]
fn has_all(daemon: &Daemon, whole: usize) {
    wait_for("all datagrams", || {
        let dropped = daemon.metrics().get("logtrace_kernel_dropped_total{listener=\"udp\"}");
        let stored = daemon.query("datagram").len();
        (stored + usize::try_from(dropped).unwrap() == SENT).then_some(())
    });
    assert!(daemon.query("\"line\"").len() >= whole, "of {whole}");
}

/// The listeners of [`moving`] by the address that they have now.
fn at(address: SocketAddr) -> String {
    ["tcp", "udp"]
        .map(|transport| {
            format!(
                "[[listener]]\nname = \"{transport}\"\nprotocol = \"syslog\"\n\
                 transport = \"{transport}\"\nlisten = \"{address}\"\nrequire_key = false\n\
                 allow_anonymous = true\n"
            )
        })
        .concat()
}

/// Sends lines and datagrams to a port whose listeners move from the loopback address to all, and
/// back, by `change`.
#[track_caller]
fn moving(change: impl Fn(&mut Daemon, usize)) {
    let folder = tempfile::tempdir().unwrap();
    let here = free_address();
    let everywhere = SocketAddr::from(([0, 0, 0, 0], here.port()));
    let mut daemon = Daemon::with_listeners(folder.path(), "", &at(here));
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut sent = 0;
    for (number, next) in (1..).zip([everywhere, here, everywhere]) {
        Daemon::configure(folder.path(), "", &at(next));
        // What waits to be accepted or received when the address changes is taken.
        for _ in 0..20 {
            sent += 1;
            sender.send_to(format!("datagram {sent}").as_bytes(), here).unwrap();
            TcpStream::connect(here).unwrap().write_all(line(sent).as_bytes()).unwrap();
        }
        change(&mut daemon, number);
        daemon.look();
        assert_eq!(daemon.address("tcp"), next.to_string());
        assert_eq!(daemon.address("udp"), next.to_string());
        sent += 1;
        sender.send_to(format!("datagram {sent}").as_bytes(), here).unwrap();
        TcpStream::connect(here).unwrap().write_all(line(sent).as_bytes()).unwrap();
    }
    for what in ["datagram", "\"line\""] {
        wait_for(what, || (daemon.query(what).len() == sent).then_some(()));
    }
    // Nobody else can have it meanwhile.
    assert!(TcpListener::bind(here).is_err() && UdpSocket::bind(here).is_err());
    assert!(daemon.stop().success());
}

#[test]
fn up_05_a_listener_moves_to_another_address_of_its_port_at_a_reload() {
    moving(|daemon, _| {
        let (status, answer) = daemon.reload();
        assert_eq!(status, 200, "{answer}");
    });
}

#[test]
fn up_05_a_listener_moves_to_another_address_of_its_port_at_a_restart() {
    moving(|daemon, number| restart(daemon, number));
}

/// Who sends while listeners move, there and back, does not notice.
#[test]
fn up_05_nothing_is_lost_while_listeners_move() {
    let folder = tempfile::tempdir().unwrap();
    let here = free_address();
    let everywhere = SocketAddr::from(([0, 0, 0, 0], here.port()));
    let mut daemon = Daemon::with_listeners(folder.path(), "", &at(here));
    let flood = flood(here);
    // Who connects at such a moment tries again after a second: so it is done a few times.
    for next in [everywhere, here].into_iter().cycle().take(6) {
        Daemon::configure(folder.path(), "", &at(next));
        let (status, answer) = daemon.reload();
        assert_eq!(status, 200, "{answer}");
    }
    let whole = flood.join().unwrap();
    has_all(&daemon, whole);
    assert!(daemon.stop().success());
}

/// What the system has accepted for the daemon is taken at a stop, as nobody else will.
#[test]
fn up_05_a_stop_takes_those_who_wait_to_be_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let here = free_address();
    let daemon = Daemon::with_listeners(folder.path(), "", &at(here));
    // While it stands still, all of them come before the order.
    daemon.signal(Signal::STOP);
    for n in 0..WAITING {
        TcpStream::connect(here).unwrap().write_all(line(n).as_bytes()).unwrap();
    }
    daemon.signal(Signal::TERM);
    daemon.signal(Signal::CONT);
    assert!(daemon.ended().success());
    let daemon = Daemon::with_listeners(folder.path(), "", &at(here));
    assert_eq!(daemon.query("\"line\"").len(), WAITING);
    assert!(daemon.stop().success());
}

/// Has it become the program that is on disk, the `number`th time.
#[track_caller]
fn restart(daemon: &Daemon, number: usize) {
    daemon.signal(Signal::USR2);
    // One line of each listener, and of the API and the admin port, at each start.
    let started = || daemon.said().matches("store opened").count() == number + 1;
    wait_for("the next program", || started().then_some(()));
    let listens = || daemon.said().matches("listening name=udp").count() == number + 1;
    wait_for("its sockets", || listens().then_some(()));
}

/// Who calls while it restarts waits for the answer, and is not refused.
#[test]
fn up_05_callers_are_not_refused_during_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (api, admin) = (free_address(), free_address());
    let config = format!("api.listen = \"{api}\"\nadmin.listen = \"{admin}\"\n");
    let file = folder.path().join("logtrace.toml");
    let listeners = at(free_address());
    let data = folder.path().join("data");
    let text = format!("data_dir = \"{}\"\n{config}{listeners}", data.display());
    // The helper's own lines name free ports; these are fixed, so that they are the same again.
    let daemon = Daemon::with_text(folder.path(), &text);
    assert!(file.exists());
    let over = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&over);
    let asking = thread::spawn(move || {
        let mut answers = 0;
        while !ended.load(Ordering::Relaxed) {
            for (address, path) in [(api, "/v1/health"), (admin, "/livez")] {
                // A connection that is cut is asked again; one that is refused never was taken.
                match TcpStream::connect(address) {
                    Err(error) => panic!("{address}: {error}"),
                    Ok(mut stream) => {
                        let head =
                            format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                        let mut answer = Vec::new();
                        let _cut = stream.write_all(head.as_bytes()).is_err();
                        let _cut = stream.read_to_end(&mut answer).is_err();
                        answers += usize::from(answer.starts_with(b"HTTP/1.1 200"));
                    }
                }
            }
        }
        answers
    });
    for number in 1..=3 {
        restart(&daemon, number);
    }
    over.store(true, Ordering::Relaxed);
    assert!(asking.join().unwrap() > 0);
    assert!(daemon.stop().success());
}

/// A restart that could only fail is none.
#[test]
fn up_05_a_configuration_that_makes_no_sense_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let listener = "[[listener]]\nname = \"tcp\"\nprotocol = \"syslog\"\ntransport = \"tcp\"\n\
                    listen = \"127.0.0.1:0\"\n";
    let daemon = Daemon::with_listeners(folder.path(), "", listener);
    let mut open = daemon.connect("tcp");
    Daemon::configure(folder.path(), "batch.max_bites = 1\n", listener);
    daemon.signal(Signal::USR2);
    wait_for("what is wrong", || daemon.said().contains("max_bites").then_some(()));
    open.write_all(line(1).as_bytes()).unwrap();
    wait_for("the line", || (daemon.query("\"line\"").len() == 1).then_some(()));
    assert!(daemon.stop().success());
}

/// What has arrived is taken before a socket is handed over, and on a full disk there is no room for it.
#[test]
fn up_05_a_stop_is_heard_while_sockets_wait_to_be_handed_over() {
    let config = "[shutdown]\ngrace = \"100ms\"\n\
                  [store.disk]\nmin_free = \"8 MiB\"\nmin_free_percent = 0\nballast = \"4 MiB\"\n";
    let disk = SmallDisk::new(96);
    let daemon = Daemon::with_listeners(disk.path(), config, &at(free_address()));
    let _filler = disk.fill(2 << 20);
    wait_until_held(&daemon);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let text = format!("<13>1 - h a - - - {}", "x".repeat(8000));
    let mut before = 0;
    wait_for("there to be no more room", || {
        for _ in 0..100 {
            sender.send_to(text.as_bytes(), daemon.address("udp")).unwrap();
        }
        let received = daemon.metrics().ledger("udp").received;
        (replace(&mut before, received) == received && received > 0).then_some(())
    });
    daemon.signal(Signal::USR2);
    wait_for("the order", || daemon.said().contains("is_restart=true").then_some(()));
    // What nobody was told to be stored may be lost.
    let _status = daemon.stop();
    let said = std::fs::read_to_string(disk.path().join("daemon.log")).unwrap();
    assert_eq!(said.matches("store opened").count(), 1, "{said}");
}

const SENT: usize = 8000;

/// Connections that wait to be accepted.
const WAITING: usize = 200;

/// What one is told whose connection was ended before all was written, or read.
const CUT: [ErrorKind; 3] =
    [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::NotConnected];
