//! Elasticsearch, as far as what ships logs to it asks for: documents are taken, and the questions
//! that clients ask before are answered in a way that satisfies them.
//!
//! | who                 | asks first                                                     |
//! |---------------------|----------------------------------------------------------------|
//! | elasticsearch-py    | `GET /`: the product header                                    |
//! | Logstash            | `HEAD /`, `GET /`, `GET /_license`, templates, policies        |
//! | Filebeat            | `GET /`: the version; `GET /_license`, templates, policies, pipelines |
//! | Fluent Bit, rsyslog | nothing                                                        |
//!
//! All of it is below `/` and below `/elasticsearch`. There are no indices here, so every template,
//! policy, pipeline and alias is said to be there, and whoever wants to make one is told that it is
//! done; what events say of their index is kept with them.

mod answers;
mod bulk;
mod document;
mod error;
mod path;
mod question;

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any, get};

use self::answers::Answer;
use self::bulk::Bulk;
use self::document::Document;
use super::{Door, takes};

pub(super) use self::error::no_such_path;

/// All routes of Elasticsearch's, wherever they are looked for.
pub(super) fn routes() -> Router<Arc<Door>> {
    // Above it a path of one segment is for others.
    let below = all().route("/{index}", says(Answer::Named));
    let below = Router::new().nest("/elasticsearch", below).route("/elasticsearch/", root());
    all().merge(below).layer(from_fn(sign))
}

fn all() -> Router<Arc<Door>> {
    let bulk = || takes(MethodFilter::POST.or(MethodFilter::PUT), Bulk);
    let document = || takes(MethodFilter::POST.or(MethodFilter::PUT), Document);
    let router = Router::new()
        .route("/", root())
        .route("/_bulk", bulk())
        .route("/_bulk/", bulk())
        .route("/{index}/_bulk", bulk())
        .route("/{index}/_bulk/", bulk())
        .route("/{index}/_doc", document())
        .route("/{index}/_doc/", document())
        .route("/{index}/_doc/{id}", document())
        .route("/{index}/_create/{id}", document());
    ANSWERS.iter().fold(router, |router, (path, answer)| router.route(path, says(*answer)))
}

/// What says who this is.
fn root() -> MethodRouter<Arc<Door>> {
    let said = |State(door): State<Arc<Door>>, ConnectInfo(peer), request| async move {
        question::answer(&door, peer, Answer::Banner, request).await
    };
    get(said)
}

/// Answers a question, by whichever method it is asked.
fn says(answer: Answer) -> MethodRouter<Arc<Door>> {
    let said = move |State(door): State<Arc<Door>>, ConnectInfo(peer), request| async move {
        question::answer(&door, peer, answer, request).await
    };
    any(said)
}

/// Signs an answer as Elasticsearch does, without which its clients go no further, and calls its
/// JSON what the client calls it.
async fn sign(request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT).cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(PRODUCT, HeaderValue::from_static("Elasticsearch"));
    let is_json = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let wants = accepts.filter(|kind| kind.as_bytes().starts_with(VENDOR) && is_json);
    if let Some(kind) = wants.filter(|kind| !kind.as_bytes().contains(&b',')) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    response
}

/// Questions, by their path.
const ANSWERS: &[(&str, Answer)] = &[
    ("/_license", Answer::License),
    ("/_xpack", Answer::Features),
    ("/_cluster/health", Answer::Health),
    ("/_cluster/health/{index}", Answer::Health),
    ("/_nodes", Answer::Nodes),
    ("/_nodes/http", Answer::Nodes),
    ("/_nodes/{nodes}/http", Answer::Nodes),
    ("/_cat/{*what}", Answer::Table),
    ("/_index_template/{name}", Answer::IndexTemplate),
    ("/_template/{name}", Answer::Named),
    ("/_component_template/{name}", Answer::ComponentTemplate),
    ("/_ilm/policy/{name}", Answer::Policy),
    ("/_ingest/pipeline/{name}", Answer::Named),
    ("/_data_stream/{name}", Answer::DataStream),
    ("/_alias/{name}", Answer::Named),
    ("/{index}/_alias/{name}", Answer::Named),
    ("/_refresh", Answer::Shards),
    ("/{index}/_refresh", Answer::Shards),
    ("/_flush", Answer::Shards),
    ("/{index}/_flush", Answer::Shards),
];

const PRODUCT: HeaderName = HeaderName::from_static("x-elastic-product");

/// How the type begins that clients of version 8 and later ask for.
const VENDOR: &[u8] = b"application/vnd.elasticsearch+json";
