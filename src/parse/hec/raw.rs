//! Lines of text.

use super::{HecOrigin, name_service};
use crate::event::{Event, Known, Tag, Value};
use crate::parse::json::{Mapping, Schema};
use crate::parse::records::{RecordError, Records};
use crate::parse::{Context, line};

/// The lines of a body. Blank ones are none.
#[derive(Clone, Debug)]
pub(in crate::parse) struct Lines<'a> {
    rest: &'a [u8],
    cx: Context,
    origin: HecOrigin<'a>,
    max_line: usize,
}

impl<'a> Lines<'a> {
    /// Opens a body; a line longer than `max_line` bytes is cut once, and marked.
    pub(in crate::parse) fn open(
        body: &'a [u8],
        origin: HecOrigin<'a>,
        max_line: usize,
        cx: &Context,
    ) -> Self {
        Self { rest: body, cx: *cx, origin, max_line }
    }

    /// How many there are.
    pub(in crate::parse) fn count(&self) -> usize {
        let mut rest = self.clone();
        std::iter::from_fn(|| rest.line()).count()
    }

    fn line(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
            let (found, rest) = self.rest.split_at_checked(end)?;
            self.rest = rest.get(1..).unwrap_or_default();
            if !found.trim_ascii().is_empty() {
                return Some(found.trim_ascii_end());
            }
        }
        None
    }
}

impl<'a> Records<'a> for Lines<'a> {
    fn next(&mut self, event: &mut Event<'a>) -> Option<Result<(), RecordError>> {
        let found = self.line()?;
        let cut = found.get(..self.max_line).filter(|cut| cut.len() < found.len());
        line(cut.unwrap_or(found), &self.cx, event);
        if cut.is_some() {
            event.tag(Tag::Truncated);
            event.set(Known::OriginalLength, Value::Number(found.len().to_string().into()));
        }
        let mut mapping = Mapping::new(Schema::Logstash, self.cx.zone_offset, event);
        self.origin.clone().put(&mut mapping);
        name_service(event, self.origin.source.as_ref());
        Some(Ok(()))
    }
}
