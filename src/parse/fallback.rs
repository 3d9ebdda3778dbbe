//! The names under which shippers tell the service, the level and the host, beside our own.

use crate::event::{Event, Known, Name, Value};
use crate::parse::json::canonical_level;

/// Takes the service, the level and the host from what else the event holds, where none of them
/// was named. Of several names the first in the list counts.
pub(super) fn fill(event: &mut Event<'_>) {
    for (known, names) in
        [(Known::Service, SERVICE), (Known::Level, LEVEL), (Known::HostName, HOST)]
    {
        if event.find(known).is_some() {
            continue;
        }
        let Some(value) = names.iter().find_map(|name| text(event, name)) else { continue };
        let value = if known == Known::Level { canonical_level(value) } else { value };
        event.set(known, value);
    }
}

/// The text, not empty, under a name that is not one of ours.
fn text<'a>(event: &Event<'a>, wanted: &str) -> Option<Value<'a>> {
    let field = event.fields.iter().rev().find(|field| match &field.name {
        Name::Other(name) => name == wanted,
        Name::Known(_) => false,
    })?;
    match &field.value {
        Value::Text(text) if !text.is_empty() => Some(field.value.clone()),
        _ => None,
    }
}

/// What Loki takes for the service of a stream, in its order; with OpenTelemetry's name first.
const SERVICE: &[&str] = &[
    "service_name",
    "service.name",
    "app",
    "application",
    "app_name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

/// What Loki takes for a level, and what agents name it.
const LEVEL: &[&str] =
    &["detected_level", "severity", "severity_text", "log_level", "loglevel", "lvl"];

const HOST: &[&str] = &["hostname", "host_name", "node_name", "nodename"];

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(fields: &[(&'static str, &'static str)]) -> Event<'static> {
        let mut event = Event::default();
        for (name, value) in fields {
            event.put((*name).into(), Value::Text((*value).into()));
        }
        fill(&mut event);
        event
    }

    #[test]
    fn names_of_shippers_do_where_ours_are_missing() {
        let event =
            filled(&[("job", "j"), ("app", "a"), ("severity", "warning"), ("nodename", "n")]);
        let text = |known| event.find(known).cloned();
        assert_eq!(text(Known::Service), Some(Value::Text("a".into())));
        assert_eq!(text(Known::Level), Some(Value::Text("WARN".into())));
        assert_eq!(text(Known::HostName), Some(Value::Text("n".into())));
    }

    #[test]
    fn ours_stand() {
        let event = filled(&[("app", "a"), ("service", "s"), ("job", ""), ("detected_level", "")]);
        assert_eq!(event.find(Known::Service), Some(&Value::Text("s".into())));
        assert_eq!((event.find(Known::Level), event.find(Known::HostName)), (None, None));
    }
}
