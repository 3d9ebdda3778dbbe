//! The section `[gate]` of the configuration.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use super::limits::{Limits, Policy, duration_text};
use super::lists::{ListEntry, ListKind, Origin};
use super::range::{Range, parse_net};
use super::rule::{Action, Rule, RuleKind};
use super::rule_admin::{MAX_RULES, checked};
use super::source::{SourceConfig, source_problems};
use super::tier::Requests;
use crate::time::Timestamp;

/// Who may pass, where neither a list nor a key says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What happens over a limit to senders whose key does not say. Default: "drop".
    /// Range: "drop", "pace", "queue", "sample".
    pub policy: Policy,
    /// How long an address stays on the blocklist, where nothing else was said. Default: 30d.
    /// Range: 1s to 3650d.
    #[serde(with = "humantime_serde")]
    pub block_expiry: Duration,
    /// Source addresses whose rates are kept at the same time, over streams and over datagrams
    /// each; past it the oldest are forgotten. Default: 65536. Range: 1024 to 16777216.
    pub max_tracked_addresses: usize,
    /// Networks and addresses that no blocklist touches. Default: none. Range: 65536 of them.
    #[serde(deserialize_with = "nets")]
    pub allow: Vec<IpNet>,
    /// Networks and addresses that are turned away; none that holds a loopback address.
    /// Default: none. Range: 65536 of them.
    #[serde(deserialize_with = "nets")]
    pub block: Vec<IpNet>,
    /// Files and URLs with more of such networks, read again when they change. Default: none.
    /// Range: 64 of them.
    pub sources: Vec<SourceConfig>,
    /// A database of countries (`.mmdb`), read into memory, and again when it changes.
    /// Default: none, and all countries are unknown.
    pub countries: Option<PathBuf>,
    /// What is turned away for what it says, which software it is, or where it comes from; fields as
    /// of `/v1/rules`. Default: none. Range: 10000 of them.
    pub rules: Vec<Rule>,
    /// What many failures are blocked by. Default: an address after 100 failures in 10 minutes for
    /// an hour, and for a day after 20 different keys, or 10 that are counted through; and a dry run
    /// for keys that fail from 20 addresses. Range: 100 of them.
    pub automatic: Vec<Rule>,
    /// Networks whose senders have a key without sending one. Default: none. Range: 65536 of them.
    pub networks: Vec<Network>,
    /// Limits where a key has none of its own, and those of each source address and project.
    pub limits: DefaultLimits,
    /// Requests over HTTP that a key may make in an hour, by its tier.
    pub requests: Requests,
}

/// A network whose senders have a key without sending one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Where they send from. Of several that hold an address, the longest counts.
    #[serde(deserialize_with = "net")]
    pub source: IpNet,
    /// The public id of their key.
    pub key: String,
}

/// Limits where nothing else was said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DefaultLimits {
    /// Of each key that has none of its own. Default: none, with a burst of 1s.
    pub key: Limits,
    /// Of each source address, or /64 of IPv6. Default: none, with a burst of 1s.
    pub address: Limits,
    /// Of each project, over all of its senders. Default: none, with a burst of 1s.
    pub project: Limits,
    /// Of projects by name, in place of all of `project`. Default: none. Range: 65536 of them.
    pub projects: BTreeMap<String, Limits>,
}

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {what}")]
pub struct Problem {
    /// Its key, dotted, within the section.
    pub key: Cow<'static, str>,
    /// What was expected, and what was found.
    pub what: String,
}

impl Config {
    /// Every setting that makes no sense.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut problem = |key, what| problems.push(Problem { key: Cow::Borrowed(key), what });
        if !(MIN_EXPIRY..=MAX_EXPIRY).contains(&self.block_expiry) {
            let found = duration_text(self.block_expiry);
            problem("block_expiry", format!("expected 1s to 3650d, but found {found}"));
        }
        if !(MIN_TRACKED..=MAX_TRACKED).contains(&self.max_tracked_addresses) {
            let found = self.max_tracked_addresses;
            let what = format!("expected {MIN_TRACKED} to {MAX_TRACKED}, but found {found}");
            problem("max_tracked_addresses", what);
        }
        let lists = [
            ("allow", self.allow.len()),
            ("block", self.block.len()),
            ("networks", self.networks.len()),
        ];
        for (key, found) in lists.into_iter().filter(|(_, len)| *len > MAX_NETS) {
            problem(key, format!("expected at most {MAX_NETS} networks, but found {found}"));
        }
        for net in self.block.iter().filter(|net| Range::of(**net).touches_loopback()) {
            let what = format!("expected networks without a loopback address, but found {net}");
            problem("block", what);
        }
        if self.limits.projects.len() > MAX_NETS {
            let found = self.limits.projects.len();
            problem("limits.projects", format!("expected at most {MAX_NETS}, but found {found}"));
        }
        problems_of_rules("rules", &self.rules, MAX_RULES, false, &mut problem);
        problems_of_rules("automatic", &self.automatic, MAX_AUTOMATIC, true, &mut problem);
        for what in source_problems(&self.sources) {
            problem("sources", what);
        }
        problems.extend(self.limits.problems());
        problems
    }

    /// Its lists.
    pub(super) fn entries(&self, now: Timestamp) -> impl Iterator<Item = ListEntry> {
        let allow = self.allow.iter().map(|net| (ListKind::Allow, net));
        let block = self.block.iter().map(|net| (ListKind::Block, net));
        allow.chain(block).map(move |(list, net)| ListEntry {
            list,
            net: Range::of(*net).net(),
            expires_at: None,
            note: String::new(),
            created_at: now,
            origin: Origin::Config,
            rule: None,
        })
    }
}

