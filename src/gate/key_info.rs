//! Keys as people see them: what a new one is asked to be, and what is known of each.

use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::carrier::{CertificateName, Label};
use super::config::nets;
use super::error::GateError;
use super::limits::{Limits, Policy, duration_text};
use super::rfc3339;
use super::rotation::PreviousSecret;
use super::scope::{Environment, Scopes};
use super::tenancy::check_name;
use super::tier::Tier;
use crate::time::Timestamp;

/// What a new key is asked to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewKey {
    /// What people call it: 1 to 100 bytes, no control characters.
    pub name: String,
    /// The project: 1 to 64 letters, digits, `-`, `_`, `.`, of which the first is a letter or a
    /// digit. Default: "default".
    pub project: String,
    /// The environment. Default: "production".
    pub environment: Environment,
    /// What it may do; one scope at the least.
    pub scopes: Scopes,
    /// Where it may be used from; anywhere if empty. At most 256 networks.
    #[serde(deserialize_with = "nets")]
    pub allow: Vec<IpNet>,
    /// How long it is good for. Default: 90d. Range: 1s to 365d.
    #[serde(with = "humantime_serde")]
    pub lifetime: Option<Duration>,
    /// Limits of its own, which stand in place of all the default ones.
    pub limits: Option<Limits>,
    /// What happens over its limits. Default: as configured; of tier `enterprise`: "queue".
    pub policy: Option<Policy>,
    /// How many requests it may make in an hour. Default: "standard".
    pub tier: Tier,
    /// Client certificates that stand for it. At most 32.
    pub certificates: Vec<CertificateName>,
    /// The label in the server name of a TLS handshake that stands for it, on listeners with a
    /// `key_domain`. Anyone can read it and send it. Default: none.
    pub label: Option<Label>,
    /// The webhook that gets its new secret when it is rotated by itself, 7 days before it expires.
    /// Default: it is not.
    pub auto_rotate: Option<String>,
}

/// What is known of a key, but for its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyInfo {
    /// Its public id: `key_` and 12 hex digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The project it belongs to.
    pub project: String,
    /// The environment it belongs to.
    pub environment: Environment,
    /// What it may do.
    pub scopes: Scopes,
    /// Where it may be used from; anywhere if empty.
    pub allow: Vec<IpNet>,
    /// Its secret, masked: `lt_live_8f3a…5b2c`.
    pub masked: String,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
    /// The first moment at which it is good no more.
    #[serde(with = "rfc3339")]
    pub expires_at: Timestamp,
    /// When it was taken back.
    #[serde(with = "rfc3339::option")]
    pub revoked_at: Option<Timestamp>,
    /// Limits of its own.
    pub limits: Option<Limits>,
    /// What happens over its limits, where that is its own.
    pub policy: Option<Policy>,
    /// How many requests it may make in an hour.
    #[serde(default)]
    pub tier: Tier,
    /// Client certificates that stand for it.
    #[serde(default)]
    pub certificates: Vec<CertificateName>,
    /// The label in the server name of a TLS handshake that stands for it.
    #[serde(default)]
    pub label: Option<Label>,
    /// The webhook that gets its new secret when it is rotated by itself.
    #[serde(default)]
    pub auto_rotate: Option<String>,
    /// When it got the secret that it has, where it had one before.
    #[serde(default, with = "rfc3339::option")]
    pub rotated_at: Option<Timestamp>,
    /// The secret before that one.
    #[serde(default)]
    pub previous: Option<PreviousSecret>,
    /// Whether its secret is still to be handed to the webhook that is to get it: until then nobody
    /// has it.
    #[serde(default)]
    pub handing_over: bool,
    /// When people were told that it is about to expire.
    #[serde(default, with = "rfc3339::option")]
    pub noticed_at: Option<Timestamp>,
    /// When it was first seen to have expired: it then stays so, whatever the clock says.
    #[serde(default, with = "rfc3339::option")]
    pub lapsed_at: Option<Timestamp>,
}

impl KeyInfo {
    /// How long its secret is good for, in microseconds.
    pub(super) fn lifetime(&self) -> i64 {
        let since = self.rotated_at.unwrap_or(self.created_at);
        self.expires_at.as_micros().saturating_sub(since.as_micros()).max(crate::time::SECOND)
    }
}

