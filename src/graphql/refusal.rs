//! Requests that are answered without executing anything, with the status that tells why.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use super::{
    errors,
    negotiate::{Media, negotiate},
};
use crate::{
    base::Error,
    http::{guard::Asked, request_id},
};

/// Why a request is not executed.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: Error,
    /// For the header `Allow`.
    allow: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, error: Error) -> Self {
        Self { status, error, allow: None }
    }

    pub fn method(allow: &'static str, message: &'static str) -> Self {
        let error = Error::invalid("method", message);
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, error) }
    }

    pub fn media_type() -> Self {
        let error = Error::invalid("content-type", "must be application/json, in UTF-8");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error)
    }

    pub fn not_acceptable() -> Self {
        let offered = "must allow application/graphql-response+json or application/json";
        Self::new(StatusCode::NOT_ACCEPTABLE, Error::invalid("accept", offered))
    }

    pub fn needs_event_stream() -> Self {
        let way = "must allow text/event-stream for a subscription, unless it comes by websocket";
        Self::new(StatusCode::NOT_ACCEPTABLE, Error::invalid("accept", way))
    }

    /// All of the caller's sockets and event streams are taken.
    pub fn no_seat(most: usize) -> Self {
        let error =
            Error::TooLarge(format!("No more than {most} event streams and sockets at a time; close one").into());
        Self::new(StatusCode::TOO_MANY_REQUESTS, error)
    }

    pub fn respond(self, media: Media, request_id: Option<&str>) -> Response {
        let errors = errors::render_errors(&[errors::refusal(&self.error, request_id)]);
        let mut response = media.respond(self.status, format!("{{\"errors\":{errors}}}"));
        let headers = response.headers_mut();
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        match self.error {
            Error::Limited { retry_after } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
            }
            Error::Unauthenticated(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// A refusal of the edge, as an error of GraphQL.
pub fn refuse(asked: &Asked, error: Error) -> Response {
    let accepted = negotiate(&asked.headers).map(|accepted| accepted.single);
    let media = accepted.filter(|media| *media != Media::EventStream).unwrap_or(Media::Json);
    Refusal::from(error).respond(media, request_id::current().as_deref())
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Error::Forbidden(_) => StatusCode::FORBIDDEN,
            Error::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Error::TimedOut | Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Error::NotFound(_) | Error::Invalid(_) | Error::Conflict(_) | Error::Expired(_) => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error)
    }
}
