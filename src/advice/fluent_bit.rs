//! Fluent Bit: its output in RFC 5424, or the forward protocol, which is acknowledged.

use super::{Speaks, Target, Transport};

pub(super) fn configuration(target: &Target) -> String {
    let (host, port) = (&target.host, target.port());
    let mut text =
        String::from("# fluent-bit.conf; `fluent-bit --dry-run -c fluent-bit.conf` checks it.\n");
    let is_syslog = target.speaks == Speaks::Syslog;
    if target.has_key {
        let record = if is_syslog { "logtrace_key KEY" } else { "token KEY" };
        let filter = [("name", "record_modifier"), ("match", "*"), ("record", record)];
        text.push_str(&section("FILTER", &filter));
    }
    if target.has_key && is_syslog {
        let nest = [("name", "nest"), ("match", "*"), ("operation", "nest")];
        let of = [("wildcard", "logtrace_key"), ("nest_under", "logtrace")];
        text.push_str(&section("FILTER", &[&nest[..], &of[..]].concat()));
    }
    let port = port.to_string();
    let mut output = vec![("match", "*"), ("host", host), ("port", &port)];
    if is_syslog {
        let mode = if target.transport == Transport::Udp { "udp" } else { "tcp" };
        output.insert(0, ("name", "syslog"));
        output.extend([("mode", mode), ("syslog_format", "rfc5424")]);
        output.extend([("syslog_maxsize", "262144"), ("syslog_message_key", "message")]);
        output.extend([("syslog_hostname_key", "host"), ("syslog_appname_key", "ident")]);
        if target.has_key {
            output.push(("syslog_sd_key", "logtrace"));
        }
    } else {
        output.insert(0, ("name", "forward"));
        output.push(("require_ack_response", "true"));
    }
    if target.transport == Transport::Tls {
        output.extend([("tls", "on"), ("tls.ca_file", "/etc/ssl/certs/ca-certificates.crt")]);
    }
    text.push_str(&section("OUTPUT", &output));
    text
}

fn section(name: &str, settings: &[(&str, &str)]) -> String {
    let lines = settings.iter().map(|(key, value)| format!("    {key:20}{value}\n"));
    format!("[{name}]\n{}", lines.collect::<String>())
}
