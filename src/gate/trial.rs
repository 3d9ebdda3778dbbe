//! Rules that are tried before they are in force.

use std::net::IpAddr;
use std::sync::Arc;

use super::Gate;
use super::error::GateError;
use super::rule::{Action, Rule};
use super::rule_admin::prepared;
use super::rules::Rules;
use crate::time::Timestamp;

/// A rule that is tried, on texts or addresses.
#[derive(Debug)]
pub struct Trial {
    rules: Rules,
    gate: Arc<Gate>,
    at: Timestamp,
}

impl Gate {
    /// Compiles a rule, and does not put it in force.
    ///
    /// # Errors
    ///
    /// It makes no sense, or is one that looks at no text and no address.
    pub fn trial(self: &Arc<Self>, rule: Rule, now: Timestamp) -> Result<Trial, GateError> {
        if rule.kind.is_automatic() {
            let expected = "a rule about content, software or countries";
            return Err(GateError::invalid("kind", expected, rule.kind.as_str()));
        }
        let rule = Rule { action: Action::Block, listener: None, ..prepared(rule, now)? };
        let rules = Rules::new(vec![Arc::new(rule)])?;
        Ok(Trial { rules, gate: Arc::clone(self), at: now })
    }
}

impl Trial {
    /// Whether the rule finds something in a text: a message, or the name of a software.
    pub fn finds(&self, text: &str) -> bool {
        let in_content = self
            .rules
            .content
            .as_ref()
            .is_some_and(|content| !content.find(text.as_bytes()).is_empty());
        in_content || self.rules.of_agent(text, "", self.at).refusal.is_some()
    }

    /// Whether the rule is about the country of an address.
    pub fn finds_address(&self, address: IpAddr) -> bool {
        let country = self.gate.country_of(address);
        self.rules.of_country(country, self.at).refusal.is_some()
    }
}
