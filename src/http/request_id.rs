//! Every request has an id: in its log lines, in the `x-request-id` header of the answer, and in
//! error bodies, so that a person can name the request that failed.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use uuid::Uuid;

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request under way, as a request extension.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

tokio::task_local! {
    static CURRENT: Arc<str>;
}

/// The id of the request that this task serves, for error bodies made far from the request.
pub fn current() -> Option<Arc<str>> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Gives each request its id (its own if it brings a sensible one) and a span for the log.
pub async fn layer(mut request: Request, next: Next) -> Response {
    let brought = request.headers().get(&HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_sensible(id));
    let id: Arc<str> = brought.map_or_else(|| Uuid::now_v7().simple().to_string(), ToOwned::to_owned).into();
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::info_span!("request", id = %id, method = %request.method(), path = request.uri().path());
    let started = std::time::Instant::now();
    let mut response = CURRENT
        .scope(id.clone(), async {
            let response = next.run(request).await;
            let status = response.status().as_u16();
            tracing::debug!(status, millis = started.elapsed().as_millis(), "answered");
            response
        })
        .instrument(span)
        .await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

fn is_sensible(id: &str) -> bool {
    (8..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
