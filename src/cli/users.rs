//! `logtrace users`, on a running daemon or on a data folder.

use std::io::{self, BufRead, Write};

use serde_json::{Map, Value, json};

use super::client::Client;
use super::failure::Failure;
use super::folder;
use super::table::{cell, table};
use super::user_args::{UsersAction, UsersArgs};
use crate::audit::Act;
use crate::gate::Gate;
use crate::ingest::now;
use crate::people::{NewUser, Password, People, UserChange};

/// Does what is to be done with users.
pub(super) fn run(args: &UsersArgs) -> Result<(), Failure> {
    let input = &mut io::stdin().lock();
    let done = match &args.data {
        Some(folder) => folder::change_people(folder, act(&args.action), |people, gate| {
            on_folder(&args.action, people, gate, input)
        })?,
        None => on_daemon(&args.action, &Client::new(&args.server), input)?,
    };
    show(args, &done, &mut io::stdout().lock())
}

fn on_daemon(
    action: &UsersAction,
    daemon: &Client,
    input: &mut impl BufRead,
) -> Result<Value, Failure> {
    match action {
        UsersAction::Create { .. } => daemon.post("/v1/users", &wanted(action, input)?),
        UsersAction::List => daemon.get("/v1/users"),
        UsersAction::Change { user, .. } => {
            let change = wanted(action, input)?;
            daemon.put(&path_of(daemon, user)?, &change)
        }
        UsersAction::Password { user, own, .. } => {
            // Who changes their own need not be one who lists users.
            let (id, old) = match own {
                true => (own_id(daemon, user)?, Some(line(input)?)),
                false => (id_of(daemon, user)?, None),
            };
            let (new, made) = password(action, input)?;
            let body = json!({"old": old, "new": new.reveal()});
            let changed = daemon.put(&format!("/v1/users/{id}/password"), &body)?;
            Ok(with_password(changed, made.then_some(&new)))
        }
        UsersAction::Remove { user } => daemon.delete(&path_of(daemon, user)?, &[]),
        UsersAction::SignIn { email } => {
            daemon.post("/v1/sessions", &json!({"email": email, "password": line(input)?}))
        }
        UsersAction::Sessions { user } => {
            let id = user.as_ref().map(|user| id_of(daemon, user)).transpose()?;
            let asked: Vec<_> = id.iter().map(|id| ("user", id.as_str())).collect();
            daemon.get_with("/v1/sessions", &asked)
        }
        UsersAction::SignOut { session } => {
            if !is_id(session) {
                let what = format!("expected the id of a session, but found {session:?}");
                return Err(Failure::Usage(what));
            }
            daemon.delete(&format!("/v1/sessions/{session}"), &[])
        }
    }
}

/// The same, with the same answers as the API's.
fn on_folder(
    action: &UsersAction,
    people: &People,
    gate: &Gate,
    input: &mut impl BufRead,
) -> Result<Value, Failure> {
    let find = |wanted: &str| {
        let is = |user: &str, email: &str| user == wanted || email.eq_ignore_ascii_case(wanted);
        let mut users = people.users().into_iter();
        let found = users.find(|user| is(&user.id, user.email.as_str()));
        found.map(|user| user.id.clone()).ok_or_else(|| unknown(wanted))
    };
    match action {
        UsersAction::Create { .. } => {
            let new: NewUser = read(wanted(action, input)?)?;
            let known = gate.projects();
            let mut named = new.roles.keys();
            if let Some(other) = named.find(|name| known.iter().all(|known| known.name != **name)) {
                return Err(Failure::new(format_args!("expected a project, but found {other:?}")));
            }
            let (user, made) = people.create(new, now()).map_err(Failure::new)?;
            Ok(with_password(json!(*user), made.as_ref()))
        }
        UsersAction::List => Ok(json!({"users": people.users()})),
        UsersAction::Change { user, .. } => {
            let change: UserChange = read(wanted(action, input)?)?;
            let changed = people.change(&find(user)?, change, None).map_err(Failure::new)?;
            Ok(json!(*changed))
        }
        UsersAction::Password { user, own: false, .. } => {
            let (new, made) = password(action, input)?;
            let changed = people.set_password(&find(user)?, &new, now()).map_err(Failure::new)?;
            Ok(with_password(json!(*changed), made.then_some(&new)))
        }
        UsersAction::Remove { user } => {
            people.remove(&find(user)?).map(|user| json!(*user)).map_err(Failure::new)
        }
        UsersAction::Sessions { user } => {
            let user = user.as_deref().map(find).transpose()?;
            let mut sessions = people.sessions(now());
            sessions.retain(|session| user.as_ref().is_none_or(|user| session.user == *user));
            Ok(json!({"sessions": sessions}))
        }
        UsersAction::SignOut { session } => {
            people.end(session).map(|session| json!(session)).map_err(Failure::new)
        }
        UsersAction::SignIn { .. } | UsersAction::Password { own: true, .. } => {
            let what = "one signs in, and changes their own password, at a running daemon";
            Err(Failure::Usage(what.to_owned()))
        }
    }
}