impl DefaultLimits {
    fn problems(&self) -> impl Iterator<Item = Problem> {
        let Self { key, address, project, projects } = self;
        let common = [("key", key), ("address", address), ("project", project)];
        let common = common.into_iter().map(|(name, limits)| (name.to_owned(), limits));
        let own = projects.iter().map(|(name, limits)| (format!("projects.{name}"), limits));
        common.chain(own).filter_map(|(of, limits)| {
            let (name, expected, found) = limits.problem()?;
            let what = format!("expected {expected}, but found {found}");
            Some(Problem { key: format!("limits.{of}.{name}").into(), what })
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy::Drop,
            block_expiry: Duration::from_secs(30 * 86_400),
            max_tracked_addresses: 65_536,
            allow: Vec::new(),
            block: Vec::new(),
            sources: Vec::new(),
            countries: None,
            rules: Vec::new(),
            automatic: automatic_rules(),
            networks: Vec::new(),
            limits: DefaultLimits::default(),
            requests: Requests::default(),
        }
    }
}

/// The automatic rules that there are without a word of the configuration.
fn automatic_rules() -> Vec<Rule> {
    vec![
        Rule::automatic("failures", RuleKind::Address, 100, 1),
        Rule::automatic("guessing", RuleKind::Guessing, 10, 24),
        Rule::automatic("many-keys", RuleKind::ManyKeys, 20, 24),
        Rule {
            action: Action::DryRun,
            ..Rule::automatic("many-addresses", RuleKind::ManyAddresses, 20, 24)
        },
    ]
}

fn problems_of_rules(
    key: &'static str,
    rules: &[Rule],
    max: usize,
    automatic: bool,
    problem: &mut impl FnMut(&'static str, String),
) {
    if rules.len() > max {
        return problem(key, format!("expected at most {max} rules, but found {}", rules.len()));
    }
    let mut ids = HashSet::new();
    for rule in rules {
        if let Err(error) = checked(rule, Timestamp::MIN) {
            problem(key, format!("{:?}: {error}", rule.id));
        } else if !ids.insert(&rule.id) {
            problem(
                key,
                format!("expected an id of its own for each, but found {:?} twice", rule.id),
            );
        } else if rule.kind.is_automatic() != automatic {
            let kind = rule.kind.as_str();
            problem(key, format!("{:?}: expected another kind here, but found {kind}", rule.id));
        }
    }
}

/// A network, or an address, which stands for itself alone.
fn net<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpNet, D::Error> {
    let text = String::deserialize(deserializer)?;
    let what = || D::Error::custom(format!("expected an address or a network, but found {text:?}"));
    parse_net(&text).ok_or_else(what)
}

/// Reads many networks, and addresses, which stand for themselves alone.
///
/// # Errors
///
/// One is neither.
pub fn nets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Item(#[serde(deserialize_with = "net")] IpNet);
    let items = Vec::<Item>::deserialize(deserializer)?;
    Ok(items.into_iter().map(|Item(net)| net).collect())
}

/// The most automatic rules.
const MAX_AUTOMATIC: usize = 100;

const MIN_EXPIRY: Duration = Duration::from_secs(1);

const MAX_EXPIRY: Duration = Duration::from_secs(3650 * 86_400);

const MIN_TRACKED: usize = 1024;

const MAX_TRACKED: usize = 16_777_216;

/// The most networks in one list of the configuration.
const MAX_NETS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        let config: Config = serde_json::from_str(text).unwrap();
        let problems = config.problems();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_defaults_are_sound_and_round_trip() {
        assert_eq!(Config::default().problems(), []);
        let text = serde_json::to_string(&Config::default()).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), Config::default());
    }

    #[test]
    fn every_problem_is_named() {
        insta::assert_snapshot!(problems(r#"{
            "block_expiry": "0s", "max_tracked_addresses": 1, "block": ["::/0", "10.0.0.1"],
            "limits": {"key": {"burst": "2h"}, "address": {"burst": "0s"},
                "project": {"severe_reserve": 101}, "projects": {"shop": {"queue": "2d"}}}
        }"#), @r"
        block_expiry: expected 1s to 3650d, but found 0s
        max_tracked_addresses: expected 1024 to 16777216, but found 1
        block: expected networks without a loopback address, but found ::/0
        limits.key.burst: expected 10ms to 1h, but found 2h
        limits.address.burst: expected 10ms to 1h, but found 0s
        limits.project.severe_reserve: expected 0 to 100, but found 101
        limits.projects.shop.queue: expected 0s to 24h, but found 2d
        ");
    }

    #[test]
    fn addresses_are_networks_of_their_own() {
        let config: Config =
            serde_json::from_str(r#"{"allow":["10.0.0.1","10.0.0.0/8"]}"#).unwrap();
        assert_eq!(config.allow[0].to_string(), "10.0.0.1/32");
        let error = serde_json::from_str::<Config>(r#"{"allow":["10.0.0.0/33"]}"#).unwrap_err();
        insta::assert_snapshot!(
            error,
            @r#"expected an address or a network, but found "10.0.0.0/33" at line 1 column 24"#
        );
    }
}
