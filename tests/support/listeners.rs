//! The listeners of daemons under test.

/// One listener for each way in.
pub(crate) const LISTENERS: &str = r#"
[[listener]]
name = "tcp"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "counted"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
framing = "octet"

[[listener]]
name = "udp"
protocol = "syslog"
transport = "udp"
listen = "127.0.0.1:0"

[[listener]]
name = "tls"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }

[[listener]]
name = "keyed"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
require_key = true

[[listener]]
name = "json"
protocol = "logstash"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "json-udp"
protocol = "logstash"
transport = "udp"
listen = "127.0.0.1:0"

[[listener]]
name = "beats"
protocol = "beats"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "beats-tls"
protocol = "beats"
transport = "tcp"
listen = "127.0.0.1:0"
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }
"#;

/// One for RELP. What follows it is its own.
pub(crate) const RELP: &str = r#"
[[listener]]
name = "relp"
protocol = "relp"
transport = "tcp"
listen = "127.0.0.1:0"
"#;

/// One for Fluentd's protocol. What follows it is its own.
pub(crate) const FLUENT: &str = r#"
[[listener]]
name = "fluent"
protocol = "fluent"
transport = "tcp"
listen = "127.0.0.1:0"
"#;
