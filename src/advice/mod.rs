//! How shippers are to be configured so that what they send arrives whole.
//!
//! Pure text: for each shipper a file, with its configuration for a place, and in comments what it
//! takes to mend what else is wrong.

mod filebeat;
mod fluent_bit;
mod logstash;
mod rsyslog;
mod syslog_ng;

/// A program that sends logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shipper {
    /// rsyslog.
    Rsyslog,
    /// syslog-ng.
    SyslogNg,
    /// Filebeat; all other Beats alike.
    Filebeat,
    /// Logstash.
    Logstash,
    /// Fluent Bit.
    FluentBit,
}

/// Where it is to send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name or address of the daemon.
    pub host: String,
    /// The port, where it is known.
    pub port: Option<u16>,
    /// What the listener speaks there.
    pub speaks: Speaks,
    /// By which transport.
    pub transport: Transport,
    /// Whether a key is to be sent.
    pub has_key: bool,
}

/// What a listener speaks, as far as shippers differ in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Syslog.
    Syslog,
    /// RELP.
    Relp,
    /// Beats.
    Beats,
    /// Lines of JSON.
    Logstash,
    /// Fluentd's forward protocol.
    Forward,
}

/// How it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
    /// Datagrams.
    Udp,
}

impl Shipper {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Rsyslog, Self::SyslogNg, Self::Filebeat, Self::Logstash, Self::FluentBit];

    /// What it is called.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rsyslog => "rsyslog",
            Self::SyslogNg => "syslog-ng",
            Self::Filebeat => "filebeat",
            Self::Logstash => "logstash",
            Self::FluentBit => "fluent-bit",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shipper| shipper.as_str() == name)
    }

    /// The configuration that lets it send to `target`, whole. `KEY` stands for a key.
    pub fn configuration(self, target: &Target) -> String {
        let target = self.reach(target);
        match self {
            Self::Rsyslog => rsyslog::configuration(&target),
            Self::SyslogNg => syslog_ng::configuration(&target),
            Self::Filebeat => filebeat::configuration(&target),
            Self::Logstash => logstash::configuration(&target),
            Self::FluentBit => fluent_bit::configuration(&target),
        }
    }

    /// The same place, by something that it speaks.
    fn reach(self, target: &Target) -> Target {
        let speaks = match (self, target.speaks) {
            (Self::Rsyslog, speaks @ (Speaks::Syslog | Speaks::Relp)) => speaks,
            (Self::Rsyslog | Self::SyslogNg, _) => Speaks::Syslog,
            (Self::Filebeat, _) => Speaks::Beats,
            (Self::Logstash, _) => Speaks::Logstash,
            (Self::FluentBit, Speaks::Syslog) => Speaks::Syslog,
            (Self::FluentBit, _) => Speaks::Forward,
        };
        let is_same = speaks == target.speaks;
        let transport = match target.transport {
            Transport::Udp if speaks != Speaks::Syslog => Transport::Tcp,
            transport => transport,
        };
        let port = target.port.filter(|_| is_same);
        Target { speaks, transport, port, ..target.clone() }
    }
}

impl Target {
    /// The port; where it is not known, the usual one.
    fn port(&self) -> u16 {
        let usual = match (self.speaks, self.transport) {
            (Speaks::Syslog, Transport::Tls) => 6514,
            (Speaks::Syslog, _) => 5514,
            (Speaks::Relp, _) => 2514,
            (Speaks::Beats, _) => 5044,
            (Speaks::Logstash, _) => 5000,
            (Speaks::Forward, _) => 24224,
        };
        self.port.unwrap_or(usual)
    }

    /// What a listener called `protocol` (`syslog/tcp`, `beats/tls`) is.
    pub fn of(protocol: &str, host: &str, port: Option<u16>, has_key: bool) -> Self {
        let (protocol, transport) = protocol.split_once('/').unwrap_or((protocol, "tcp"));
        let speaks = match protocol {
            "relp" => Speaks::Relp,
            "beats" => Speaks::Beats,
            "logstash" => Speaks::Logstash,
            "fluent" => Speaks::Forward,
            _ => Speaks::Syslog,
        };
        let transport = match transport {
            "tls" => Transport::Tls,
            "udp" => Transport::Udp,
            _ => Transport::Tcp,
        };
        Self { host: host.to_owned(), port, speaks, transport, has_key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipper_has_a_configuration_for_every_place() {
        for shipper in Shipper::ALL {
            assert_eq!(Shipper::named(shipper.as_str()), Some(shipper));
            for protocol in [
                "syslog/tcp",
                "syslog/tls",
                "syslog/udp",
                "relp/tcp",
                "relp/tls",
                "beats/tcp",
                "logstash/tls",
                "fluent/tcp",
                "auto/tcp",
                "http/tcp",
            ] {
                for has_key in [false, true] {
                    let target = Target::of(protocol, "logs.example", None, has_key);
                    let text = shipper.configuration(&target);
                    assert!(text.contains("logs.example"), "{text}");
                    assert_eq!(text.contains("KEY"), has_key, "{shipper:?} {protocol}\n{text}");
                    let is_tls = target.transport == Transport::Tls;
                    assert_eq!(
                        text.contains("/etc/ssl/certs"),
                        is_tls,
                        "{shipper:?} {protocol}\n{text}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_port_is_that_of_what_the_shipper_speaks() {
        let target = Target::of("syslog/tcp", "h", Some(1514), false);
        let line = |shipper: Shipper, part: &str| shipper.configuration(&target).contains(part);
        assert!(line(Shipper::Rsyslog, "port=\"1514\""));
        assert!(line(Shipper::SyslogNg, "port(1514)"));
        assert!(line(Shipper::Filebeat, "h:5044"));
        assert!(line(Shipper::Logstash, "port => 5000"));
        assert!(line(Shipper::FluentBit, "port                1514"));
        assert!(line(Shipper::FluentBit, "syslog_hostname_key host"));
    }
}
