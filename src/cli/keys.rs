//! `logtrace keys`, on a running daemon or on a data folder.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::args::{KeysAction, KeysArgs, NewKeyArgs};
use super::client::Client;
use super::failure::Failure;
use super::folder;
use super::table::{cell, table};
use crate::audit::Act;
use crate::gate::{KeyInfo, NewKey, Rotation, Secret};
use crate::ingest::now;
use crate::time::Timestamp;

/// Does what is to be done with keys.
pub(super) fn run(args: &KeysArgs) -> Result<(), Failure> {
    let done = match &args.data {
        Some(folder) => {
            folder::change(folder, act(&args.action), |gate| on_folder(&args.action, gate))?
        }
        None => on_daemon(&args.action, &Client::new(&args.server))?,
    };
    show(args, &done, &mut io::stdout().lock())
}

fn on_daemon(action: &KeysAction, daemon: &Client) -> Result<Value, Failure> {
    match action {
        KeysAction::Create(new) => daemon.post("/v1/keys", &wanted(new)?),
        KeysAction::List => daemon.get("/v1/keys"),
        KeysAction::Rotate { id, grace, lifetime, force } => daemon.post(
            "/v1/keys/rotate",
            &json!({"id": id, "grace": grace, "lifetime": lifetime, "force": force}),
        ),
        KeysAction::Usage { id, from, to } => {
            let asked = [("from", from), ("to", to)];
            let asked: Vec<_> =
                asked.iter().filter_map(|(name, time)| Some((*name, time.as_deref()?))).collect();
            daemon.get_with(&format!("{}/usage", path_of(id)?), &asked)
        }
        KeysAction::Revoke { id } => daemon.delete(&path_of(id)?, &[]),
    }
}

/// The same, with the same answers as the API's.
fn on_folder(action: &KeysAction, gate: &crate::gate::Gate) -> Result<Value, Failure> {
    match action {
        KeysAction::Create(new) => {
            let new: NewKey = serde_json::from_value(wanted(new)?)
                .map_err(|error| Failure::Usage(error.to_string()))?;
            gate.create_key(new, now()).map(with_secret).map_err(Failure::new)
        }
        KeysAction::Rotate { id, grace, lifetime, force } => {
            let (grace, lifetime) = (duration(grace.as_deref())?, duration(lifetime.as_deref())?);
            let rotation = Rotation { grace, lifetime, force: *force, ..Rotation::default() };
            gate.rotate_key(id, &rotation, now()).map(with_secret).map_err(Failure::new)
        }
        KeysAction::List => Ok(json!({"keys": gate.keys()})),
        KeysAction::Usage { .. } => {
            Err(Failure::Usage("the usage of a key is asked of a running daemon".to_owned()))
        }
        KeysAction::Revoke { id } => {
            gate.revoke_key(id, now()).map(|info| json!(info)).map_err(Failure::new)
        }
    }
}

fn path_of(id: &str) -> Result<String, Failure> {
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Failure::Usage(format!("expected the id of a key, but found {id:?}")));
    }
    Ok(format!("/v1/keys/{id}"))
}

/// What is recorded of it.
fn act(action: &KeysAction) -> Act {
    match action {
        KeysAction::Create(_) => Act::new("api_key.created", ""),
        KeysAction::Rotate { .. } => Act::new("api_key.rotated", ""),
        KeysAction::Revoke { .. } => Act::new("api_key.revoked", ""),
        KeysAction::List | KeysAction::Usage { .. } => Act::new("api_key.listed", ""),
    }
}

fn with_secret((info, secret): (KeyInfo, Secret)) -> Value {
    let mut made = json!(info);
    if let Some(made) = made.as_object_mut() {
        made.insert("secret".to_owned(), secret.reveal().into());
    }
    made
}

