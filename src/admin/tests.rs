//! What is told on the admin port.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tower::ServiceExt;

use super::{Admin, Readiness, router};
use crate::batch::{self, Batcher, Room};
use crate::db::{self, Db};
use crate::gate::{self, Gate};
use crate::ingest::{Ingest, now};
use crate::metrics::{Ledger, Page};
use crate::store::{self, Store};

struct House {
    admin: Arc<Admin>,
    secret: String,
    readiness: Readiness,
    ledger: Arc<Ledger>,
    _folder: TempDir,
}

impl House {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Arc::new(Db::open(folder.path(), &db::Options::default()).unwrap());
        let store = Arc::new(Store::open(Arc::clone(&db), store::Config::default()).unwrap());
        let gate = Arc::new(Gate::open(&gate::Config::default(), db, now()).unwrap());
        let secret = gate.bootstrap(now()).unwrap().unwrap().reveal().to_owned();
        let ledger = Arc::new(Ledger::new(&["IP_BLOCKLISTED"], 100));
        let (page, gauges) = Page::new(Arc::clone(&ledger)).unwrap();
        let batcher = Arc::new(Batcher::new(&batch::Config::default()));
        let ingest =
            Arc::new(Ingest::new(gate, batcher, Arc::clone(&ledger), Arc::default(), gauges));
        let readiness = Readiness::default();
        let room = Arc::new(Room::new(folder.path(), &db::DiskConfig::default()));
        let admin = Admin::new(ingest, store, room, page, readiness.clone(), Instant::now());
        Self { admin: Arc::new(admin), secret, readiness, ledger, _folder: folder }
    }

    async fn call(&self, method: Method, path: &str) -> (StatusCode, String) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = router(Arc::clone(&self.admin)).oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.call(Method::GET, path).await
    }
}

#[tokio::test]
async fn readiness_is_told_with_its_reasons() {
    let house = House::open();
    assert_eq!(house.get("/livez").await, (StatusCode::OK, "alive\n".to_owned()));
    assert_eq!(house.get("/readyz").await, (StatusCode::OK, "ready\n".to_owned()));
    assert_eq!(house.get("/health").await.0, StatusCode::OK);
    let full = house.readiness.hold("the disk is full");
    let slow = house.readiness.hold("the store is behind");
    let reasons = "not ready: the disk is full; the store is behind\n".to_owned();
    assert_eq!(house.get("/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, reasons));
    assert_eq!(house.get("/livez").await.0, StatusCode::OK);
    let (status, health) = house.get("/health").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let health: serde_json::Value = serde_json::from_str(&health).unwrap();
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["problems"].as_array().unwrap().len(), 2);
    drop((full, slow));
    assert_eq!(house.get("/readyz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_those_of_this_moment() {
    let house = House::open();
    let (status, page) = house.get("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    let value = |name: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in\n{page}")).parse::<f64>().unwrap()
    };
    assert!(value("logtrace_resident_memory_bytes") > 1e6);
    assert!(value("logtrace_uptime_seconds") > 0.0);
    let build = concat!("logtrace_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1\n");
    assert!(page.contains(build), "{page}");
    assert!(value("logtrace_segments") == 0.0 && value("logtrace_staged_events") == 0.0);
}

#[tokio::test]
async fn cf_08_nothing_is_changed_here_and_nothing_is_secret() {
    let house = House::open();
    for path in ["/livez", "/readyz", "/health", "/metrics"] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            assert_eq!(house.call(method, path).await.0, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        }
        let (_, body) = house.get(path).await;
        assert!(!body.contains(&house.secret) && !body.contains("lt_live_"), "{path}: {body}");
    }
    for path in ["/", "/debug/pprof", "/metrics/", "/quitquitquit", "/v1/keys", "/config"] {
        assert_eq!(house.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn cf_09_a_hundred_thousand_keys_are_a_bounded_page() {
    let house = House::open();
    for n in 0..100_000 {
        house.ledger.key(&format!("key_{n}")).accept(1, 1);
    }
    let (_, page) = house.get("/metrics").await;
    let series =
        page.lines().filter(|line| line.starts_with("logtrace_key_received_total")).count();
    assert_eq!(series, 101);
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    assert!(!page.contains(&peer.to_string()));
    // And the same to many who ask at once.
    let pages = futures_util::future::join_all((0..50).map(|_| house.get("/metrics"))).await;
    let lines = |page: &str| page.lines().filter(|line| line.starts_with('#')).count();
    assert!(
        pages
            .iter()
            .all(|(status, other)| { *status == StatusCode::OK && lines(other) == lines(&page) })
    );
}
