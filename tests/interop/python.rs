//! Python: the handler of its own library, and python-logstash-async.

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{python, run};

#[test]
fn syslog_handler() {
    let daemon = Daemon::start();
    for listener in ["udp", "tcp"] {
        let mut command = python("syslog_handler.py");
        command.args([daemon.port(listener), listener]);
        run(command);
        // Nothing but a priority in front, and a NUL behind, over TCP too; so a line feed is text.
        daemon.find_at(listener, "from python").is_whole().has(json!({
            "message": "from python",
            "log.syslog.priority": 131,
            "log.syslog.facility.name": "local0",
            "log.syslog.severity.name": "Error",
            "log.syslog.appname": null,
            "log.syslog.hostname": null,
            "host.name": "127.0.0.1",
            "level": "ERROR",
        }));
        let wanted = json!({"message": "two\nlines of warning", "level": "WARN"});
        daemon.find_at(listener, "lines of warning").is_whole().has(wanted);
        let wanted = json!({"message": "3 is no count <of octets>", "level": "ERROR"});
        daemon.find_at(listener, "no count").is_whole().has(wanted);
    }
}

#[test]
fn logstash_async() {
    let daemon = Daemon::start();
    for (listener, transport) in [("json", "Tcp"), ("json-udp", "Udp")] {
        let mut command = python("logstash_async_client.py");
        command.args([daemon.port(listener), transport]);
        run(command);
        let event = daemon.find_at(listener, "order 7 failed");
        event.is_whole().has(json!({
            "message": "order 7 failed",
            "level": "ERROR",
            "type": "python-logstash",
            "extra.order": 7,
            "extra.items": ["a", "b"],
            "extra.sum.eur": 1.5,
            "extra.logger_name": "orders",
            "host": null,
            "log.syslog.priority": null,
        }));
        assert_eq!(event.text("host.name"), event.text("logsource"));
        assert!(event.text("program").ends_with("logstash_async_client.py"));
        let wanted = json!({"message": "naïve — ünïcode", "level": "DEBUG"});
        daemon.find_at(listener, "ünïcode").is_whole().has(wanted);
    }
}

#[test]
fn logstash_async_over_http() {
    let daemon = Daemon::start();
    let key = daemon.key();
    let mut command = python("logstash_async_http.py");
    command.args([daemon.port("web"), &key.secret]);
    run(command);
    daemon.find("order 7 failed").is_whole_by("http").has(json!({
        "level": "ERROR",
        "extra.order": 7,
        "url.path": "/orders",
        "key": key.id,
    }));
    daemon.find("ünïcode").is_whole_by("http").has(json!({"level": "DEBUG"}));
}
