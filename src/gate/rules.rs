//! All rules, sorted by what they look at.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use aho_corasick::AhoCorasick;

use super::config::Config;
use super::content::{Content, Found};
use super::error::GateError;
use super::geo::Country;
use super::lists::Origin;
use super::refusal::{Refusal, RuleId};
use super::rule::{Action, Rule, RuleKind};
use crate::time::Timestamp;

/// Rules, compiled; immutable, a change makes others.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// The oldest first.
    pub(super) all: Vec<Arc<Rule>>,
    pub(super) content: Option<Arc<Content>>,
    agents: Option<(AhoCorasick, Vec<Arc<Rule>>)>,
    countries: Vec<Arc<Rule>>,
    pub(super) automatic: Vec<Arc<Rule>>,
}

/// What rules say of someone: who would turn them away, and does.
#[derive(Debug, Default)]
pub struct Verdicts {
    /// The first rule that turns them away.
    pub refusal: Option<Refusal>,
    /// Rules that would, but for being tried out.
    pub dry: Vec<Refusal>,
}

impl Rules {
    /// Compiles rules.
    ///
    /// # Errors
    ///
    /// A pattern cannot be compiled, or all of them together take too much.
    pub(super) fn new(mut all: Vec<Arc<Rule>>) -> Result<Self, GateError> {
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        let of = |wanted: fn(RuleKind) -> bool| -> Vec<Arc<Rule>> {
            all.iter().filter(|rule| wanted(rule.kind)).cloned().collect()
        };
        let agents = of(|kind| kind == RuleKind::UserAgent);
        let agents = match agents.is_empty() {
            true => None,
            false => {
                let texts = agents.iter().map(|rule| &rule.pattern);
                let built = AhoCorasick::builder().ascii_case_insensitive(true).build(texts);
                let many = |_| GateError::invalid("pattern", "fewer texts", "too many together");
                Some((built.map_err(many)?, agents))
            }
        };
        let content = Content::new(&all)?.map(Arc::new);
        let countries = of(|kind| kind == RuleKind::Country);
        let automatic = of(RuleKind::is_automatic);
        Ok(Self { all, content, agents, countries, automatic })
    }

    /// The rules of the configuration, and those that were added; where both have one of an id, the
    /// former counts.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub(super) fn open(config: &Config, added: Vec<Rule>) -> Result<Self, GateError> {
        let configured = config.rules.iter().chain(&config.automatic);
        let configured = configured.map(|rule| Rule { origin: Origin::Config, ..rule.clone() });
        let mut all: Vec<Arc<Rule>> = configured.map(Arc::new).collect();
        let ids: HashSet<_> = all.iter().map(|rule| rule.id.clone()).collect();
        all.extend(added.into_iter().filter(|rule| !ids.contains(&rule.id)).map(Arc::new));
        Self::new(all)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Arc<Rule>> {
        self.all.iter().find(|rule| rule.id == id)
    }

    /// Whether no rule asks for countries.
    pub(super) fn ask_no_country(&self) -> bool {
        self.countries.is_empty()
    }

    /// What the rules say of a country.
    pub(super) fn of_country(&self, country: Country, now: Timestamp) -> Verdicts {
        let matches = |rule: &&Arc<Rule>| {
            rule.countries.iter().any(|code| code == country.as_str()) != rule.except
        };
        Verdicts::of(self.countries.iter().filter(matches), now)
    }

    /// What the rules say of the name of a client software.
    pub(super) fn of_agent(&self, agent: &str, listener: &str, now: Timestamp) -> Verdicts {
        let Some((texts, rules)) = &self.agents else { return Verdicts::default() };
        // In a name that says one thing a thousand times, what comes behind that counts as well.
        let found = texts.find_overlapping_iter(agent).map(|found| found.pattern().as_usize());
        let found: BTreeSet<_> = found.collect();
        let found = found.into_iter().filter_map(|number| rules.get(number));
        Verdicts::of(found.filter(|rule| rule.is_about(listener)), now)
    }
}

impl Verdicts {
    /// What rules say that have found something.
    pub fn of<'r>(rules: impl Iterator<Item = &'r Arc<Rule>>, now: Timestamp) -> Self {
        let mut verdicts = Self::default();
        rules.for_each(|rule| verdicts.add(rule, &named(rule), now));
        verdicts
    }

    /// The same of rules about content. Of one that may have been found, and one that was, both of
    /// which turn away, the latter is named.
    pub fn of_found<'r>(found: impl Iterator<Item = &'r Found> + Clone, now: Timestamp) -> Self {
        let mut verdicts = Self::default();
        for sure in found.clone().filter(|found| found.is_sure) {
            verdicts.add(&sure.rule, &named(&sure.rule), now);
        }
        for guess in found.filter(|found| !found.is_sure) {
            verdicts.add(&guess.rule, &format!("{}:likely", named(&guess.rule)), now);
        }
        verdicts
    }

    fn add(&mut self, rule: &Rule, name: &str, now: Timestamp) {
        if !rule.is_live(now) {
            return;
        }
        let refusal = Refusal { reason: rule.reason(), rule: RuleId::made(name) };
        match rule.action {
            Action::Block => {
                self.refusal.get_or_insert(refusal);
            }
            Action::DryRun => self.dry.push(refusal),
        }
    }
}

impl super::Gate {
    /// What rules about client software say of a call.
    pub fn agent_verdicts(&self, agent: Option<&str>, listener: &str, now: Timestamp) -> Verdicts {
        let rules = self.rules.load();
        agent.map(|agent| rules.of_agent(agent, listener, now)).unwrap_or_default()
    }

    /// What rules about countries say of an address that is neither allowed nor of this machine.
    pub fn country_verdicts(&self, peer: IpAddr, now: Timestamp) -> Verdicts {
        let rules = self.rules.load();
        let spared = || peer.to_canonical().is_loopback() || self.lists.load().allows(peer, now);
        if rules.ask_no_country() || spared() {
            return Verdicts::default();
        }
        rules.of_country(self.country_of(peer), now)
    }

    /// The rules about content, where there are any. Asked for once a read.
    pub fn content(&self) -> Option<Arc<Content>> {
        self.rules.load().content.clone()
    }
}

/// The name of a rule in journals.
fn named(rule: &Rule) -> String {
    format!("rule:{}", rule.id)
}
