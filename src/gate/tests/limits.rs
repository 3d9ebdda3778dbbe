//! Rates and open connections, through the whole gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::support::{NOW, charge, charge_as, create, gate, ip, key};
use crate::gate::{Charge, LimitNotice, Policy, Subject};

const AT: Duration = Duration::from_secs(10);

const PEER: &str = "192.0.2.1";

/// How many of so many events pass, of so many bytes together, and what the limits said.
fn passes(charged: &(crate::gate::Tally, Charge)) -> (u64, Option<&str>) {
    (charged.0.passed, charged.1.rule)
}

#[test]
fn rl_02_the_policy_of_the_key_says_what_becomes_of_the_rest() {
    let gate = gate(r#"{"limits":{"key":{"events_per_second":10}}}"#);
    let (drops, paces) = (key(&gate, "{}"), key(&gate, r#"{"policy":"pace"}"#));
    assert_eq!((drops.policy(), paces.policy()), (Policy::Drop, Policy::Pace));
    let dropped = charge(&gate, Some(&drops), ip(PEER), [11, 100], AT);
    assert_eq!(passes(&dropped), (10, Some("limit:key:events")));
    let paced = charge(&gate, Some(&paces), ip(PEER), [11, 100], AT);
    assert_eq!((paced.0.passed, paced.1.wait), (11, Duration::from_millis(100)));
    // Nobody can be asked to send datagrams more slowly.
    let datagrams = charge_as(&gate, Some(&paces), ip(PEER), [11, 100], AT, true);
    assert_eq!((datagrams.0.passed, datagrams.1.wait), (0, Duration::ZERO));
}

#[test]
fn a_key_of_its_own_limits_has_none_of_the_default_ones() {
    let gate = gate(r#"{"policy":"pace","limits":{"key":{"events_per_second":10}}}"#);
    let own = key(&gate, r#"{"limits":{"bytes_per_second":"1 KiB"},"policy":"drop"}"#);
    let over = charge(&gate, Some(&own), ip(PEER), [2000, 4000], AT);
    assert_eq!(passes(&over), (512, Some("limit:key:bytes")));
    // Where there is no key the configured policy counts, and only the address is charged.
    assert_eq!(charge(&gate, None, ip(PEER), [2000, 2048], AT).0.passed, 2000);
}

#[test]
fn a_throttled_key_never_slows_another() {
    let gate = gate(r#"{"limits":{"key":{"events_per_second":10}}}"#);
    let (loud, quiet) = (key(&gate, "{}"), key(&gate, "{}"));
    for _ in 0..10 {
        charge(&gate, Some(&loud), ip(PEER), [1000, 1000], AT);
    }
    assert_eq!(charge(&gate, Some(&quiet), ip(PEER), [10, 10], AT).0.passed, 10);
}

#[test]
fn addresses_have_limits_of_their_own_and_ipv6_ones_by_network() {
    let gate = gate(r#"{"limits":{"address":{"events_per_second":10}}}"#);
    let key = key(&gate, "{}");
    let admitted = |peer| charge(&gate, Some(&key), ip(peer), [6, 6], AT).0.passed;
    assert_eq!((admitted("192.0.2.1"), admitted("::ffff:192.0.2.1")), (6, 4));
    assert_eq!(admitted("192.0.2.2"), 6);
    assert_eq!((admitted("2001:db8::1"), admitted("2001:db8::2")), (6, 4));
    assert_eq!(admitted("2001:db8:0:1::1"), 6);
    let over = charge(&gate, None, ip("192.0.2.1"), [6, 6], AT);
    assert_eq!(passes(&over), (0, Some("limit:address:events")));
}

#[test]
fn ud_03_a_forged_source_does_not_slow_the_streams_of_that_address() {
    let gate = gate(r#"{"limits":{"address":{"events_per_second":10}}}"#);
    for _ in 0..100 {
        charge_as(&gate, None, ip(PEER), [100, 100], AT, true);
    }
    let refused = charge_as(&gate, None, ip(PEER), [1, 1], AT, true);
    assert_eq!(passes(&refused), (0, Some("limit:address:events")));
    assert_eq!(charge(&gate, None, ip(PEER), [10, 10], AT).0.passed, 10);
}

#[test]
fn rl_06_known_keys_are_never_forgotten() {
    let config = r#"{"max_tracked_addresses":1024,
        "limits":{"key":{"events_per_second":10},"address":{"events_per_second":1000}}}"#;
    let gate = gate(config);
    let key = key(&gate, "{}");
    assert_eq!(charge(&gate, Some(&key), ip(PEER), [10, 10], AT).0.passed, 10);
    for last in 0..100_000u32 {
        let peer = std::net::Ipv4Addr::from_bits(0x0a00_0000 + last).into();
        charge(&gate, None, peer, [1, 1], AT);
    }
    assert!(gate.streams.len() <= 1024);
    assert_eq!(charge(&gate, Some(&key), ip(PEER), [10, 10], AT).0.passed, 0);
}

#[test]
fn rl_06_a_whole_ipv6_network_is_one_address() {
    let gate = gate(r#"{"limits":{"address":{"events_per_second":10}}}"#);
    let host = |n: u32| std::net::Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n)).into();
    let passed: u64 = (0..100_000).map(|n| charge(&gate, None, host(n), [1, 1], AT).0.passed).sum();
    assert_eq!((passed, gate.streams.len()), (10, 1));
}

#[test]
fn spent_is_spent_when_keys_change() {
    let gate = gate(r#"{"limits":{"key":{"events_per_second":10}}}"#);
    let held = key(&gate, "{}");
    charge(&gate, Some(&held), ip(PEER), [10, 10], AT);
    create(&gate, "{}");
    gate.revoke_key(held.id(), NOW).unwrap();
    let fresh = gate.key_by_id(held.id()).unwrap();
    assert!(!Arc::ptr_eq(&held, &fresh));
    assert_eq!(charge(&gate, Some(&fresh), ip(PEER), [10, 10], AT).0.passed, 0);
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
                    let (tally, _) = charge(gate, Some(key), peer, [BATCH, BATCH], at);
                    passed.fetch_add(tally.passed, Ordering::Relaxed);
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
fn a_project_has_limits_over_all_of_its_keys() {
    let config = r#"{"limits":{"project":{"events_per_second":10},
        "projects":{"shop":{"events_per_second":100}}}}"#;
    let gate = gate(config);
    let (one, two) = (key(&gate, "{}"), key(&gate, "{}"));
    let (shop, none) = (key(&gate, r#"{"project":"shop"}"#), None);
    assert_eq!(charge(&gate, Some(&one), ip(PEER), [6, 6], AT).0.passed, 6);
    let over = charge(&gate, Some(&two), ip(PEER), [6, 6], AT);
    assert_eq!(passes(&over), (4, Some("limit:project:events")));
    assert_eq!(charge(&gate, none, ip(PEER), [6, 6], AT).0.passed, 0, "it is of project default");
    assert_eq!(charge(&gate, Some(&shop), ip(PEER), [600, 600], AT).0.passed, 100);
}

#[test]
fn entering_and_leaving_a_limit_is_noted_once() {
    let config = r#"{"limits":{"key":{"events_per_second":10},
        "project":{"events_per_second":5,"shadow":true}}}"#;
    let gate = gate(config);
    let key = key(&gate, "{}");
    let mut told: Vec<LimitNotice> = Vec::new();
    for second in 0..40 {
        let at = AT + Duration::from_secs(second);
        if second < 20 {
            charge(&gate, Some(&key), ip(PEER), [100, 100], at);
        }
        told.extend(gate.limit_notices(at).0);
    }
    told.sort_by_key(|notice| (notice.is_shadow, !notice.has_begun));
    let seen: Vec<_> = told.iter().map(|n| (n.rule, n.is_shadow, n.has_begun)).collect();
    let (of_key, of_project) = ("limit:key:events", "limit:project:events");
    let want = [
        (of_key, false, true),
        (of_key, false, false),
        (of_project, true, true),
        (of_project, true, false),
    ];
    assert_eq!(seen, want);
    assert_eq!(told[1].subject, Subject::Key(key.id().into()));
    // A burst and 19 seconds of ten a second passed; the rest was shed.
    assert_eq!(told[1].over.shed, 20 * 100 - 200);
    assert_eq!(told[3].over.shed, 200 - 100, "of what the key let pass");
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

#[test]
fn a_project_has_so_many_connections_over_all_of_its_keys() {
    let gate = gate(r#"{"limits":{"projects":{"shop":{"connections":2}}}}"#);
    let of_shop = || key(&gate, r#"{"project":"shop"}"#);
    let (one, two, other) = (of_shop(), of_shop(), key(&gate, "{}"));
    let none = key(&gate, r#"{"project":"shop","limits":{"connections":0}}"#);
    let first = gate.connect(Some(&one), ip(PEER)).unwrap();
    let mut second = gate.connect(Some(&two), ip(PEER)).unwrap();
    let rule = |refused: crate::gate::Refusal| refused.rule.as_str().to_owned();
    let refused = gate.connect(Some(&one), ip(PEER)).unwrap_err();
    assert_eq!(rule(refused), "limit:project:connections");
    // Who has no key may be of the project too.
    let mut keyless = gate.connect(None, ip(PEER)).unwrap();
    assert!(keyless.claim_project(&gate.project("shop")).is_err());
    // One that goes over to another project makes room, and takes none there if its key has none.
    second.claim(&other).unwrap();
    keyless.claim_project(&gate.project("shop")).unwrap();
    drop(keyless);
    assert_eq!(rule(second.claim(&none).unwrap_err()), "limit:key:connections");
    let third = gate.connect(Some(&two), ip(PEER)).unwrap();
    assert!(gate.connect(Some(&two), ip(PEER)).is_err());
    drop((first, third));
    let both = [&one, &two].map(|key| gate.connect(Some(key), ip(PEER)).unwrap());
    assert!(gate.connect(Some(&one), ip(PEER)).is_err());
    drop(both);
}
