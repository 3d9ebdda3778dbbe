//! Text of senders, made fit for a terminal.

use std::fmt::Write;

/// `text` with everything in it that a terminal would obey, and not show, spelled out: control
/// characters as `\n` or `\u{1b}`, and likewise what turns the direction of text or breaks lines.
pub(super) fn visible(text: &str) -> String {
    escape(text, |_| false)
}

/// The same for several lines of our own.
pub(super) fn visible_lines(text: &str) -> String {
    escape(text, |c| c == '\n')
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if keep(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c.is_control() || is_unseen(c) => {
                write!(out, "\\u{{{:x}}}", u32::from(c)).expect("a String takes all text");
            }
            _ => out.push(c),
        }
    }
    out
}

/// Whether a character is no control character and still changes how others are shown: line
/// separators, marks of direction, fillers without width, tags.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn co_18_what_a_terminal_would_obey_is_spelled_out() {
        let table = [
            ("plain größe 日本 🚀", "plain größe 日本 🚀"),
            ("\u{1b}[31mred\u{1b}]0;title\u{7}", "\\u{1b}[31mred\\u{1b}]0;title\\u{7}"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{9b}2J\u{85}", "\\u{9b}2J\\u{85}"),
            ("\u{202e}gpj.exe\u{2066}", "\\u{202e}gpj.exe\\u{2066}"),
            ("a\u{2028}b\0", "a\\u{2028}b\\u{0}"),
        ];
        for (text, want) in table {
            assert_eq!(visible(text), want);
        }
        assert_eq!(visible_lines("a\n\u{1b}b"), "a\n\\u{1b}b");
    }

    proptest! {
        #[test]
        fn co_18_nothing_of_it_is_left(text in "\\PC*|[\\x00-\\x9f]*") {
            prop_assert!(!visible(&text).chars().any(|c| c.is_control() || is_unseen(c)));
        }
    }
}
