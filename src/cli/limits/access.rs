//! What the journal `access` says of senders: an entry is a call, or what a connection, or a sender of
//! datagrams, brought in a minute.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::super::client::Client;
use super::super::failure::Failure;
use super::args::{ReplayArgs, ReplayBy};
use super::entries::{Read, each};
use crate::time::Timestamp;

/// An entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Piece {
    /// When it was over.
    pub(super) ended: Timestamp,
    /// How long it took, or lasted.
    pub(super) lasted: Duration,
    /// How many equal ones it stands for.
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) method: String,
    pub(super) endpoint: String,
}

/// The entries of each sender, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pub(super) of: BTreeMap<String, Vec<Piece>>,
    /// Whether only a part of all calls was noted.
    pub(super) is_sampled: bool,
    /// Entries that nobody is named in.
    pub(super) unnamed: u64,
    pub(super) read: Read,
}

impl Pieces {
    /// All entries that the filters find and that `is_wanted`.
    pub(super) fn read(
        args: &ReplayArgs,
        daemon: &Client,
        filter: &str,
        is_wanted: impl Fn(&Piece) -> bool,
    ) -> Result<Self, Failure> {
        let mut pieces = Self::default();
        let read = each(args, daemon, "access", filter, FIELDS, |entry| {
            let piece = Piece::of(entry);
            if !is_wanted(&piece) {
                return;
            }
            pieces.is_sampled |= entry.get("sample_rate").is_some();
            match sender(args.by, entry) {
                Some(sender) => pieces.of.entry(sender).or_default().push(piece),
                None => pieces.unnamed += 1,
            }
        })?;
        pieces.read = read;
        Ok(pieces)
    }

    /// What there is to say of what they are from.
    pub(super) fn notes(&self, about: &str) -> Vec<String> {
        let mut notes = vec![about.to_owned()];
        if self.is_sampled {
            let text = "the journal holds a part of the calls alone (sample_rate): it would have \
                        been more";
            notes.push(text.to_owned());
        }
        if self.unnamed > 0 {
            notes.push(format!("{} entries name no such sender", self.unnamed));
        }
        notes
    }
}

impl Piece {
    fn of(entry: &Value) -> Self {
        let number = |name: &str| entry.get(name).and_then(Value::as_u64).unwrap_or(0);
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        Self {
            ended: Timestamp::parse_rfc3339(text("@timestamp").as_bytes()).unwrap_or_default(),
            lasted: Duration::from_micros(number("duration_us")),
            count: number("count").max(1),
            bytes: number("request_bytes"),
            method: text("method").to_owned(),
            endpoint: text("endpoint").to_owned(),
        }
    }

    /// When it began.
    pub(super) fn began(&self) -> Timestamp {
        self.ended.plus(-i64::try_from(self.lasted.as_micros()).unwrap_or(i64::MAX))
    }
}

/// Who an entry is of. Keys are masked in journals.
fn sender(by: ReplayBy, entry: &Value) -> Option<String> {
    let name = match by {
        ReplayBy::Key => "api_key",
        ReplayBy::Address => "source.ip",
        ReplayBy::Project => "project",
    };
    entry.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// What is read of an entry.
const FIELDS: &str = "@timestamp,duration_us,count,request_bytes,method,endpoint,api_key,source.ip,\
                      project,sample_rate";
