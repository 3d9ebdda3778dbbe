//! Changes of rules. As with keys, a change is in the store before it is in force.

use std::sync::Arc;

use super::Gate;
use super::content;
use super::error::GateError;
use super::lists::Origin;
use super::rule::Rule;
use super::rules::Rules;
use super::secret::draw_id;
use crate::time::Timestamp;

impl Gate {
    /// Every rule, the oldest first; those that have expired too.
    pub fn rules(&self) -> Vec<Rule> {
        self.rules.load().all.iter().map(|rule| (**rule).clone()).collect()
    }

    /// The ids of all rules that make blocks by themselves.
    pub fn automatic_rules(&self) -> Vec<String> {
        self.rules.load().automatic.iter().map(|rule| rule.id.clone()).collect()
    }

    /// The rule of that id.
    pub fn rule(&self, id: &str) -> Option<Rule> {
        self.rules.load().get(id).map(|rule| (**rule).clone())
    }

    /// Puts rules in force, all or none; one replaces the rule of its id, and one without an id gets
    /// one. Which they are is returned.
    ///
    /// # Errors
    ///
    /// One makes no sense or takes too much memory, the configuration has a rule of that id, there
    /// are too many, or the store failed.
    pub fn add_rules(&self, new: Vec<Rule>, now: Timestamp) -> Result<Vec<Rule>, GateError> {
        let new = new.into_iter().map(|rule| prepared(rule, now)).collect::<Result<Vec<_>, _>>()?;
        let _change = self.change.lock();
        let rules = self.rules.load();
        let is_configured =
            |rule: &&Rule| rules.get(&rule.id).is_some_and(|known| known.origin == Origin::Config);
        if let Some(rule) = new.iter().find(is_configured) {
            return Err(GateError::ConfiguredRule(rule.id.clone()));
        }
        let is_new = |rule: &&Arc<Rule>| new.iter().all(|new| new.id != rule.id);
        let mut all: Vec<_> = rules.all.iter().filter(is_new).cloned().collect();
        all.extend(new.iter().cloned().map(Arc::new));
        if all.len() > MAX_RULES {
            return Err(GateError::Full { of: "rules", max: MAX_RULES });
        }
        let compiled = Rules::new(all)?;
        self.records.put_rules(&new)?;
        self.put_rules(compiled);
        Ok(new)
    }

    /// Takes a rule away, and returns it.
    ///
    /// # Errors
    ///
    /// There is none of that id, the configuration has it, or the store failed.
    pub fn remove_rule(&self, id: &str) -> Result<Rule, GateError> {
        let _change = self.change.lock();
        let rules = self.rules.load();
        let rule = rules.get(id).ok_or_else(|| GateError::UnknownRule(id.to_owned()))?;
        if rule.origin == Origin::Config {
            return Err(GateError::ConfiguredRule(id.to_owned()));
        }
        let rest = rules.all.iter().filter(|rule| rule.id != id).cloned().collect();
        let compiled = Rules::new(rest)?;
        self.records.delete_rule(id)?;
        self.put_rules(compiled);
        Ok((**rule).clone())
    }

    pub(super) fn put_rules(&self, rules: Rules) {
        self.automatic.watch(&rules.automatic);
        self.rules.store(Arc::new(rules));
        self.changed();
    }
}

/// A rule that was asked for, as it is kept: one that makes sense.
///
/// # Errors
///
/// It does not.
pub(super) fn prepared(rule: Rule, now: Timestamp) -> Result<Rule, GateError> {
    let id = match rule.id.is_empty() {
        true => draw_id()?.replacen("key_", "rule_", 1),
        false => rule.id,
    };
    let rule = Rule { id, created_at: now, origin: Origin::Added, ..rule };
    checked(&rule, now)?;
    Ok(rule)
}

/// Whether a rule makes sense, and its pattern can be compiled.
pub(super) fn checked(rule: &Rule, now: Timestamp) -> Result<(), GateError> {
    rule.check(now)?;
    content::check(rule)
}

/// The most rules that there may be.
pub(super) const MAX_RULES: usize = 10_000;
