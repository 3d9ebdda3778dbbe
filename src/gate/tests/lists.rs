//! Allowlist and blocklist.

use super::support::{NOW, after, gate, ip, open, test_db};
use crate::gate::{Gate, GateError, ListKind, NewListEntry, Origin, parse_net};
use crate::time::Timestamp;

fn new(expires_at: Option<Timestamp>, note: &str) -> NewListEntry {
    NewListEntry { expires_at, note: note.to_owned(), rule: None }
}

fn block(gate: &Gate, net: &str, expires_at: Option<Timestamp>) -> Result<(), GateError> {
    let net = parse_net(net).unwrap();
    gate.add_entry(ListKind::Block, net, new(expires_at, "a test"), NOW).map(|_| ())
}

fn rule(gate: &Gate, peer: &str, now: Timestamp) -> Option<String> {
    gate.admit_peer(ip(peer), now).err().map(|refusal| refusal.to_string())
}

#[test]
fn ud_04_a_mapped_address_is_the_same_address() {
    let gate = gate("{}");
    block(&gate, "192.0.2.1", None).unwrap();
    block(&gate, "::ffff:198.51.100.0/120", None).unwrap();
    for (peer, is_blocked) in [
        ("192.0.2.1", true),
        ("::ffff:192.0.2.1", true),
        ("198.51.100.7", true),
        ("::ffff:198.51.100.7", true),
        ("192.0.2.2", false),
        ("::ffff:192.0.2.2", false),
        ("::192.0.2.1", false),
    ] {
        assert_eq!(rule(&gate, peer, NOW).is_some(), is_blocked, "{peer}");
    }
    let nets: Vec<_> = gate.lists(ListKind::Block).iter().map(|e| e.net.to_string()).collect();
    assert_eq!(nets, ["192.0.2.1/32", "198.51.100.0/24"]);
}

#[test]
fn bl_01_the_longest_live_range_names_the_rule_and_expiry_is_to_the_second() {
    let gate = gate("{}");
    block(&gate, "10.0.0.0/8", Some(after(100))).unwrap();
    block(&gate, "10.1.0.0/16", Some(after(10))).unwrap();
    let of = |net: &str| Some(format!("IP_BLOCKLISTED by blocklist:{net}"));
    assert_eq!(rule(&gate, "10.1.2.3", after(9)), of("10.1.0.0/16"));
    assert_eq!(rule(&gate, "10.1.2.3", after(10)), of("10.0.0.0/8"));
    assert_eq!(rule(&gate, "10.1.2.3", after(99)), of("10.0.0.0/8"));
    assert_eq!(rule(&gate, "10.1.2.3", after(100)), None);
    assert_eq!(rule(&gate, "11.0.0.0", NOW), None);
}

