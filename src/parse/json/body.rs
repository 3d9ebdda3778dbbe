//! The body of `POST /v1/logs/ingest` (SPEC §6).

use super::error::{Expected, JsonError};
use super::fields::Walker;
use super::mapping::Schema;
use super::scan::Scanner;
use crate::event::Event;
use crate::parse::{BodyError, BodyFormat, Context, Each};

/// The body of `POST /v1/logs/ingest`: `{"logs":[…]}`, or the list alone.
///
/// In a log that has no `@timestamp`, `timestamp` does as well. A log that is no object, or holds
/// nothing to keep, is refused by itself. A body that is not well formed to its end, has no list,
/// or holds too many logs is refused as a whole.
#[derive(Clone, Copy, Debug)]
pub struct IngestBody {
    /// The most logs that it may hold.
    pub max_events: usize,
}

impl BodyFormat for IngestBody {
    fn read<'a>(
        &'a mut self,
        body: &'a [u8],
        cx: &Context,
        event: &mut Event<'a>,
        each: Each<'_, 'a>,
    ) -> Result<(), BodyError> {
        let text = std::str::from_utf8(body)
            .map_err(|error| JsonError::new(Expected::Utf8, body, error.valid_up_to()))?;
        let mut walker = Walker::new(text, Schema::Ingest, cx, event);
        let logs = logs(&mut walker.scan.clone())?;
        if logs.count > self.max_events {
            return Err(BodyError::TooMany { max: self.max_events, found: logs.count });
        }
        walker.scan.rewind(logs.start);
        for index in 0..logs.count {
            match log(&mut walker) {
                Ok(()) => each(index, Ok(walker.mapping.event)),
                Err(error) => each(index, Err(&error)),
            }
            walker.mapping.event.clear();
            walker.scan.more(b']')?;
        }
        Ok(())
    }
}

/// The list of logs in a body that is well formed to its end.
struct Logs {
    /// Where the first one is, if there is one.
    start: usize,
    count: usize,
}

/// Reads the whole body to see that it is well formed, and finds the logs in it.
fn logs(scan: &mut Scanner<'_>) -> Result<Logs, JsonError> {
    let mut logs = None;
    match scan.peek() {
        Some(b'[') => logs = Some(list(scan)?),
        _ => {
            scan.take(b'{', Expected::Object)?;
            let mut more = !scan.eat(b'}');
            while more {
                // Of members with the same name the last one counts, as everywhere.
                if scan.name()?.decode() == "logs" {
                    logs = Some(list(scan)?);
                } else {
                    scan.skip_value(1)?;
                }
                more = scan.more(b'}')?;
            }
        }
    }
    scan.end()?;
    logs.ok_or_else(|| scan.error(Expected::Logs))
}

/// Reads a list to its end. Each element may be as deep as an event of its own.
fn list(scan: &mut Scanner<'_>) -> Result<Logs, JsonError> {
    scan.take(b'[', Expected::LogsArray)?;
    let start = scan.at();
    let mut count = 0;
    let mut more = !scan.eat(b']');
    while more {
        scan.skip_value(0)?;
        count += 1;
        more = scan.more(b']')?;
    }
    Ok(Logs { start, count })
}

