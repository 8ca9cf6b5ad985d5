//! What stands before every route: allowances and time limit, the net under a handler that panics,
//! and the figures of what was asked and answered. A face gives the shape of its refusals, so that even
//! these look as its clients expect.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Uri},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt;

use super::{bounds::Rates, problem::Problem, time_limit};
use crate::base::{Error, panic_text};

/// The guard of one face.
#[derive(Clone)]
pub struct Guard {
    /// For the figures.
    pub face: &'static str,
    pub rates: Rates,
    /// How long an answer may take to begin; `None` where the face looks after that itself.
    pub within: Option<Duration>,
    pub refuse: Refuse,
}

/// What a refusal can depend on.
#[derive(Debug, Clone)]
pub struct Asked {
    pub uri: Uri,
    pub headers: HeaderMap,
}

/// Shapes a refusal as a face's clients know it.
pub type Refuse = fn(&Asked, Error) -> Response;

/// The shape of routes that have none of their own.
pub fn refuse(_: &Asked, error: Error) -> Response {
    axum::response::IntoResponse::into_response(Problem(error))
}

/// A middleware, with the guard as its state.
pub async fn layer(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let asked = Asked { uri: parts.uri.clone(), headers: parts.headers.clone() };
    let response = match guard.rates.admit(&parts) {
        Err(error) => (guard.refuse)(&asked, error),
        Ok(admitted) => {
            let answering = AssertUnwindSafe(next.run(Request::from_parts(parts, body))).catch_unwind();
            let answered = match guard.within {
                Some(limit) => time_limit::in_time(limit, answering).await,
                None => Ok(answering.await),
            };
            guard.rates.confirm(admitted);
            let answered = answered.and_then(|answered| answered.map_err(|panic| panicked(panic.as_ref())));
            answered.unwrap_or_else(|error| (guard.refuse)(&asked, error))
        }
    };
    let status = response.status().as_str().to_owned();
    metrics::counter!("kontor_http_requests_total", "face" => guard.face, "status" => status).increment(1);
    metrics::histogram!("kontor_http_request_seconds", "face" => guard.face).record(started.elapsed().as_secs_f64());
    response
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    Error::internal(format!("a handler panicked: {}", panic_text(panic)))
}

pub fn describe_metrics() {
    metrics::describe_counter!("kontor_http_requests_total", "Requests answered, by face and status.");
    metrics::describe_histogram!(
        "kontor_http_request_seconds",
        metrics::Unit::Seconds,
        "From a request to the head of its answer, by face."
    );
}
