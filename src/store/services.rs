//! The service of each row of a part, which rows of a block have in common.

use super::column::{Column, Layout};
use super::sealer::Part;
use crate::event::Known;

/// Where the services of a part are: in one column, or else in another.
#[derive(Debug)]
pub(super) struct Services<'p> {
    columns: [Option<Layout<'p>>; 2],
}

/// A service of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Service<'p> {
    /// By its code in the dictionary of one of the columns.
    Code(usize),
    /// By its name.
    Name(&'p [u8]),
}

impl<'p> Services<'p> {
    /// Codes are below this.
    pub(super) const CODES: usize = 2 * A_DICTIONARY + 1;

    /// Those of `part`.
    pub(super) fn of(part: &'p Part) -> Self {
        let named = |name: Known| {
            let column = part.columns.iter().find(|(other, _)| **other == *name.as_str());
            column.map(|(_, column): &(_, Column)| Layout::of(column, part.head.times.len()))
        };
        Self { columns: [named(Known::Service), named(Known::AppName)] }
    }

    /// That of a row.
    pub(super) fn at(&self, row: u32) -> Service<'p> {
        for (place, layout) in self.columns.iter().enumerate() {
            let Some(layout) = layout else { continue };
            match layout.code(row) {
                Ok(Some(code)) => return Service::Code(place * A_DICTIONARY + usize::from(code)),
                Ok(None) => {}
                Err(_) => {
                    let value = layout.at(row);
                    return Service::Name(value.map_or(&b""[..], |value| value.bytes));
                }
            }
        }
        Service::Code(NONE)
    }

    /// Its name; empty if a row has none.
    pub(super) fn name(&self, service: Service<'p>) -> &'p [u8] {
        let code = match service {
            Service::Name(name) => return name,
            Service::Code(code) => code,
        };
        let column = self.columns.get(code / A_DICTIONARY).and_then(Option::as_ref);
        let value = column.and_then(|layout| layout.coded(code % A_DICTIONARY));
        value.map_or(b"", |value| value.bytes)
    }
}

impl Service<'_> {
    /// A small number that stands for it within its part, where there is one.
    pub(super) fn code(self) -> Option<usize> {
        match self {
            Self::Code(code) => Some(code),
            Self::Name(_) => None,
        }
    }
}

/// Values that a dictionary may have.
const A_DICTIONARY: usize = 256;

/// The code of rows without a service.
const NONE: usize = 2 * A_DICTIONARY;
