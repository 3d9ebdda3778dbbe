//! Changes of what may be another by now: `ETag` and `If-Match` (RFC 9110 §13).
//!
//! What is shown has a tag, which is another when it is. A change that says which one it is of, by
//! `If-Match`, is refused with `412` where that is not there any longer. Such changes are made one
//! at a time, so that of two which saw the same one wins.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::Api;
use super::body::whole;
use super::problem::Problem;

/// Adds the tag of what is shown to an answer.
pub(super) async fn tagged(response: Response) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // What is shown is in memory as a whole already.
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if let Some(tag) = tag(&body).and_then(|tag| HeaderValue::from_str(&tag).ok()) {
        head.headers.insert(header::ETAG, tag);
    }
    Response::from_parts(head, Body::from(body))
}

/// Lets a change pass that is of what `current` shows now.
pub(super) async fn change(
    api: &Arc<Api>,
    current: MethodRouter<Arc<Api>>,
    request: Request,
    next: Next,
) -> Response {
    let wanted = request.headers().get(header::IF_MATCH).cloned();
    // A sender that is slow must not hold up other changes.
    let request = match buffered(api, request).await {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let _one_at_a_time = api.changing.lock().await;
    if let Some(wanted) = wanted {
        let tag = match shows(&request) {
            Some(show) => tag_of(api, current, show).await,
            None => None,
        };
        if !matches(wanted.to_str().unwrap_or_default(), tag.as_deref()) {
            return Problem::changed_meanwhile().into_response();
        }
    }
    next.run(request).await
}

/// The call that shows what a change is of, by the same caller.
fn shows(change: &Request) -> Option<Request> {
    let mut show = Request::new(Body::empty());
    *show.method_mut() = Method::GET;
    *show.uri_mut() = change.uri().path().parse().ok()?;
    *show.extensions_mut() = change.extensions().clone();
    Some(show)
}

/// The tag of what is shown now, if it is there and the caller may see it.
async fn tag_of(api: &Arc<Api>, current: MethodRouter<Arc<Api>>, show: Request) -> Option<String> {
    let shown = current.with_state(Arc::clone(api)).oneshot(show).await;
    let shown = shown.unwrap_or_else(|never| match never {});
    let body = (shown.status() == StatusCode::OK).then_some(shown.into_body())?;
    tag(&body.collect().await.ok()?.to_bytes())
}

/// The request with its whole body.
async fn buffered(api: &Api, request: Request) -> Result<Request, Problem> {
    let (head, body) = request.into_parts();
    Ok(Request::from_parts(head, Body::from(whole(api, body).await?)))
}

/// The tag of something that is shown: of all but what changes without anybody's doing.
fn tag(body: &Bytes) -> Option<String> {
    let mut shown: Value = serde_json::from_slice(body).ok()?;
    let members = shown.as_object_mut()?;
    VOLATILE.iter().for_each(|name| drop(members.remove(*name)));
    let hash = blake3::hash(shown.to_string().as_bytes()).to_hex();
    Some(format!("\"{}\"", hash.get(..TAG)?))
}

/// Whether `If-Match` names the tag; weak ones match nothing there (RFC 9110 §13.1.1).
fn matches(wanted: &str, tag: Option<&str>) -> bool {
    let Some(tag) = tag else { return false };
    wanted.trim() == "*" || wanted.split(',').any(|one| one.trim() == tag)
}

/// Members that say how something is doing, and not what it is.
const VOLATILE: [&str; 5] = ["first_used", "last_used", "keys", "queued", "dead"];

/// Hex digits of a tag.
const TAG: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_of_what_somebody_made() {
        let of = |text: &'static str| tag(&Bytes::from_static(text.as_bytes()));
        assert_eq!(of(r#"{"a":1,"last_used":"x"}"#), of(r#"{"last_used":"y","a":1}"#));
        assert_ne!(of(r#"{"a":1}"#), of(r#"{"a":2}"#));
        assert_eq!((of("[]"), of("x")), (None, None));
        let table = [
            ("*", Some("\"a\""), true),
            ("*", None, false),
            ("\"a\"", Some("\"a\""), true),
            ("\"b\", \"a\"", Some("\"a\""), true),
            ("W/\"a\"", Some("\"a\""), false),
            ("a", Some("\"a\""), false),
            ("", Some("\"a\""), false),
        ];
        for (wanted, tag, want) in table {
            assert_eq!(matches(wanted, tag), want, "{wanted}");
        }
    }
}