/// What is recorded of it.
fn act(action: &UsersAction) -> Act {
    let event = match action {
        UsersAction::Create { .. } => "user.created",
        UsersAction::Change { roles, .. } if !roles.is_empty() => "user.role_changed",
        UsersAction::Change { .. } => "user.changed",
        UsersAction::Password { .. } => "user.password_changed",
        UsersAction::Remove { .. } => "user.removed",
        UsersAction::SignOut { .. } => "session.ended",
        UsersAction::List | UsersAction::SignIn { .. } | UsersAction::Sessions { .. } => {
            "user.listed"
        }
    };
    Act::new(event, "")
}

/// What is asked for, as the API takes it.
fn wanted(action: &UsersAction, input: &mut impl BufRead) -> Result<Value, Failure> {
    let mut wanted = Map::new();
    let mut put = |name: &str, value: Value| drop(wanted.insert(name.to_owned(), value));
    match action {
        UsersAction::Create { email, roles: wished, name, password_stdin } => {
            put("email", json!(email));
            put("name", json!(name));
            put("roles", roles(wished)?);
            if *password_stdin {
                put("password", json!(line(input)?));
            }
        }
        UsersAction::Change { roles: wished, name, disable, enable, .. } => {
            if !wished.is_empty() {
                put("roles", roles(wished)?);
            }
            name.iter().for_each(|name| put("name", json!(name)));
            if *disable || *enable {
                put("disabled", json!(disable));
            }
        }
        _ => {}
    }
    Ok(Value::Object(wanted))
}

/// Roles as the API takes them: by project, `null` where there is to be none.
fn roles(texts: &[String]) -> Result<Value, Failure> {
    let mut roles = Map::new();
    for text in texts {
        let (project, role) = text.split_once('=').unwrap_or(("default", text));
        let role = match role {
            "none" => Value::Null,
            "viewer" | "admin" | "owner" => role.into(),
            _ => {
                let what = format!("expected viewer, admin or owner, but found {role:?}");
                return Err(Failure::Usage(what));
            }
        };
        roles.insert(project.to_owned(), role);
    }
    Ok(Value::Object(roles))
}

/// The new password: what is read, or one that is made.
fn password(action: &UsersAction, input: &mut impl BufRead) -> Result<(Password, bool), Failure> {
    match action {
        UsersAction::Password { password_stdin: true, .. } => {
            Ok((Password::new(line(input)?).map_err(Failure::new)?, false))
        }
        _ => Ok((Password::draw().map_err(Failure::new)?, true)),
    }
}

fn with_password(mut user: Value, made: Option<&Password>) -> Value {
    if let (Some(user), Some(made)) = (user.as_object_mut(), made) {
        user.insert("password".to_owned(), made.reveal().into());
    }
    user
}

