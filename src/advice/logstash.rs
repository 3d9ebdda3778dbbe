//! Logstash: its output to TCP, in lines of JSON.

use super::{Target, Transport};

pub(super) fn configuration(target: &Target) -> String {
    let (host, port) = (&target.host, target.port());
    let filter = if target.has_key { FILTER } else { "" };
    let tls = if target.transport == Transport::Tls { TLS } else { "" };
    format!(
        "\
# /etc/logstash/conf.d/90-logtrace.conf; `logstash -t` checks it.
{filter}output {{
  tcp {{
    host => \"{host}\"
    port => {port}
    codec => json_lines
{tls}  }}
}}
# Times that name no zone: date {{ match => [\"…\", \"…\"] timezone => \"Europe/Berlin\" }} in a filter.
"
    )
}

/// Last of all filters, so that nothing of Logstash sees it but the output.
const FILTER: &str = "filter { mutate { add_field => { \"api_key\" => \"KEY\" } } }\n";

const TLS: &str = "\
    ssl_enabled => true # of older ones: ssl_enable
    ssl_certificate_authorities => [\"/etc/ssl/certs/ca-certificates.crt\"] # ssl_cacert
";
