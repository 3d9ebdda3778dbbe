//! Blocks that are made of failures.

use super::support::{NOW, after, gate, ip, open, test_db};
use crate::gate::{Gate, ListKind, Origin, Reason, parse_net};
use crate::time::Timestamp;

/// A rule that blocks for a minute, of this kind and threshold.
fn config(kind: &str, threshold: u32, more: &str) -> String {
    format!(
        r#"{{"automatic":[{{"id":"test","kind":"{kind}","threshold":{threshold},
            "window":"10s","duration":"1m"{more}}}]}}"#
    )
}

fn fail(gate: &Gate, peer: &str, key: &str, now: Timestamp) {
    gate.failed(Reason::InvalidApiKey, ip(peer), Some(key), 1, now);
}

/// Whom the gate has blocked since it was asked last.
fn punished(gate: &Gate, now: Timestamp) -> Vec<String> {
    let done = gate.punish(now).unwrap();
    let mut nets: Vec<_> = done.iter().map(|done| format!("{} {}", done.net, done.note)).collect();
    nets.sort();
    nets
}

fn is_blocked(gate: &Gate, peer: &str, now: Timestamp) -> bool {
    gate.admit_peer(ip(peer), now).is_err()
}

#[test]
fn au_12_many_failures_of_one_address_block_it_for_a_while_and_for_good_in_no_restart() {
    let db = test_db();
    let config = config("address", 3, "");
    let gate = open(&config, &db);
    for _ in 0..2 {
        fail(&gate, "192.0.2.1", "lt_live_aaaa…0001", NOW);
        fail(&gate, "192.0.2.2", "lt_live_aaaa…0001", NOW);
    }
    assert!(punished(&gate, NOW).is_empty());
    fail(&gate, "192.0.2.1", "lt_live_aaaa…0001", after(9));
    assert_eq!(punished(&gate, after(9)), ["192.0.2.1/32 3 failures within 10s"]);
    let refusal = gate.admit_peer(ip("192.0.2.1"), after(10)).unwrap_err();
    assert_eq!(refusal.to_string(), "IP_BLOCKLISTED by automatic:test");
    let entry = &gate.lists(ListKind::Block)[0];
    assert_eq!((entry.origin, entry.rule.as_deref()), (Origin::Automatic, Some("test")));
    assert_eq!(entry.expires_at, Some(after(69)));
    // A restart forgets no block, and no block is longer than was said.
    let gate = open(&config, &db);
    assert!(is_blocked(&gate, "192.0.2.1", after(68)));
    assert!(!is_blocked(&gate, "192.0.2.1", after(69)));
    assert!(!is_blocked(&gate, "192.0.2.2", after(10)));
}

#[test]
fn au_12_failures_outside_of_the_window_do_not_count() {
    let gate = gate(&config("address", 3, ""));
    for second in [0, 8, 16, 24, 32] {
        fail(&gate, "192.0.2.1", "k…1", after(second));
    }
    assert!(punished(&gate, after(32)).is_empty());
    // A clock that is set back begins anew, and does not count what is to come twice.
    fail(&gate, "192.0.2.1", "k…1", after(0));
    fail(&gate, "192.0.2.1", "k…1", after(0));
    assert!(punished(&gate, after(0)).is_empty());
}

#[test]
fn au_12_keys_that_are_counted_through_are_a_guess() {
    let gate = gate(&config("guessing", 3, ""));
    for number in [1, 9, 3, 7, 100, 200] {
        fail(&gate, "192.0.2.1", &format!("lt_live_0000…{number:04x}"), NOW);
    }
    assert!(punished(&gate, NOW).is_empty(), "keys at random are not counted through");
    for number in 0..4 {
        fail(&gate, "192.0.2.2", &format!("lt_live_0000…{number:04x}"), NOW);
    }
    assert_eq!(punished(&gate, NOW), ["192.0.2.2/32 3 keys that were counted through within 10s"]);
}

#[test]
fn au_12_many_keys_of_one_address_and_one_key_of_many() {
    let keys = gate(&config("many_keys", 3, ""));
    for _ in 0..9 {
        fail(&keys, "192.0.2.1", "lt_live_aaaa…0001", NOW);
    }
    assert!(punished(&keys, NOW).is_empty(), "one key however often is one");
    for key in ["lt_live_bbbb…0001", "lt_live_cccc…0001"] {
        fail(&keys, "192.0.2.1", key, NOW);
    }
    assert_eq!(punished(&keys, NOW), ["192.0.2.1/32 3 different keys that failed within 10s"]);
    let many = gate(&config("many_addresses", 3, ""));
    for peer in ["192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3"] {
        fail(&many, peer, "lt_live_aaaa…0001", NOW);
    }
    assert_eq!(punished(&many, NOW).len(), 3);
    assert!(is_blocked(&many, "192.0.2.2", after(1)) && !is_blocked(&many, "192.0.2.4", after(1)));
}

