//! The page itself, in Prometheus's text format.

use std::sync::Arc;

use prometheus::{Encoder, Registry, TextEncoder};

use super::accounts::Accounts;
use super::gauges::Gauges;
use super::ledger::Ledger;

/// Everything that is shown.
#[derive(Clone, Debug)]
pub struct Page(Registry);

impl Page {
    /// A page of the ledger's counters and the gauges that come with it.
    ///
    /// # Errors
    ///
    /// Only when two metrics have one name, which the first test run finds.
    pub fn new(ledger: Arc<Ledger>) -> prometheus::Result<(Self, Gauges)> {
        let registry = Registry::new();
        registry.register(Box::new(Accounts(ledger)))?;
        let gauges = Gauges::register(&registry)?;
        Ok((Self(registry), gauges))
    }

    /// The page as text.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        let encoded = TextEncoder::new().encode(&self.0.gather(), &mut text);
        encoded.expect("a gathered page is always text");
        String::from_utf8(text).expect("the text format is UTF-8")
    }

    /// The media type of [`text`](Self::text).
    pub const MEDIA_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_is_on_the_page_from_zero() {
        let ledger = Arc::new(Ledger::new(&["IP_BLOCKLISTED"], 10));
        let (page, _gauges) = Page::new(Arc::clone(&ledger)).unwrap();
        let account = ledger.listener("syslog-tcp");
        account.accept(5, 500);
        account.block(0, 2, 20);
        ledger.settle("syslog-tcp", None, 3, true);
        let text = page.text();
        for line in [
            r#"logtrace_received_total{listener="syslog-tcp"} 7"#,
            r#"logtrace_stored_total{listener="syslog-tcp"} 3"#,
            r#"logtrace_in_flight{listener="syslog-tcp"} 2"#,
            r#"logtrace_blocked_total{listener="syslog-tcp",reason="IP_BLOCKLISTED"} 2"#,
            r#"logtrace_failed_total{listener="syslog-tcp",reason="STORE"} 0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
