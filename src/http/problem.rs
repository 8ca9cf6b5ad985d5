//! Refusals over HTTP: the status of each error, and the JSON that the faces build theirs from.

use axum::{
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::request_id;
use crate::base::Error;

pub fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        Error::Invalid(_) => StatusCode::BAD_REQUEST,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Expired(_) => StatusCode::GONE,
        Error::TimedOut | Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// `message`, `code`, `requestId`, and `fields` and `details` where known. Field names go through
/// `rename`. Logs what was our own fault.
pub fn problem_body(error: &Error, rename: impl Fn(&str) -> String) -> Map<String, Value> {
    log(error);
    let mut body = Map::new();
    body.insert("message".to_owned(), json!(error.to_string()));
    body.insert("code".to_owned(), json!(error.code()));
    if let Some(fields) = error.fields() {
        let fields: Map<_, _> = fields.iter().map(|(field, message)| (rename(field), json!(message))).collect();
        body.insert("fields".to_owned(), Value::Object(fields));
    }
    if let Error::Conflict(conflict) = error
        && let Some(details) = &conflict.details
    {
        body.insert("details".to_owned(), details.clone());
    }
    if let Some(id) = request_id::current() {
        body.insert("requestId".to_owned(), json!(&*id));
    }
    body
}

/// Writes down what is our fault, with its cause, which the client never sees.
pub fn log(error: &Error) {
    match error {
        Error::Internal(source) => tracing::error!(cause = ?source, "a request failed by a fault of ours"),
        Error::Unavailable(message) => tracing::warn!(%message, "a request found something unavailable"),
        _ => {}
    }
}

/// Status, body and `Retry-After`, for routes without an envelope of their own.
pub fn respond(error: &Error, body: Value) -> Response {
    let mut response = (status_of(error), axum::Json(body)).into_response();
    if let Error::Limited { retry_after } = error {
        let seconds = HeaderValue::from(retry_after.as_secs().max(1));
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}

/// An error of the edge itself, answered as `{"message", "code", ...}`.
#[derive(Debug)]
pub struct Problem(pub Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        respond(&self.0, Value::Object(problem_body(&self.0, ToOwned::to_owned)))
    }
}
