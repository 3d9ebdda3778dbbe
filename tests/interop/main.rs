//! The daemon with real clients: what each of them sends is found again, with the right fields.
//!
//! A test starts the daemon that was built, on free ports and in a folder of its own, runs a
//! program that people use, unchanged, and asks the daemon's API what came of it. The programs are
//! fetched by `tests/interop/install`, which `make test` calls; without one a test fails and says
//! so.
//!
//! | client                                   | file            |
//! |------------------------------------------|-----------------|
//! | rsyslog                                  | [`rsyslog`]     |
//! | what `logtrace doctor` prints for them   | [`doctor`]      |
//! | rsyslog, by RELP                         | [`relp`]        |
//! | fluent-logger, of Python and of Node.js  | [`fluent`]      |
//! | syslog-ng                                | [`syslog_ng`]   |
//! | rsyslog and syslog-ng, forwarded to      | [`siem`]        |
//! | logger, of util-linux                    | [`logger`]      |
//! | Python: `SysLogHandler`, logstash-async  | [`python`]      |
//! | Python: pylogbeat, logstash-async over it | [`beats`]      |
//! | Node.js: winston-logstash, pino-socket   | [`node`]        |
//! | OTLP exporter, splunk-handler, winston-loki, systemd-journal-upload | [`push`] |
//! | Elasticsearch's clients, omelasticsearch | [`elastic`]     |
//! | GELF: pygelf, graypy, gelf-pro           | [`gelf`]        |
//! | haproxy, in front                        | [`haproxy`]     |
//! | logger, Python, syslog-ng, syslog(3) on unix sockets | [`unix`] |
//! | ferro-lumberjack, and others over a daemon that is killed | [`killed`] |
//! | GELF's over TCP, syslog-ng on a unix socket, over a daemon that is killed | [`unanswered`] |
//! | curl                                     | [`curl`]        |
//! | openssl                                  | [`openssl`]     |
//! | Prometheus                               | [`prometheus`]  |
//! | openssl and curl, by every way of naming a key | [`carriers`] |

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod beats;
mod carriers;
mod curl;
mod daemon;
mod doctor;
mod elastic;
mod event;
mod fluent;
mod gelf;
mod haproxy;
mod killed;
mod logger;
mod node;
mod openssl;
mod program;
mod prometheus;
mod push;
mod python;
mod relay;
mod relp;
mod rsyslog;
mod siem;
mod syslog_ng;
mod unanswered;
mod unix;
mod yard;
