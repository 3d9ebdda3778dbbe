//! What a sender speaks, and what is odd about it, as its last messages show it.
//!
//! A look is at what one read brought of it: its first message for the form, all of them for what is
//! found in any.

use serde::{Deserialize, Serialize};

use super::hearing::Heard;
use super::looks::Looks;
use super::table::Place;
use crate::event::{AuthMethod, Tag};

/// How a message is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// No syslog: JSON, or fields of another protocol.
    #[default]
    Fields,
    /// RFC 5424.
    Rfc5424,
    /// RFC 3164, its time without a year and a zone.
    Rfc3164,
    /// The same with a time of RFC 3339.
    Rfc3164Iso,
    /// Text on a listener for syslog, without a priority.
    Text,
}

/// How messages are told from each other on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Each has its count of octets in front.
    Counted,
    /// Each ends with a line feed.
    Lines,
    /// Each ends with a NUL.
    Nul,
}

/// What the last looks found.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Traits {
    pub(super) form: Form,
    pub(super) framing: Option<Framing>,
    pub(super) auth: Option<String>,
    pub(super) looks: u64,
    pub(super) has_data: Looks,
    /// Whether it had structured data at any time.
    pub(super) had_data: bool,
    pub(super) timeless: Looks,
    pub(super) zoneless: Looks,
    pub(super) hostless: Looks,
    pub(super) appless: Looks,
    /// A tag that no colon ends, as relays write it that leave structured data out.
    pub(super) colonless: Looks,
    pub(super) unsynced: Looks,
    /// Text between messages of syslog: parts of a message with line feeds.
    pub(super) textual: Looks,
    pub(super) truncated: Looks,
    pub(super) not_utf8: Looks,
    pub(super) not_parsed: Looks,
    pub(super) misframed: Looks,
    /// Both counted and delimited, one after the other.
    pub(super) mixed: Looks,
    /// The least time from its clock to ours at each of the last looks, in milliseconds: behind,
    /// or on the way for so long; less than 0 where it is ahead.
    pub(super) delays: Vec<i64>,
}

impl Traits {
    /// Takes a look.
    pub(super) fn look(&mut self, place: &Place<'_>, heard: &Heard) {
        self.looks += 1;
        let is_of_syslog = heard.form != Form::Fields;
        if heard.form != Form::Text {
            self.form = heard.form;
        }
        self.framing = place.framing.or(self.framing);
        let auth = place.auth.map(AuthMethod::as_str);
        if self.auth.as_deref() != auth {
            self.auth = auth.map(str::to_owned);
        }
        let tagged = |tag: Tag| heard.tags & (1 << tag as u16) != 0;
        self.had_data |= heard.has_data;
        for (looks, is) in [
            (&mut self.has_data, heard.has_data),
            (&mut self.timeless, heard.timeless > 0),
            (&mut self.zoneless, is_of_syslog && heard.form == Form::Rfc3164),
            (&mut self.hostless, heard.host.is_empty()),
            (&mut self.appless, is_of_syslog && heard.form != Form::Text && heard.is_appless),
            (&mut self.colonless, heard.is_colonless),
            (&mut self.unsynced, heard.is_unsynced),
            (&mut self.textual, heard.form == Form::Text),
            (&mut self.truncated, heard.is_cut),
            (&mut self.not_utf8, tagged(Tag::EncodingError)),
            (&mut self.not_parsed, NOT_PARSED.into_iter().any(tagged)),
            (&mut self.misframed, place.is_misframed),
            (&mut self.mixed, place.is_mixed),
        ] {
            looks.add(is);
        }
        if let Some(delay) = heard.delay {
            if self.delays.len() >= MAX_DELAYS {
                self.delays.remove(0);
            }
            self.delays.push(delay / 1000);
        }
    }

    /// The middle of the delays, and how far they lie apart, in milliseconds; `None` where there
    /// are too few to tell.
    pub(super) fn delay(&self) -> Option<(i64, i64)> {
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        let (least, most) = (delays.first()?, delays.last()?);
        let middle = delays.get(delays.len() / 2)?;
        (delays.len() >= MIN_DELAYS).then_some((*middle, most - least))
    }
}

/// Tags that say that a message did not parse.
const NOT_PARSED: [Tag; 5] = [
    Tag::JsonParseFailure,
    Tag::JsonTooLarge,
    Tag::TimestampParseFailure,
    Tag::TagsParseFailure,
    Tag::SyslogParseFailure,
];

/// Looks whose delays are remembered.
const MAX_DELAYS: usize = 16;

/// Looks from which on something is said of a clock.
const MIN_DELAYS: usize = 5;
