//! What is noted: settings that hold from the moment they are changed, and over a restart.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::which::Which;
use crate::db::{self, Db};
use crate::time::Timestamp;

/// What the journals note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Whether what people do is noted. Default: true.
    pub log_dashboard_activities: bool,
    /// Whether calls that were done, and what connections brought, are. Default: true.
    pub log_api_calls: bool,
    /// Whether calls that failed, and messages that did not parse, are. Default: true.
    pub log_failed_api_calls: bool,
    /// Whether what the gate turned away is. Default: true.
    pub log_blocklisted_api_calls: bool,
    /// The part of successful calls and connections that is noted. Default: 1. Range: 0 to 1.
    pub sample_rate: f64,
    /// Whose bodies are kept, and until when. Default: nobody's. At most [`MAX_BODIES`].
    pub bodies: Vec<KeptBodies>,
}

/// A key whose calls are noted with their bodies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptBodies {
    /// The public id of the key.
    pub key: String,
    /// Until when; at most [`MAX_BODY_DAYS`] ahead.
    #[serde(serialize_with = "to_text", deserialize_with = "from_text")]
    pub until: Timestamp,
}

/// The settings as they lie in the store. Members of a later version are passed over.
#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    settings: Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            log_dashboard_activities: true,
            log_api_calls: true,
            log_failed_api_calls: true,
            log_blocklisted_api_calls: true,
            sample_rate: 1.0,
            bodies: Vec::new(),
        }
    }
}

impl Settings {
    /// Whether entries of this journal are kept.
    pub fn keeps(&self, journal: Which) -> bool {
        match journal {
            Which::Access => self.log_api_calls,
            Which::Blocked => self.log_blocklisted_api_calls,
            Which::Failed => self.log_failed_api_calls,
            Which::Dashboard => self.log_dashboard_activities,
            Which::Advisory | Which::Session => true,
        }
    }

    /// Whether the bodies of calls with the key of that public id are kept.
    pub fn keeps_bodies_of(&self, key: &str, now: Timestamp) -> bool {
        self.bodies.iter().any(|kept| kept.key == key && now < kept.until)
    }

    /// Every value that makes no sense at this time: its member, and what was expected.
    pub fn problems(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let rate = self.sample_rate;
        if !(0.0..=1.0).contains(&rate) {
            problems.push(("sample_rate", format!("expected 0 to 1, but found {rate}")));
        }
        let count = self.bodies.len();
        if count > MAX_BODIES {
            let what = format!("expected at most {MAX_BODIES} keys, but found {count}");
            problems.push(("bodies", what));
        }
        let last = now.plus(MAX_BODY_DAYS * crate::time::DAY);
        if let Some(kept) = self.bodies.iter().find(|kept| kept.until > last) {
            let what = format!("expected a time until {last}, but found {}", kept.until);
            problems.push(("bodies", what));
        }
        problems
    }

    /// Those that are kept in `db`; none is as good as the defaults.
    pub(super) fn read(db: &Db) -> Result<Option<Self>, db::Error> {
        let Some(bytes) = db.meta_get(KEY)? else { return Ok(None) };
        match serde_json::from_slice::<Record>(&bytes) {
            Ok(record) => Ok(Some(record.settings)),
            Err(error) => {
                // A journal too many does less harm than a daemon that does not start.
                tracing::error!(%error, "expected settings of journals, but found a damaged record");
                Ok(None)
            }
        }
    }

    pub(super) fn write(&self, db: &Db) -> Result<(), db::Error> {
        let record = Record { version: VERSION, settings: self.clone() };
        let bytes = serde_json::to_vec(&record).expect("settings make JSON");
        db.meta_put(KEY, &bytes)
    }
}

fn to_text<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(time)
}

fn from_text<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    let what =
        || serde::de::Error::custom(format!("expected an RFC 3339 time, but found {text:?}"));
    Timestamp::parse_rfc3339(text.as_bytes()).ok_or_else(what)
}

/// Keys whose bodies may be kept at the same time.
pub const MAX_BODIES: usize = 100;

/// How many days ahead that may be switched on.
pub const MAX_BODY_DAYS: i64 = 7;

/// Where they are kept.
const KEY: &[u8] = b"settings/logging";

/// The form in which they are.
const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_named() {
        let now = Timestamp::parse_rfc3339(b"2026-06-15T12:00:00Z").unwrap();
        let kept = |days: i64| KeptBodies {
            key: "key_1".to_owned(),
            until: now.plus(days * crate::time::DAY),
        };
        let all = Settings::default();
        let table = [
            (all.clone(), None),
            (Settings { sample_rate: 0.0, ..all.clone() }, None),
            (Settings { sample_rate: 1.01, ..all.clone() }, Some("sample_rate")),
            (Settings { sample_rate: -0.01, ..all.clone() }, Some("sample_rate")),
            (Settings { sample_rate: f64::NAN, ..all.clone() }, Some("sample_rate")),
            (Settings { bodies: vec![kept(7)], ..all.clone() }, None),
            (Settings { bodies: vec![kept(8)], ..all.clone() }, Some("bodies")),
            (Settings { bodies: vec![kept(1); 101], ..all }, Some("bodies")),
        ];
        for (settings, want) in table {
            let found = settings.problems(now);
            assert_eq!(found.first().map(|(member, _)| *member), want, "{settings:?}");
        }
    }

    #[test]
    fn what_was_kept_is_read_again_and_damage_is_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), &db::Options::default()).unwrap();
        assert_eq!(Settings::read(&db).unwrap(), None);
        let settings = Settings {
            log_api_calls: false,
            sample_rate: 0.25,
            bodies: vec![KeptBodies { key: "key_1".into(), until: Timestamp::MAX }],
            ..Settings::default()
        };
        settings.write(&db).unwrap();
        assert_eq!(Settings::read(&db).unwrap(), Some(settings));
        for (record, want) in [
            (&br#"{"version":9,"settings":{"log_api_calls":false,"more":1},"new":2}"#[..], false),
            (b"\xff", true),
        ] {
            db.meta_put(KEY, record).unwrap();
            let read = Settings::read(&db).unwrap().unwrap_or_default();
            assert_eq!(read.log_api_calls, want);
        }
    }
}
