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

use std::borrow::Cow;

use self::events::Events;
use self::raw::Lines;
use super::records::{RecordError, hand_out};
use super::{BodyError, BodyFormat, Context, Each};
use crate::event::{Event, Known, Value};
use crate::parse::json::{Mapping, Member, Role};

/// The body of a call.
#[derive(Debug)]
pub struct HecBody {
    /// Whether it is lines; else it is events in envelopes.
    pub is_raw: bool,
    /// What the query of the call says of all of them.
    pub origin: HecOrigin<'static>,
    /// The longest line that is not cut, in bytes.
    pub max_line: usize,
    /// The most events that it may hold.
    pub max_events: usize,
    /// The first event that was none, by its place, and why. None at first.
    pub fault: Option<(usize, RecordError)>,
}

impl BodyFormat for HecBody {
    fn shows_more(&self) -> bool {
        self.origin != HecOrigin::default()
    }

    fn read<'a>(
        &'a mut self,
        body: &'a [u8],
        cx: &Context,
        event: &mut Event<'a>,
        each: Each<'_, 'a>,
    ) -> Result<(), BodyError> {
        if body.trim_ascii().is_empty() {
            return Err(BodyError::Empty);
        }
        let Self { is_raw, origin, max_line, max_events, fault } = self;
        let (origin, max) = (origin.lend(), *max_events);
        let refused = |index, error| {
            fault.get_or_insert((index, error));
        };
        let too_many = |found| (found > max).then_some(BodyError::TooMany { max, found });
        if *is_raw {
            let lines = Lines::open(body, origin, *max_line, cx);
            too_many(lines.count()).map_or(Ok(()), Err)?;
            hand_out(lines, event, each, refused);
        } else {
            let events = Events::open(body, origin, cx)?;
            too_many(events.count()).map_or(Ok(()), Err)?;
            hand_out(events, event, each, refused);
        }
        Ok(())
    }
}
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
    /// The same, borrowed.
    fn lend(&self) -> HecOrigin<'_> {
        HecOrigin {
            host: self.host.as_deref().map(Cow::Borrowed),
            source: self.source.as_deref().map(Cow::Borrowed),
            sourcetype: self.sourcetype.as_deref().map(Cow::Borrowed),
            index: self.index.as_deref().map(Cow::Borrowed),
        }
    }

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
