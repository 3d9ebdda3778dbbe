//! What differs between two configurations, by the names of settings; values are not told, as some
//! are secret.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Config;
use crate::net::ListenerConfig;

/// What a new configuration changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Its listeners.
    pub listeners: ListenerChanges,
    /// Settings that count from now on, dotted.
    pub settings: Vec<String>,
    /// Settings that count only after a restart, dotted.
    pub needs_restart: Vec<String>,
}

/// What changes of listeners, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ListenerChanges {
    /// Those that there were not before.
    pub added: Vec<String>,
    /// Those that there are no longer.
    pub removed: Vec<String>,
    /// Those that there still are, with the settings that are others.
    pub changed: BTreeMap<String, Vec<String>>,
}

impl Changes {
    /// What `new` changes of `old`.
    pub fn between(old: &Config, new: &Config) -> Self {
        let mut differing = Vec::new();
        differ("", &old.without_lists(), &new.without_lists(), &mut differing);
        if old.forward != new.forward {
            differing.push("forward".to_owned());
        }
        let (settings, needs_restart) = differing.into_iter().partition(|name| is_live(name));
        Self { listeners: ListenerChanges::between(old, new), settings, needs_restart }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether nothing differs that counts from now on.
    pub fn is_idle(&self) -> bool {
        self.settings.is_empty() && self.listeners == ListenerChanges::default()
    }
}

impl ListenerChanges {
    fn between(old: &Config, new: &Config) -> Self {
        let named = |config: &Config, name: &str| -> Option<ListenerConfig> {
            config.listener.iter().find(|listener| listener.name == name).cloned()
        };
        let mut changes = Self::default();
        for listener in &new.listener {
            match named(old, &listener.name) {
                None => changes.added.push(listener.name.clone()),
                Some(before) if before == *listener => {}
                Some(before) => {
                    let mut differing = Vec::new();
                    differ("", &json(&before), &json(listener), &mut differing);
                    changes.changed.insert(listener.name.clone(), differing);
                }
            }
        }
        let gone = old.listener.iter().filter(|listener| named(new, &listener.name).is_none());
        changes.removed = gone.map(|listener| listener.name.clone()).collect();
        changes
    }
}

impl Config {
    /// Takes from `new` what counts without a restart.
    pub fn take_live(&mut self, new: Self) {
        self.listener = new.listener;
        self.log.level = new.log.level;
        self.shutdown = new.shutdown;
        self.gate = crate::gate::Config {
            policy: self.gate.policy,
            max_tracked_addresses: self.gate.max_tracked_addresses,
            sources: std::mem::take(&mut self.gate.sources),
            countries: self.gate.countries.take(),
            limits: std::mem::take(&mut self.gate.limits),
            ..new.gate
        };
    }

    /// All sections of which there is one.
    fn without_lists(&self) -> Value {
        let Self { data_dir, api, admin, gate, audit, batch, store, ship, log, .. } = self;
        let mut all = serde_json::Map::new();
        let mut put = |name: &str, section| all.insert(name.to_owned(), section);
        put("data_dir", json(data_dir));
        put("api", json(api));
        put("admin", json(admin));
        put("gate", json(gate));
        put("audit", json(audit));
        put("batch", json(batch));
        put("store", json(store));
        put("ship", json(ship));
        put("people", json(&self.people));
        put("senders", json(&self.senders));
        put("memory", json(&self.memory));
        put("log", json(log));
        put("shutdown", json(&self.shutdown));
        put("metrics", json(&self.metrics));
        Value::Object(all)
    }
}

/// Settings that count without a restart.
const LIVE: [&str; 9] = [
    "gate.allow",
    "gate.automatic",
    "gate.block",
    "gate.block_expiry",
    "gate.networks",
    "gate.requests",
    "gate.rules",
    "log.level",
    "shutdown.grace",
];

fn is_live(name: &str) -> bool {
    let below = |live: &str| name.strip_prefix(live).is_some_and(|rest| rest.starts_with('.'));
    LIVE.iter().any(|live| name == *live || below(live))
}

fn json(section: &impl Serialize) -> Value {
    serde_json::to_value(section).unwrap_or_default()
}

/// The dotted names of what differs, in order.
fn differ(name: &str, old: &Value, new: &Value, differing: &mut Vec<String>) {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        if old != new {
            differing.push(name.to_owned());
        }
        return;
    };
    let mut members: Vec<&String> = old.keys().chain(new.keys()).collect();
    members.sort_unstable();
    members.dedup();
    for member in members {
        let dotted = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
        let of = |side: &serde_json::Map<String, Value>| side.get(member).cloned();
        let (old, new) = (of(old).unwrap_or_default(), of(new).unwrap_or_default());
        differ(&dotted, &old, &new, differing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read::parse;

    fn told(old: &str, new: &str) -> String {
        let read = |text| parse(text, "f", &[]).unwrap();
        serde_json::to_string(&Changes::between(&read(old), &read(new))).unwrap()
    }

    #[test]
    fn what_differs_is_named_and_no_value_told() {
        insta::assert_snapshot!(told("", ""), @r#"{"listeners":{"added":[],"removed":[],"changed":{}},"settings":[],"needs_restart":[]}"#);
        let base = "[[listener]]\nname = \"a\"\nprotocol = \"syslog\"\ntransport = \"tcp\"\nlisten = \"127.0.0.1:1\"\n";
        let other = "[[listener]]\nname = \"b\"\nprotocol = \"syslog\"\ntransport = \"tcp\"\nlisten = \"127.0.0.1:2\"\n";
        let head = "data_dir = \"/x\"\nlog.level = \"debug\"\ngate.requests.queued = 1\ngate.block = [\"192.0.2.1\"]\napi.max_tails = 1\nstore.retention.projects.shop = \"3d\"\n";
        insta::assert_snapshot!(told(base, &format!("{head}{base}max_message = \"1 MiB\"\nproxy.trusted = [\"10.0.0.0/8\"]\n{other}")), @r#"{"listeners":{"added":["b"],"removed":[],"changed":{"a":["max_message","proxy"]}},"settings":["gate.block","gate.requests.queued","log.level"],"needs_restart":["api.max_tails","data_dir","store.retention.projects.shop"]}"#);
        insta::assert_snapshot!(told(other, base), @r#"{"listeners":{"added":["a"],"removed":["b"],"changed":{}},"settings":[],"needs_restart":[]}"#);
    }

    #[test]
    fn what_counts_is_taken_and_the_rest_goes_on_needing_a_restart() {
        let text = "data_dir = \"/x\"\nlog.level = \"debug\"\nlog.format = \"json\"\nlistener = []\ngate.allow = [\"192.0.2.1\"]\ngate.limits.key.events_per_second = 5\nshutdown.grace = \"3s\"\n";
        let new = parse(text, "f", &[]).unwrap();
        let mut running = Config::default();
        running.take_live(new.clone());
        let left = Changes::between(&running, &new);
        assert!(left.is_idle() && !left.is_empty(), "{left:?}");
        assert_eq!(
            left.needs_restart,
            ["data_dir", "gate.limits.key.events_per_second", "log.format"]
        );
    }
}
