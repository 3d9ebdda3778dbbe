//! The authorisation matrix of people: every call, by every role, in its project, in another, and in
//! the one that governs; and by those who are not to be let in any more.

use axum::http::StatusCode;

use super::matrix::{Made, made, request, row, target};
use super::support::House;
use crate::api::route::{Needs, Reach};
use crate::gate::{Environment, Scope};
use crate::people::{Granted, Role, UserChange};

/// What each role may.
const RIGHTS: [(Role, &[Scope]); 3] = [
    (Role::Viewer, &[Scope::ReadLogs]),
    (Role::Admin, &[Scope::ReadLogs, Scope::ReadAudit, Scope::WriteAlerts, Scope::AdminProjects]),
    (Role::Owner, &[Scope::ReadLogs, Scope::ReadAudit, Scope::WriteAlerts, Scope::AdminProjects]),
];

/// Makes a call by somebody; `named` is the project that its head names.
async fn answer(
    house: &House,
    made: &Made,
    of: &str,
    by: &Granted,
    named: Option<&str>,
) -> StatusCode {
    let mut call = request(made, of, named.unwrap_or("shop"), Environment::Production).by(by);
    if let Some(named) = named {
        call = call.header("x-logtrace-project", named);
    }
    house.answer(call).await.status()
}

/// Whether a role may make a call that is about somebody else.
fn may(made: &Made, role: Role, rights: &[Scope], project: &str) -> bool {
    let has = match made.needs {
        Needs::Nothing => true,
        Needs::Scope(scope) => rights.contains(&scope),
        // About nobody in particular it is about oneself.
        Needs::Own(scope) => rights.contains(&scope) || !made.call.path.contains("{id}"),
        Needs::Owner | Needs::OwnOrOwner => role == Role::Owner,
        Needs::Either(..) => panic!("made as both"),
    };
    has && (made.reach == Reach::Project || project == "default" && role >= Role::Admin)
}

#[tokio::test]
async fn au_09_every_call_by_every_role_in_every_project() {
    let house = House::open();
    ["shop", "bank"].iter().for_each(|name| house.project(name));
    for project in ["shop", "default"] {
        for (role, rights) in RIGHTS {
            let name = format!("{}.{project}", role.as_str());
            let mut by = house.person(&name, &[(project, role)]);
            for made in made() {
                // What is said in the head changes nothing where it is so anyway.
                for named in [None, Some(project)] {
                    let of = target(&house, &made, project);
                    let status = answer(&house, &made, &of, &by, named).await;
                    let may = may(&made, role, rights, project);
                    let what = format!("{} by {role:?} in {project}: {status}", row(&made.call));
                    assert_eq!(status != StatusCode::FORBIDDEN, may, "{what}");
                    assert_ne!(status, StatusCode::UNAUTHORIZED, "{what}");
                }
                // In a project where they are nothing they may nothing, but for what is their own.
                let of = target(&house, &made, "bank");
                let status = answer(&house, &made, &of, &by, Some("bank")).await;
                let is_open = match made.needs {
                    Needs::Nothing => true,
                    Needs::Own(_) => !made.call.path.contains("{id}"),
                    _ => false,
                };
                let what =
                    format!("{} by {role:?} of {project} in bank: {status}", row(&made.call));
                assert_eq!(status != StatusCode::FORBIDDEN, is_open, "{what}");
                // Whose head names nothing acts at home, where nobody of another project is.
                let status = answer(&house, &made, &of, &by, None).await;
                let may =
                    may(&made, role, rights, project) && (of.is_empty() || project == "default");
                assert_eq!(status != StatusCode::FORBIDDEN, may, "{what}: not named");
            }
            for made in made().iter().filter(|made| is_own(made)) {
                let own = if made.call.path.starts_with("/v1/users") {
                    by.person.user.id.clone()
                } else {
                    "current".to_owned()
                };
                let status = answer(&house, made, &own, &by, None).await;
                assert!(
                    status.is_success(),
                    "{} by {role:?} of themselves: {status}",
                    row(&made.call)
                );
                by = house.sign_in(&name);
            }
        }
    }
}

/// Whether it is a call about somebody that all may make about themselves.
fn is_own(made: &Made) -> bool {
    let is_own = matches!(made.needs, Needs::Own(_) | Needs::OwnOrOwner);
    is_own && made.call.path.contains("{id}")
}

#[tokio::test]
async fn au_09_nobody_makes_a_call_who_is_not_signed_in() {
    let house = House::open();
    house.project("shop");
    house.person("boss", &[("default", Role::Owner)]);
    let mut out = Vec::new();
    for role in Role::ALL {
        let name = role.as_str();
        let disabled = house.person(&format!("{name}.off"), &[("default", role)]);
        let off = UserChange { disabled: Some(true), ..UserChange::default() };
        house.api.people.change(&disabled.person.user.id, off, None).unwrap();
        let gone = house.person(&format!("{name}.gone"), &[("default", role)]);
        house.api.people.remove(&gone.person.user.id).unwrap();
        let left = house.person(&format!("{name}.left"), &[("default", role)]);
        house.api.people.end(&left.person.session).unwrap();
        out.extend([disabled, gone, left]);
    }
    for made in made() {
        for by in &out {
            let status = answer(&house, &made, "x", by, None).await;
            let is_open = made.needs == Needs::Nothing;
            assert_eq!(status != StatusCode::UNAUTHORIZED, is_open, "{}", row(&made.call));
        }
    }
}

#[tokio::test]
async fn au_09_with_roles_in_several_projects_one_is_named() {
    let house = House::open();
    ["shop", "bank"].iter().for_each(|name| house.project(name));
    let both = house.person("ann", &[("shop", Role::Admin), ("bank", Role::Viewer)]);
    let with_default = house.person("bob", &[("shop", Role::Owner), ("default", Role::Viewer)]);
    let keys = made().into_iter().find(|made| row(&made.call).starts_with("GET /v1/keys:"));
    let keys = keys.unwrap();
    let table = [
        (&both, None, 400),
        (&both, Some("shop"), 200),
        (&both, Some("bank"), 403),
        (&both, Some("default"), 403),
        (&both, Some(""), 403),
        (&with_default, None, 403),
        (&with_default, Some("shop"), 200),
    ];
    for (by, named, want) in table {
        let status = answer(&house, &keys, "", by, named).await;
        assert_eq!(status.as_u16(), want, "{named:?}");
    }
}
