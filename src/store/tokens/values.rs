//! Which words a value is found by: all that a query may ask of it, not only those it is written
//! with.

use super::super::column::{Column, Variable};
use super::super::origin::Origin;
use super::token::Bytes;
use super::words::Words;
use crate::event::derived::{self, Derived};
use crate::event::{Kind, Known, ValueRef};
use crate::kql::whole_number;

impl Words {
    /// Adds what a value of the field called `name` is found by.
    ///
    /// These are its words; of text in JSON those that its escapes stand for; of a whole number
    /// also its digits, however it is written (`5` of `5.0`); and of a priority the level and the
    /// names that are computed from it.
    pub fn add_value(&mut self, name: &str, value: ValueRef<'_>) {
        match value.kind {
            Kind::Json => self.add_json(value.bytes),
            Kind::Number => {
                self.add_text(value.bytes);
                self.add_whole(value.bytes);
            }
            Kind::Text | Kind::Bool | Kind::Null | Kind::Bytes => self.add_text(value.bytes),
        }
        if name == Known::Priority.as_str()
            && let Some(priority) = derived::priority(value.bytes)
        {
            self.add_priority(priority);
        }
    }

    /// Adds what the values of a column are found by, without putting them together where their
    /// pieces tell.
    pub fn add_column(&mut self, name: &str, column: &Column) {
        if let Some(values) = column.dictionary() {
            return values.for_each(|value| self.add_value(name, value));
        }
        if name == Known::Priority.as_str() || column.may_have(Kind::Json) {
            return column.for_each(|_, value| self.add_value(name, value));
        }
        let mut is_digits = true;
        column.pieces(|piece| match piece {
            Variable::Number(number) => self.add_number(number),
            Variable::Word(text) => {
                is_digits = is_digits && is_plain(text);
                self.add_word(Bytes::new(text, 0, text.len()));
            }
            Variable::Text(text) => {
                is_digits = is_digits && is_plain(text);
                self.add_text(text);
            }
        });
        if !is_digits && column.may_have(Kind::Number) {
            column.for_each(|_, value| {
                if value.kind == Kind::Number {
                    self.add_whole(value.bytes);
                }
            });
        }
    }

    /// Adds what every row of an origin is found by: sender, listener and key.
    pub fn add_origin(&mut self, origin: &Origin) {
        self.add_text(origin.listener.as_bytes());
        if let Some(peer) = origin.peer {
            self.add_text(peer.to_canonical().to_string().as_bytes());
        }
        if let Some(key) = &origin.key {
            self.add_text(key.as_bytes());
        }
        if let Some(auth) = origin.auth {
            self.add_text(auth.as_str().as_bytes());
        }
    }

    fn add_priority(&mut self, priority: u8) {
        self.add_text(derived::level(priority).as_bytes());
        for text in Derived::ALL.into_iter().filter_map(|derived| derived.of(priority)) {
            self.add_text(text.as_bytes());
        }
    }

    /// Outside of its strings JSON has no backslash, so all of it can be taken as one text.
    fn add_json(&mut self, json: &[u8]) {
        match std::str::from_utf8(json) {
            Ok(text) if text.contains('\\') => self.add_text(unescaped(text).as_bytes()),
            _ => self.add_text(json),
        }
        let mut rest = json;
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9'))
        {
            let (value, after) = split_value(rest.get(at..).unwrap_or_default());
            self.add_whole(value);
            rest = after;
        }
    }

    /// Adds the digits of a whole number that is written in another way.
    fn add_whole(&mut self, number: &[u8]) {
        if !is_plain(number)
            && let Some(number) = whole_number(number)
        {
            self.add_number(number);
        }
    }
}

/// Whether a number is written in digits alone, without zeros in front: as its own word.
fn is_plain(number: &[u8]) -> bool {
    number.iter().all(u8::is_ascii_digit) && (number.len() == 1 || number.first() != Some(&b'0'))
}

/// Takes the string or the number that `json` begins with.
fn split_value(json: &[u8]) -> (&[u8], &[u8]) {
    let len = if json.first() == Some(&b'"') {
        let mut is_escaped = false;
        let end = json.iter().skip(1).position(|byte| {
            let is_end = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            is_end
        });
        end.map_or(json.len(), |end| end + 2)
    } else {
        let is_of_number = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        json.iter().position(|byte| !is_of_number(byte)).unwrap_or(json.len())
    };
    json.split_at_checked(len).unwrap_or((json, &[]))
}

