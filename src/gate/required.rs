//! Which literals a regular expression cannot match without.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Texts one of which is in everything that `hir` matches, folded by [`fold`]; each of [`MIN`] bytes
/// at least. `None` where there are no such, or too many.
pub(super) fn required(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    best(hir).filter(|texts| shortest(texts) >= MIN)
}

/// A byte without its case, and without some other differences: what is equal is equal after it.
pub(super) fn fold(byte: u8) -> u8 {
    byte | 0x20
}

fn best(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => None,
        HirKind::Literal(literal) => Some(vec![literal.0.iter().map(|byte| fold(*byte)).collect()]),
        HirKind::Class(_) => single(hir).map(|byte| vec![vec![byte]]),
        HirKind::Capture(capture) => best(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => best(&repetition.sub),
        HirKind::Repetition(_) => None,
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(best(branch)?);
                if all.len() > MAX_TEXTS {
                    return None;
                }
            }
            Some(all)
        }
        HirKind::Concat(parts) => {
            let mut found: Option<Vec<Vec<u8>>> = None;
            let mut offer = |texts: Vec<Vec<u8>>| {
                if found.as_ref().is_none_or(|best| shortest(best) < shortest(&texts)) {
                    found = Some(texts);
                }
            };
            let mut run = Vec::new();
            for part in parts {
                match (part.kind(), single(part)) {
                    (HirKind::Literal(literal), _) => {
                        run.extend(literal.0.iter().map(|byte| fold(*byte)));
                    }
                    (_, Some(byte)) => run.push(byte),
                    // Between two of its neighbours there is nothing of it.
                    (HirKind::Look(_), _) => {}
                    _ => {
                        offer(vec![std::mem::take(&mut run)]);
                        best(part).map(&mut offer);
                    }
                }
            }
            offer(vec![run]);
            found
        }
    }
}

/// The byte that a class is, but for what [`fold`] takes away.
fn single(hir: &Hir) -> Option<u8> {
    let HirKind::Class(class) = hir.kind() else { return None };
    let bytes = match class {
        Class::Bytes(class) => class.clone(),
        Class::Unicode(class) => class.to_byte_class()?,
    };
    let mut folded = bytes.iter().flat_map(|range| range.start()..=range.end()).map(fold);
    let first = folded.next()?;
    folded.all(|byte| byte == first).then_some(first)
}

fn shortest(texts: &[Vec<u8>]) -> usize {
    texts.iter().map(Vec::len).min().unwrap_or_default()
}

/// The shortest text that is of use, in bytes.
pub(super) const MIN: usize = 4;

/// The most texts of one expression.
const MAX_TEXTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_expression_cannot_do_without() {
        let of = |pattern: &str| {
            let parsed = regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build();
            let hir = { parsed }.parse(pattern).unwrap();
            required(&hir).map(|texts| {
                let texts = texts.iter().map(|text| String::from_utf8_lossy(text).into_owned());
                texts.collect::<Vec<_>>().join(" ")
            })
        };
        let table = [
            ("union select", Some("union select")),
            (r"(?i)UNION\s+SELECT", Some("select")),
            (r"(?i)union\s+all", Some("union")),
            (r"\bdrop table\b", Some("drop table")),
            ("(sleep|benchmark)\\(", Some("sleep benchmark")),
            ("a|bcde", None),
            (".*", None),
            ("[a-z]{8}", None),
            ("(abcd)*x", None),
            ("(abcd)+x", Some("abcd")),
            ("<script>|javascript:", Some("<script> javascript:")),
        ];
        for (pattern, want) in table {
            assert_eq!(of(pattern).as_deref(), want, "{pattern}");
        }
    }
}
