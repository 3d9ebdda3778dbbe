//! Rules: what they may be, what they say, what outlives a restart.

use super::support::{NOW, after, gate, ip, open, test_db};
use crate::gate::{Gate, GateError, Origin, Rule, Verdicts};

fn rule(text: &str) -> Rule {
    serde_json::from_str(text).unwrap()
}

fn add(gate: &Gate, text: &str) -> Result<Rule, GateError> {
    Ok(gate.add_rules(vec![rule(text)], NOW)?.remove(0))
}

/// What content rules say of a text.
fn said(gate: &Gate, text: &str) -> String {
    let Some(content) = gate.content() else { return "no rules".to_owned() };
    let verdicts = Verdicts::of_found(content.find(text.as_bytes()).iter(), NOW);
    let dry = verdicts.dry.iter().map(|dry| format!("dry {dry}"));
    let refused = verdicts.refusal.iter().map(|refusal| refusal.to_string());
    refused.chain(dry).collect::<Vec<_>>().join(", ")
}

#[test]
fn rules_come_and_go_and_outlive_the_process() {
    let db = test_db();
    let config = r#"{"rules":[{"id":"ours","kind":"literal","pattern":"jndi:"}]}"#;
    let gate = open(config, &db);
    let generation = gate.generation();
    let added =
        add(&gate, r#"{"kind":"regex","pattern":"(?i)union\\s+select","abuse":"sql_injection"}"#);
    let added = added.unwrap();
    assert!(
        added.id.starts_with("rule_") && added.origin == Origin::Added && added.created_at == NOW
    );
    assert_ne!(gate.generation(), generation);
    add(&gate, r#"{"id":"new","kind":"literal","pattern":"select","action":"dry_run"}"#).unwrap();
    let gate = open(config, &db);
    let sql = format!("SQL_INJECTION_ATTEMPT by rule:{}", added.id);
    assert_eq!(said(&gate, "${jndi:x}"), "ABUSE_PATTERN_DETECTED by rule:ours");
    let both = format!("{sql}, dry ABUSE_PATTERN_DETECTED by rule:new");
    assert_eq!(said(&gate, "1 UNION  SELECT 2"), both);
    assert_eq!(said(&gate, "nothing"), "");
    assert_eq!(gate.remove_rule(&added.id).unwrap().id, added.id);
    assert_eq!(open(config, &db).rules().len(), 2 + automatic(&gate));
    assert!(matches!(gate.remove_rule(&added.id), Err(GateError::UnknownRule(_))));
    assert!(matches!(gate.remove_rule("ours"), Err(GateError::ConfiguredRule(_))));
    let again = add(&gate, r#"{"id":"ours","kind":"literal","pattern":"x"}"#);
    assert!(matches!(again, Err(GateError::ConfiguredRule(_))));
}

/// How many automatic rules there are.
fn automatic(gate: &Gate) -> usize {
    gate.rules().iter().filter(|rule| rule.kind.is_automatic()).count()
}

#[test]
fn a_rule_ends_when_it_is_to() {
    let gate = gate("{}");
    let rule =
        Rule { expires_at: Some(after(10)), ..rule(r#"{"kind":"literal","pattern":"evil"}"#) };
    gate.add_rules(vec![rule], NOW).unwrap();
    let content = gate.content().unwrap();
    let at = |second| Verdicts::of_found(content.find(b"evil").iter(), after(second)).refusal;
    assert!(at(9).is_some() && at(10).is_none());
}

#[test]
fn bl_06_what_makes_no_sense_is_refused_and_changes_nothing() {
    let gate = gate("{}");
    let long = format!(r#"{{"kind":"regex","pattern":"{}"}}"#, "a".repeat(1 << 20));
    let table = [
        (r#"{"kind":"regex","pattern":"(a{1000}){1000}"}"#, "pattern"),
        (r#"{"kind":"regex","pattern":".*"}"#, "pattern"),
        (&*long, "pattern"),
        (r#"{"kind":"literal"}"#, "pattern"),
        (r#"{"kind":"country","pattern":"DE"}"#, "pattern"),
        (r#"{"kind":"country"}"#, "countries"),
        (r#"{"kind":"country","countries":["Germany"]}"#, "countries"),
        (r#"{"kind":"literal","pattern":"x","countries":["DE"]}"#, "countries"),
        (r#"{"kind":"address","threshold":1,"window":"1m","duration":"1m"}"#, "threshold"),
        (r#"{"kind":"many_keys","threshold":1025,"window":"1m","duration":"1m"}"#, "threshold"),
        (r#"{"kind":"address","threshold":5,"duration":"1m"}"#, "window"),
        (r#"{"kind":"literal","pattern":"x","window":"1m"}"#, "window"),
        (r#"{"kind":"literal","pattern":"x","id":"a b"}"#, "id"),
        (r#"{"kind":"user_agent","pattern":"x","project":"default"}"#, "project"),
        (r#"{"kind":"country","countries":["DE"],"listener":"tcp"}"#, "listener"),
    ];
    let before = gate.rules();
    for (text, want) in table {
        let shown = text.get(..60).unwrap_or(text);
        match add(&gate, text) {
            Err(GateError::Invalid { field, .. }) => assert_eq!(field, want, "{shown}"),
            other => panic!("{shown}: {other:?}"),
        }
    }
    // One bad rule among good ones, and none is in force.
    let rules = [r#"{"kind":"literal","pattern":"good"}"#, r#"{"kind":"regex","pattern":"("}"#];
    assert!(gate.add_rules(rules.map(rule).into(), NOW).is_err());
    assert_eq!(gate.rules(), before);
}

#[test]
fn software_is_told_by_its_name_in_any_case() {
    let gate = gate("{}");
    add(&gate, r#"{"id":"scan","kind":"user_agent","pattern":"sqlmap"}"#).unwrap();
    add(&gate, r#"{"id":"old","kind":"user_agent","pattern":"curl/7","listener":"other"}"#)
        .unwrap();
    let said = |agent| gate.agent_verdicts(agent, "http", NOW).refusal.map(|r| r.to_string());
    let refused = Some("USER_AGENT_BLOCKED by rule:scan".to_owned());
    assert_eq!(said(Some("Mozilla SQLMap/1.7")), refused);
    for agent in [None, Some(""), Some("curl/7.1")] {
        assert_eq!(said(agent), None, "{agent:?}");
    }
}

#[test]
fn an_unknown_country_is_a_value_of_its_own() {
    let gate = gate(r#"{"allow":["192.0.2.0/24"]}"#);
    add(&gate, r#"{"id":"home","kind":"country","countries":["DE","unknown"],"except":true}"#)
        .unwrap();
    // Without a database all are unknown, and so let in by this rule and turned away by the next.
    assert!(gate.admit_peer(ip("198.51.100.1"), NOW).is_ok());
    add(&gate, r#"{"id":"nowhere","kind":"country","countries":["unknown"]}"#).unwrap();
    let refusal = gate.admit_peer(ip("198.51.100.1"), NOW).unwrap_err();
    assert_eq!(refusal.to_string(), "GEO_BLOCKED by rule:nowhere");
    for peer in ["127.0.0.1", "::1", "192.0.2.9"] {
        assert!(gate.admit_peer(ip(peer), NOW).is_ok(), "{peer}");
    }
}
