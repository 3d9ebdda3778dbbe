//! The daemon becomes another program with the same sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Daemon, free_address, wait_for};

fn line(n: usize) -> String {
    format!("<13>1 - h a - - - line {n}\n")
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
    let flood = thread::spawn(move || {
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
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                    Err(error) => panic!("{error}"),
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
        whole
    });
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
    wait_for("all datagrams", || {
        let dropped = daemon.metrics().get("logtrace_kernel_dropped_total{listener=\"udp\"}");
        let stored = daemon.query("datagram").len();
        (stored + usize::try_from(dropped).unwrap() == SENT).then_some(())
    });
    assert!(daemon.query("\"line\"").len() >= whole, "of {whole}");
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

const SENT: usize = 8000;
