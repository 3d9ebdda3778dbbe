//! haproxy in front, which says with a PROXY header whose connection it passes on.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::daemon::Daemon;
use crate::program::{Running, start, unpacked};
use crate::support::{finish, free_address, tls, wait_for};

fn haproxy(daemon: &Daemon, servers: &[String]) -> (Running, Vec<SocketAddr>) {
    passing_on(daemon.folder(), servers)
}

/// haproxy with a port for each of what it is to pass on, as `server` lines have it.
pub(crate) fn passing_on(folder: &Path, servers: &[String]) -> (Running, Vec<SocketAddr>) {
    let ports: Vec<SocketAddr> = servers.iter().map(|_| free_address()).collect();
    let mut config = "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 10m\n  \
                      timeout server 10m\n"
        .to_owned();
    for (number, (port, server)) in ports.iter().zip(servers).enumerate() {
        config += &format!("listen l{number}\n  bind {port}\n  server s {server}\n");
    }
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, config).unwrap();
    let mut command = unpacked("usr/sbin/haproxy");
    command.args(["-db", "-f"]).arg(&file);
    let running = start(command, folder, "haproxy");
    for port in &ports {
        wait_for("haproxy", || TcpStream::connect(port).ok());
    }
    (running, ports)
}

/// A connection from an address that is not the proxy's own.
fn from(address: &str, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&format!("{address}:0").parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

#[test]
fn the_client_is_the_one_behind_the_proxy() {
    let daemon = Daemon::start();
    let server = |listener: &str, how: &str| format!("{} {how}", daemon.address(listener));
    let (_haproxy, ports) = haproxy(
        &daemon,
        &[
            server("proxied", "send-proxy"),
            server("proxied", "send-proxy-v2"),
            server("proxied-auto", "send-proxy-v2 proxy-v2-options unique-id"),
            server("proxied-tls", "send-proxy"),
            server("proxied-tls", "send-proxy-v2"),
            server("proxied-auto", "send-proxy"),
            server("proxied-auto", "send-proxy-v2 check-send-proxy check inter 100ms fall 1000000"),
        ],
    );
    for (number, port) in ports.iter().enumerate() {
        let peer = format!("127.0.0.{}", 10 + number);
        let line = format!("<13>1 - h a - - - line {number}\n");
        let mut socket = from(&peer, *port);
        if (3..6).contains(&number) {
            let mut stream = tls(daemon.folder(), socket, None);
            stream.write_all(line.as_bytes()).unwrap();
            finish(stream).unwrap();
        } else {
            socket.write_all(line.as_bytes()).unwrap();
        }
        daemon.find(&format!("line {number}")).is_sound().has(json!({"peer.ip": peer}));
    }
}
