//! syslog-ng. `network()` writes RFC 3164; `syslog()` writes RFC 5424, counted.

use super::{Target, Transport};

pub(super) fn configuration(target: &Target) -> String {
    let Target { host, .. } = target;
    let port = target.port();
    let transport = match target.transport {
        Transport::Tcp => "transport(\"tcp\")".to_owned(),
        Transport::Udp => "transport(\"udp\")".to_owned(),
        Transport::Tls => {
            format!("transport(\"tls\")\n    tls(ca-file(\"{CA}\") peer-verify(yes))")
        }
    };
    let (rewrite, uses) =
        if target.has_key { (REWRITE, "rewrite(r_logtrace); ") } else { ("", "") };
    format!(
        "\
# /etc/syslog-ng/conf.d/logtrace.conf, in place of what forwards now; syslog-ng -s checks it.
# s_src is your source. One that takes RFC 5424 needs flags(syslog-protocol), or is syslog(…):
# else structured data is lost before it gets here.
destination d_logtrace {{
  syslog(\"{host}\" port({port}) {transport}
    ts-format(iso) frac-digits(6));
}};
{rewrite}log {{ source(s_src); {uses}destination(d_logtrace); }};
"
    )
}

const REWRITE: &str =
    "rewrite r_logtrace { set(\"KEY\" value(\".SDATA.logtrace@32473.key\")); };\n";

const CA: &str = "/etc/ssl/certs/ca-certificates.crt";
