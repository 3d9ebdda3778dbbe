//! A syslog daemon that passes on what `logger` gives it: what rsyslog and syslog-ng have in common.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::program::{Running, installed, run, start, unpacked, unpacked_folder};
use crate::support::wait_for;

/// A syslog daemon that takes RFC 5424 on a unix socket, until it is dropped.
pub(crate) struct Relay {
    input: String,
    _running: Running,
}

impl Relay {
    /// Where the relay of that name is to listen.
    pub(crate) fn input(folder: &Path, name: &str) -> String {
        folder.join(format!("{name}.sock")).to_str().unwrap().to_owned()
    }

    /// Starts it with its configuration in the file `name`.conf.
    pub(crate) fn start(folder: &Path, name: &str, config: &str, command: Command) -> Self {
        std::fs::write(folder.join(format!("{name}.conf")), config).unwrap();
        let input = Self::input(folder, name);
        let _of_one_before = std::fs::remove_file(&input).is_ok();
        let running = start(command, folder, name);
        wait_for(name, || std::fs::exists(&input).unwrap().then_some(()));
        Self { input, _running: running }
    }

    /// rsyslog that passes on to Elasticsearch at that port of this machine, keeps what it cannot
    /// pass on, and gives each message its text for an id.
    pub(crate) fn elasticsearch(folder: &Path, port: u16, secret: &str) -> Self {
        let input = folder.join("rsyslog.sock").display().to_string();
        let config = format!(
            r#"
            global(workDirectory="{folder}")
            module(load="imuxsock" SysSock.Use="off")
            module(load="omelasticsearch")
            template(name="id" type="string" string="%msg%")
            input(type="imuxsock" Socket="{input}" CreatePath="on" UseSpecialParser="off"
                  ParseHostname="on" UseSysTimeStamp="off" RateLimit.Interval="0")
            action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" bulkmode="on"
                   uid="rsyslog" pwd="{secret}" searchIndex="syslog" searchType=""
                   bulkid="id" dynbulkid="on" writeoperation="create"
                   queue.type="LinkedList" queue.dequeueBatchSize="10"
                   action.resumeRetryCount="-1" action.resumeInterval="1")
            "#,
            folder = folder.display(),
        );
        let file = folder.join("rsyslog.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = unpacked("usr/sbin/rsyslogd");
        command.args(["-n", "-C", "-f"]).arg(&file).arg("-i").arg(folder.join("rsyslog.pid"));
        let multiarch = format!("usr/lib/{}-linux-gnu/rsyslog", std::env::consts::ARCH);
        command.arg("-M").arg(unpacked_folder(&multiarch));
        let running = start(command, folder, "rsyslog");
        wait_for("rsyslog", || std::fs::exists(&input).unwrap().then_some(()));
        Self { input, _running: running }
    }

    /// Gives it a message to pass on.
    pub(crate) fn log(&self, message: &str) {
        let mut command = installed("logger");
        command.args(["--socket", &self.input, "--socket-errors=on", "--rfc5424"]);
        command.args(["--tag", "app", "--id=77", "--msgid", "M1", "--priority", "daemon.warning"]);
        command.args(["--sd-id", "zoo@32473", "--sd-param", r#"a="b \"c\"""#, message]);
        run(command);
    }
}

/// What is left of a message of [`Relay::log`] in RFC 3164.
pub(crate) fn brief(message: &str) -> Value {
    json!({
        "message": message,
        "log.syslog.priority": 28,
        "log.syslog.facility.name": "daemon",
        "log.syslog.severity.name": "Warning",
        "log.syslog.appname": "app",
        "log.syslog.procid": "77",
        "log.syslog.structured_data": null,
        "service": "app",
        "level": "WARN",
    })
}

/// All of it, in RFC 5424.
pub(crate) fn full(message: &str) -> Value {
    let mut full = brief(message);
    full["log.syslog.msgid"] = json!("M1");
    full["log.syslog.structured_data"] = json!({"zoo@32473": {"a": "b \"c\""}});
    full
}