/// JSON with its escapes replaced: those of a code point by the character, all others, which are
/// no part of words, by a blank.
fn unescaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        let (character, len) = match code_point(escape) {
            Some((character, len)) => (character, len),
            None => (' ', escape.chars().next().map_or(0, char::len_utf8)),
        };
        text.push(character);
        rest = escape.get(len..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

/// What `u` and hex digits stand for, with those of the other half of a surrogate pair, and how
/// many bytes that is. Half a pair is a blank.
fn code_point(escape: &str) -> Option<(char, usize)> {
    let unit = |escape: &str| u32::from_str_radix(escape.strip_prefix('u')?.get(..4)?, 16).ok();
    let high = unit(escape)?;
    let low = escape.get(5..).and_then(|rest| unit(rest.strip_prefix('\\')?));
    match low.filter(|low| (0xdc00..0xe000).contains(low)) {
        Some(low) if (0xd800..0xdc00).contains(&high) => {
            let point = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            Some((char::from_u32(point).unwrap_or(' '), 11))
        }
        _ => Some((char::from_u32(high).unwrap_or(' '), 5)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Token;
    use super::*;

    fn has(name: &str, kind: Kind, value: &str, word: &str) -> bool {
        let mut words = Words::default();
        words.add_value(name, ValueRef::new(kind, value.as_bytes()));
        let token = Token::of(word);
        words.finish().tokens().unwrap().any(|other| other == token)
    }

    /// Field, kind, value; words that it is found by, and not.
    type Row = (&'static str, Kind, &'static str, &'static [&'static str], &'static [&'static str]);

    #[test]
    fn values_are_found_by_what_may_be_asked_of_them() {
        let table: [Row; 11] = [
            ("a", Kind::Text, "Disk full: 5.0", &["disk", "full", "5", "0"], &["50"]),
            ("a", Kind::Number, "50.0", &["50", "0"], &[]),
            ("a", Kind::Number, "-12e2", &["1200", "12e2"], &["12"]),
            ("a", Kind::Number, "0.5", &["0", "5"], &["50"]),
            // The sequence number of a router.
            ("a", Kind::Number, "000042", &["000042", "42"], &[]),
            (
                "a",
                Kind::Json,
                r#"["a\nb",{"x y":"\u0041\ud835\udc00\ud835"}]"#,
                &["a", "b", "x", "a\u{1d400}"],
                &["nb"],
            ),
            ("a", Kind::Json, r#"["\"1e3\"",2e1,"\\",-3.0,4e0]"#, &["20", "3", "4"], &["1000"]),
            ("a", Kind::Json, r#"["\u00"#, &["00"], &[]),
            ("a", Kind::Json, r#"["caf\u00e9\"x\/é"#, &["café", "x", "é"], &["u00e9"]),
            (
                "log.syslog.priority",
                Kind::Number,
                "165",
                &["165", "info", "local4", "notice", "20", "5"],
                &["error"],
            ),
            ("priority", Kind::Number, "165", &["165"], &["info"]),
        ];
        for (name, kind, value, there, absent) in table {
            for word in there {
                assert!(has(name, kind, value, word), "{value} {word}");
            }
            for word in absent {
                assert!(!has(name, kind, value, word), "{value} {word}");
            }
        }
    }

    fn any_value() -> impl Strategy<Value = (Kind, String)> {
        let number = prop_oneof![
            "-?[0-9]{1,6}",
            "0{0,3}[0-9]{1,6}",
            "[0-9]{1,3}\\.[0-9]{1,3}",
            "[1-9]e-?[0-9]"
        ];
        let text = "[a-c]{1,3} [0-9]{1,6}[x.]?|größe[0-9]{1,3} [a-f0-9]{8}|\\PC{0,20}";
        let json = "\\[[0-9]{1,4},\"[a-z]{1,3}\\\\n[0-9]{1,3}\",[1-9]e[0-9]\\]";
        prop_oneof![
            4 => text.prop_map(|text| (Kind::Text, text)),
            2 => number.prop_map(|digits| (Kind::Number, digits)),
            1 => json.prop_map(|json| (Kind::Json, json)),
        ]
    }

    proptest! {
        #[test]
        fn a_column_is_found_by_what_its_values_are_found_by(
            kinds in prop::sample::select(vec![
                &[Kind::Text][..], &[Kind::Number], &[Kind::Text, Kind::Number], &[Kind::Text, Kind::Json],
            ]),
            values in prop::collection::vec(any_value(), 1..20),
            repeat in prop::sample::select(vec![1_u32, 20]),
            is_priority: bool,
        ) {
            let name = if is_priority { "log.syslog.priority" } else { "a" };
            let (mut column, mut one_by_one) = (Column::default(), Words::default());
            for row in 0..repeat {
                for (kind, text) in values.iter().filter(|(kind, _)| kinds.contains(kind)) {
                    // Enough different values for a column that is split.
                    let text = match *kind {
                        Kind::Json => text.clone(),
                        _ => format!("{row}{text}"),
                    };
                    let value = ValueRef::new(*kind, text.as_bytes());
                    column.push(u32::try_from(column.len()).unwrap(), value);
                    one_by_one.add_value(name, value);
                }
            }
            let mut words = Words::default();
            words.add_column(name, &column);
            prop_assert_eq!(words.finish(), one_by_one.finish());
        }
    }
}
