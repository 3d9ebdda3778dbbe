//! Answers queries from the store.
//!
//! ```text
//!  Request ─▶ Plan ─▶ sources, best first ─▶ [prune] ─▶ [select] ─▶ [top] ─▶ [render] ─▶ Page
//!                     staged and sealed      catalog    bitmap     limit    the rest of
//!                                            alone      of rows    rows     their columns
//! ```
//!
//! A plan is asked of one source at a time: a staged batch, or a block of a segment. What the
//! catalog knows of a block decides first, and often alone; then only the columns that a condition
//! needs are read, the cheap ones first, and each is asked only of rows that are still in question.
//! It is over once no source that is left can hold a row better than the worst that was found.
//!
//! Counts, histograms, facets and patterns are folds over the same sources. Several threads walk
//! along them (`workers`), each with a fold of its own; a block of which the catalog tells all that
//! matters is never opened.
//!
//! # Invariants
//!
//! * *The project is a wall*: rows of others are out before the filter is asked anything, so no
//!   filter can bring them back.
//! * *What is asked is what is shown*: a query finds an event exactly if it matches the object that
//!   [`run`] shows of it. There are two exceptions, both against surprises: `@version`, the same in
//!   all, is found by its full name only, and `event.original_base64` not at all.
//! * *Staged or sealed makes no difference*, neither does a seal in between two pages: time and id
//!   of a row never change, and they are its place in the order.
//! * *Damage is partial, never an error and never silence*; so is time that ran out.
//! * *Memory is bounded*: for each thread one source at a time, and what all running queries gather
//!   is of one [`Memory`]; an answer that would need more is shorter, or partial.
//!
//! Why is there no field `project`? It is the same in all that can be found, and the name belongs
//! to the senders.

mod aggregate;
mod bitmap;
mod cell;
mod context;
mod cursor;
mod delete;
mod distinct;
mod facets;
mod fold;
mod groups;
mod histogram;
mod interval;
mod key;
mod lookup;
mod memory;
mod needs;
mod numbered;
mod page;
mod patterns;
mod place;
mod plan;
mod projection;
mod prune;
mod quantiles;
mod question;
mod reading;
mod render;
mod request;
mod search;
mod segment_index;
mod select;
mod stats;
mod tail;
mod top;
mod which;
mod workers;

pub use self::aggregate::Aggregate;
pub use self::context::{Context, ContextAnswer, MAX_CONTEXT, context};
pub use self::cursor::{CursorError, CursorKey};
pub use self::delete::{DeleteError, Deletion, count_deletion, delete};
pub use self::facets::{Facet, FacetValue, Facets, FacetsAnswer, MAX_FACETS, MAX_VALUES, facets};
pub use self::histogram::{
    Bucket, Histogram, HistogramAnswer, MAX_BUCKETS, MAX_SERIES, Series, histogram,
};
pub use self::interval::Interval;
pub use self::memory::Memory;
pub use self::needs::{Index, Needs};
pub use self::page::run;
pub use self::patterns::{MAX_PATTERNS, Pattern, Patterns, PatternsAnswer, patterns};
pub use self::request::{
    Budget, DEFAULT_LIMIT, MAX_FIELDS, MAX_LIMIT, Meta, Order, Page, QueryError, Request,
};
pub use self::segment_index::SegmentIndex;
pub use self::stats::{MAX_AGGREGATES, MAX_BY, MAX_GROUPS, Stats, StatsAnswer, stats};
pub use self::tail::{Fresh, Tail};
pub use self::which::Which;
pub use self::workers::Workers;

#[cfg(test)]
mod tests;