/// A line of standard input.
fn line(input: &mut impl BufRead) -> Result<String, Failure> {
    let mut text = String::new();
    if input.read_line(&mut text)? == 0 {
        let what = "expected a password on standard input, but found nothing";
        return Err(Failure::Usage(what.to_owned()));
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn path_of(daemon: &Client, user: &str) -> Result<String, Failure> {
    Ok(format!("/v1/users/{}", id_of(daemon, user)?))
}

/// The id of somebody who is named by it, or by their address.
fn id_of(daemon: &Client, user: &str) -> Result<String, Failure> {
    if !user.contains('@') {
        return if is_id(user) { Ok(user.to_owned()) } else { Err(unknown(user)) };
    }
    let users = daemon.get("/v1/users")?;
    let users = users.get("users").and_then(Value::as_array);
    let is = |one: &&Value| {
        let email = one.get("email").and_then(Value::as_str);
        email.is_some_and(|email| email.eq_ignore_ascii_case(user))
    };
    let found = users.and_then(|users| users.iter().find(is)?.get("id")?.as_str());
    found.map(str::to_owned).ok_or_else(|| unknown(user))
}

/// The id of whoever calls, if they are named by it or by their address.
fn own_id(daemon: &Client, user: &str) -> Result<String, Failure> {
    let sessions = daemon.get("/v1/sessions")?;
    let sessions = sessions.get("sessions").and_then(Value::as_array);
    let own =
        sessions.and_then(|all| all.iter().find(|one| one.get("is_current") == Some(&json!(true))));
    let text = |name| own.and_then(|own| own.get(name)?.as_str());
    let (id, email) = (text("user"), text("email"));
    let is = id == Some(user) || email.is_some_and(|email| email.eq_ignore_ascii_case(user));
    id.filter(|_| is).map(str::to_owned).ok_or_else(|| unknown(user))
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn unknown(user: &str) -> Failure {
    Failure::Failed(format!("expected the e-mail address or id of a user, but found {user:?}"))
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| Failure::Usage(error.to_string()))
}

fn show(args: &UsersArgs, done: &Value, output: &mut impl Write) -> Result<(), Failure> {
    if args.json {
        return Ok(writeln!(output, "{done}")?);
    }
    let text = |name: &str| done.get(name).map(cell).unwrap_or_default();
    match &args.action {
        UsersAction::Create { .. } | UsersAction::Password { .. } => {
            let is_made = done.get("password").is_some();
            if is_made {
                writeln!(output, "{}", text("password"))?;
                output.flush()?;
            }
            let note = if is_made { ": kept nowhere and shown only now" } else { "" };
            writeln!(io::stderr(), "logtrace: {} {}{note}", text("id"), text("email"))?;
        }
        UsersAction::List => rows(output, done, "users", &USERS)?,
        UsersAction::Sessions { .. } => rows(output, done, "sessions", &SESSIONS)?,
        UsersAction::SignIn { .. } => {
            writeln!(output, "{}", text("access_token"))?;
            output.flush()?;
            writeln!(io::stderr(), "logtrace: it is good until {}", text("expires_at"))?;
        }
        UsersAction::Change { .. } => {
            let roles = done.get("roles").map(in_words).unwrap_or_default();
            writeln!(output, "{} {}: {roles}", text("id"), text("email"))?;
        }
        UsersAction::Remove { .. } => {
            writeln!(output, "{} {} was removed", text("id"), text("email"))?;
        }
        UsersAction::SignOut { .. } => writeln!(output, "{} was ended", text("id"))?,
    }
    Ok(())
}

fn rows(
    output: &mut impl Write,
    done: &Value,
    of: &str,
    columns: &[(&str, &str)],
) -> Result<(), Failure> {
    let rows = done.get(of).and_then(Value::as_array).into_iter().flatten();
    let rows: Vec<_> = rows.filter_map(Value::as_object).cloned().map(with_words).collect();
    Ok(writeln!(output, "{}", table(columns, &rows))?)
}

/// A user with their roles and state in words.
fn with_words(mut row: Map<String, Value>) -> Map<String, Value> {
    if let Some(roles) = row.get("roles").map(in_words) {
        row.insert("roles".to_owned(), roles.into());
    }
    let state = if row.get("disabled") == Some(&json!(true)) { "disabled" } else { "good" };
    row.insert("state".to_owned(), state.into());
    row
}

/// `default=owner, shop=viewer`.
fn in_words(roles: &Value) -> String {
    let roles = roles.as_object().into_iter().flatten();
    let words = roles.map(|(project, role)| format!("{project}={}", cell(role)));
    words.collect::<Vec<_>>().join(", ")
}

const USERS: [(&str, &str); 6] = [
    ("id", "id"),
    ("e-mail", "email"),
    ("name", "name"),
    ("roles", "roles"),
    ("created", "created_at"),
    ("state", "state"),
];

const SESSIONS: [(&str, &str); 7] = [
    ("id", "id"),
    ("user", "user"),
    ("e-mail", "email"),
    ("started", "started"),
    ("seen", "last_seen"),
    ("address", "address"),
    ("client", "user_agent"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{self, Db};

    const PASSWORD: &str = "correct horse battery";

    fn create(email: &str, role: &str, password_stdin: bool) -> UsersAction {
        let (email, roles) = (email.to_owned(), vec![role.to_owned()]);
        UsersAction::Create { email, roles, name: String::new(), password_stdin }
    }

    #[test]
    fn the_first_owner_is_made_on_a_data_folder_that_nobody_holds() {
        let folder = tempfile::tempdir().unwrap();
        drop(Db::open(folder.path(), &db::Options::default()).unwrap());
        let run = |action: &UsersAction, input: &str| {
            folder::change_people(folder.path(), act(action), |people, gate| {
                on_folder(action, people, gate, &mut input.as_bytes())
            })
        };
        let made = run(&create("Ann@example.com", "owner", false), "").unwrap();
        assert_eq!(
            (&made["email"], &made["roles"]),
            (&json!("ann@example.com"), &json!({"default": "owner"}))
        );
        assert_eq!(made["password"].as_str().unwrap().len(), 27);
        let given =
            run(&create("bob@example.com", "viewer", true), &format!("{PASSWORD}\r\nx")).unwrap();
        assert!(given.get("password").is_none(), "{given}");
        let wrong = [
            run(&create("eve@example.com", "root", false), ""),
            run(&create("eve@example.com", "shop=owner", false), ""),
            run(&create("bob@example.com", "viewer", false), ""),
            run(&create("eve@example.com", "viewer", true), ""),
            run(&create("eve@example.com", "viewer", true), "short\n"),
            run(&UsersAction::Remove { user: "ann@example.com".to_owned() }, ""),
            run(&UsersAction::Remove { user: "nobody".to_owned() }, ""),
            run(&UsersAction::SignIn { email: "ann@example.com".to_owned() }, "x"),
        ];
        let said: Vec<_> =
            wrong.iter().map(|one| one.as_ref().unwrap_err().text().unwrap()).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        expected viewer, admin or owner, but found "root"
        expected a project, but found "shop"
        email: expected an address that no user has, but found that of one
        expected a password on standard input, but found nothing
        password: expected at least 12 characters, but found fewer
        expected one owner of project `default` at the least, but found the last one
        expected the e-mail address or id of a user, but found "nobody"
        one signs in, and changes their own password, at a running daemon
        "#);
    }

    #[test]
    fn who_is_there_is_shown_with_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        drop(Db::open(folder.path(), &db::Options::default()).unwrap());
        let run = |action: &UsersAction| {
            folder::change_people(folder.path(), act(action), |people, gate| {
                on_folder(action, people, gate, &mut &b""[..])
            })
        };
        run(&create("ann@example.com", "owner", false)).unwrap();
        run(&create("bob@example.com", "viewer", false)).unwrap();
        let change = UsersAction::Change {
            user: "bob@example.com".to_owned(),
            roles: vec!["admin".to_owned()],
            name: Some("Bob".to_owned()),
            disable: true,
            enable: false,
        };
        assert_eq!(run(&change).unwrap()["disabled"], true);
        let listed = run(&UsersAction::List).unwrap();
        let mut page = Vec::new();
        rows(
            &mut page,
            &listed,
            "users",
            &[("e-mail", "email"), ("roles", "roles"), ("state", "state")],
        )
        .unwrap();
        let page = String::from_utf8(page).unwrap();
        let words: Vec<Vec<_>> =
            page.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[1], ["ann@example.com", "default=owner", "good"]);
        assert_eq!(words[2], ["bob@example.com", "default=admin", "disabled"]);
    }
}
