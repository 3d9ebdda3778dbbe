//! Tells those outside of what happens within: webhooks of limits, people of webhooks, and the
//! metrics page of lists and automatic rules.

use std::time::Duration;

use serde_json::json;

use crate::gate::{Gate, LimitNotice, Subject};
use crate::ingest::Ingest;
use crate::journal::Advisory;
use crate::ship::{GivenUp, Webhooks};

/// Does so. Called once a second.
pub(super) fn tell(ingest: &Ingest, webhooks: &Webhooks) {
    for notice in ingest.limits_told() {
        tell_limit(ingest.gate(), webhooks, &notice);
    }
    for given_up in webhooks.given_up() {
        tell_given_up(ingest, given_up);
    }
    publish(ingest);
}

/// Tells webhooks that someone came over a limit, or is no longer.
fn tell_limit(gate: &Gate, webhooks: &Webhooks, notice: &LimitNotice) {
    let LimitNotice { subject, rule, policy, is_shadow, has_begun, lasted, over } = notice;
    let project = match subject {
        Subject::Key(id) => gate.key_by_id(id).map(|key| key.project().to_owned()),
        Subject::Project(name) => Some(name.to_string()),
        // An address belongs to no project: it is the affair of those who govern.
        Subject::Address(_) => None,
    };
    let event = if *has_begun { "limit.entered" } else { "limit.left" };
    let data = json!({
        "subject": subject.to_string(),
        "limit": rule,
        "policy": policy.as_str(),
        "dry_run": is_shadow,
        "lasted_seconds": lasted.as_secs_f64(),
        "dropped": over.shed,
        "queued": over.queued,
        "sampled": over.sampled,
        "paced": over.paced,
    });
    webhooks.notify(event, project.as_deref().unwrap_or("default"), &data);
}

/// Tells people that a receiver did not take what it was to be told.
fn tell_given_up(ingest: &Ingest, given_up: GivenUp) {
    let GivenUp { webhook, project, event, attempts, error } = given_up;
    let advice = format!(
        "what it was to be told of {event} was given up after {attempts} attempts: {error}; mend \
         its receiver, then try again (POST /v1/webhooks/{webhook}/retry)"
    );
    ingest.advise_once(
        AGAIN,
        Advisory {
            kind: "webhook_gave_up",
            subject: webhook,
            advice,
            project: Some(project.into()),
            ..Advisory::default()
        },
    );
}

/// Shows how lists from files and URLs are, and all automatic rules from the start.
fn publish(ingest: &Ingest) {
    let (gate, gauges) = (ingest.gate(), ingest.gauges());
    for source in gate.list_sources() {
        let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let labels = [&*source.name];
        gauges.list_ranges.with_label_values(&labels).set(number(source.ranges));
        gauges.list_failed.with_label_values(&labels).set(i64::from(source.error.is_some()));
        let at = source.loaded_at.map_or(0, |at| at.as_micros().div_euclid(crate::time::SECOND));
        gauges.list_loaded_at.with_label_values(&labels).set(at);
    }
    for rule in gate.automatic_rules() {
        for action in ["block", "would"] {
            let _from_zero = gauges.automatic.with_label_values(&[&*rule, action]);
        }
    }
}

/// How long it is not said again of the same webhook.
const AGAIN: Duration = Duration::from_secs(3600);
