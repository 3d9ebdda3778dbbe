//! A sender on this machine, behind a unix socket: what the kernel says of it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::event::{Event, Known, Value};

/// The process that sends, as the kernel names it: no sender can forge it (`unix(7)`,
/// `SO_PEERCRED` and `SCM_CREDENTIALS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number. None where it lives behind a wall that hides it, as in a container of its own.
    pub pid: Option<i32>,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// What is stored with the events of such a sender.
#[derive(Debug)]
pub(super) struct Local {
    host: Arc<str>,
    process: Option<Process>,
    /// The process in digits, made anew only when it is another.
    digits: [String; 3],
}

impl Local {
    /// Someone on the machine called `host`.
    pub(super) fn new(host: Arc<str>) -> Self {
        Self { host, process: None, digits: Default::default() }
    }

    /// Says who sends what comes next.
    pub(super) fn set(&mut self, process: Option<Process>) {
        if self.process != process {
            self.process = process;
            self.digits = process.map_or_else(Default::default, |Process { pid, uid, gid }| {
                let pid = pid.map(|pid| pid.to_string());
                [pid.unwrap_or_default(), uid.to_string(), gid.to_string()]
            });
        }
    }

    /// Adds to an event who sent it, and this machine where it names no host.
    pub(super) fn show<'e>(&'e self, event: &mut Event<'e>) {
        for (name, digits) in NAMES.into_iter().zip(&self.digits) {
            if !digits.is_empty() {
                event.put(Cow::Borrowed(name), Value::Number(Cow::Borrowed(digits)));
            }
        }
        if event.find(Known::HostName).is_none() && event.find(Known::Hostname).is_none() {
            event.text(Known::HostName, &self.host);
        }
    }
}

/// Adds what is known of a sender on this machine, if that is where it is.
#[inline]
pub(super) fn show<'e>(local: Option<&'e Local>, event: &mut Event<'e>) {
    if let Some(local) = local {
        local.show(event);
    }
}

/// The fields that hold the process; senders cannot write them (`event::RESERVED`).
const NAMES: [&str; 3] = ["peer.pid", "peer.uid", "peer.gid"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_said_is_shown() {
        let shown = |local: &Local, hostname: Option<&'static str>| {
            let mut event = Event::default();
            if let Some(hostname) = hostname {
                event.text(Known::Hostname, hostname);
            }
            local.show(&mut event);
            let shown = |name| {
                let field = event.fields.iter().find(|field| field.name.as_str() == name);
                field.map_or("-".to_owned(), |field| field.value.as_ref().to_text().into_owned())
            };
            ["peer.pid", "peer.uid", "peer.gid", "host.name"].map(shown).join(" ")
        };
        let mut local = Local::new("here".into());
        assert_eq!(shown(&local, None), "- - - here");
        local.set(Some(Process { pid: Some(77), uid: 0, gid: 4 }));
        assert_eq!(shown(&local, None), "77 0 4 here");
        assert_eq!(shown(&local, Some("elsewhere")), "77 0 4 -");
        local.set(Some(Process { pid: None, uid: 1000, gid: 1000 }));
        assert_eq!(shown(&local, None), "- 1000 1000 here");
        local.set(None);
        assert_eq!(shown(&local, None), "- - - here");
    }
}
