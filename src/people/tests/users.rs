//! Users, and who guesses their passwords.

use std::collections::BTreeMap;
use std::time::Duration;

use super::support::{House, NOW, PASSWORD, after, password, place, roles};
use crate::people::{NewUser, PeopleError, Role, UserChange, password as hashes};
use crate::time::SECOND;

#[test]
fn co_16_a_password_is_guessed_slowly_and_nobody_else_waits() {
    let house = House::new();
    house.user("ann", &[("default", Role::Owner)]);
    house.user("bob", &[("default", Role::Viewer)]);
    let (mut tried, mut slow) = (0, 0);
    for n in 0..1000 {
        // Ten a second, for a hundred seconds; of an account that is there and of one that is not.
        let now = NOW.plus(n * SECOND / 10);
        let of = |name: &str, from: &str| {
            let guess = format!("guess number {n:04}");
            match house.try_sign_in(name, &guess, from, now) {
                Err(PeopleError::Refused) => true,
                Err(PeopleError::Slow(wait)) if wait <= Duration::from_secs(300) => false,
                other => panic!("{other:?}"),
            }
        };
        let (known, unknown) = (of("ann", "198.51.100.7"), of("nobody", "198.51.100.8"));
        assert_eq!(known, unknown, "attempt {n}: it tells who there is");
        tried += usize::from(known);
        slow += usize::from(!known);
    }
    assert!(tried <= 15 && slow >= 985, "{tried} {slow}");
    // Ann signs in from where she is, and so does Bob, at the same time.
    let now = after(100);
    house.try_sign_in("ann", PASSWORD, "192.0.2.1", now).unwrap();
    house.try_sign_in("bob", PASSWORD, "192.0.2.1", now).unwrap();
    // The right password does not help who has to wait.
    let error = house.try_sign_in("ann", PASSWORD, "198.51.100.7", now).unwrap_err();
    assert!(matches!(error, PeopleError::Slow(_)), "{error:?}");
}

#[test]
fn co_16_whoever_there_is_and_is_not_costs_one_hash() {
    let house = House::new();
    let ann = house.user("ann", &[("default", Role::Viewer)]);
    house
        .people()
        .change(&ann.id, UserChange { disabled: Some(true), ..UserChange::default() }, None)
        .unwrap();
    house.user("bob", &[("default", Role::Viewer)]);
    let checked = |name: &str, secret: &str| {
        let before = hashes::work::CHECKED.get();
        let refused = house.try_sign_in(name, secret, "192.0.2.1", NOW);
        assert!(matches!(refused, Err(PeopleError::Refused)), "{name}: {refused:?}");
        hashes::work::CHECKED.get() - before
    };
    for name in ["ann", "bob", "nobody", "no address at all"] {
        assert_eq!(checked(name, "wrong password"), 1, "{name}");
    }
    assert_eq!(checked("ann", PASSWORD), 1, "one who is disabled, with the right one");
}

#[test]
fn co_17_the_last_owner_stays_and_nobody_raises_themselves() {
    let house = House::new();
    let ann = house.user("ann", &[("default", Role::Owner), ("shop", Role::Viewer)]);
    let bob = house.user("bob", &[("default", Role::Admin), ("shop", Role::Owner)]);
    let people = house.people();
    let off = || UserChange { disabled: Some(true), ..UserChange::default() };
    let last = [
        people.remove(&ann.id).unwrap_err(),
        people.change(&ann.id, off(), None).unwrap_err(),
        people.change(&ann.id, roles(r#"{"default":"admin"}"#), Some(&bob.id)).unwrap_err(),
        people.change(&ann.id, roles(r#"{"default":null}"#), Some(&ann.id)).unwrap_err(),
    ];
    assert!(last.iter().all(|error| matches!(error, PeopleError::LastOwner)), "{last:?}");
    for (id, role) in [
        (&bob.id, r#"{"default":"owner"}"#),
        (&ann.id, r#"{"shop":"admin"}"#),
        (&ann.id, r#"{"new":"viewer"}"#),
    ] {
        let own = people.change(id, roles(role), Some(id)).unwrap_err();
        assert!(matches!(own, PeopleError::OwnRole), "{own:?}");
    }
    people.change(&bob.id, roles(r#"{"shop":"viewer"}"#), Some(&bob.id)).unwrap();
    people.change(&bob.id, roles(r#"{"default":"owner"}"#), Some(&ann.id)).unwrap();
    // One who may not sign in is no owner to count on.
    people.change(&bob.id, off(), Some(&ann.id)).unwrap();
    assert!(matches!(people.remove(&ann.id), Err(PeopleError::LastOwner)));
    people
        .change(&bob.id, UserChange { disabled: Some(false), ..UserChange::default() }, None)
        .unwrap();
    people.remove(&ann.id).unwrap();
    assert!(people.has_owner());
}

#[test]
fn a_project_that_is_no_more_leaves_nobody_a_role() {
    let house = House::new();
    let ann = house.user("ann", &[("default", Role::Owner), ("shop", Role::Admin)]);
    let bob = house.user("bob", &[("shop", Role::Owner)]);
    let granted = house.sign_in("bob", NOW);
    assert_eq!(house.people().forget_project("shop").unwrap().len(), 2);
    assert!(!house.is_in(&granted, NOW));
    let roles = |id: &str| house.people().user(id).unwrap().roles.clone();
    assert_eq!(roles(&ann.id), [("default".to_owned(), Role::Owner)].into());
    assert_eq!(roles(&bob.id), BTreeMap::new());
}

#[test]
fn one_whose_own_password_is_asked_for_is_slowed_too() {
    let house = House::new();
    let ann = house.user("ann", &[("default", Role::Owner)]);
    let check = |secret: &str, now| {
        house.people().check_password(&ann.id, &password(secret), &place("192.0.2.1"), now)
    };
    for _ in 0..5 {
        assert!(matches!(check("wrong password", NOW), Err(PeopleError::Refused)));
    }
    assert!(matches!(check(PASSWORD, NOW), Err(PeopleError::Slow(_))));
    check(PASSWORD, after(2)).unwrap();
}

#[test]
fn au_07_no_record_and_no_debug_has_a_secret() {
    let house = House::new();
    let new = NewUser {
        email: "ann@example.com".to_owned(),
        roles: [("default".to_owned(), Role::Owner)].into(),
        ..NewUser::default()
    };
    let (_, made) = house.people().create(new, NOW).unwrap();
    let made = made.unwrap();
    let granted = house.try_sign_in("ann", made.reveal(), "192.0.2.1", NOW).unwrap();
    let mut text = format!("{:?} {granted:?} {made:?}", house.people());
    for (key, value) in house.people().records.all() {
        text.push_str(&String::from_utf8_lossy(&key));
        text.push_str(&String::from_utf8_lossy(&value));
    }
    let tokens = [&granted.access, &granted.refresh].map(|token| token.reveal().get(8..).unwrap());
    let parts = [made.reveal(), tokens[0], tokens[1]];
    assert!(parts.iter().all(|secret| !text.contains(secret)));
    assert!(text.contains("ann@example.com"));
}