#[test]
fn au_12_the_beginning_of_a_key_and_a_network() {
    let prefix = gate(&config("key_prefix", 3, ""));
    for (peer, key) in [("192.0.2.1", "1"), ("192.0.2.2", "2"), ("2001:db8::1", "3")] {
        fail(&prefix, peer, &format!("lt_live_aaaa…000{key}"), NOW);
    }
    assert_eq!(punished(&prefix, NOW).len(), 3);
    assert!(is_blocked(&prefix, "2001:db8::2", after(1)), "the /64 is one source");
    let network = gate(&config("network", 3, ""));
    for peer in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.3.3"] {
        fail(&network, peer, "k…1", NOW);
    }
    assert_eq!(punished(&network, NOW), ["192.0.2.0/24 3 failures within 10s"]);
}

#[test]
fn au_12_a_dry_run_only_records() {
    let gate = gate(&config("address", 2, r#","action":"dry_run""#));
    for _ in 0..2 {
        fail(&gate, "192.0.2.1", "k…1", NOW);
    }
    let done = gate.punish(NOW).unwrap();
    assert!(done[0].dry_run && done[0].rule == "test", "{done:?}");
    assert!(!is_blocked(&gate, "192.0.2.1", NOW));
    assert!(gate.lists(ListKind::Block).is_empty());
}

#[test]
fn bl_04_who_is_allowed_trusted_or_shared_is_never_blocked() {
    let gate = gate(&config(
        "address",
        3,
        r#"}],"allow":["192.0.2.1"],"rules":[{"id":"x","kind":"literal","pattern":"xxxx""#,
    ));
    gate.trust([parse_net("192.0.2.2").unwrap()]);
    // A thousand good senders behind one address, and one that is not.
    for number in 0..1000 {
        gate.passed(ip("192.0.2.3"), &format!("key_{number}"));
    }
    gate.passed(ip("192.0.2.4"), "key_1");
    for _ in 0..100 {
        for peer in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "127.0.0.1", "::1"] {
            fail(&gate, peer, "lt_live_aaaa…0001", NOW);
        }
    }
    assert!(punished(&gate, NOW).is_empty());
    // One good key does not buy another address the right to guess.
    for number in 0..3 {
        fail(&gate, "192.0.2.4", &format!("lt_live_aaaa…000{number}"), NOW);
    }
    assert_eq!(punished(&gate, NOW).len(), 1);
}

#[test]
fn bl_04_nobody_pays_for_a_neighbour_or_for_a_key_that_begins_alike() {
    let network = gate(&config("network", 3, ""));
    network.passed(ip("192.0.2.200"), "key_1");
    for _ in 0..9 {
        fail(&network, "192.0.2.1", "k…1", NOW);
        fail(&network, "192.0.3.1", "k…1", NOW);
    }
    assert!(punished(&network, NOW).iter().all(|net| net.starts_with("192.0.3.0/24 ")));
    assert!(!is_blocked(&network, "192.0.2.200", NOW) && is_blocked(&network, "192.0.3.1", NOW));
    for kind in ["key_prefix", "many_addresses"] {
        let gate = gate(&config(kind, 3, ""));
        gate.passed(ip("192.0.2.1"), "key_1");
        // Its own key that fails once, and a stranger who knows how that begins and ends.
        for peer in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
            fail(&gate, peer, "lt_live_aaaa…0001", NOW);
        }
        assert_eq!(punished(&gate, NOW).len(), 2, "{kind}");
        assert!(!is_blocked(&gate, "192.0.2.1", NOW), "{kind}");
    }
}

#[test]
fn bl_04_what_is_no_attack_does_not_count() {
    let gate = gate(&config("address", 2, ""));
    for reason in [
        Reason::RateLimitExceeded,
        Reason::ApiKeyExpired,
        Reason::IpBlocklisted,
        Reason::ScopeMissing,
    ] {
        gate.failed(reason, ip("192.0.2.1"), None, 1000, NOW);
    }
    assert!(punished(&gate, NOW).is_empty());
}

#[test]
fn rl_state_of_a_flood_of_addresses_is_bounded() {
    let gate = gate(&config("address", 1000, ""));
    for number in 0..100_000_u32 {
        let peer = std::net::IpAddr::V4(number.into());
        gate.failed(Reason::InvalidApiKey, peer, Some("k…1"), 1, NOW);
    }
    let known =
        (0..100_000_u32).filter(|n| !gate.counted(std::net::IpAddr::V4((*n).into())).is_empty());
    assert!(known.count() <= 16_384);
}