/// Reads one log, and to its end even if it is refused.
fn log(walker: &mut Walker<'_, '_>) -> Result<(), JsonError> {
    let start = walker.scan.peek();
    let at = walker.scan.at();
    if start != Some(b'{') {
        let error = walker.scan.error(Expected::Object);
        walker.scan.skip_value(0)?;
        return Err(error);
    }
    walker.object()?;
    if walker.mapping.event.fields.is_empty() && walker.mapping.event.labels.is_empty() {
        return Err(JsonError::new(Expected::Content, walker.scan.text().as_bytes(), at));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::json::corpus::{CX, Shown};

    type Logs = Vec<(usize, Result<Shown, String>)>;

    fn read(body: &str) -> (Logs, Result<usize, BodyError>) {
        let (mut event, mut logs) = (Event::default(), Vec::new());
        let mut each = |index, log: Result<&mut Event<'_>, &dyn std::fmt::Display>| {
            logs.push((index, log.map(|event| Shown::of(event)).map_err(ToString::to_string)));
        };
        let mut format = IngestBody { max_events: 4 };
        let result = format.read(body.as_bytes(), &CX, &mut event, &mut each);
        let count = logs.len();
        (logs, result.map(|()| count))
    }

    #[test]
    fn logs_are_handed_out_in_order() {
        for body in [
            r#"{"logs":[{"message":"a"},{"level":"info","x":{"y":1}}]}"#,
            r#" [ {"message":"a"} , {"level":"info","x":{"y":1}} ] "#,
            r#"{"a":[{}],"logs":[1,2],"logs":[{"message":"a"},{"level":"info","x":{"y":1}}],"b":{}}"#,
        ] {
            let (logs, result) = read(body);
            assert_eq!(result, Ok(2), "{body}");
            let (first, second) = (logs[0].1.as_ref().unwrap(), logs[1].1.as_ref().unwrap());
            assert_eq!((logs[0].0, first.get("message")), (0, "\"a\"".to_owned()));
            assert_eq!((logs[1].0, second.get("x.y")), (1, "1".to_owned()));
            assert_eq!(second.get("level"), "\"INFO\"");
        }
        for body in [r#"{"logs":[]}"#, "[]"] {
            assert_eq!(read(body).1, Ok(0));
        }
    }

    #[test]
    fn a_log_is_refused_by_itself() {
        let (logs, result) = read(r#"{"logs":[7,{},{"a":1},[{"a":1}]]}"#);
        assert_eq!(result, Ok(4));
        let errors = |(index, log): &(usize, Result<Shown, String>)| {
            log.as_ref().err().map(|error| format!("{index}: {error}"))
        };
        let errors: Vec<_> = logs.iter().filter_map(errors).collect();
        let want = [
            "0: expected an object at byte 9, but found `7`",
            "1: expected an object with a field to keep at byte 11, but found `{`",
            "3: expected an object at byte 22, but found `[`",
        ];
        assert_eq!(errors, want);
    }

    #[test]
    fn a_bad_body_is_refused_as_a_whole() {
        let table = [
            ("", "expected an object at byte 0, but found the end"),
            ("x", "expected an object at byte 0, but found `x`"),
            ("{}", "expected a member \"logs\" at byte 2, but found the end"),
            (r#"{"events":[]}"#, "expected a member \"logs\" at byte 13, but found the end"),
            (r#"{"logs":{}}"#, "expected an array of logs at byte 8, but found `{`"),
            (
                r#"{"logs":[{"a":1}]"#,
                "expected a comma or a closing brace at byte 17, but found the end",
            ),
            (r#"{"logs":[{"a":1},]}"#, "expected a value at byte 17, but found `]`"),
            (r#"{"logs":[{"a":1}]}}"#, "expected the end of the text at byte 18, but found `}`"),
            ("[{},{},{},{},{}]", "expected at most 4 logs, but found 5"),
        ];
        for (body, want) in table {
            let (logs, result) = read(body);
            assert_eq!(result.unwrap_err().to_string(), want, "{body}");
            assert!(logs.is_empty(), "{body}");
        }
        let mut each = |_, _: Result<&mut Event<'_>, &dyn std::fmt::Display>| {
            panic!("expected no log");
        };
        let (mut format, mut event) = (IngestBody { max_events: 4 }, Event::default());
        let error = format.read(b"[{\"a\":\"\xff\"}]", &CX, &mut event, &mut each);
        assert_eq!(error.unwrap_err().to_string(), "expected UTF-8 at byte 7, but found byte 0xff");
    }

    #[test]
    fn timestamp_does_for_at_timestamp() {
        let (older, newer) = ("2026-06-15T11:59:58.000Z", "2026-06-15T11:59:59.000Z");
        let table = [
            (format!(r#"{{"timestamp":"{older}","a":1}}"#), Some(older), "", ""),
            (
                format!(r#"{{"timestamp":"{older}","@timestamp":"{newer}"}}"#),
                Some(newer),
                "",
                older,
            ),
            (r#"{"timestamp":5}"#.to_owned(), None, "5", ""),
            (r#"{"timestamp":null,"a":1}"#.to_owned(), None, "", ""),
        ];
        for (log, time, kept, own) in table {
            let (logs, _) = read(&format!("[{log}]"));
            let event = logs[0].1.as_ref().unwrap();
            assert_eq!(event.timestamp.map(|time| time.to_string()).as_deref(), time, "{log}");
            assert_eq!(event.get("_@timestamp"), kept, "{log}");
            assert_eq!(event.get("timestamp").trim_matches('"'), own, "{log}");
            assert_eq!(event.tags.is_empty(), kept.is_empty(), "{log}");
        }
        let (logs, _) = read(r#"[{"timestamp":{"a":1}}]"#);
        let event = logs[0].1.as_ref().unwrap();
        assert_eq!(event.tags, ["_timestampparsefailure"]);
        assert_eq!(event.get("timestamp.a"), "1");
    }
}
