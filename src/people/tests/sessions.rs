//! Sessions, from their beginning to their end.

use super::support::{House, NOW, PASSWORD, after, password, roles};
use crate::people::{Found, NewUser, PeopleError, Role, UserChange};

#[test]
fn a_session_begins_goes_on_and_ends() {
    let house = House::new();
    let ann = house.user("ann", &[("default", Role::Owner)]);
    let granted = house.sign_in("ann", NOW);
    let people = house.people();
    assert_eq!(granted.person.user, ann);
    assert!(house.is_in(&granted, NOW) && house.is_in(&granted, after(3599)));
    assert_eq!(granted.access_until, after(3600));
    assert_eq!(granted.refresh_until, after(30 * 86_400));
    assert_eq!(people.sessions(NOW)[0].id, *granted.person.session);
    // After an hour it is refreshed; the tokens before are no good from then on.
    let access = granted.access.reveal().as_bytes();
    assert_eq!(people.find(access, after(3600)), Found::Expired);
    let next = people.refresh(granted.refresh.reveal(), after(3600)).unwrap();
    assert!(house.is_in(&next, after(7199)));
    assert_eq!(people.find(access, after(3600)), Found::Unknown);
    assert_eq!(next.person.session, granted.person.session);
    people.end(&next.person.session).unwrap();
    assert!(!house.is_in(&next, after(3601)));
    assert!(matches!(people.end(&next.person.session), Err(PeopleError::UnknownSession)));
    assert!(matches!(people.refresh(next.refresh.reveal(), NOW), Err(PeopleError::NoSession)));
    assert_eq!(house.why(), ["signed_out"]);
    // A refresh token is none to call with, and the other way round.
    let again = house.sign_in("ann", after(3602));
    assert_eq!(people.find(again.refresh.reveal().as_bytes(), after(3602)), Found::Unknown);
    assert!(matches!(people.refresh(again.access.reveal(), NOW), Err(PeopleError::NoSession)));
}

