//! The daemon as it is built, from outside: sockets in, HTTP and files out.
//!
//! | what                                             | file         |
//! |--------------------------------------------------|--------------|
//! | every message is accounted for                   | [`ledger`]   |
//! | what was acknowledged survives `kill -9`         | [`crash`]    |
//! | the same, between two named steps                 | [`failpoints`] |
//! | … and a power cut                                | [`power`]    |
//! | backups, and what was restored of them           | [`backup`]   |
//! | a disk that forgets, and what is to be forgotten | [`damage`]   |
//! | a disk that is full, slow, damaged or gone       | [`disk`]     |
//! | one port for all protocols                       | [`auto`]     |
//! | GELF, and its chunks                              | [`gelf`]     |
//! | who may pass, and what is said of who may not    | [`gate`]     |
//! | keys while they change                           | [`keys`]     |
//! | people, from the command line to `kill -9`       | [`people`]   |
//! | Beats                                            | [`beats`]    |
//! | an address on the blocklist                      | [`blocked`]  |
//! | limits of keys, addresses and projects           | [`limits`]   |
//! | a key over its limit, and others beside it         | [`fairness`] |
//! | what the daemon notes about itself               | [`journals`] |
//! | rules, and that nobody learns of them           | [`rules`]    |
//! | lists, where they come from and whom they cut   | [`lists`]    |
//! | streams and datagrams that are odd               | [`intake`]   |
//! | connections that are many, or say nothing        | [`connections`] |
//! | listeners of calls over HTTP                     | [`http`]     |
//! | who is behind a proxy                            | [`proxy`]    |
//! | TLS that is old, slow, cut or not trusted        | [`tls`]      |
//! | chains of certificates that are long, and keys that are | [`chains`] |
//! | datagrams that are too many, and errors of the system | [`udp`]  |
//! | unix sockets, and who is behind them             | [`unix`]     |
//! | Fluentd's forward protocol                       | [`fluent`]   |
//! | RELP, and what it acknowledges                   | [`relp`]     |
//! | what is computed of events, and many who ask     | [`queries`]  |
//! | queries that take long, and nobody waits for      | [`heavy`]    |
//! | webhooks, and journals forwarded to others       | [`ship`]     |
//! | `logtrace tail`                                  | [`tail`]     |
//! | store and queries, without a daemon              | [`store`]    |
//! | senders that go quiet, and what is odd of them  | [`senders`]  |
//! | clocks that are wrong                            | [`clock`]    |
//! | one ceiling of memory for all of it              | [`memory`]   |
//! | the same, of who asks for it one by one          | [`ceiling`]  |
//! | … also over what is beside what came              | [`crowded`]  |
//! | much that is there                               | [`scale`]    |
//! | floods of what is refused                        | [`flood`]    |
//! | starting, stopping, and wrong configurations     | [`life`]     |
//! | a stop, whenever it comes                         | [`stop`]     |
//! | what the machine gives, and what fails around it | [`surroundings`] |
//! | the configuration read again                     | [`reload`]   |
//! | certificates that are replaced                   | [`certificates`] |
//! | what is sent again because nobody answered       | [`resent`]   |
//! | the same, after something else happened          | [`copies`]   |
//! | a restart that keeps its sockets                 | [`restart`]  |

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod acknowledged;
mod audit;
mod auto;
mod backup;
mod beats;
mod blocked;
mod ceiling;
mod certificates;
mod chains;
mod clock;
mod connections;
mod copies;
mod crash;
mod crowded;
mod damage;
mod disk;
mod endless;
mod failpoints;
mod fairness;
mod flood;
mod fluent;
mod gate;
mod gelf;
mod heavy;
mod http;
mod intake;
mod journals;
mod keys;
mod ledger;
mod life;
mod limits;
mod lists;
mod memory;
mod people;
mod power;
mod proxy;
mod queries;
mod reload;
mod relp;
mod replay;
mod resent;
mod restart;
mod rules;
mod scale;
mod scopes;
mod senders;
mod ship;
mod stop;
mod store;
mod surroundings;
mod tail;
mod tls;
mod udp;
mod unix;
