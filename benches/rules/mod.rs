//! Rules about content, as many as are asked for, of kinds that operators have.

use logtrace::gate::Rule;
use serde_json::json;

use super::lines::Random;

/// Rule number `n` of those `about` something.
pub(crate) fn rule(n: u32, about: &str) -> Rule {
    let (kind, pattern) = match about {
        "names" => literal(name(n)),
        "both" if n % 8 < 4 => literal(name(n)),
        "hits" if n == 500 => literal("id=10".to_owned()),
        "words" => {
            literal([part(BEGINNINGS, n / 100), part(MIDDLES, n / 10), part(ENDS, n)].concat())
        }
        "near" if n.is_multiple_of(2) => literal(format!("web-{:03}.prod.example.{n:x}", n % 200)),
        "near" => literal(format!("Mozilla/5.0 (compatible; bot-{n}")),
        "expressions" => expression(n),
        _ => attack(n),
    };
    let rule = json!({"kind": kind, "pattern": pattern, "id": n.to_string()});
    serde_json::from_value(rule).expect("a rule")
}

fn literal(text: String) -> (&'static str, String) {
    ("literal", text)
}

/// Another name each, a word without a meaning.
fn name(n: u32) -> String {
    format!("malware-{:010x}.example", Random::new(u64::from(n)).below(1 << 40))
}

/// Attacks: a few things, each in many forms.
fn attack(n: u32) -> (&'static str, String) {
    match n % 4 {
        0 => literal(format!("${{jndi:ldap://evil{n}.example/")),
        1 => literal(format!("../../{n}/etc/passwd")),
        2 => literal(format!("<script>alert({n})")),
        _ => ("regex", format!("(?i)union\\s+select\\s+{n}")),
    }
}

/// Expressions with classes and alternations.
fn expression(n: u32) -> (&'static str, String) {
    let pattern = match n % 4 {
        0 => format!(r"(?i)(select|insert|delete)\s.{{0,20}}tbl_[a-z]{{3}}{n}"),
        1 => format!(r"/wp-(?:admin|content)/[^ ]*\.php\?p{n}=[0-9a-f]{{8}}"),
        2 => format!(r"(?i)\b(?:sqlmap|nikto|zgrab)[/-]{n}\.[0-9]+"),
        _ => format!(r"user=(?:root|admin|oracle)[0-9]{{2}} (?:su|sudo)-{n}\b"),
    };
    ("regex", pattern)
}

fn part(all: [&'static str; 10], place: u32) -> &'static str {
    all.get(place as usize % 10).copied().unwrap_or_default()
}

/// Parts of words, of which log lines have many.
const BEGINNINGS: [&str; 10] =
    ["con", "pre", "in", "re", "trans", "over", "under", "dis", "auto", "multi"];

const MIDDLES: [&str; 10] =
    ["nec", "ten", "ser", "mit", "por", "lec", "quir", "spec", "form", "duc"];

const ENDS: [&str; 10] =
    ["tionx", "menty", "ablez", "ivew", "ationq", "ernx", "edly", "ingz", "orium", "ancey"];
