//! Filebeat, and all other Beats: what they call their output to Logstash.

use super::{Target, Transport};

pub(super) fn configuration(target: &Target) -> String {
    let (host, port) = (&target.host, target.port());
    let mut text = format!(
        "\
# filebeat.yml; `filebeat test config` and `filebeat test output` check it.
output.logstash:
  hosts: [\"{host}:{port}\"]
"
    );
    if target.transport == Transport::Tls {
        text.push_str("  ssl.certificate_authorities: [\"/etc/ssl/certs/ca-certificates.crt\"]\n");
    }
    if target.has_key {
        text.push_str("fields: {token: \"KEY\"} # the key of all events\n");
    }
    text.push_str(INPUT);
    text
}

const INPUT: &str = "\
# Messages of several lines, as stack traces, in an input of type filestream:
#   parsers:
#     - multiline: {type: pattern, pattern: '^\\s', negate: false, match: after}
# Times in lines that name no zone, in a processor: timestamp with timezone: 'Europe/Berlin'.
";
