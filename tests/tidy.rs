//! Rules about the code that the compiler does not know. A failure names the file and the line.
//!
//! They read the text, line by line, as `cargo fmt` leaves it; that is enough to hold them.

#![cfg(test)]
#![allow(clippy::string_slice, reason = "every place was found by a search of the same text")]

use std::fs;
use std::path::{Path, PathBuf};

/// The floors of `src/`, lowest first. A module may use those below it, and itself; nothing is
/// used sideways, so the words that other words are made of, and the parts of the top, have a floor
/// each.
const FLOORS: &[&[&str]] = &[
    &["time", "metrics", "ids", "aging", "eights", "pepper", "failpoint"],
    &["event", "memory"],
    &["frame", "parse", "kql", "advice"],
    &["db"],
    &["gate", "store", "journal", "audit", "senders", "people"],
    &["batch", "query"],
    &["ingest", "watch", "ship"],
    &["net", "api", "admin", "console"],
    &["config"],
    &["app"],
    &["cli"],
    &["lib", "main"],
];

/// Crates that only these modules may name, so that replacing one touches little.
const OWNERS: &[(&str, &[&str])] = &[
    ("rocksdb::", &["db"]),
    ("rustls::", &["net", "ship"]),
    ("tokio_rustls::", &["net", "ship"]),
    ("reqwest::", &["ship"]),
    ("webpki::", &["net"]),
    ("quinn_udp::", &["net"]),
    ("socket2::", &["net"]),
    ("rustix::", &["db", "net", "app"]),
    ("nix::", &["net"]),
    ("axum::", &["net", "api", "admin", "app"]),
    ("hyper::", &["net", "api", "admin", "app"]),
    ("hyper_util::", &["net", "api", "admin", "app"]),
    ("flate2::", &["frame"]),
    ("zstd::", &["frame", "store"]),
    ("snap::", &["frame"]),
    ("roaring::", &["store"]),
    ("toml::", &["config"]),
    ("clap::", &["cli"]),
    ("clap_complete::", &["cli"]),
    ("comfy_table::", &["cli"]),
    ("indicatif::", &["cli"]),
    ("ureq::", &["cli"]),
    ("ed25519_dalek::", &["audit"]),
    ("tar::", &["audit"]),
    ("command_fds::", &["app"]),
    ("sd_notify::", &["app"]),
    ("mimalloc::", &["main"]),
];

/// All that may lie at the top of the repository, beside hidden files and what git ignores.
const TOP: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "Makefile",
    "README.md",
    "benches",
    "config",
    "console",
    "src",
    "systemd",
    "tests",
];

/// Longer files need a line that says [`LONG_BECAUSE`].
const MAX_LINES: usize = 500;

/// Lines of a function, from its name to its closing brace.
const MAX_FUNCTION_LINES: usize = 60;

/// The excuse of a long file, followed by the reason.
const LONG_BECAUSE: &str = "// tidy: long because ";

/// How many of the longest files and functions are printed.
const PRINTED: usize = 10;

#[test]
fn imports_go_down() {
    let mut untidy = Vec::new();
    for file in files("src") {
        let Some(floor) = floor(&file.module) else {
            untidy.push(file.at(1, format!("`{}` is on no floor of tests/tidy.rs", file.module)));
            continue;
        };
        for (line, used) in file.imports() {
            match self::floor(&used) {
                Some(below) if below < floor || used == file.module => {}
                Some(_) => {
                    untidy.push(file.at(line, format!("`{}` is not above `{used}`", file.module)));
                }
                None => untidy.push(file.at(line, format!("import `{used}` from its module"))),
            }
        }
    }
    expect_none(&untidy);
}

#[test]
fn crates_have_owners() {
    let mut untidy = Vec::new();
    for file in files("src") {
        for (name, owners) in OWNERS {
            if owners.contains(&file.module.as_str()) {
                continue;
            }
            for at in words(&file.code, name) {
                let what = format!("only `{}` may use {name}", owners.join("`, `"));
                untidy.push(file.at(file.line_of(at), what));
            }
        }
    }
    expect_none(&untidy);
}

#[test]
fn files_are_short_and_say_what_for() {
    let mut untidy = Vec::new();
    let mut longest = Vec::new();
    for file in ["src", "tests", "benches"].into_iter().flat_map(files) {
        let lines = file.text.lines().count();
        if lines > MAX_LINES && !file.text.contains(LONG_BECAUSE) {
            untidy.push(file.at(MAX_LINES, format!("longer than {MAX_LINES} lines")));
        }
        if !file.text.starts_with("//!") {
            untidy.push(file.at(1, "does not begin with `//!`, what it is for".to_owned()));
        }
        longest.push((lines, file.path.display().to_string()));
    }
    print_longest("files", longest);
    expect_none(&untidy);
}

#[test]
fn functions_fit_on_a_screen() {
    let mut untidy = Vec::new();
    let mut longest = Vec::new();
    for file in files("src") {
        for (line, lines, name) in file.functions() {
            if lines > MAX_FUNCTION_LINES {
                let what = format!("`{name}` has {lines} lines, more than {MAX_FUNCTION_LINES}");
                untidy.push(file.at(line, what));
            }
            longest.push((lines, format!("{}:{line}: {name}", file.path.display())));
        }
    }
    print_longest("functions", longest);
    expect_none(&untidy);
}

#[test]
fn nothing_is_left_for_later() {
    let mut untidy = Vec::new();
    for file in files("src") {
        for (line, text) in (1..).zip(file.text.lines()) {
            if text.contains("TODO") || text.contains("FIXME") {
                untidy.push(file.at(line, "belongs into an issue".to_owned()));
            }
        }
    }
    expect_none(&untidy);
}

