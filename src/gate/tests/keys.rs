//! Keys: what they are found by, what they may do, what outlives a restart.

use std::sync::Arc;
use std::time::Duration;

use super::super::keys::work::{COMPARED, HASHED};
use super::support::{NOW, after, create, gate, ip, key, open, test_db};
use crate::gate::{
    CertificateName, Environment, Gate, GateError, Label, Refusal, Rotation, Scope, Scopes, Secret,
};
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

/// What a guess costs says nothing of any key: not where it is wrong, nor how many keys are near it.
/// Work is counted, as time is another on each machine.
#[test]
fn au_02_guesses_that_differ_in_any_octet_cost_the_same() {
    const GUESSES: u64 = 4000;
    type Guess<'g> = (&'g str, &'g dyn Fn(u64) -> Vec<u8>);
    let gate = gate("{}");
    let secrets: Vec<_> = (0..500).map(|_| create(&gate, "{}").1).collect();
    let wrong_at = |place: usize, n: u64| {
        let secret = &secrets[usize::try_from(n).unwrap() % secrets.len()];
        let mut guess = secret.reveal().as_bytes().to_vec();
        // Another octet there each time, and never the right one.
        guess[place] = 0x80 + u8::try_from(n / 500).unwrap();
        guess
    };
    let last = secrets[0].reveal().len() - 1;
    let work = |guess: &dyn Fn(u64) -> Vec<u8>| {
        let before = (HASHED.get(), COMPARED.get());
        (0..GUESSES).for_each(|n| assert!(gate.key_of(&guess(n)).is_none()));
        (HASHED.get() - before.0, COMPARED.get() - before.1)
    };
    let far = |n: u64| format!("lt_live_{:032x}", u128::from(n) << 64).into_bytes();
    let classes: [Guess<'_>; 4] = [
        ("the first octet", &|n| wrong_at(0, n)),
        ("the first digit", &|n| wrong_at(8, n)),
        ("the last digit", &|n| wrong_at(last, n)),
        ("all of them", &far),
    ];
    let found = classes.map(|(_, guess)| work(guess));
    let len = secrets[0].reveal().len() as u64;
    assert!(found.iter().all(|(hashed, _)| *hashed == GUESSES * len), "{found:?}");
    // A few hashes lie where the guess would: chance, and the same chance for each class.
    let mean = found.iter().map(|(_, compared)| *compared).sum::<u64>() / 4;
    let spread = 7.0 * f64::sqrt(f64::from(u32::try_from(mean.max(1)).unwrap()));
    for ((class, _), (_, compared)) in classes.iter().zip(found) {
        let off = f64::from(u32::try_from(compared.abs_diff(mean)).unwrap());
        assert!(off < spread, "{class}: {compared} comparisons, where {mean} are usual");
    }
    // What cannot be a secret is charged as one.
    let too_long = work(&|n| vec![b'a' + u8::try_from(n % 26).unwrap(); 64 * 1024]);
    assert!(too_long.0 > 0 && too_long.0 <= GUESSES * len, "{too_long:?}");
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
    let opened = |db| Gate::open(&config, db, NOW).unwrap_err().to_string();

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
    let error = Gate::open(&config, test_db(), NOW).unwrap_err();
    assert!(matches!(error, GateError::NetworkKey(id) if id == "key_none"));
}

/// Rotates as the API does, with a grace of an hour.
fn rotation() -> Rotation {
    Rotation { grace: Some(Duration::from_secs(3600)), ..Rotation::default() }
}

