//! Which fields an answer shows.

use super::place::Place;
use crate::kql::Field;

/// The fields that are shown.
#[derive(Debug)]
pub(super) struct Projection {
    /// `None` is all of them.
    wanted: Option<Vec<Field>>,
    /// Columns that fields which are wanted are computed from.
    inputs: Vec<&'static str>,
}

impl Projection {
    /// Of these names, in which `*` stands for any text; all fields if there are none given.
    pub(super) fn new(names: Option<&[String]>) -> Self {
        let field = |name: &String| match name.contains('*') {
            true => Field::Wild(name.split('*').map(str::to_owned).collect()),
            false => Field::Name(name.clone()),
        };
        let wanted = names.map(|names| names.iter().map(field).collect());
        let mut projection = Self { wanted, inputs: Vec::new() };
        for (name, place) in Place::own() {
            if let Place::Computed(computed) = place
                && projection.shows(name)
            {
                projection.inputs.extend(computed.steps().map(|(name, _)| name));
            }
        }
        projection
    }

    /// Whether the field called `name` is shown, be it asked for as part of an object or for the
    /// sake of a part of it.
    pub(super) fn shows(&self, name: &str) -> bool {
        let Some(wanted) = &self.wanted else { return true };
        wanted.iter().any(|field| match field {
            Field::Name(asked) => is_in(name, asked) || is_in(asked, name),
            Field::Wild(_) => field.accepts(name),
        })
    }

    /// Whether the column called `name` has to be read.
    pub(super) fn reads(&self, name: &str) -> bool {
        self.shows(name) || self.inputs.contains(&name)
    }
}

/// Whether `name` is `outer`, or below it.
fn is_in(name: &str, outer: &str) -> bool {
    name.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_shown_by_name_object_part_and_pattern() {
        let table: [(&[&str], &str, bool, bool); 11] = [
            (&["message"], "message", true, true),
            (&["message"], "messages", false, false),
            (&["user"], "user.name", true, true),
            (&["user"], "username", false, false),
            (&["tags.x"], "tags", true, true),
            (&["u*r.id"], "user.id", true, true),
            (&["*"], "anything", true, true),
            (&["service"], "log.syslog.appname", false, true),
            (&["lev*"], "log.syslog.priority", false, true),
            (&["message"], "log.syslog.priority", false, false),
            (&[], "message", false, false),
        ];
        for (names, name, shows, reads) in table {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let projection = Projection::new(Some(&names));
            assert_eq!((projection.shows(name), projection.reads(name)), (shows, reads), "{name}");
        }
        assert!(Projection::new(None).shows("anything"));
    }
}
