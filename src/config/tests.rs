//! What is read, and what is refused with which words.

use super::overrides::{from_environment, from_option};
use super::read::parse;
use super::*;

fn errors(text: &str) -> String {
    parse(text, "logtrace.toml", &[]).unwrap_err().to_string()
}

#[test]
fn the_shipped_file_is_exactly_the_defaults() {
    let shipped = include_str!("../../config/logtrace.toml");
    assert_eq!(parse(shipped, "config/logtrace.toml", &[]).unwrap(), Config::default());
    assert_eq!(parse("", "", &[]).unwrap(), Config::default());
}

#[test]
fn the_shipped_file_spells_out_every_section() {
    let shipped: toml::Table = toml::from_str(include_str!("../../config/logtrace.toml")).unwrap();
    for section in [
        "api", "admin", "audit", "gate", "batch", "store", "senders", "people", "ship", "log",
        "shutdown", "memory", "metrics",
    ] {
        assert!(shipped.get(section).is_some_and(toml::Value::is_table), "[{section}]");
    }
    assert_eq!(shipped["listener"].as_array().unwrap().len(), 8);
}

#[test]
fn cf_01_errors_name_the_line_the_key_and_the_nearest_name() {
    let table = [
        (
            "[batch]\nmax_bites = 5\n",
            "logtrace.toml:2: batch.max_bites: expected a known key, but found `max_bites`: did you mean `max_bytes`?",
        ),
        (
            "[batch]\n\nmax_delay = \"soon\"\n",
            "logtrace.toml:3: batch.max_delay: expected a duration, but found string \"soon\"",
        ),
        (
            "[api]\nlisten = \"127.0.0.1\"\n",
            "logtrace.toml:2: api.listen: expected an address and a port, such as \
             \"127.0.0.1:8514\", but found \"127.0.0.1\"",
        ),
        (
            "[api]\nlisten = 8514\n",
            "logtrace.toml:2: api.listen: expected an address and a port, such as \
             \"127.0.0.1:8514\", but found integer `8514`",
        ),
        (
            "[[listener]]\nname = \"x\"\nprotocol = \"sislog\"\n",
            "logtrace.toml:3: listener.0.protocol: expected one of `syslog`, `logstash`, `gelf`, \
             `http`, `auto`, `relp`, `fluent`, `beats`, but found `sislog`",
        ),
        (
            "[listener]\nname = \"x\"\n",
            "logtrace.toml:1: expected [[listener]], but found [listener]",
        ),
        (
            "[batch]\nmax_bytes = \"1 KiB\"\n[store]\nseal_after = \"1d\"",
            "logtrace.toml:2: batch.max_bytes: expected 64 KiB to 16 MiB, but found 1.0 KiB\n\
             logtrace.toml:4: store.seal_after: expected 100ms to 1h, but found 1day",
        ),
        (
            "[[listener]]\nname = \"x\"\nprotocol = \"syslog\"\ntransport = \"tcp\"\n\
             listen = \"0.0.0.0:514\"\nrequire_key = false",
            "logtrace.toml:6: listener.0.require_key: expected allow_anonymous = true to let \
             anyone write to 0.0.0.0:514, but found false",
        ),
        ("[batch", "logtrace.toml:1: unclosed table, expected `]`"),
    ];
    for (text, want) in table {
        assert_eq!(errors(text), want, "{text}");
    }
}

#[test]
fn cf_01_a_ceiling_of_memory_below_what_is_fixed_is_none() {
    let fixed = "[memory]\nlimit = \"300 MiB\"\n[store]\ncolumn_cache = \"1 GiB\"";
    assert_eq!(
        errors(fixed),
        "logtrace.toml:2: memory.limit: expected at least 1295 MiB, for what the rest of the \
         configuration takes, but found 300.0 MiB"
    );
    let few = errors("memory.limit = \"127 MiB\"");
    assert!(few.ends_with("expected 128 MiB to 1 TiB, but found 127.0 MiB"), "{few}");
    let config = parse("", "f", &[]).unwrap();
    let (limit, shared) = (config.memory.limit.as_u64(), config.shared_memory());
    assert!(shared >= 128 << 20, "{shared}");
    assert!(config.fixed_memory() + shared <= limit);
}

#[test]
fn cf_01_sizes_that_are_no_sizes() {
    for value in ["\"9999999 TiB\"", "-1", "\"\"", "[]", "1.5"] {
        let text = format!("[batch]\nmax_bytes = {value}");
        assert!(errors(&text).starts_with("logtrace.toml:2: "), "{}", errors(&text));
    }
}

#[test]
fn the_environment_and_options_override_the_file() {
    let variables = [("LOGTRACE_BATCH__MAX_DELAY", "7ms"), ("LOGTRACE_KEY", "x"), ("PATH", "/")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut overrides = from_environment(variables.into_iter());
    overrides.push(from_option("log.level=debug").unwrap());
    overrides.push(from_option("metrics.max_keys=5").unwrap());
    let config = parse("[batch]\nmax_delay = \"1ms\"", "f", &overrides).unwrap();
    assert_eq!(config.batch.max_delay, Duration::from_millis(7));
    assert_eq!((config.log.level.as_str(), config.metrics.max_keys), ("debug", 5));
}

#[test]
fn cf_01_an_override_that_is_wrong_is_named() {
    let error = |option: &str| {
        let over = from_option(option).unwrap();
        parse("", "default", &[over]).unwrap_err().to_string()
    };
    assert_eq!(
        error("batch.max_bites=5"),
        "--set batch.max_bites=5: batch.max_bites: expected a known key, but found `max_bites`: \
         did you mean `max_bytes`?",
    );
    assert_eq!(
        error("metrics.max_keys=100001"),
        "--set metrics.max_keys=100001: metrics.max_keys: expected 0 to 100000, but found 100001",
    );
    assert!(from_option("nothing").is_err());
}

#[test]
fn a_certificate_that_is_not_there_is_found_without_a_start() {
    let listener = "[[listener]]\nname = \"x\"\nprotocol = \"syslog\"\ntransport = \"tcp\"\n\
                    listen = \"127.0.0.1:0\"\n";
    let text = format!("{listener}tls = {{ cert = \"/nowhere/c.pem\", key = \"/nowhere/k.pem\" }}");
    let config = parse(&text, "logtrace.toml", &[]).unwrap();
    let error = config.listener[0].check_files().unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/"), "{error}");
    let plain = parse(listener, "logtrace.toml", &[]).unwrap();
    assert!(plain.listener[0].check_files().is_ok());
}
