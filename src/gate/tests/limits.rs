//! Rates and open connections, through the whole gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::support::{NOW, create, gate, ip, key};
use crate::gate::{Charge, Policy};

const AT: Duration = Duration::from_secs(10);

const PEER: &str = "192.0.2.1";

fn rule(charge: &Charge) -> Option<&str> {
    charge.refusal.as_ref().map(|refusal| refusal.rule.as_str())
}

#[test]
fn rl_02_the_policy_of_the_key_says_what_becomes_of_the_rest() {
    let gate = gate(r#"{"limits":{"key":{"events_per_second":10}}}"#);
    let (drops, paces) = (key(&gate, "{}"), key(&gate, r#"{"policy":"pace"}"#));
    assert_eq!((drops.policy(), paces.policy()), (Policy::Drop, Policy::Pace));
    let dropped = gate.charge(Some(&drops), ip(PEER), 11, 100, AT);
    assert_eq!((dropped.admitted, rule(&dropped)), (10, Some("limit:key:events")));
    let paced = gate.charge(Some(&paces), ip(PEER), 11, 100, AT);
    assert_eq!((paced.admitted, paced.wait), (11, Duration::from_millis(100)));
    // Nobody can be asked to send datagrams more slowly.
    let datagrams = gate.charge_datagrams(Some(&paces), ip(PEER), 11, 100, AT);
    assert_eq!((datagrams.admitted, datagrams.wait), (0, Duration::ZERO));
}

#[test]
fn a_key_of_its_own_limits_has_none_of_the_default_ones() {
    let gate = gate(r#"{"policy":"pace","limits":{"key":{"events_per_second":10}}}"#);
    let own = key(&gate, r#"{"limits":{"bytes_per_second":"1 KiB"},"policy":"drop"}"#);
    let charge = gate.charge(Some(&own), ip(PEER), 2000, 2048, AT);
    assert_eq!((charge.admitted, rule(&charge)), (1000, Some("limit:key:bytes")));
    // Where there is no key the configured policy counts, and only the address is charged.
    assert_eq!(gate.charge(None, ip(PEER), 2000, 2048, AT).admitted, 2000);
}

#[test]
fn a_throttled_key_never_slows_another() {
    let gate = gate(r#"{"limits":{"key":{"events_per_second":10}}}"#);
    let (loud, quiet) = (key(&gate, "{}"), key(&gate, "{}"));
    for _ in 0..10 {
        gate.charge(Some(&loud), ip(PEER), 1000, 1000, AT);
    }
    assert_eq!(gate.charge(Some(&quiet), ip(PEER), 10, 10, AT).admitted, 10);
}

#[test]
fn addresses_have_limits_of_their_own_and_ipv6_ones_by_network() {
    let gate = gate(r#"{"limits":{"address":{"events_per_second":10}}}"#);
    let key = key(&gate, "{}");
    let admitted = |peer| gate.charge(Some(&key), ip(peer), 6, 6, AT).admitted;
    assert_eq!((admitted("192.0.2.1"), admitted("::ffff:192.0.2.1")), (6, 4));
    assert_eq!(admitted("192.0.2.2"), 6);
    assert_eq!((admitted("2001:db8::1"), admitted("2001:db8::2")), (6, 4));
    assert_eq!(admitted("2001:db8:0:1::1"), 6);
    let over = gate.charge(None, ip("192.0.2.1"), 6, 6, AT);
    assert_eq!(rule(&over), Some("limit:address:events"));
}

#[test]
fn ud_03_a_forged_source_does_not_slow_the_streams_of_that_address() {
    let gate = gate(r#"{"limits":{"address":{"events_per_second":10}}}"#);
    for _ in 0..100 {
        gate.charge_datagrams(None, ip(PEER), 100, 100, AT);
    }
    let refused = gate.charge_datagrams(None, ip(PEER), 1, 1, AT);
    assert_eq!((refused.admitted, rule(&refused)), (0, Some("limit:address:events")));
    assert_eq!(gate.charge(None, ip(PEER), 10, 10, AT).admitted, 10);
}

#[test]
fn rl_06_known_keys_are_never_forgotten() {
    let config = r#"{"max_tracked_addresses":1024,
        "limits":{"key":{"events_per_second":10},"address":{"events_per_second":1000}}}"#;
    let gate = gate(config);
    let key = key(&gate, "{}");
    assert_eq!(gate.charge(Some(&key), ip(PEER), 10, 10, AT).admitted, 10);
    for last in 0..100_000u32 {
        let peer = std::net::Ipv4Addr::from_bits(0x0a00_0000 + last).into();
        gate.charge(None, peer, 1, 1, AT);
    }
    assert!(gate.streams.len() <= 1024);
    assert_eq!(gate.charge(Some(&key), ip(PEER), 10, 10, AT).admitted, 0);
}

#[test]
fn spent_is_spent_when_keys_change() {
    let gate = gate(r#"{"limits":{"key":{"events_per_second":10}}}"#);
    let held = key(&gate, "{}");
    gate.charge(Some(&held), ip(PEER), 10, 10, AT);
    create(&gate, "{}");
    gate.revoke_key(held.id(), NOW).unwrap();
    let fresh = gate.key_by_id(held.id()).unwrap();
    assert!(!Arc::ptr_eq(&held, &fresh));
    assert_eq!(gate.charge(Some(&fresh), ip(PEER), 10, 10, AT).admitted, 0);
}

#[test]
fn rl_10_many_cores_at_one_bucket_stay_within_the_limit() {
    const CORES: u64 = 4;
    const BATCH: u64 = 7;
    let gate = gate(
        r#"{"limits":{"key":{"events_per_second":100000},"address":{"bytes_per_second":"1 GiB"}}}"#,
    );
    let key = key(&gate, "{}");
    let (passed, micros) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for core in 0..u8::try_from(CORES).unwrap() {
            let (gate, key, passed, micros) = (&gate, &key, &passed, &micros);
            scope.spawn(move || {
                for _ in 0..20_000 {
                    let at = AT + Duration::from_micros(micros.fetch_add(1, Ordering::Relaxed));
                    let peer = std::net::Ipv4Addr::new(192, 0, 2, core).into();
                    let charge = gate.charge(Some(key), peer, BATCH, BATCH, at);
                    passed.fetch_add(charge.admitted, Ordering::Relaxed);
                }
            });
        }
    });
    let span = micros.into_inner();
    let limit = 100_000 + span / 10;
    let passed = passed.into_inner();
    assert!(passed <= limit + CORES * BATCH, "{passed} of {limit}");
    assert!(passed + CORES * BATCH >= limit, "{passed} of {limit}");
}

#[test]
fn connections_are_counted_for_the_key_and_the_address() {
    let gate = gate(r#"{"limits":{"key":{"connections":2},"address":{"connections":3}}}"#);
    let (one, two) = (key(&gate, "{}"), key(&gate, "{}"));
    let first = gate.connect(Some(&one), ip(PEER)).unwrap();
    let mut second = gate.connect(None, ip(PEER)).unwrap();
    second.claim(&one).unwrap();
    second.claim(&one).unwrap();
    assert_eq!(one.connections(), 2);
    let refusal = gate.connect(Some(&one), ip(PEER)).unwrap_err();
    assert_eq!(refusal.to_string(), "RATE_LIMIT_EXCEEDED by limit:key:connections");
    // What was refused is not counted for the address either.
    let third = gate.connect(Some(&two), ip("::ffff:192.0.2.1")).unwrap();
    let refusal = gate.connect(Some(&two), ip(PEER)).unwrap_err();
    assert_eq!(refusal.to_string(), "RATE_LIMIT_EXCEEDED by limit:address:connections");
    second.claim(&two).unwrap();
    assert_eq!((one.connections(), two.connections()), (1, 2));
    drop((first, second, third));
    assert_eq!((one.connections(), two.connections()), (0, 0));
    assert!(gate.connect(Some(&one), ip(PEER)).is_ok());
}

#[test]
fn rl_05_a_key_of_no_connections_has_none() {
    let gate = gate("{}");
    let none = key(&gate, r#"{"limits":{"connections":0}}"#);
    assert!(gate.connect(Some(&none), ip(PEER)).is_err());
    let some = key(&gate, r#"{"limits":{"connections":4294967295}}"#);
    assert!(gate.connect(Some(&some), ip(PEER)).is_ok());
}
