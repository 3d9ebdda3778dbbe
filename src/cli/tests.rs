//! Commands over texts.
