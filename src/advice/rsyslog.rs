//! rsyslog. Its default template leaves structured data, year and zone out; the one here is that of
//! RFC 5424, with the key, where there is one, as an element of structured data.

use super::{Speaks, Target, Transport};

pub(super) fn configuration(target: &Target) -> String {
    let Target { host, .. } = target;
    let port = target.port();
    let template = if target.has_key { "logtrace" } else { "RSYSLOG_SyslogProtocol23Format" };
    let mut text = String::from(HEAD);
    if target.has_key {
        text.push_str(TEMPLATE);
    }
    let is_tls = target.transport == Transport::Tls;
    let action = match target.speaks {
        Speaks::Relp => {
            let tls = format!(
                " tls=\"on\" tls.caCert=\"{CA}\"\n       tls.myCert=\"{CERT}\" \
                 tls.myPrivKey=\"{KEY}\"\n       tls.authMode=\"name\" \
                 tls.permittedPeer=[\"{host}\"]"
            );
            let tls = if is_tls { tls } else { String::new() };
            if is_tls {
                text.push_str(OWN);
            }
            text.push_str("module(load=\"omrelp\")\n");
            format!("action(type=\"omrelp\" target=\"{host}\" port=\"{port}\"{tls}")
        }
        _ if target.transport == Transport::Udp => {
            format!("action(type=\"omfwd\" target=\"{host}\" port=\"{port}\" protocol=\"udp\"")
        }
        _ => {
            if is_tls {
                text.push_str(&format!("global(defaultNetstreamDriverCAFile=\"{CA}\")\n"));
            }
            let tls = format!(
                "\n       StreamDriver=\"gtls\" StreamDriverMode=\"1\" \
                 StreamDriverAuthMode=\"x509/name\" StreamDriverPermittedPeers=\"{host}\""
            );
            let tls = if is_tls { tls } else { String::new() };
            format!(
                "action(type=\"omfwd\" target=\"{host}\" port=\"{port}\" protocol=\"tcp\" \
                 TCP_Framing=\"octet-counted\"{tls}"
            )
        }
    };
    text.push_str(&action);
    text.push_str(&format!("\n       template=\"{template}\"{QUEUE}"));
    text
}

const HEAD: &str = "\
# /etc/rsyslog.d/60-logtrace.conf, in place of what forwards now; rsyslogd -N1 checks it.
# What comes from other hosts must be read as RFC 5424 too: leave rsyslog.rfc5424 among the parsers.
";

/// With a blank before the message only where it has none, and no line feed at its end.
const TEMPLATE: &str = "\
template(name=\"logtrace\" type=\"string\"
  string=\"<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% %PROCID% %MSGID% \
[logtrace@32473 key=\\\"KEY\\\"]%STRUCTURED-DATA:R,ERE,0,BLANK:\\\\[.*--end%\
%msg:::sp-if-no-1st-sp%%msg:::drop-last-lf%\")
";

const QUEUE: &str = "
       action.resumeRetryCount=\"-1\" queue.type=\"LinkedList\" queue.filename=\"logtrace\"
       queue.maxDiskSpace=\"1g\" queue.saveOnShutdown=\"on\")
";

const CA: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Without a certificate of its own librelp asks for anonymous TLS, which nobody speaks any longer.
const OWN: &str = "\
# omrelp needs a certificate of its own, which may be any:
#   openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj \"/CN=$(hostname)\" \\
#     -out /etc/ssl/certs/rsyslog.pem -keyout /etc/ssl/private/rsyslog.key
";

const CERT: &str = "/etc/ssl/certs/rsyslog.pem";

const KEY: &str = "/etc/ssl/private/rsyslog.key";
