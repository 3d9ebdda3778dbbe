//! The templates of a column's values: what is left of a text where its variables are.

use std::collections::HashMap;

use super::cut::Cutter;
use super::texts::Texts;
use super::{Body, Column};

/// Templates that were met, numbered.
struct Numbered<'v> {
    variable: &'v [u8],
    numbers: HashMap<Box<[u8]>, usize>,
    cutter: Cutter,
    scratch: Vec<u8>,
}

impl Column {
    /// Calls `each` with the rows that are `wanted` and have a value, and the number of its
    /// template; returns the templates, in which `variable` stands for each token that holds a
    /// digit ([`Cutter`]).
    pub fn templates(
        &self,
        variable: &[u8],
        wanted: impl Fn(u32) -> bool,
        mut each: impl FnMut(usize, u32),
    ) -> Vec<Box<[u8]>> {
        let (cutter, scratch) = (Cutter::default(), Vec::new());
        let mut numbered = Numbered { variable, numbers: HashMap::new(), cutter, scratch };
        match &self.body {
            Body::Coded(coded) => {
                let of_codes: Vec<usize> =
                    coded.values().map(|value| numbered.of_text(value.bytes)).collect();
                self.for_each_code(|row, code| {
                    if let Some(number) = of_codes.get(usize::from(code)).filter(|_| wanted(row)) {
                        each(*number, row);
                    }
                });
            }
            Body::Packed(reading) => {
                let known: Vec<Option<usize>> = reading
                    .packed
                    .templates
                    .iter()
                    .map(|template| numbered.of_constants(&template.constants))
                    .collect();
                let is_wanted = |index| self.row_of(index).is_some_and(&wanted);
                reading.packed.for_each_template(
                    is_wanted,
                    |template| known.get(usize::from(template)).copied().flatten().is_none(),
                    |index, template, text| {
                        let known = known.get(usize::from(template)).copied().flatten();
                        let number = known.unwrap_or_else(|| numbered.of_text(text));
                        if let Some(row) = self.row_of(index) {
                            each(number, row);
                        }
                    },
                );
            }
            Body::Split(_) => self.for_each_among(wanted, |row, value| {
                each(numbered.of_text(value.bytes), row);
            }),
        }
        numbered.into_templates()
    }
}

impl Numbered<'_> {
    /// The number of the template of `text`.
    fn of_text(&mut self, text: &[u8]) -> usize {
        self.cutter.cut(text);
        self.scratch.clear();
        let mut from = 0;
        for (start, end) in &self.cutter.variables {
            self.scratch.extend_from_slice(text.get(from..*start).unwrap_or_default());
            self.scratch.extend_from_slice(self.variable);
            from = *end;
        }
        self.scratch.extend_from_slice(text.get(from..).unwrap_or_default());
        self.of_scratch()
    }

    /// The number of what has these constants; not where all of a text may vary, as further
    /// templates do.
    fn of_constants(&mut self, constants: &Texts) -> Option<usize> {
        if constants.len() == 2 && constants.bytes() == 0 {
            return None;
        }
        self.scratch.clear();
        for (place, constant) in constants.iter().enumerate() {
            if place > 0 {
                self.scratch.extend_from_slice(self.variable);
            }
            self.scratch.extend_from_slice(constant);
        }
        Some(self.of_scratch())
    }

    fn of_scratch(&mut self) -> usize {
        if let Some(known) = self.numbers.get(&*self.scratch) {
            return *known;
        }
        let next = self.numbers.len();
        self.numbers.insert(self.scratch.as_slice().into(), next);
        next
    }

    fn into_templates(self) -> Vec<Box<[u8]>> {
        let mut templates: Vec<(usize, Box<[u8]>)> =
            self.numbers.into_iter().map(|(template, number)| (number, template)).collect();
        templates.sort_unstable();
        templates.into_iter().map(|(_, template)| template).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ValueRef;
    use crate::store::column::Payload;

    fn templates(column: &Column) -> Vec<String> {
        let mut of = Vec::new();
        let templates = column.templates(
            b"<*>",
            |row| row != 1,
            |number, row| {
                of.push((row, number));
            },
        );
        let text = |number: usize| String::from_utf8(templates[number].to_vec()).unwrap();
        assert!(of.iter().map(|(row, _)| *row).eq((0..).filter(|row| *row != 1).take(of.len())));
        of.into_iter().map(|(_, number)| text(number)).collect()
    }

    #[test]
    fn tokens_with_a_digit_are_variables() {
        let table = [
            ("", ""),
            ("left out 1", "left out <*>"),
            ("17", "<*>"),
            ("connection refused", "connection refused"),
            ("timeout on db-primary-07 after 120 ms", "timeout on db-primary-<*> after <*> ms"),
            ("10.1.2.3:80", "<*>.<*>.<*>.<*>:<*>"),
            ("user_17=a", "<*>=a"),
            ("größe17 straße", "<*> straße"),
            ("rt=0.003s", "rt=<*>.<*>"),
            ("  x1 ", "  <*> "),
        ];
        // Few values, and so many that they are split; some have too many variables for that.
        for times in [1_u32, 30] {
            let mut column = Column::default();
            let mut want = Vec::new();
            for n in 0..times {
                let many: String = (0..n * 3).map(|n| format!("{n} ")).collect();
                let own = (many, "<*> ".repeat(n as usize * 3));
                for (text, template) in
                    table.map(|(a, b)| (a.to_owned(), b.to_owned())).into_iter().chain([own])
                {
                    column.push(u32::try_from(want.len()).unwrap(), ValueRef::text(&text));
                    want.push(template);
                }
            }
            want.remove(1);
            assert!(templates(&column) == want);
            for is_final in [false, true] {
                let mut out = Payload { is_final, ..Payload::default() };
                column.encode(&mut out);
                assert!(templates(&Column::open(out).unwrap()) == want);
            }
        }
    }
}
