//! Keys: what they are found by, what they may do, what outlives a restart.

use std::sync::Arc;

use super::support::{NOW, after, create, gate, ip, key, open, test_db};
use crate::gate::{Environment, GateError, Refusal, Scope, Scopes};
use crate::time::Timestamp;

const PEER: &str = "192.0.2.1";

fn rule(result: Result<(), Refusal>) -> String {
    result.map_or_else(|refusal| refusal.to_string(), |()| "passes".to_owned())
}

#[test]
fn au_02_only_the_very_secret_finds_the_key() {
    let gate = gate("{}");
    let (info, secret) = create(&gate, "{}");
    let good = secret.reveal().as_bytes();
    assert_eq!(gate.key_of(good).unwrap().id(), info.id);
    let mut bad = Vec::new();
    for (at, bit) in (0..good.len()).flat_map(|at| [1, 0x20, 0x80].map(|bit| (at, bit))) {
        let mut other = good.to_vec();
        other[at] ^= bit;
        bad.push(other);
    }
    bad.extend((0..good.len()).map(|len| good[..len].to_vec()));
    bad.push([good, b"0"].concat());
    bad.push([good, b"\0"].concat());
    bad.push([b" ", good].concat());
    bad.push([good, good].concat());
    bad.push(good.to_ascii_uppercase());
    bad.push(good.iter().copied().cycle().take(64 * 1024).collect());
    bad.push(vec![0; good.len()]);
    bad.push(info.id.clone().into_bytes());
    bad.push(info.masked.into_bytes());
    for secret in bad {
        assert!(gate.key_of(&secret).is_none(), "{:?}", secret.get(..64).unwrap_or(&secret));
    }
}

#[test]
fn ud_04_and_au_05_the_first_reason_in_the_order_counts() {
    let gate = gate("{}");
    let allow = r#"{"allow":["192.0.2.0/24","2001:db8::1"],"lifetime":"1h"}"#;
    let key = key(&gate, allow);
    let check = |scope, peer, now| rule(gate.check(&key, scope, ip(peer), now));
    let (write, read) = (Scope::WriteLogs, Scope::ReadLogs);
    let elsewhere = "198.51.100.1";
    assert_eq!(check(write, PEER, NOW), "passes");
    assert_eq!(check(write, "::ffff:192.0.2.1", NOW), "passes");
    assert_eq!(check(write, "2001:db8::1", NOW), "passes");
    assert_eq!(check(write, "2001:db8::2", NOW), "IP_NOT_ALLOWED by key:allowlist");
    assert_eq!(check(write, elsewhere, NOW), "IP_NOT_ALLOWED by key:allowlist");
    assert_eq!(check(read, elsewhere, NOW), "SCOPE_MISSING by key:scope:read:logs");
    let other = gate.check_in(Environment::Staging, &key, read, ip(elsewhere), NOW);
    assert_eq!(rule(other), "ENVIRONMENT_MISMATCH by key:environment");
    let same = gate.check_in(Environment::Production, &key, write, ip(PEER), NOW);
    assert_eq!(rule(same), "passes");
    assert_eq!(check(write, PEER, after(3599)), "passes");
    let late = gate.check_in(Environment::Staging, &key, read, ip(elsewhere), after(3600));
    assert_eq!(rule(late), "API_KEY_EXPIRED by key:expired");
    gate.revoke_key(key.id(), NOW).unwrap();
    assert_eq!(check(read, elsewhere, after(3600)), "API_KEY_REVOKED by key:revoked");
}

