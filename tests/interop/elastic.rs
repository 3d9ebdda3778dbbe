//! Elasticsearch's clients: elasticsearch-py, opensearch-py, @elastic/elasticsearch, and rsyslog with
//! omelasticsearch.

use std::process::Command;

use serde_json::json;

use crate::daemon::Daemon;
use crate::program::{node, python, run, tools, unpacked, unpacked_folder};
use crate::relay::Relay;

/// A script with what was fetched for Elasticsearch alone.
fn with(mut command: Command, variable: &str, folder: &str) -> Command {
    command.env(variable, tools().join(folder));
    command
}

#[test]
fn elasticsearch_py_and_opensearch_py() {
    for (package, door) in [("elasticsearch", "web"), ("opensearchpy", "api")] {
        let daemon = Daemon::start();
        let key = daemon.key();
        let mut command = with(python("elastic_client.py"), "PYTHONPATH", "python-elastic");
        let url = match door {
            "api" => daemon.api("/elasticsearch"),
            door => format!("http://{}", daemon.address(door)),
        };
        command.args([&url, &key.secret, package]);
        assert_eq!(run(command), "[201, 201]\n[409]\ncreated\n400\n", "{package}");
        daemon.find("order 7 failed").is_whole_by("http").has(json!({
            "elasticsearch.index": "orders",
            "event.id": "a1",
            "n": 7,
            "key": key.id,
        }));
        daemon.find("ünïcode").is_whole_by("http").has(json!({"sum.eur": 1.5, "event.id": null}));
        daemon.find("a single one").is_whole_by("http").has(json!({"event.id": "a2"}));
    }
}

#[test]
fn elasticsearch_js() {
    let daemon = Daemon::start();
    let key = daemon.key();
    let mut command = with(node("elastic.js"), "NODE_PATH", "npm-elastic/node_modules");
    command.args([format!("http://{}", daemon.address("web")), key.secret]);
    assert_eq!(run(command), "2 2 0\ncreated\n");
    let wanted = json!({"n": 7, "elasticsearch.index": "orders", "key": key.id});
    daemon.find("order 7 failed").is_whole_by("http").has(wanted);
    daemon.find("ünïcode").is_whole_by("http");
    daemon.find("a single one").is_whole_by("http");
}

#[test]
fn omelasticsearch() {
    let daemon = Daemon::start();
    let key = daemon.key();
    let config = format!(
        r#"
        global(workDirectory="{folder}")
        module(load="imuxsock" SysSock.Use="off")
        module(load="omelasticsearch")
        input(type="imuxsock" Socket="{input}" CreatePath="on" UseSpecialParser="off"
              ParseHostname="on" UseSysTimeStamp="off" RateLimit.Interval="0")
        action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" bulkmode="on"
               uid="rsyslog" pwd="{secret}" searchIndex="syslog")
        "#,
        folder = daemon.folder().display(),
        input = Relay::input(daemon.folder(), "rsyslog"),
        port = daemon.port("web"),
        secret = key.secret,
    );
    let mut command = unpacked("usr/sbin/rsyslogd");
    command.args(["-n", "-C", "-f", &daemon.file("rsyslog.conf")]);
    command.args(["-i", &daemon.file("rsyslog.pid")]);
    let multiarch = format!("usr/lib/{}-linux-gnu/rsyslog", std::env::consts::ARCH);
    command.arg("-M").arg(unpacked_folder(&multiarch));
    let rsyslog = Relay::start(daemon.folder(), "rsyslog", &config, command);
    rsyslog.log("to the index");
    let wanted = json!({"elasticsearch.index": "syslog", "key": key.id, "facility": "daemon"});
    daemon.find("to the index").is_whole_by("http").has(wanted);
}