#[test]
fn co_07_a_session_is_new_at_sign_in_and_dead_at_once() {
    let house = House::new();
    house.user("boss", &[("default", Role::Owner)]);
    let id = house.user("ann", &[("default", Role::Viewer), ("shop", Role::Admin)]).id.clone();
    let people = house.people();
    let change = |change| drop(people.change(&id, change, None).unwrap());
    let disabled = |is| UserChange { disabled: Some(is), ..UserChange::default() };
    let table: [(&dyn Fn(), &str); 6] = [
        (&|| change(roles(r#"{"shop":"viewer"}"#)), "user_changed"),
        (&|| change(roles(r#"{"shop":null}"#)), "user_changed"),
        (
            &|| {
                change(disabled(true));
                assert!(house.try_sign_in("ann", PASSWORD, "192.0.2.1", NOW).is_err());
                change(disabled(false));
            },
            "user_changed",
        ),
        (&|| drop(people.set_password(&id, &password(PASSWORD), NOW).unwrap()), "password_changed"),
        (
            &|| people.sessions(NOW).iter().for_each(|one| drop(people.end(&one.id).unwrap())),
            "signed_out",
        ),
        (&|| drop(people.remove(&id).unwrap()), "user_removed"),
    ];
    let mut ids = Vec::new();
    for (change, why) in table {
        let (one, two) = (house.sign_in("ann", NOW), house.sign_in("ann", NOW));
        ids.extend([one.person.session.clone(), two.person.session.clone()]);
        assert!(house.is_in(&one, NOW) && house.is_in(&two, NOW), "{why}");
        change();
        for granted in [&one, &two] {
            assert!(!house.is_in(granted, NOW), "{why}");
            let again = people.refresh(granted.refresh.reveal(), NOW);
            assert!(matches!(again, Err(PeopleError::NoSession)), "{why}");
        }
        assert_eq!(house.why(), [why, why]);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 12, "no two sessions have an id");
}

#[test]
fn a_name_that_is_changed_ends_no_session() {
    let house = House::new();
    let people = house.people();
    let bob = house.user("bob", &[("shop", Role::Viewer)]);
    let granted = house.sign_in("bob", NOW);
    let name = UserChange { name: Some("Bob".to_owned()), ..UserChange::default() };
    people.change(&bob.id, name, Some(&bob.id)).unwrap();
    assert!(house.is_in(&granted, NOW));
}

#[test]
fn co_07_a_session_ends_when_it_is_idle_or_old() {
    let mut house = House::new();
    house.user("ann", &[("default", Role::Owner)]);
    let day = 86_400;
    let idle = house.sign_in("ann", NOW);
    let busy = house.sign_in("ann", NOW);
    let mut last = busy;
    for days in (20..90).step_by(20) {
        last = house.people().refresh(last.refresh.reveal(), after(days * day)).unwrap();
        house.people().seen(&last.person, after(days * day));
        assert!(house.is_in(&last, after(days * day)));
        house.people().sweep(after(days * day)).unwrap();
    }
    assert_eq!(house.why(), ["idle"]);
    // A clock that is set back revives nothing.
    assert!(!house.is_in(&idle, NOW));
    assert_eq!(last.refresh_until, after(90 * day), "no longer than the session");
    let error = house.people().refresh(last.refresh.reveal(), after(90 * day)).unwrap_err();
    assert!(matches!(error, PeopleError::NoSession));
    assert_eq!(house.why(), ["expired"]);
    house.reopen(after(90 * day));
    assert!(house.people().sessions(after(90 * day)).is_empty());
}

#[test]
fn co_08_a_refresh_token_that_comes_twice_ends_the_session() {
    let mut house = House::new();
    house.user("ann", &[("default", Role::Owner)]);
    for used_again in [0, 1, 2] {
        let first = house.sign_in("ann", NOW);
        let second = house.people().refresh(first.refresh.reveal(), NOW).unwrap();
        let third = house.people().refresh(second.refresh.reveal(), NOW).unwrap();
        let other = house.sign_in("ann", NOW);
        let tokens = [&first.refresh, &second.refresh, &third.refresh];
        let again = house.people().refresh(tokens[used_again].reveal(), NOW);
        if used_again == 2 {
            again.unwrap();
            continue;
        }
        assert!(matches!(again, Err(PeopleError::Reused(_))), "{again:?}");
        assert_eq!(house.why(), ["token_reused"]);
        house.reopen(NOW);
        for token in tokens {
            let error = house.people().refresh(token.reveal(), NOW).unwrap_err();
            assert!(matches!(error, PeopleError::NoSession), "{error:?}");
        }
        assert!(!house.is_in(&third, NOW));
        assert!(house.is_in(&other, NOW), "another session is not touched");
    }
    // A guess that knows nothing of the session ends none.
    let granted = house.sign_in("ann", NOW);
    let guess = format!("lt_next_{}", "0".repeat(96));
    assert!(matches!(house.people().refresh(&guess, NOW), Err(PeopleError::NoSession)));
    assert!(house.is_in(&granted, NOW));
}

#[test]
fn what_was_answered_is_there_after_a_crash() {
    let mut house = House::new();
    let ann = house.user("ann", &[("default", Role::Owner)]);
    let (kept, ended) = (house.sign_in("ann", NOW), house.sign_in("ann", NOW));
    house.people().end(&ended.person.session).unwrap();
    house.people().seen(&kept.person, after(600));
    // What rides goes with the next commit, here that of another user.
    house.user("bob", &[("shop", Role::Viewer)]);
    house.reopen(after(1));
    assert_eq!(house.people().user(&ann.id), Some(ann));
    assert!(house.is_in(&kept, after(1)) && !house.is_in(&ended, after(1)));
    assert_eq!(house.people().sessions(after(1))[0].last_seen, after(600));
    house.people().end(&kept.person.session).unwrap();
    house.reopen(after(2));
    assert!(house.people().sessions(after(2)).is_empty());
    house.sign_in("ann", after(2));
}

#[test]
fn nobody_is_there_twice_and_the_oldest_session_makes_room() {
    let house = House::new();
    house.user("ann", &[("default", Role::Owner)]);
    let again = NewUser {
        email: "ANN@example.com".to_owned(),
        roles: [("shop".to_owned(), Role::Viewer)].into(),
        ..NewUser::default()
    };
    assert!(matches!(house.people().create(again, NOW), Err(PeopleError::Taken)));
    let sessions: Vec<_> = (0..12).map(|n| house.sign_in("ann", after(n))).collect();
    let is_in: Vec<_> = sessions.iter().map(|one| house.is_in(one, after(12))).collect();
    assert_eq!(is_in.iter().filter(|is_in| **is_in).count(), 10);
    assert!(!is_in[0] && !is_in[1]);
    assert_eq!(house.why(), ["too_many", "too_many"]);
}
