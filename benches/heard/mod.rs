//! What it costs to know who was heard when.

use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use logtrace::db::{Db, Options};
use logtrace::event::{Event, Known};
use logtrace::parse;
use logtrace::senders::{Config, Place, Senders};

use crate::lines::Random;
use crate::{CONTEXT, LINES, READ, syslog_lines};

/// Lines of so many hosts, a hundred in a read.
#[divan::bench(args = [1, 10, 1000])]
fn senders(bencher: Bencher<'_, '_>, hosts: u64) {
    let lines = syslog_lines();
    let names: Vec<String> = (0..hosts).map(|number| format!("web{number}.example")).collect();
    let mut random = Random::new(4);
    let parsed = |line| {
        let mut event = Event::default();
        parse::syslog(line, &CONTEXT, &mut event);
        let name = usize::try_from(random.below(hosts)).ok().and_then(|at| names.get(at));
        event.text(Known::HostName, name.map_or("", |name| name));
        (event, line)
    };
    let events: Vec<_> = lines.iter().map(String::as_bytes).map(parsed).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let db = Db::open(folder.path(), &Options::default()).expect("a new store");
    let senders = Senders::open(Arc::new(db), Config::default(), 1).expect("nobody is known");
    let (project, listener) = ("default".into(), "syslog-tcp".into());
    let protocol = "syslog/tcp";
    let place = Place {
        project: &project,
        key: None,
        listener: &listener,
        protocol,
        peer: None,
        auth: None,
        framing: None,
        is_misframed: false,
        is_mixed: false,
    };
    bencher.counter(ItemsCount::new(LINES)).bench(|| {
        for read in events.chunks(READ) {
            let mut hearing = senders.listen().unwrap_or_default();
            for (event, line) in read {
                hearing.note(event, line, CONTEXT.received_at, false);
            }
            senders.hear(&place, &mut hearing, CONTEXT.received_at, Duration::ZERO);
            senders.done(Some(hearing));
        }
    });
}
