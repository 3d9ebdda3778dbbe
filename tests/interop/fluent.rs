//! fluent-logger, of Python and of Node.js.

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{node_of, output_of, python_of, run};
use crate::support;

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

/// Both prove that they know the secret; whoever does not is turned away before it says anything.
#[test]
fn with_a_shared_key() {
    let folder = tempfile::tempdir().unwrap();
    let settings = |key: &str| {
        format!(
            "[[listener]]\nname = \"fluent\"\nprotocol = \"fluent\"\ntransport = \"tcp\"\n\
             listen = \"127.0.0.1:0\"\nrequire_key = true\nshared_key = \"open sesame\"\n{key}"
        )
    };
    // The key of all who know the secret.
    let daemon = support::Daemon::with_listeners(folder.path(), "", &settings(""));
    let (id, _) = daemon.create_key(&json!({"name": "shop", "scopes": ["write:logs"]}));
    assert!(daemon.stop().success());
    let key = format!("key = \"{id}\"\n");
    let daemon = support::Daemon::with_listeners(folder.path(), "", &settings(&key));
    let client = |secret: &str| {
        let mut command = node_of("npm-fluent", "fluent_logger.js");
        let port = daemon.address("fluent").rsplit_once(':').unwrap().1;
        command.args([port, "PackedForward"]).env("SHARED_KEY", secret);
        command
    };
    assert!(run(client("open sesame")).ends_with("3 acknowledged\n"));
    let event = daemon.find("message:\"PackedForward number 2\"");
    assert_eq!((&event["key"], &event["auth.method"]), (&json!(id), &json!("listener")));
    assert!(!output_of(client("open barley"), b"").status.success());
    assert_eq!(daemon.query("message:PackedForward").len(), 3);
    daemon.find_in("failed", "message:\"shared_key\"");
    assert!(!daemon.said().contains("sesame"));
    assert!(daemon.stop().success());
}

#[test]
fn over_tls() {
    let daemon = Daemon::start();
    let mut command = node_of("npm-fluent", "fluent_logger.js");
    command.args([daemon.port("fluent-tls"), "Message", &daemon.file("ca.pem")]);
    assert_eq!(run(command), "3 acknowledged\n");
    daemon.find_at("fluent-tls", "Message number 2").is_whole();
}