impl NewKey {
    /// Checks what was asked, and makes it a key under this id and masked secret.
    pub(super) fn into_info(
        self,
        id: String,
        masked: String,
        now: Timestamp,
    ) -> Result<KeyInfo, GateError> {
        self.check()?;
        let lifetime = self.lifetime.unwrap_or(DEFAULT_LIFETIME);
        let Self { name, project, environment, scopes, allow, limits, policy, tier, .. } = self;
        let (certificates, label, auto_rotate) = (self.certificates, self.label, self.auto_rotate);
        Ok(KeyInfo {
            id,
            name,
            project,
            environment,
            scopes,
            allow,
            masked,
            created_at: now,
            expires_at: now.plus(i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX)),
            revoked_at: None,
            limits,
            policy,
            tier,
            certificates,
            label,
            auto_rotate,
            rotated_at: None,
            previous: None,
            handing_over: false,
            noticed_at: None,
            lapsed_at: None,
        })
    }

    fn check(&self) -> Result<(), GateError> {
        let Self { name, project, scopes, allow, lifetime, limits, .. } = self;
        if !(1..=MAX_NAME).contains(&name.len()) || name.chars().any(char::is_control) {
            let expected = format!("1 to {MAX_NAME} bytes without control characters");
            return Err(GateError::invalid("name", expected, format_args!("{name:?}")));
        }
        check_name("project", project)?;
        if scopes.is_empty() {
            return Err(GateError::invalid("scopes", "one scope at the least", "none"));
        }
        if allow.len() > MAX_ALLOWED {
            let expected = format!("at most {MAX_ALLOWED} networks");
            return Err(GateError::invalid("allow", expected, allow.len()));
        }
        if let Some(found) = self.auto_rotate.as_ref().filter(|id| id.len() > MAX_NAME) {
            let expected = "the id of a webhook";
            return Err(GateError::invalid("auto_rotate", expected, found.len()));
        }
        if self.certificates.len() > MAX_CERTIFICATES {
            let expected = format!("at most {MAX_CERTIFICATES} certificates");
            return Err(GateError::invalid("certificates", expected, self.certificates.len()));
        }
        if let Some(lifetime) = lifetime.filter(|life| !(SHORTEST..=LONGEST).contains(life)) {
            let found = duration_text(lifetime);
            return Err(GateError::invalid("lifetime", "1s to 365d", found));
        }
        match limits.as_ref().and_then(Limits::problem) {
            Some((name, expected, found)) => {
                let expected = format!("{name} of {expected}");
                Err(GateError::invalid("limits", expected, found))
            }
            None => Ok(()),
        }
    }
}

impl Default for NewKey {
    fn default() -> Self {
        Self {
            name: String::new(),
            project: "default".to_owned(),
            environment: Environment::Production,
            scopes: Scopes::default(),
            allow: Vec::new(),
            lifetime: None,
            limits: None,
            policy: None,
            tier: Tier::Standard,
            certificates: Vec::new(),
            label: None,
            auto_rotate: None,
        }
    }
}

/// How long a key is good for (SPEC §3).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(90 * 86_400);

pub(super) const SHORTEST: Duration = Duration::from_secs(1);

pub(super) const LONGEST: Duration = Duration::from_secs(365 * 86_400);

const MAX_NAME: usize = 100;

/// The most certificates that stand for one key.
const MAX_CERTIFICATES: usize = 32;

/// The most networks on the allowlist of a key.
const MAX_ALLOWED: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::scope::Scope;

    fn good() -> NewKey {
        let scopes = [Scope::WriteLogs].into_iter().collect();
        NewKey { name: "web".to_owned(), scopes, ..NewKey::default() }
    }

    fn made(new: NewKey) -> Result<KeyInfo, GateError> {
        new.into_info("key_1".to_owned(), "…".to_owned(), Timestamp::from_micros(0))
    }

    #[test]
    fn a_key_lives_90_days_or_what_was_asked() {
        assert_eq!(made(good()).unwrap().expires_at.to_string(), "1970-04-01T00:00:00.000Z");
        let year = NewKey { lifetime: Some(LONGEST), ..good() };
        assert_eq!(made(year).unwrap().expires_at.to_string(), "1971-01-01T00:00:00.000Z");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let day = Duration::from_secs(86_400);
        let limits = Limits { burst: Duration::ZERO, ..Limits::default() };
        let table = [
            NewKey { name: String::new(), ..good() },
            NewKey { name: "a\nb".to_owned(), ..good() },
            NewKey { name: "x".repeat(101), ..good() },
            NewKey { project: "_system".to_owned(), ..good() },
            NewKey { project: "a/b".to_owned(), ..good() },
            NewKey { project: "x".repeat(65), ..good() },
            NewKey { scopes: Scopes::default(), ..good() },
            NewKey { allow: vec!["10.0.0.0/8".parse().unwrap(); 257], ..good() },
            NewKey { lifetime: Some(366 * day), ..good() },
            NewKey { lifetime: Some(Duration::ZERO), ..good() },
            NewKey { limits: Some(limits), ..good() },
        ];
        for new in table {
            assert!(matches!(made(new.clone()), Err(GateError::Invalid { .. })), "{new:?}");
        }
        let error = made(NewKey { lifetime: Some(366 * day), ..good() }).unwrap_err();
        insta::assert_snapshot!(error, @"lifetime: expected 1s to 365d, but found 366d");
    }

    #[test]
    fn shown_as_the_api_shows_it() {
        let limits = Limits { events_per_second: Some(100), ..Limits::default() };
        let allow = vec!["10.0.0.0/8".parse().unwrap()];
        let info = made(NewKey { allow, limits: Some(limits), ..good() }).unwrap();
        let text = serde_json::to_string_pretty(&info).unwrap();
        insta::assert_snapshot!(text, @r#"
        {
          "id": "key_1",
          "name": "web",
          "project": "default",
          "environment": "production",
          "scopes": [
            "write:logs"
          ],
          "allow": [
            "10.0.0.0/8"
          ],
          "masked": "…",
          "created_at": "1970-01-01T00:00:00.000Z",
          "expires_at": "1970-04-01T00:00:00.000Z",
          "revoked_at": null,
          "limits": {
            "events_per_second": 100,
            "burst": "1s",
            "severe_reserve": 10,
            "queue": "10m",
            "sample_one_in": 10,
            "shadow": false
          },
          "policy": null,
          "tier": "standard",
          "certificates": [],
          "label": null,
          "auto_rotate": null,
          "rotated_at": null,
          "previous": null,
          "handing_over": false,
          "noticed_at": null,
          "lapsed_at": null
        }
        "#);
        assert_eq!(serde_json::from_str::<KeyInfo>(&text).unwrap(), info);
    }
}
