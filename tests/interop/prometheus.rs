//! Prometheus, of Debian, scraping the daemon; and what `promtool` thinks of the page.

use std::fs;

use serde_json::Value;

use crate::daemon::Daemon;
use crate::program::{installed, run, run_with, start, unpacked};
use crate::support::wait_for;

#[test]
fn scrapes_the_ledger() {
    let daemon = Daemon::start();
    for line in ["one", "two", "three"] {
        let mut logger = installed("logger");
        logger.args(["--server", "127.0.0.1", "--port", daemon.port("tcp"), "--tcp", line]);
        run(logger);
        daemon.find(line);
    }
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs: [{{job_name: logtrace, static_configs: [{{targets: ['{}']}}]}}]\n",
        daemon.address("admin")
    );
    fs::write(daemon.folder().join("prometheus.yml"), config).unwrap();
    let mut command = unpacked("usr/bin/prometheus");
    command.arg(format!("--config.file={}", daemon.file("prometheus.yml")));
    command.arg(format!("--storage.tsdb.path={}", daemon.file("prometheus")));
    command.arg("--web.listen-address=127.0.0.1:0");
    let prometheus = start(command, daemon.folder(), "prometheus");
    let address = wait_for("the port of Prometheus", || {
        let said = prometheus.said();
        let line = said.lines().find(|line| line.contains("msg=\"Listening on\""))?;
        Some(line.split_once("address=")?.1.trim().to_owned())
    });
    let ask = |query: &str| -> Option<f64> {
        let url = format!("http://{address}/api/v1/query");
        let mut answer = ureq::get(url).query("query", query).call().ok()?;
        let answer: Value = answer.body_mut().read_json().unwrap();
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    };
    let expect = |query: &str, wanted: f64| {
        let is = |found: &f64| (found - wanted).abs() < f64::EPSILON;
        wait_for(&format!("{query} = {wanted}"), || ask(query).filter(is));
    };
    expect("up{job=\"logtrace\"}", 1.0);
    for series in ["received", "stored"] {
        expect(&format!("logtrace_{series}_total{{listener=\"tcp\"}}"), 3.0);
        expect(&format!("logtrace_{series}_total{{listener=\"tls\"}}"), 0.0);
    }
    expect("logtrace_in_flight{listener=\"tcp\"}", 0.0);
    // Series that have nothing to say are there all the same, from the start.
    expect("sum(logtrace_blocked_total{listener=\"tcp\"})", 0.0);
    expect("sum(logtrace_failed_total{listener=\"tcp\"})", 0.0);
    expect("logtrace_kernel_dropped_total{listener=\"udp\"}", 0.0);
}

#[test]
fn promtool_has_nothing_to_complain_of() {
    let daemon = Daemon::start();
    let url = format!("http://{}/metrics", daemon.address("admin"));
    let page = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(page.contains("logtrace_received_total"), "{page}");
    let mut command = unpacked("usr/bin/promtool");
    command.args(["check", "metrics"]);
    let complaints = run_with(command, page.as_bytes());
    assert_eq!(complaints, "");
}
