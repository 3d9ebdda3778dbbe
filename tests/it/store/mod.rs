//! The store and its queries from outside, without a daemon: as an API of this crate.
//!
//! | what                                                       | file            |
//! |------------------------------------------------------------|-----------------|
//! | any operations in any order, compared with a model         | [`model`]       |
//! | queries while others append, seal and drop                 | [`meanwhile`]   |
//! | a store that was written long ago                          | [`format`]      |

mod events;
mod format;
mod meanwhile;
mod model;