#[test]
fn au_06_both_secrets_work_within_the_grace_and_then_only_the_new() {
    let db = test_db();
    let gate = open("{}", &db);
    let (info, old) = create(&gate, r#"{"lifetime":"10d"}"#);
    let (rotated, new) = gate.rotate_key(&info.id, &rotation(), after(100)).unwrap();
    assert_eq!((&rotated.id, rotated.expires_at), (&info.id, after(100 + 10 * 86_400)));
    assert_ne!(old.reveal(), new.reveal());
    let passes = |gate: &Gate, secret: &Secret, seconds| {
        let key = gate.key_of(secret.reveal().as_bytes()).unwrap();
        assert_eq!(key.id(), info.id);
        rule(gate.check(&key, Scope::WriteLogs, ip(PEER), after(seconds)))
    };
    // The process that rotated it, and one that starts afterwards.
    for gate in [&gate, &open("{}", &db)] {
        for (secret, seconds, want) in [
            (&old, 100, "passes"),
            (&new, 100, "passes"),
            (&old, 3699, "passes"),
            (&old, 3700, "API_KEY_EXPIRED by key:rotated"),
            // The clock steps back: what was over stays over.
            (&old, 3600, "API_KEY_EXPIRED by key:rotated"),
            (&new, 3700, "passes"),
            (&new, 100 + 10 * 86_400, "API_KEY_EXPIRED by key:expired"),
        ] {
            assert_eq!(passes(gate, secret, seconds), want, "{seconds}");
        }
    }
    // Revocation ends both.
    gate.revoke_key(&info.id, after(200)).unwrap();
    for secret in [&old, &new] {
        assert_eq!(passes(&gate, secret, 200), "API_KEY_REVOKED by key:revoked");
    }
}

#[test]
fn au_06_of_two_rotations_one_wins() {
    let gate = gate("{}");
    let (info, old) = create(&gate, "{}");
    let seen = Rotation { replaces: Some(info.masked.clone()), force: true, ..rotation() };
    let (_, won) = gate.rotate_key(&info.id, &seen, NOW).unwrap();
    let refused = |result: Result<_, GateError>| {
        assert!(matches!(result.unwrap_err(), GateError::Rotation(_)));
    };
    refused(gate.rotate_key(&info.id, &seen, NOW).map(drop));
    // A second one that saw the first has to wait for its grace, or to say that it will not.
    refused(gate.rotate_key(&info.id, &rotation(), after(3599)).map(drop));
    assert!(gate.key_of(won.reveal().as_bytes()).is_some());
    let forced = Rotation { force: true, ..rotation() };
    gate.rotate_key(&info.id, &forced, after(3599)).unwrap();
    assert!(gate.key_of(old.reveal().as_bytes()).is_none(), "only one secret before the last");
    let past = after(3599 + 3600);
    gate.rotate_key(&info.id, &Rotation { grace: Some(Duration::ZERO), ..rotation() }, past)
        .unwrap();
    let key = gate.key_of(won.reveal().as_bytes());
    assert!(key.is_none(), "two rotations ago");
}

#[test]
fn au_06_what_is_over_is_not_rotated() {
    let gate = gate("{}");
    let (revoked, _) = create(&gate, "{}");
    gate.revoke_key(&revoked.id, NOW).unwrap();
    let (expired, _) = create(&gate, r#"{"lifetime":"1h"}"#);
    for (id, now) in [(&revoked.id, NOW), (&expired.id, after(3600))] {
        let error = gate.rotate_key(id, &rotation(), now).unwrap_err();
        assert!(matches!(error, GateError::Rotation(_)), "{error}");
    }
    let (good, _) = create(&gate, "{}");
    for bad in [
        Rotation { grace: Some(Duration::from_secs(31 * 86_400)), ..rotation() },
        Rotation { lifetime: Some(Duration::from_secs(366 * 86_400)), ..rotation() },
        Rotation { lifetime: Some(Duration::ZERO), ..rotation() },
    ] {
        let error = gate.rotate_key(&good.id, &bad, NOW).unwrap_err();
        assert!(matches!(error, GateError::Invalid { .. }), "{error}");
    }
    assert!(matches!(gate.rotate_key("key_none", &rotation(), NOW), Err(GateError::UnknownKey(_))));
}

#[test]
fn a_certificate_or_label_stands_for_one_key() {
    let db = test_db();
    let gate = open("{}", &db);
    let named = r#"{"certificates":["san:web.example"],"label":"web"}"#;
    let (first, _) = create(&gate, named);
    let name = CertificateName::parse("san:WEB.example").unwrap();
    let label = Label::parse("web").unwrap();
    let found = |gate: &Gate| {
        let key = gate.certificate_key(&[CertificateName::san("other"), name.clone()]);
        assert_eq!(key, gate.label_key(&label));
        key.map(|id| id.to_string())
    };
    assert_eq!(found(&gate), Some(first.id.clone()));
    let again = || {
        let mut new: crate::gate::NewKey = serde_json::from_str(named).unwrap();
        "again".clone_into(&mut new.name);
        new.scopes = Scopes::all();
        gate.create_key(new, NOW)
    };
    assert!(matches!(again().unwrap_err(), GateError::Taken { field: "certificates", .. }));
    // Of a key that was revoked its holder is refused, until another key takes its place.
    gate.revoke_key(&first.id, NOW).unwrap();
    assert_eq!(found(&gate), Some(first.id.clone()));
    assert_eq!(found(&open("{}", &db)), Some(first.id));
    let second = again().unwrap().0.id;
    assert_eq!(found(&gate), Some(second.clone()));
    assert_eq!(found(&open("{}", &db)), Some(second));
}

#[test]
fn au_04_what_has_expired_stays_so_over_a_restart_with_a_clock_set_back() {
    let db = test_db();
    let gate = open("{}", &db);
    let (info, old) = create(&gate, r#"{"lifetime":"2h"}"#);
    let (_, new) = gate.rotate_key(&info.id, &rotation(), NOW).unwrap();
    assert_eq!(gate.lapse(after(60)).unwrap(), []);
    let passes = |gate: &Gate, secret: &Secret, seconds| {
        let key = gate.key_of(secret.reveal().as_bytes()).unwrap();
        gate.check(&key, Scope::WriteLogs, ip(PEER), after(seconds)).is_ok()
    };
    // The grace is over, then the clock is set back by an hour and the daemon started again.
    assert_eq!(gate.lapse(after(3600)).unwrap(), []);
    let gate = open("{}", &db);
    assert_eq!((passes(&gate, &old, 10), passes(&gate, &new, 10)), (false, true));
    let lapsed = gate.lapse(after(7200)).unwrap();
    assert_eq!(lapsed.iter().map(|key| &key.id).collect::<Vec<_>>(), [&info.id]);
    assert_eq!(gate.lapse(after(7201)).unwrap(), [], "told once");
    let gate = open("{}", &db);
    assert!(!passes(&gate, &new, 3600));
}

#[test]
fn of_each_end_people_are_told_once() {
    let db = test_db();
    let gate = open("{}", &db);
    let day = 86_400;
    let (long, _) = create(&gate, r#"{"lifetime":"30d"}"#);
    let (short, _) = create(&gate, r#"{"lifetime":"2d"}"#);
    let (gone, _) = create(&gate, r#"{"lifetime":"30d"}"#);
    gate.revoke_key(&gone.id, NOW).unwrap();
    let told = |gate: &Gate, seconds| {
        let due = gate.expiring(after(seconds));
        due.iter().for_each(|key| gate.noticed(&key.id, after(seconds)).unwrap());
        due.into_iter().map(|key| key.id).collect::<Vec<_>>()
    };
    let none: [String; 0] = [];
    assert_eq!(told(&gate, day - 1), none);
    assert_eq!(told(&gate, day), [short.id]);
    assert_eq!(told(&gate, 23 * day - 1), none);
    assert_eq!(told(&gate, 23 * day), std::slice::from_ref(&long.id));
    assert_eq!(told(&gate, 23 * day), none);
    assert_eq!(told(&open("{}", &db), 24 * day), none);
    // A new secret has an end of its own.
    gate.rotate_key(&long.id, &rotation(), after(24 * day)).unwrap();
    assert_eq!(told(&gate, 46 * day), none);
    assert_eq!(told(&gate, 47 * day), [long.id]);
}

#[test]
fn a_secret_that_was_not_handed_over_takes_nothing_from_the_one_before() {
    let db = test_db();
    let gate = open("{}", &db);
    let (info, first) = create(&gate, r#"{"auto_rotate":"wh_1"}"#);
    let hand_over = Rotation { force: true, hand_over: true, ..rotation() };
    let (_, lost) = gate.rotate_key(&info.id, &hand_over, NOW).unwrap();
    let waiting = |gate: &Gate| gate.handing_over(after(1)).len();
    assert_eq!(waiting(&gate), 1);
    // The daemon ended before anybody had it.
    let gate = open("{}", &db);
    assert_eq!(waiting(&gate), 1);
    let (rotated, taken) = gate.rotate_key(&info.id, &hand_over, after(60)).unwrap();
    assert_eq!(rotated.previous.unwrap().masked, first.masked());
    gate.handed_over(&info.id).unwrap();
    assert_eq!(waiting(&gate), 0);
    let found = |secret: &Secret| gate.key_of(secret.reveal().as_bytes()).is_some();
    assert_eq!((found(&first), found(&lost), found(&taken)), (true, false, true));
    let old = gate.key_of(first.reveal().as_bytes()).unwrap();
    assert!(gate.check(&old, Scope::WriteLogs, ip(PEER), after(3599)).is_ok());
    assert!(gate.check(&old, Scope::WriteLogs, ip(PEER), after(3600)).is_err());
}