#[test]
fn bl_02_what_would_lock_everyone_out_is_refused() {
    let gate = gate("{}");
    for net in
        ["0.0.0.0/0", "::/0", "127.0.0.1", "127.0.0.0/8", "::1", "::ffff:127.0.0.1", "0.0.0.0/1"]
    {
        assert!(matches!(block(&gate, net, None), Err(GateError::Invalid { .. })), "{net}");
    }
    assert!(gate.lists(ListKind::Block).is_empty());
    let config = serde_json::from_str(r#"{"block":["0.0.0.0/0"]}"#).unwrap();
    assert!(matches!(Gate::open(&config, test_db(), NOW), Err(GateError::Config(_))));
}

#[test]
fn bl_04_the_allowlist_comes_first() {
    let gate = gate(r#"{"allow":["10.0.0.0/24"]}"#);
    block(&gate, "10.0.0.7", None).unwrap();
    block(&gate, "10.0.1.7", None).unwrap();
    assert_eq!(rule(&gate, "10.0.0.7", NOW), None);
    assert!(rule(&gate, "10.0.1.7", NOW).is_some());
    let net = parse_net("10.0.1.0/24").unwrap();
    gate.add_entry(ListKind::Allow, net, new(Some(after(5)), ""), NOW).unwrap();
    assert_eq!(rule(&gate, "10.0.1.7", after(4)), None);
    assert!(rule(&gate, "10.0.1.7", after(5)).is_some());
}

#[test]
fn entries_come_and_go_and_outlive_the_process() {
    let db = test_db();
    let config = r#"{"block":["203.0.113.9"],"block_expiry":"1h"}"#;
    let gate = open(config, &db);
    let generation = gate.generation();
    block(&gate, "192.0.2.77/24", None).unwrap();
    assert_ne!(gate.generation(), generation);
    let gate = open(config, &db);
    let entries = gate.lists(ListKind::Block);
    let shown: Vec<_> = entries.iter().map(|e| (e.net.to_string(), e.origin)).collect();
    let want = [("192.0.2.0/24", Origin::Added), ("203.0.113.9/32", Origin::Config)];
    assert_eq!(shown, want.map(|(net, origin)| (net.to_owned(), origin)));
    assert_eq!(entries[0].expires_at, Some(after(3600)));
    assert_eq!(entries[1].expires_at, None);

    let generation = gate.generation();
    let net = parse_net("192.0.2.0/24").unwrap();
    assert_eq!(gate.remove_entry(ListKind::Block, net).unwrap(), entries[0]);
    assert_ne!(gate.generation(), generation);
    assert_eq!(rule(&gate, "192.0.2.1", NOW), None);
    assert_eq!(open(config, &db).lists(ListKind::Block), entries[1..]);
    let again = gate.remove_entry(ListKind::Block, net);
    assert!(matches!(again, Err(GateError::NotListed(_))));
    let configured = gate.remove_entry(ListKind::Block, entries[1].net);
    assert!(matches!(configured, Err(GateError::Configured(_))));
    assert!(matches!(block(&gate, "203.0.113.9", None), Err(GateError::Configured(_))));
}

#[test]
fn an_entry_replaces_the_one_of_its_network() {
    let gate = gate("{}");
    block(&gate, "192.0.2.1", Some(after(10))).unwrap();
    block(&gate, "192.0.2.1", Some(after(20))).unwrap();
    assert_eq!(gate.lists(ListKind::Block).len(), 1);
    assert!(rule(&gate, "192.0.2.1", after(19)).is_some());
}

#[test]
fn the_swept_are_those_that_had_expired() {
    let db = test_db();
    let gate = open("{}", &db);
    block(&gate, "192.0.2.1", Some(after(10))).unwrap();
    block(&gate, "192.0.2.2", Some(after(20))).unwrap();
    assert_eq!(gate.sweep(after(9)).unwrap(), 0);
    assert_eq!(gate.sweep(after(10)).unwrap(), 1);
    assert_eq!(open("{}", &db).lists(ListKind::Block).len(), 1);
    assert!(rule(&gate, "192.0.2.2", after(10)).is_some());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let gate = gate("{}");
    let add = |expires_at, note: &str| {
        let net = parse_net("192.0.2.1").unwrap();
        gate.add_entry(ListKind::Block, net, new(expires_at, note), NOW)
    };
    assert!(matches!(add(Some(NOW), ""), Err(GateError::Invalid { field: "expires_at", .. })));
    assert!(matches!(add(None, &"x".repeat(501)), Err(GateError::Invalid { field: "note", .. })));
    assert!(matches!(add(None, "a\u{1b}[2J"), Err(GateError::Invalid { field: "note", .. })));
}

#[test]
fn shown_as_the_api_shows_it() {
    let gate = gate("{}");
    let net = parse_net("192.0.2.1").unwrap();
    let entry = gate.add_entry(ListKind::Block, net, new(None, "a test"), NOW).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&entry).unwrap(), @r#"
    {
      "list": "block",
      "net": "192.0.2.1/32",
      "expires_at": "2026-10-21T14:13:20.000Z",
      "note": "a test",
      "created_at": "2026-09-21T14:13:20.000Z",
      "origin": "added"
    }
    "#);
}
