//! What connections cost over which nothing comes.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Outcome;
use super::daemon::Daemon;
use super::table::{Table, per};

/// Lets this process, and the daemon that it starts, have as many connections as it may.
pub(crate) fn allow_many() -> Outcome<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// Opens `count` connections to a listener, which say nothing.
pub(crate) fn measure(daemon: &mut Daemon, listener: &str, count: u64) -> Outcome<()> {
    let address = daemon.address(listener)?.to_owned();
    let before = daemon.memory()?;
    let connect = |_| TcpStream::connect(&address);
    let connections: Vec<TcpStream> = (0..count).map(connect).collect::<Result<_, _>>()?;
    let until = Instant::now() + ACCEPTING;
    while daemon.metrics()?.sum("logtrace_connections") < count && Instant::now() < until {
        daemon.is_alive()?;
        thread::sleep(Duration::from_millis(50));
    }
    let open = daemon.metrics()?.sum("logtrace_connections");
    thread::sleep(SETTLING);
    let cpu = daemon.cpu()?;
    thread::sleep(SETTLING);
    let cpu = (daemon.cpu()? - cpu).as_secs_f64() / SETTLING.as_secs_f64();
    let after = daemon.memory()?;
    let mut table = Table::new(["idle connections", ""]);
    for (name, value) in [
        ("open", open.to_string()),
        ("resident before, MiB", (before >> 20).to_string()),
        ("resident with them, MiB", (after >> 20).to_string()),
        ("bytes a connection", per(after.saturating_sub(before), open)),
        ("processor time, per cent", format!("{:.1}", cpu * 100.0)),
    ] {
        table.row([name.to_owned(), value]);
    }
    table.print();
    drop(connections);
    Ok(())
}

/// How long it may take to accept all.
const ACCEPTING: Duration = Duration::from_secs(30);

/// How long nothing happens.
const SETTLING: Duration = Duration::from_secs(2);
