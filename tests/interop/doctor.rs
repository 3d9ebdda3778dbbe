//! Relays that leave out what they should not, and the configuration that `logtrace doctor` prints
//! for them, as it is printed.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::relay::{Relay, full};
use crate::rsyslog::{rsyslog, rsyslog_alone};
use crate::syslog_ng::syslog_ng_as;

/// The last few looks decide what is odd; each message here is seen by itself.
const LOOKS: usize = 17;

/// What the doctor says of a host's senders, or of those of a key.
fn doctor(daemon: &Daemon, of: &str, shipper: &str) -> Value {
    doctor_at(daemon, "tcp", of, shipper)
}

/// The same, to send to another listener.
fn doctor_at(daemon: &Daemon, listener: &str, of: &str, shipper: &str) -> Value {
    let port = daemon.port(listener);
    daemon.ask(&format!("/v1/doctor?{of}&shipper={shipper}&target=localhost:{port}"))
}

/// The kinds of what is odd, and what the host is called.
fn odd(said: &Value) -> (Vec<&str>, String) {
    let [sender] = &said["senders"].as_array().unwrap()[..] else { panic!("one sender in {said}") };
    let odd = sender["odd"].as_array().unwrap();
    let kinds = odd.iter().map(|odd| odd["kind"].as_str().unwrap()).collect();
    (kinds, sender["host"].as_str().unwrap().to_owned())
}

/// A configuration as it is printed.
fn printed(said: &Value, shipper: &str) -> String {
    let text = said["configuration"][shipper].as_str().unwrap();
    println!("{text}"); // shown when the test fails
    text.to_owned()
}

/// Passes messages on, each of which arrives whole.
fn pass_whole(daemon: &Daemon, relay: &Relay, method: &str) {
    for n in 0..LOOKS {
        let message = format!("number {n} by {method}");
        relay.log(&message);
        let event = daemon.find(&message);
        event.is_whole_by(method).has(full(&message));
        event.has(json!({"log.syslog.structured_data": {"logtrace@32473": null}}));
    }
}

/// A relay leaves structured data out; as the doctor has it, it does not, with a key and without.
fn is_mended(daemon: &Daemon, shipper: &str, default: &str, start: impl Fn(&str) -> Relay) {
    {
        let relay = start(default);
        relay.log("left out");
        daemon.find("left out").has(json!({"log.syslog.structured_data": null}));
    }
    let said = doctor(daemon, "address=127.0.0.1", shipper);
    let (kinds, host) = odd(&said);
    assert_eq!(kinds, ["old_time", "structured_data_lost"], "{said}");
    {
        let relay = start(&printed(&said, shipper));
        pass_whole(daemon, &relay, "anonymous");
    }
    let said = doctor(daemon, &format!("host={host}"), shipper);
    assert_eq!(odd(&said).0, [] as [&str; 0], "{said}");
    assert_eq!(said["senders"][0]["framing"], "counted");
    // Who sends with a key is told how to.
    let key = daemon.key();
    let line = format!("<13>1 - {host} a - - [lt@32473 key=\"{}\"] with a key", key.secret);
    daemon.send("tcp", &line);
    let _found = daemon.find("with a key");
    let said = doctor(daemon, &format!("key={}", key.id), shipper);
    let relay = start(&printed(&said, shipper).replace("KEY", &key.secret));
    pass_whole(daemon, &relay, "structured_data");
}

#[test]
fn rsyslog_with_its_default_template() {
    let daemon = Daemon::start();
    let port = daemon.port("tcp");
    let action = format!(r#"action(type="omfwd" target="localhost" port="{port}" protocol="tcp")"#);
    is_mended(&daemon, "rsyslog", &action, |actions| rsyslog(&daemon, actions));
}

#[test]
fn syslog_ng_with_its_driver_for_the_network() {
    let daemon = Daemon::start();
    let port = daemon.port("tcp");
    let network = format!(
        "destination d {{ network(\"localhost\" port({port}) transport(\"tcp\") \
         template(\"<$PRI>$DATE $HOST $PROGRAM $MSG\\n\")); }};\n\
         log {{ source(s_src); destination(d); }};\n"
    );
    is_mended(&daemon, "syslog-ng", &network, |text| syslog_ng_as(&daemon, text));
}

/// What is printed for rsyslog where it sends another way: it is used as it is printed, but for where
/// certificates are.
fn is_mended_at(listener: &str, default: impl Fn(&Daemon) -> String) {
    let daemon = Daemon::start();
    {
        let relay = rsyslog_alone(&daemon, &default(&daemon));
        relay.log("left out");
        daemon.find_at(listener, "left out").has(json!({"log.syslog.structured_data": null}));
    }
    let said = doctor_at(&daemon, listener, "address=127.0.0.1", "rsyslog");
    assert_eq!(odd(&said).0, ["old_time", "structured_data_lost"], "{said}");
    let text = printed(&said, "rsyslog");
    let own = text
        .replace("/etc/ssl/certs/ca-certificates.crt", &daemon.file("ca.pem"))
        .replace("/etc/ssl/certs/rsyslog.pem", &daemon.file("client.pem"))
        .replace("/etc/ssl/private/rsyslog.key", &daemon.file("client.key"));
    let is_tls = listener.contains("tls");
    assert_eq!(own != text, is_tls, "{text}");
    let relay = rsyslog_alone(&daemon, &own);
    for n in 0..LOOKS {
        let message = format!("number {n} at {listener}");
        relay.log(&message);
        daemon.find_at(listener, &message).is_whole().has(full(&message));
    }
}

#[test]
fn rsyslog_over_relp() {
    is_mended_at("relp", |daemon| {
        let port = daemon.port("relp");
        format!(
            "module(load=\"omrelp\")\naction(type=\"omrelp\" target=\"localhost\" port=\"{port}\" \
             template=\"RSYSLOG_TraditionalForwardFormat\")"
        )
    });
}

#[test]
fn rsyslog_over_relp_and_tls() {
    is_mended_at("relp-tls", |daemon| {
        let (port, folder) = (daemon.port("relp-tls"), daemon.folder().display());
        format!(
            "module(load=\"omrelp\")\naction(type=\"omrelp\" target=\"localhost\" port=\"{port}\" \
             template=\"RSYSLOG_TraditionalForwardFormat\" tls=\"on\" tls.caCert=\"{folder}/ca.pem\" \
             tls.myCert=\"{folder}/client.pem\" tls.myPrivKey=\"{folder}/client.key\" \
             tls.authMode=\"name\" tls.permittedPeer=[\"localhost\"])"
        )
    });
}

#[test]
fn rsyslog_over_tls() {
    is_mended_at("tls", |daemon| {
        let port = daemon.port("tls");
        format!(
            "global(defaultNetstreamDriverCAFile=\"{}\")\naction(type=\"omfwd\" target=\"localhost\" \
             port=\"{port}\" protocol=\"tcp\" StreamDriver=\"gtls\" StreamDriverMode=\"1\" \
             StreamDriverAuthMode=\"x509/name\" StreamDriverPermittedPeers=\"localhost\")",
            daemon.file("ca.pem")
        )
    });
}