#[test]
fn the_top_level_is_fixed() {
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    let is_ignored = |name: &str| ignored.lines().any(|line| line.trim_matches('/') == name);
    let names = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name());
    let untidy: Vec<_> = names
        .map(|name| name.into_string().unwrap())
        .filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str()) && !is_ignored(name))
        .map(|name| format!("{name}: does not belong at the top of the repository"))
        .collect();
    expect_none(&untidy);
}

#[test]
fn the_rules_see_what_they_forbid() {
    let text = "//! Words.\nuse crate::{a::B, c, d::{E, F}};\nuse super::g::H;\n// crate::not\n\
                pub(crate) fn f() {\n    crate::i::j();\n}\nfn k() -> u8 { 0 }\nfn l(\n) {\n}\n";
    let file = File::new(PathBuf::from("src/x/mod.rs"), text.to_owned());
    assert_eq!(file.module, "x");
    let imports: Vec<_> = file.imports();
    let imports: Vec<_> = imports.iter().map(|(line, used)| (*line, used.as_str())).collect();
    assert_eq!(imports, [(2, "a"), (2, "c"), (2, "d"), (6, "i"), (3, "g")]);
    let functions: Vec<_> = file.functions();
    assert_eq!(functions, [(5, 3, "f".to_owned()), (8, 1, "k".into()), (9, 3, "l".into())]);
    assert_eq!(words("use toml::x; crate::mytoml::y", "toml::").count(), 1);
}

/// A source file.
struct File {
    /// From the top of the repository.
    path: PathBuf,
    /// The module of `src/` that it is part of: `frame` for `src/frame/count.rs`.
    module: String,
    /// How many modules deep it is: 1 for `src/frame/mod.rs`, 2 for `src/frame/count.rs`.
    depth: usize,
    text: String,
    /// `text` with its comment lines emptied: as many lines as it.
    code: String,
}

impl File {
    fn new(path: PathBuf, text: String) -> Self {
        let mut parts: Vec<_> = path.iter().skip(1).map(|part| part.to_str().unwrap()).collect();
        parts.pop_if(|last| *last == "mod.rs");
        let module = parts.first().map_or("", |first| first.trim_end_matches(".rs")).to_owned();
        let depth = parts.len();
        let is_comment = |line: &str| line.trim_start().starts_with("//");
        let code = text.lines().flat_map(|line| [if is_comment(line) { "" } else { line }, "\n"]);
        let code = code.collect();
        Self { path, module, depth, text, code }
    }

    fn at(&self, line: usize, what: String) -> String {
        format!("{}:{line}: {what}", self.path.display())
    }

    fn line_of(&self, at: usize) -> usize {
        1 + self.code[..at].matches('\n').count()
    }

    /// The modules of `src/` that are named here, with the line.
    fn imports(&self) -> Vec<(usize, String)> {
        let up = "super::".repeat(self.depth);
        let by_crate = words(&self.code, "crate::").map(|at| (at, at + "crate::".len()));
        // Only outside of inline modules, which are a step deeper.
        let by_super = self.code.match_indices(&up).filter(|(at, _)| {
            let before = &self.code[self.code[..*at].rfind('\n').map_or(0, |end| end + 1)..*at];
            ["use ", "pub use "].contains(&before)
        });
        let by_super = by_super.map(|(at, _)| (at, at + up.len()));
        let named = |(at, end)| first_names(&self.code[end..]).map(move |name| (at, name));
        let imports = by_crate.chain(by_super).flat_map(named);
        imports.map(|(at, name)| (self.line_of(at), name.to_owned())).collect()
    }

    /// The functions: line, number of lines, name.
    fn functions(&self) -> Vec<(usize, usize, String)> {
        let lines: Vec<_> = self.code.lines().collect();
        let mut functions = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = function_name(line) else { continue };
            let indent = &line[..line.len() - line.trim_start().len()];
            let ends = |line: &&str| line.strip_prefix(indent).is_some_and(|rest| rest == "}");
            let is_short = line.ends_with(['}', ';']);
            let more = if is_short { Some(0) } else { lines[at..].iter().position(ends) };
            functions.push((at + 1, more.unwrap_or(0) + 1, name.to_owned()));
        }
        functions
    }
}

/// The name of the function that begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let modifiers = ["pub", "pub(crate)", "pub(super)", "const", "async", "extern"];
    before.split_whitespace().all(|word| modifiers.contains(&word)).then(|| name(after))
}

/// The names a path goes on with: one, or those of a `{…}`.
fn first_names(path: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let mut names = Vec::new();
    if !path.starts_with('{') {
        names.push(name(path));
    } else {
        for (at, c) in path.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && (c == '{' || c == ',') {
                names.push(name(path[at + 1..].trim_start()));
            }
        }
    }
    names.into_iter().filter(|name| !name.is_empty())
}

/// The identifier at the start.
fn name(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Where `word` stands and is not the end of a longer one.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> {
    let in_a_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let starts = move |at: &usize| !code[..*at].ends_with(in_a_name);
    code.match_indices(word).map(|(at, _)| at).filter(starts)
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of a folder, however deep.
fn files(folder: &str) -> Vec<File> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push(File::new(path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn print_longest(what: &str, mut longest: Vec<(usize, String)>) {
    longest.sort_by(|a, b| b.cmp(a));
    println!("the longest {what}:");
    for (lines, name) in longest.iter().take(PRINTED) {
        println!("{lines:6} {name}");
    }
}

fn expect_none(untidy: &[String]) {
    assert!(untidy.is_empty(), "\n{}\n", untidy.join("\n"));
}
