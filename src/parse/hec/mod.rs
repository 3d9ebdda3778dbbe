//! The bodies of Splunk's HTTP Event Collector ("Format events for HTTP Event Collector").
//!
//! ```text
//!  /services/collector      {"time":1.5,"host":"h","event":{…},"fields":{…}}{"event":"text"} …
//!  /services/collector/raw  lines of text
//! ```
//!
//! What an envelope says of its event becomes fields: `host` is `host.name`; `source`, `sourcetype`
//! and `index` keep their names; so does all in `fields`. An event that is an object becomes fields
//! as a line of JSON does; any other is the message. A `source` that is no path is the service where
//! nothing else names one.
//!
//! An event that is none is refused by itself. Where the text is not JSON any more nobody can say
//! where the next event begins: what came before is taken, and the rest is refused as one.

mod events;
mod raw;
#[cfg(test)]
mod tests;

pub(super) use self::events::Events;
pub(super) use self::raw::Lines;

use std::borrow::Cow;

use crate::event::{Event, Known, Value};
use crate::parse::json::{Mapping, Member, Role};

/// What an envelope, or the query of a call, says of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HecOrigin<'a> {
    /// The host.
    pub host: Option<Cow<'a, str>>,
    /// The application or file.
    pub source: Option<Cow<'a, str>>,
    /// The kind of text.
    pub sourcetype: Option<Cow<'a, str>>,
    /// The index that Splunk would put it into.
    pub index: Option<Cow<'a, str>>,
}

impl<'a> HecOrigin<'a> {
    /// Takes what `over` says, and where that says nothing what this one does.
    fn under(&self, over: Self) -> Self {
        Self {
            host: over.host.or_else(|| self.host.clone()),
            source: over.source.or_else(|| self.source.clone()),
            sourcetype: over.sourcetype.or_else(|| self.sourcetype.clone()),
            index: over.index.or_else(|| self.index.clone()),
        }
    }

    /// Puts it into an event.
    fn put(self, mapping: &mut Mapping<'_, 'a>) {
        for (role, name, value) in [
            (Role::Host, "host", self.host),
            (Role::Plain, "source", self.source),
            (Role::Plain, "sourcetype", self.sourcetype),
            (Role::Plain, "index", self.index),
        ] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                mapping.put(role, Member::Top(name.into()), Value::Text(value), 0..0);
            }
        }
    }
}

/// Takes a source that is no path for the service, where there is none.
fn name_service<'a>(event: &mut Event<'a>, source: Option<&Cow<'a, str>>) {
    let name = source.filter(|source| !source.is_empty() && !source.contains(['/', '\\']));
    if let (None, Some(name)) = (event.find(Known::Service), name) {
        event.set(Known::Service, Value::Text(name.clone()));
    }
}
