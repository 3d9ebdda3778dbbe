//! Texts and the trees, or errors, that they are read as.

use super::super::MAX_REGEXES;
use super::super::query::Literal;
use super::*;

fn strict(text: &str) -> String {
    shown(text, Syntax::Strict)
}

fn shown(text: &str, syntax: Syntax) -> String {
    match parse(text, syntax) {
        Ok(parsed) if parsed.lenient => format!("lenient {}", parsed.query.to_kql()),
        Ok(parsed) => parsed.query.to_kql(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn errors_say_where_and_what_would_have_been_right() {
    #[rustfmt::skip]
    let table = [
        ("a:", "expected a value, `(` or `{`, but found the end of the query, at 2"),
        ("foo:()", "expected a value, `(` or `{`, but found `)`, at 5"),
        ("a >", "expected a value after `>`, but found the end of the query, at 3"),
        ("> 5", "expected a field, a value or `(`, but found `>`, at 0"),
        ("\"abc", "expected a closing `\"`, but found the end of the query, at 0"),
        ("(a", "expected `)` for the `(` at 0, but found the end of the query, at 2"),
        ("a:{b", "expected `}` for the `{` at 2, but found the end of the query, at 4"),
        ("a:b c:d", "expected `and`, `or` or the end of the query; a value that holds `:` goes in quotes, but found `:`, at 5"),
        ("a:1 && b:2", "expected `and` instead of `&&`, but found `:`, at 8"),
        ("a:1 || b:2", "expected `or` instead of `||`, but found `:`, at 8"),
        ("(a:1", "expected `)` for the `(` at 0, but found the end of the query, at 4"),
        ("a:1)", "expected `and`, `or` or the end of the query, but found `)`, at 3"),
        ("a:1 not b:2", "expected `and not` or `or not`, but found `not`, at 4"),
        ("cannot connect", "expected `and`, `or` or the end of the query; words that end in `not` go in quotes, but found `not`, at 3"),
        ("a:1 AND(b:2)", "expected a blank before `(`, but found `(`, at 7"),
        ("not not a", "expected a field, a value or `(`; a value that begins with `not` goes in quotes, but found `not`, at 4"),
        ("foo and ", "expected a field, a value or `(`, but found the end of the query, at 8"),
        ("(a)and(b)", "expected a blank on each side of the operator, and a value after it, but found `and`, at 3"),
        ("a:b\\x", "expected one of `\\ ( ) : < > \" * { }`, `t`, `r`, `n` or `uXXXX` after a backslash (`\\\\` is a backslash), but found `\\x`, at 3"),
    ];
    for (text, want) in table {
        assert_eq!(strict(text), want, "{text}");
    }
    let error = shown("a:~/(/", Syntax::Lenient);
    assert_eq!(error, "expected a regular expression, but found unclosed group, at 4");
}

#[test]
fn literals_as_kibana_reads_them() {
    let term = |text: &str| Literal::Term(text.to_owned());
    let table = [
        ("foo or", term("foo or")),
        ("a\\nb", term("a\nb")),
        ("\\not b", term("ot b")),
        ("\\NOT b", term("NOT b")),
        ("\\ud83d\\ude00", term("😀")),
        ("\\ud83dx", term("\u{fffd}x")),
        ("\\u3000x\\t", term("x")),
        ("\\t", term("")),
        ("nul\\u006c", Literal::Null),
        ("\"a\\x\\u00e9\"", Literal::Phrase("a\\xé".to_owned())),
        ("\"\\u12\"", Literal::Phrase("\\u12".to_owned())),
        ("a ** b", Literal::Wild(["a ", "", " b"].map(str::to_owned).to_vec())),
    ];
    for (text, value) in table {
        let want = Query::Is { field: None, value };
        assert_eq!(parse(text, Syntax::Strict).map(|parsed| parsed.query), Ok(want), "{text}");
    }
}

#[test]
fn lenient_forms() {
    #[rustfmt::skip]
    let table = [
        ("cannot connect", "lenient cannot\\u0020connect"),
        ("message:(cannot or refused)", "lenient message:canno\\u0074 or message:refused"),
        ("not(a:1)", "lenient not a:1"),
        ("not not a:1", "lenient not (not a:1)"),
        ("a:1 AND(b:2)Or c:3", "expected a blank on each side of the operator, and a value after it, but found `Or`, at 12"),
        ("a:1 AND(b:2) Or c:3", "lenient a:1 and b:2 or c:3"),
        ("url:http://x:80/a?b", "lenient url:http\\://x\\:80/a?b"),
        ("time: 12:30", "lenient time:12\\:30"),
        ("at > 2026-06-15T10:20:30Z and a:b", "lenient at > 2026-06-15T10\\:20\\:30Z and a:b"),
        ("m:see http://x at 12:30:00 or b:1", "lenient m:see http\\://x at 12\\:30\\:00 or b:1"),
        ("ip:::1", "lenient ip:\\:\\:1"),
        ("a::b", "expected a value, `(` or `{`, but found `:`, at 2"),
        ("a:(b:c or d)", "lenient a:b\\:c or a:d"),
        ("http://x", "http://x"),
        ("a:[1 TO 5]", "lenient a >= 1 and a <= 5"),
        ("not a:[1 TO 5}", "lenient not (a >= 1 and a < 5)"),
        ("a:[* TO \"x y\"]", "lenient a <= \"x y\""),
        ("a:[1 TO *] and b:1", "lenient a >= 1 and b:1"),
        ("a:[* TO *]", "lenient a:*"),
        ("*:[* TO *]", "lenient *:*"),
        ("at:[2026-06-15T10:00:00Z TO now]", "lenient at >= 2026-06-15T10\\:00\\:00Z and at <= now"),
        ("m:[1 TO 5] x", "m:\\u005b1 TO 5] x"),
        ("m:[info] up", "m:\\u005binfo] up"),
        ("p:~/^a\\/b/ and c:1", "lenient p:~/^a\\/b/ and c:1"),
        ("p:(~/a/ or ~/b c/)", "lenient p:~/a/ or p:~/b c/"),
        ("~/x/", "lenient ~/x/"),
        ("p:~/bin/x", "p:\\u007e/bin/x"),
        ("p:~", "p:~"),
    ];
    for (text, want) in table {
        assert_eq!(shown(text, Syntax::Lenient), want, "{text}");
    }
}

#[test]
fn qy_02_nesting_has_a_limit() {
    for (open, close) in [("(", ")"), ("not (", ")"), ("a:(", ")"), ("not not (", ")")] {
        let nest = |n: usize| format!("{}x{}", open.repeat(n), close.repeat(n));
        let nest = |n: usize| if open == "a:(" { nest(n).replace("(a:", "(") } else { nest(n) };
        let fits = if open.starts_with("not not") { MAX_DEPTH / 2 } else { MAX_DEPTH };
        assert!(parse(&nest(20), Syntax::Lenient).is_ok(), "{open}");
        assert!(parse(&nest(fits), Syntax::Lenient).is_ok(), "{open}");
        let error = parse(&nest(200), Syntax::Lenient).unwrap_err();
        assert_eq!(error.expected, "at most 100 groups in each other", "{open}");
    }
    let nested = |n: usize| format!("{}x:1{}", "a:{".repeat(n), "}".repeat(n));
    assert!(parse(&nested(MAX_NESTED), Syntax::Strict).is_ok());
    let error = parse(&nested(MAX_NESTED + 1), Syntax::Strict).unwrap_err();
    assert_eq!(error.expected, "at most 8 nested fields in each other");
    // Unclosed, and nothing but keywords.
    assert!(parse(&"(".repeat(MAX_DEPTH), Syntax::Lenient).is_err());
    assert!(parse(&"not ".repeat(10_000), Syntax::Lenient).is_err());
}

#[test]
fn qy_02_the_deepest_tree_is_written_within_the_limit() {
    let texts = [
        format!("{}x", "not ".repeat(MAX_DEPTH + 1)),
        format!("{}not a:[1 TO 2]{}", "not (".repeat(MAX_DEPTH - 1), ")".repeat(MAX_DEPTH - 1)),
        format!("{}a:(b or c) and d{}", "not (".repeat(MAX_DEPTH - 1), ")".repeat(MAX_DEPTH - 1)),
    ];
    for text in texts {
        let query = parse(&text, Syntax::Lenient).unwrap().query;
        assert_eq!(parse(&query.to_kql(), Syntax::Strict).unwrap().query, query, "{text}");
    }
}

#[test]
fn qy_03_length_and_conditions_have_limits() {
    let long = "x".repeat(1 << 20);
    let error = parse(&long, Syntax::Lenient).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a query of at most 65536 bytes, but found 1048576 bytes, at 65536"
    );
    let many = |n: usize| vec!["a"; n].join(" or ");
    assert!(parse(&many(MAX_CLAUSES), Syntax::Lenient).is_ok());
    let error = parse(&many(MAX_CLAUSES + 1), Syntax::Lenient).unwrap_err();
    assert_eq!(error.expected, "at most 10000 conditions");
    let many = vec!["a:~/b/"; MAX_REGEXES + 1].join(" or ");
    let error = parse(&many, Syntax::Lenient).unwrap_err();
    assert_eq!(error.expected, "at most 16 regular expressions");
    assert!(parse("a:~/(\\w{1000}){1000}/", Syntax::Lenient).is_err());
}

/// Each of these is quadratic for a parser that looks ahead from every character.
#[test]
fn qy_03_long_texts_take_one_pass() {
    for part in [" ", "n", "not", "~/", "[", "a:", "\\\\", "[1 TO ", "no ", "12:", "* "] {
        for prefix in ["", "a:"] {
            let text = format!("{prefix}{}", part.repeat((MAX_LEN - 2) / part.len()));
            drop(parse(&text, Syntax::Lenient));
            drop(parse(&text, Syntax::Strict));
        }
    }
}
