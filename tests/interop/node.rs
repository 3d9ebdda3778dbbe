//! Node.js: winston-logstash and pino-socket.

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{node, start};

#[test]
fn winston_logstash() {
    let daemon = Daemon::start();
    let mut command = node("winston.js");
    command.arg(daemon.port("json"));
    let _winston = start(command, daemon.folder(), "winston");
    daemon.find("order 7 failed").is_whole().has(json!({
        "message": "order 7 failed",
        "service": "shop",
        "level": "ERROR",
        "order": 7,
        "sum.eur": 1.5,
        "items": ["a", "b"],
    }));
    let wanted = json!({"message": "naïve — ünïcode\nin two lines", "level": "WARN"});
    daemon.find("in two lines").is_whole().has(wanted);
}

#[test]
fn pino_socket() {
    let daemon = Daemon::start();
    for (listener, mode) in [("json", "tcp"), ("json-udp", "udp")] {
        let mut command = node("pino.js");
        command.args([daemon.port(listener), mode]);
        let _pino = start(command, daemon.folder(), "pino");
        daemon.find_at(listener, "order 7 failed").is_whole().has(json!({
            "message": "order 7 failed",
            "service": "shop",
            // Sent as 50.
            "level": "ERROR",
            "order": 7,
            "sum.eur": 1.5,
        }));
        let wanted = json!({"message": "in\ntwo lines", "level": "INFO"});
        daemon.find_at(listener, "two lines").is_whole().has(wanted);
    }
}
