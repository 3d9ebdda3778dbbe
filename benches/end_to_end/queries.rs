//! Questions that people and dashboards ask, and how long the answers take.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Outcome;
use super::daemon::Daemon;
use super::table::{Table, millis};

/// Asks each question over one connection, and writes down how long it took.
pub(crate) fn ask_all(daemon: &Daemon) -> Outcome<Table> {
    let mut table = Table::new(["query", "median ms", "worst ms", "goal ms", "found"]);
    for (name, goal, path, body) in questions() {
        let mut answer = Value::Null;
        for _ in 0..WARM_UPS {
            answer = daemon.call(path, &body)?;
        }
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            answer = daemon.call(path, &body)?;
            times.push(began.elapsed());
        }
        if answer.pointer("/meta/partial") != Some(&Value::Bool(false)) {
            return Err(format!("expected a whole answer to {name}, but found a part").into());
        }
        times.sort();
        let at = |n: usize| millis(times.get(n).copied().unwrap_or_default());
        let found = answer.pointer("/meta/count").map(Value::to_string).unwrap_or_default();
        let row = [name.to_owned(), at(ROUNDS / 2), at(ROUNDS - 1), goal.to_string(), found];
        table.row(row);
        std::thread::sleep(PAUSE);
    }
    Ok(table)
}

/// Names, goals in milliseconds for five million messages, and what is asked of whom.
fn questions() -> [(&'static str, u32, &'static str, Value); 10] {
    let query = "/v1/logs/query";
    let stats = "/v1/logs/stats";
    [
        ("a word that is nowhere", 20, query, json!({"filter": "zanzibar7f3e", "limit": 100})),
        (
            "a service's errors, last 50",
            10,
            query,
            json!({"filter": "service:payments and level:ERROR", "limit": 50}),
        ),
        (
            "a phrase, last 100",
            20,
            query,
            json!({"filter": "message:\"Failed password for invalid user\"", "limit": 100}),
        ),
        ("everything, last 100", 5, query, json!({"limit": 100})),
        ("count", 2, stats, json!({})),
        ("count by service", 20, stats, json!({"by": ["service"]})),
        ("errors by service", 30, stats, json!({"filter": "level:ERROR", "by": ["service"]})),
        ("histogram", 5, "/v1/logs/histogram", json!({})),
        (
            "histogram of errors by service",
            30,
            "/v1/logs/histogram",
            json!({"filter": "level:ERROR", "by": "service"}),
        ),
        (
            "a wildcard that nothing narrows",
            200,
            query,
            json!({"filter": "message:*e7c1a93b*", "limit": 100}),
        ),
    ]
}

/// Answers that are not timed, of each question.
const WARM_UPS: usize = 5;

/// Answers that are.
const ROUNDS: usize = 20;

/// Between questions.
const PAUSE: Duration = Duration::from_millis(50);
