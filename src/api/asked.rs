//! Which events a body is about: the same members in the body of every question to the store.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Api;
use super::allowed::Allowed;
use super::caller::Caller;
use super::input::Input;
use super::journals::{self, Journal};
use super::problem::Problem;
use super::request::{Ask, Syntax};
use crate::gate::Scope;
use crate::query::{Request, Which};

/// Events, and a caller who may read them.
#[derive(Debug)]
pub(super) struct Asked {
    allowed: Allowed,
    /// Where the events are: the wall.
    project: Arc<str>,
    about: About,
}

/// Which events.
#[derive(Debug, Default)]
struct About {
    filter: String,
    syntax: Syntax,
    from: Value,
    to: Value,
    /// The caller's own, where it is named.
    project: Option<String>,
    /// Instead of logs.
    journal: Option<Journal>,
}

/// A whole body.
struct Body<T> {
    about: About,
    wanted: T,
}

/// Reads the members of a body.
struct Members<T>(PhantomData<T>);

/// Those that do not say which events.
struct Others<'a, A> {
    members: A,
    about: &'a mut About,
}

impl Asked {
    /// Reads a body: the events that it is about, and what it wants of them.
    pub(super) async fn read<T: DeserializeOwned>(
        api: &Api,
        caller: &Caller,
        input: Input,
    ) -> Result<(Self, T), Problem> {
        // A key that reads only journals is let in for its body, which says what is asked.
        if let Err(problem) = api.allow(caller, Scope::ReadLogs) {
            api.allow(caller, Scope::ReadAudit).map_err(|_| problem)?;
        }
        let Body { about, wanted } = input.json(api).await?;
        let scope = if about.journal.is_some() { Scope::ReadAudit } else { Scope::ReadLogs };
        let allowed = api.allow(caller, scope)?;
        if about.project.as_ref().is_some_and(|project| **project != *allowed.project) {
            return Err(Problem::other_project());
        }
        let project = match about.journal {
            None => Arc::clone(&allowed.project),
            Some(journal) => journals::project(journal, &allowed)?,
        };
        Ok((Self { allowed, project, about }, wanted))
    }

    /// A query for these events.
    pub(super) fn request(self, api: &Api) -> Result<Request, Problem> {
        let About { filter, syntax, from, to, .. } = self.about;
        let ask = Ask { filter, syntax, from, to, ..Ask::default() };
        ask.request(api, &self.allowed, self.project)
    }

    /// The same, for those who count them.
    pub(super) fn which(self, api: &Api) -> Result<Which, Problem> {
        Ok(self.request(api)?.into())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Body<T> {
    /// What is wrong is told with its place in the body: so members are handed on as they come.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = Body<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Body<T>, A::Error> {
        let mut about = About::default();
        let others = Others { members, about: &mut about };
        let wanted = T::deserialize(MapAccessDeserializer::new(others)).map_err(all_named)?;
        Ok(Body { about, wanted })
    }
}

/// A member that need not be there, and may then be `null`.
fn optional<'de, T: Deserialize<'de> + Default, A: MapAccess<'de>>(
    members: &mut A,
) -> Result<T, A::Error> {
    Ok(members.next_value::<Option<T>>()?.unwrap_or_default())
}

/// An error about an unknown member, with the names that say which events beside the others.
fn all_named<E: de::Error>(error: E) -> E {
    let text = error.to_string();
    match text.split_once(", expected ").filter(|_| text.starts_with("unknown field `")) {
        Some((unknown, names)) => {
            let names = names.strip_prefix("one of ").unwrap_or(names);
            E::custom(format!("{unknown}, expected one of {ABOUT}, {names}"))
        }
        None => error,
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Others<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.members.next_key::<String>()? {
            let (members, about) = (&mut self.members, &mut *self.about);
            match name.as_str() {
                "filter" => about.filter = optional(members)?,
                "syntax" => about.syntax = optional(members)?,
                "from" => about.from = members.next_value()?,
                "to" => about.to = members.next_value()?,
                "project" => about.project = members.next_value()?,
                "journal" => about.journal = members.next_value()?,
                _ => return seed.deserialize(name.into_deserializer()).map(Some),
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.members.next_value_seed(seed)
    }
}

/// The members that say which events.
const ABOUT: &str = "`filter`, `syntax`, `from`, `to`, `project`, `journal`";