#[test]
fn ud_04_a_mapped_list_holds_the_ipv4_address() {
    let gate = gate("{}");
    let key = key(&gate, r#"{"allow":["::ffff:192.0.2.0/120"]}"#);
    assert_eq!(gate.check(&key, Scope::WriteLogs, ip(PEER), NOW), Ok(()));
    assert!(gate.check(&key, Scope::WriteLogs, ip("192.0.3.1"), NOW).is_err());
}

#[test]
fn au_03_a_revoked_key_is_dead_in_every_hand() {
    let gate = gate("{}");
    let (info, secret) = create(&gate, "{}");
    let held = gate.key_by_id(&info.id).unwrap();
    let generation = gate.generation();
    let revoked = gate.revoke_key(&info.id, after(5)).unwrap();
    assert_eq!(revoked.revoked_at, Some(after(5)));
    assert_ne!(gate.generation(), generation);
    let found = gate.key_of(secret.reveal().as_bytes()).unwrap();
    for key in [held, found] {
        let check = gate.check(&key, Scope::WriteLogs, ip(PEER), after(5));
        assert_eq!(rule(check), "API_KEY_REVOKED by key:revoked");
    }
    // A second time changes nothing, not even when it was.
    assert_eq!(gate.revoke_key(&info.id, after(9)).unwrap(), revoked);
    assert!(matches!(gate.revoke_key("key_none", NOW), Err(GateError::UnknownKey(_))));
}

#[test]
fn au_04_an_expired_key_stays_so_when_the_clock_steps_back() {
    let gate = gate("{}");
    let key = key(&gate, r#"{"lifetime":"1h"}"#);
    let passes = |now: Timestamp| gate.check(&key, Scope::WriteLogs, ip(PEER), now).is_ok();
    assert!(passes(after(3599)));
    assert!(!passes(after(3601)));
    assert!(!passes(after(1)));
    // A clock that was a year ahead for a while does not take the key away.
    assert!(!passes(after(365 * 86_400)));
    assert!(passes(after(3599)));
}

#[test]
fn keys_and_their_hashes_outlive_the_process_and_secrets_do_not() {
    let db = test_db();
    let first = open("{}", &db);
    let (live, secret) = create(&first, r#"{"limits":{"events_per_second":5},"policy":"pace"}"#);
    let (test, _) = create(&first, r#"{"environment":"development","project":"shop"}"#);
    first.revoke_key(&test.id, NOW).unwrap();
    let keys = first.keys();
    drop(first);
    let second = open("{}", &db);
    assert_eq!(second.keys(), keys);
    assert_eq!(second.key_of(secret.reveal().as_bytes()).unwrap().info(), &live);
    let revoked = second.key_by_id(&test.id).unwrap();
    assert!(second.check(&revoked, Scope::WriteLogs, ip(PEER), NOW).is_err());
    let digits = secret.reveal().strip_prefix("lt_live_").unwrap().as_bytes();
    for (key, value) in db.meta_scan(b"").unwrap() {
        assert!(!key.windows(32).chain(value.windows(32)).any(|window| window == digits));
    }
    assert!(!format!("{second:?}").contains(std::str::from_utf8(digits).unwrap()));
}

#[test]
fn the_bootstrap_key_is_made_once() {
    let db = test_db();
    let gate = open("{}", &db);
    let secret = gate.bootstrap(NOW).unwrap().unwrap();
    let key = gate.key_of(secret.reveal().as_bytes()).unwrap();
    assert_eq!(key.info().scopes, Scopes::all());
    assert_eq!((key.project(), key.info().name.as_str()), ("default", "bootstrap"));
    assert_eq!(key.info().expires_at, after(90 * 86_400));
    assert!(gate.bootstrap(NOW).unwrap().is_none());
    assert!(open("{}", &db).bootstrap(NOW).unwrap().is_none());
    assert_eq!(gate.keys().len(), 1);
}

#[test]
fn source_networks_have_keys_the_longest_first() {
    let db = test_db();
    let gate = open("{}", &db);
    let (wide, narrow) = (create(&gate, "{}").0.id, create(&gate, "{}").0.id);
    let config = format!(
        r#"{{"networks":[{{"source":"10.0.0.0/8","key":"{wide}"}},
            {{"source":"10.1.0.0/16","key":"{narrow}"}}]}}"#
    );
    let gate = open(&config, &db);
    let found = |peer| gate.network_key(ip(peer)).map(|key| key.id().to_owned());
    assert_eq!(found("10.2.0.1"), Some(wide));
    assert_eq!(found("::ffff:10.1.0.1"), Some(narrow));
    assert_eq!(found("192.0.2.1"), None);
}

#[test]
fn a_store_that_makes_no_sense_is_refused() {
    let config = crate::gate::Config::default();
    let opened = |db| crate::gate::Gate::open(&config, db, NOW).unwrap_err().to_string();

    let db = test_db();
    create(&open("{}", &db), "{}");
    db.meta_delete(b"gate/pepper").unwrap();
    assert_eq!(opened(db), "expected the pepper of 1 keys in the store, but found none");

    let db = test_db();
    db.meta_put(b"gate/pepper", b"short").unwrap();
    let wrong = "gate/pepper: expected a record of version 1, but found 5 bytes";
    assert_eq!(opened(db), wrong);

    let db = test_db();
    db.meta_put(b"key/key_1", br#"{"version":2,"record":{"new":true}}"#).unwrap();
    let newer = "key/key_1: expected a record of version 1, but found version 2";
    assert_eq!(opened(Arc::clone(&db)), newer);
    assert_eq!(db.meta_get(b"gate/pepper").unwrap(), None, "refused before anything is written");

    let config = r#"{"networks":[{"source":"10.0.0.0/8","key":"key_none"}]}"#;
    let config = serde_json::from_str(config).unwrap();
    let error = crate::gate::Gate::open(&config, test_db(), NOW).unwrap_err();
    assert!(matches!(error, GateError::NetworkKey(id) if id == "key_none"));
}
