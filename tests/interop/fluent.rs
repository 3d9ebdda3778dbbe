//! fluent-logger, of Python and of Node.js.

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{node_of, python_of, run};

#[test]
fn fluent_logger_of_python() {
    let daemon = Daemon::start();
    let key = daemon.key();
    let mut command = python_of("python-fluent", "fluent_logger.py");
    command.args([daemon.port("fluent"), &key.secret]);
    run(command);
    for (phrase, tag) in [("in seconds", "shop.slow"), ("in nanoseconds", "shop.quick")] {
        daemon.find_at("fluent", phrase).is_whole_by("json_field").has(json!({
            "message": phrase,
            "fluent.tag": tag,
            "key": key.id,
            "order.id": 7,
            "order.items": ["a", "b"],
            "level": "ERROR",
            "token": null,
        }));
    }
}

#[test]
fn fluent_logger_of_node_waits_for_its_acknowledgements() {
    let daemon = Daemon::start();
    for mode in ["Message", "PackedForward", "CompressedPackedForward"] {
        let mut command = node_of("npm-fluent", "fluent_logger.js");
        command.args([daemon.port("fluent"), mode]);
        // It ends well once each event was acknowledged.
        assert_eq!(run(command), "3 acknowledged\n", "{mode}");
        for n in 0..3 {
            daemon.find_at("fluent", &format!("{mode} number {n}")).is_whole().has(json!({
                "fluent.tag": "shop.web",
                "order.id": n,
                "sum": 1.5,
            }));
        }
    }
}

#[test]
fn over_tls() {
    let daemon = Daemon::start();
    let mut command = node_of("npm-fluent", "fluent_logger.js");
    command.args([daemon.port("fluent-tls"), "Message", &daemon.file("ca.pem")]);
    assert_eq!(run(command), "3 acknowledged\n");
    daemon.find_at("fluent-tls", "Message number 2").is_whole();
}
