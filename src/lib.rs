//! logtrace: a Logstash-compatible syslog collector that knows its senders by key, accounts for
//! every message, and acknowledges only what is on disk.
//!
//! This page is the architecture. It is kept true: `tests/tidy.rs` holds the floors below.
//!
//! # The house
//!
//! A module imports only from floors below its own, and nothing sideways. A call goes down, a value
//! comes back up, and nobody holds a callback to a floor above.
//!
//! ```text
//!  top        main · cli · app · config        argv → config → parts → run → drain
//!  6 doors    net   api   admin                sockets and HTTP; bytes in, answers out
//!  5 waist    ingest   ship                    every message goes through here; calls to others
//!  4 verbs    batch   query                    events → staged batches → segments;  KQL → rows
//!  3 state    gate  store  journal  audit  senders  people   know nothing of each other
//!  2 disk     db                               RocksDB at arm's length
//!  1 pure     frame   parse   kql   advice     bytes ↔ values; no I/O, no clock, no lock
//!  0 words    event   time   metrics   ids   pepper   aging   eights
//! ```
//!
//! It is an hourglass: many doors above, one store below, and in the waist one function for all of
//! them. A new protocol is a decoder in [`frame`], a parser in [`parse`] and a few lines in [`net`].
//!
//! # The life of a message
//!
//! 1. [`net`] asks the [`gate`] whether the address may come in, and reads the socket into one
//!    buffer, which it has only while something comes; of datagrams it receives many in a call.
//! 2. [`ingest`] opens a batch and lets [`frame`] cut the buffer into slices, without a look inside.
//! 3. [`parse`] makes an [`event::Event`] that borrows from the slice. It cannot fail: the worst
//!    case is all text, tagged.
//! 4. The session names the sender's key, which costs a comparison while it does not change; the
//!    gate checks it, and charges the limits once for all messages of the read.
//! 5. The event is copied, once, into the columns of the open batch ([`store::Rows`]), its message
//!    split into a template and variables on the way, and booked in the ledger
//!    ([`metrics::Ledger`]): `received = stored + blocked + failed + in flight`.
//!    Which host of which key was heard is put down once for some reads ([`senders`]).
//! 6. The writer thread ([`batch`]) takes the open batches, encodes each, and writes them to the
//!    `stage` family with one sync. Only then are senders told.
//! 7. The sealer thread sorts staged rows by project, day and service into blocks and encodes each
//!    column; a large batch of one project and day becomes a block as it is. It gathers the words
//!    for the segment's token map, and brings a whole segment in as one file. One synced batch puts
//!    it into the catalog and takes its staged batches out.
//! 8. When there is time, the merger thread makes few large segments of many small ones, sorted
//!    throughout, leaves deleted rows behind, and compresses what settled harder. The scrubber reads
//!    segments to see whether they are whole.
//!
//! # The life of a query
//!
//! [`api`] names the project by the key, or by the role of whoever is signed in ([`people`]): it is a
//! wall outside the filter. [`kql`] reads the filter;
//! [`query`] asks the [`store`] for everything that overlaps the time, newest first, skips blocks
//! by what the catalog knows of their columns and by the words that the token map lacks, evaluates
//! the filter column by column to a bitmap, keeps the best rows, stops as soon as nothing left can
//! be newer, and only then reads the other columns of the rows that are shown. What is counted is
//! taken from the catalog alone where that tells it. Threads share the blocks among them.
//!
//! # When the configuration changes
//!
//! [`app`] reads it again, at SIGHUP or when the API is asked to, and makes the daemon what it says
//! or leaves it as it was. A listener whose settings change keeps its socket: [`net`] takes it back
//! from the task that reads it and gives it to the next. Certificates are watched for themselves.
//!
//! # What leaves the daemon
//!
//! All calls to others are made in [`ship`], to the internet or to networks that the configuration
//! names. Webhooks are told of events by signed calls: of what other parts notify them of, and of
//! every change in the record ([`audit`]). Journals are forwarded by reading on behind what a target
//! has taken. Both write down on disk where they are, so that neither side's end loses anything.
//!
//! # What must not break
//!
//! * Acknowledged is durable: a `202`, and every acknowledgement to come, follows a synced log.
//! * Each event once: a crash between any two steps neither loses nor doubles. Where a sender gives
//!   an event an id, as Elasticsearch's clients and the journal's cursor do, so does one that sends it
//!   again: what it is known by is written with it. Where
//!   a sender sends again what was not answered, as those of Beats and RELP do, that is known by
//!   what it says and by where it stood.
//! * Every message is accounted for, at any moment.
//! * No secret is stored, logged or shown, wherever in a message it stood.
//! * Memory is bounded by configuration: a slow disk slows readers, and through them senders. What
//!   they and those who ask may cause together is of one budget ([`memory`]).
//! * What the daemon cannot live without ends it, loudly: a thread or task of its own that panics. A
//!   connection or call that does is counted, and alone.
//! * A full disk is waited for: nothing is acknowledged, and it goes on when there is room. A disk
//!   that failed ends the daemon ([`db`] says what is the one and what the other).
//!
//! # Not here yet
//!
//! A console for people, and their identity providers; alerts. The ceiling of memory does not hold
//! against everything ([`memory`] says what is not of it).

pub mod admin;
pub mod advice;
pub mod aging;
pub mod api;
pub mod app;
pub mod audit;
pub mod batch;
pub mod cli;
pub mod config;
pub mod db;
mod eights;
pub mod event;
pub mod failpoint;
pub mod frame;
pub mod gate;
pub mod ids;
pub mod ingest;
pub mod journal;
pub mod kql;
pub mod memory;
pub mod metrics;
pub mod net;
pub mod parse;
pub mod people;
pub mod pepper;
pub mod query;
pub mod senders;
pub mod ship;
pub mod store;
pub mod time;
