//! Entries by what they have in common: how many there are, and how many notes they stand for.

use std::sync::Arc;

use serde_json::Value;

use super::Journal;
use super::filters::field_of;
use crate::api::Api;
use crate::api::problem::Problem;
use crate::api::query::run;
use crate::query::{self, Aggregate, MAX_GROUPS, Request, Stats, StatsAnswer};

/// The groups of what `request` asks for. `by`: parameters of the journal, or fields of its entries.
pub(super) async fn groups(
    api: &Arc<Api>,
    journal: Journal,
    request: Request,
    by: &[String],
    limit: Option<usize>,
) -> Result<StatsAnswer, Problem> {
    let by = by.iter().map(|name| field_of(journal, name).map_or_else(|| name.clone(), Into::into));
    let aggregate = |text: &str, name: &str| Ok(Aggregate::parse(text)?.named(name));
    let aggregates: Result<Vec<_>, query::QueryError> =
        AGGREGATES.iter().map(|(text, name)| aggregate(text, name)).collect();
    let mut stats = Stats {
        which: request.into(),
        by: by.collect(),
        aggregates: aggregates?,
        limit: limit.unwrap_or(MAX_GROUPS),
    };
    run(api, move |store, budget| {
        stats.which.budget = budget;
        query::stats(store, &stats)
    })
    .await
}

/// The groups as rows: what they have in common, then what there is to say of them.
pub(super) fn rows(answer: &StatsAnswer) -> (Vec<String>, Vec<Vec<&Value>>) {
    let by = |group: &serde_json::Map<String, Value>| -> Vec<String> {
        let by = group.get("by").and_then(Value::as_object);
        by.map(|by| by.keys().cloned().collect()).unwrap_or_default()
    };
    let by = answer.groups.first().map(by).unwrap_or_default();
    let row = |group| -> Vec<&Value> {
        let of = |name: &String| at(group, "by").get(name).unwrap_or(&Value::Null);
        let named = AGGREGATES.iter().map(|(_, name)| at(group, name));
        by.iter().map(of).chain(named).collect()
    };
    let rows = answer.groups.iter().map(row).collect();
    let names = AGGREGATES.iter().map(|(_, name)| (*name).to_owned());
    (by.iter().cloned().chain(names).collect(), rows)
}

fn at<'g>(group: &'g serde_json::Map<String, Value>, name: &str) -> &'g Value {
    group.get(name).unwrap_or(&Value::Null)
}

/// What is said of a group, and what it is called.
const AGGREGATES: &[(&str, &str)] =
    &[("count", "entries"), ("sum(count)", "count"), ("max(last_seen)", "last_seen")];