fn duration(text: Option<&str>) -> Result<Option<Duration>, Failure> {
    let read = |text| humantime::parse_duration(text);
    let wrong = |error| Failure::Usage(format!("expected a time such as 24h, but found: {error}"));
    text.map(read).transpose().map_err(wrong)
}

fn wanted(new: &NewKeyArgs) -> Result<Value, Failure> {
    let NewKeyArgs { name, project, environment, scopes, allow, lifetime, .. } = new;
    let mut wanted = json!({
        "name": name,
        "project": project,
        "environment": environment,
        "scopes": scopes,
        "allow": allow,
        "lifetime": lifetime,
        "certificates": new.certificates,
        "label": new.label,
        "auto_rotate": new.auto_rotate,
    });
    let own = [
        ("tier", new.tier.as_ref().map(|tier| json!(tier))),
        ("policy", new.policy.as_ref().map(|policy| json!(policy))),
        ("limits", limits(&new.limits)?),
    ];
    // What is not said is as the daemon has it.
    if let Some(wanted) = wanted.as_object_mut() {
        wanted.extend(own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    Ok(wanted)
}

/// Limits as the API takes them; `None` where there are none.
fn limits(texts: &[String]) -> Result<Option<Value>, Failure> {
    let mut limits = Map::new();
    for text in texts {
        let wrong =
            || Failure::Usage(format!("expected a limit as NAME=VALUE, but found {text:?}"));
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        // A number or a switch is itself; all else is text with a unit.
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        limits.insert(name.to_owned(), value);
    }
    Ok((!limits.is_empty()).then_some(Value::Object(limits)))
}

fn show(args: &KeysArgs, done: &Value, output: &mut impl Write) -> Result<(), Failure> {
    if args.json {
        return Ok(writeln!(output, "{done}")?);
    }
    let text = |name: &str| done.get(name).map(cell).unwrap_or_default();
    match &args.action {
        KeysAction::Create(_) | KeysAction::Rotate { .. } => {
            writeln!(output, "{}", text("secret"))?;
            output.flush()?;
            let note = format!("{}: kept nowhere and shown only now", text("id"));
            writeln!(io::stderr(), "logtrace: {note}")?;
            if let Some(previous) = done.get("previous").filter(|previous| previous.is_object()) {
                let part = |name| previous.get(name).map(cell).unwrap_or_default();
                let (masked, until) = (part("masked"), part("until"));
                writeln!(io::stderr(), "logtrace: {masked} works too until {until}")?;
            }
        }
        KeysAction::List => {
            let keys = done.get("keys").and_then(Value::as_array);
            let keys = keys.into_iter().flatten().filter_map(Value::as_object).cloned();
            let rows: Vec<_> = keys.map(with_state).collect();
            writeln!(output, "{}", table(&COLUMNS, &rows))?;
        }
        KeysAction::Usage { .. } => {
            let hours = done.get("hours").and_then(Value::as_array);
            let hours = hours.into_iter().flatten().filter_map(Value::as_object).cloned();
            let rows: Vec<_> = hours.map(with_reasons).collect();
            writeln!(output, "{}", table(&HOURS, &rows))?;
        }
        KeysAction::Revoke { .. } => {
            writeln!(output, "{} was revoked at {}", text("id"), text("revoked_at"))?;
        }
    }
    Ok(())
}

/// A key with what can be said of it in a word.
fn with_state(mut key: Map<String, Value>) -> Map<String, Value> {
    let expires = key.get("expires_at").and_then(Value::as_str);
    let expires = expires.and_then(|time| Timestamp::parse_rfc3339(time.as_bytes()));
    let state = match key.get("revoked_at") {
        Some(Value::String(_)) => "revoked",
        _ if expires.is_some_and(|expires| expires <= now()) => "expired",
        _ => "good",
    };
    key.insert("state".to_owned(), state.into());
    key
}

/// An hour with what was refused in words: reasons and how often each.
fn with_reasons(mut hour: Map<String, Value>) -> Map<String, Value> {
    let refused = hour.get("refused").and_then(Value::as_object);
    let each = refused.into_iter().flatten().map(|(reason, count)| format!("{reason} {count}"));
    let refused = each.collect::<Vec<_>>().join(", ");
    hour.insert("refused".to_owned(), refused.into());
    hour
}

const HOURS: [(&str, &str); 5] = [
    ("hour", "hour"),
    ("events", "events"),
    ("bytes", "bytes"),
    ("requests", "requests"),
    ("refused", "refused"),
];

const COLUMNS: [(&str, &str); 8] = [
    ("id", "id"),
    ("name", "name"),
    ("project", "project"),
    ("scopes", "scopes"),
    ("secret", "masked"),
    ("expires", "expires_at"),
    ("used", "last_used"),
    ("state", "state"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{self, Db};
    use crate::ids;

    #[test]
    fn keys_are_made_on_a_data_folder_that_nobody_holds() {
        let folder = tempfile::tempdir().unwrap();
        let refused = folder::gate(folder.path()).unwrap_err().text().unwrap();
        assert!(refused.ends_with("expected the data folder of a daemon, but found none"));
        let held = Db::open(folder.path(), &db::Options::default()).unwrap();
        let refused = folder::gate(folder.path()).unwrap_err();
        assert!(refused.text().unwrap().contains("held by process"), "{refused:?}");
        drop(held);

        let gate = folder::gate(folder.path()).unwrap();
        let new = NewKeyArgs {
            name: "x".to_owned(),
            project: "shop".to_owned(),
            environment: "staging".to_owned(),
            scopes: vec!["read:logs".to_owned()],
            allow: vec!["10.0.0.0/8".to_owned()],
            lifetime: Some("1d".to_owned()),
            certificates: vec!["san:web.example".to_owned()],
            label: None,
            auto_rotate: None,
            tier: Some("enterprise".to_owned()),
            policy: Some("sample".to_owned()),
            limits: ["events_per_second=1000", "bytes_per_second=1MiB", "burst=10s", "shadow=true"]
                .map(str::to_owned)
                .to_vec(),
        };
        assert_eq!(limits(&["events".to_owned()]).unwrap_err().code(), 2);
        let made = on_folder(&KeysAction::Create(Box::new(new)), &gate).unwrap();
        let secret = made["secret"].as_str().unwrap();
        assert!(ids::is_secret(secret.as_bytes()) && secret.starts_with("lt_test_"));
        let (limits, tier) = (&made["limits"], &made["tier"]);
        assert_eq!((tier, &made["policy"]), (&json!("enterprise"), &json!("sample")));
        assert_eq!(
            (&limits["events_per_second"], &limits["burst"], &limits["shadow"]),
            (&json!(1000), &json!("10s"), &json!(true)),
            "{limits}"
        );
        let listed = on_folder(&KeysAction::List, &gate).unwrap();
        assert_eq!(listed["keys"].as_array().unwrap().len(), 1);
        assert!(!listed.to_string().contains(secret));
        let id = made["id"].as_str().unwrap().to_owned();
        let rotate = |grace: &str| KeysAction::Rotate {
            id: id.clone(),
            grace: Some(grace.to_owned()),
            lifetime: None,
            force: false,
        };
        assert_eq!(on_folder(&rotate("soon"), &gate).unwrap_err().code(), 2);
        let rotated = on_folder(&rotate("1h"), &gate).unwrap();
        assert_eq!(rotated["previous"]["masked"], made["masked"]);
        assert!(ids::is_secret(rotated["secret"].as_str().unwrap().as_bytes()));
        let gone = on_folder(&KeysAction::Revoke { id }, &gate).unwrap();
        assert_eq!(with_state(gone.as_object().unwrap().clone())["state"], "revoked");
        let id = "nope".to_owned();
        assert_eq!(on_folder(&KeysAction::Revoke { id }, &gate).unwrap_err().code(), 1);
    }
}
