//! Reads the entries of a journal, page by page.

use serde_json::Value;

use super::super::client::Client;
use super::super::failure::Failure;
use super::args::ReplayArgs;

/// What was read of a journal.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// How many entries.
    pub(super) entries: u64,
    /// Whether entries may be missing.
    pub(super) is_partial: bool,
}

/// Calls `take` for each entry of a journal that the filters find, the earliest first.
pub(super) fn each(
    args: &ReplayArgs,
    daemon: &Client,
    journal: &str,
    filter: &str,
    fields: &str,
    mut take: impl FnMut(&Value),
) -> Result<Read, Failure> {
    let filter = match (filter.is_empty(), args.filter.trim().is_empty()) {
        (true, _) => args.filter.clone(),
        (false, true) => filter.to_owned(),
        (false, false) => format!("({filter}) and ({})", args.filter),
    };
    let path = format!("/v1/{journal}");
    let (mut read, mut cursor) = (Read::default(), None::<String>);
    loop {
        let mut asked = vec![
            ("filter", filter.as_str()),
            ("from", &args.from),
            ("to", &args.to),
            ("sort", "asc"),
            ("limit", A_PAGE),
            ("fields", fields),
        ];
        asked.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = daemon.get_with(&path, &asked)?;
        let entries = page.get("entries").and_then(Value::as_array);
        for entry in entries.into_iter().flatten() {
            read.entries += 1;
            take(entry);
        }
        read.is_partial |= super::events::is_partial(&page);
        cursor = page.pointer("/meta/next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() || entries.is_none_or(Vec::is_empty) {
            return Ok(read);
        }
    }
}

/// Entries in a page: as many as there may be.
const A_PAGE: &str = "10000";
