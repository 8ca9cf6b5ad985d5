//! Errors as clients of GraphQL see them: every one with `extensions.code`, input errors with
//! `extensions.fields`, and the request's id. Resolvers return [`Error`] with `?`, loaders an
//! `Arc` of it, and it is turned here, once.

use std::{str::FromStr, sync::Arc};

use async_graphql::{ErrorExtensionValues, ID, Response, ServerError, Value};
use serde::Serialize;

use crate::base::{Error, Limits, Result};

/// Of a document that is wrong all over, so many errors are told.
const MOST_ERRORS: usize = 50;
/// The library repeats what a client wrote; so many bytes of it will do.
const LONGEST_MESSAGE: usize = 1_000;

/// Completes the errors of a response: code, fields and the like of our own errors, a code and a
/// clear text for those of the GraphQL library, which are all about the client's document.
/// What is internal is logged, and only here.
pub fn dress(response: &mut Response, limits: &Limits, request_id: Option<&str>) {
    if is_request_error(response) {
        response.errors.truncate(MOST_ERRORS);
    }
    for error in &mut response.errors {
        let mut extensions = error.extensions.take().unwrap_or_default();
        if let Some(own) = own_error(error) {
            log_internal(own, request_id);
            describe(own, &mut extensions);
        } else if extensions.get("code").is_none() {
            extensions.set("code", "BAD_USER_INPUT");
            clarify(&mut error.message, limits);
        }
        if let Some(id) = request_id {
            extensions.set("requestId", id);
        }
        error.extensions = Some(extensions);
    }
}

/// A refusal by the transport itself, in the same dress.
pub fn refusal(error: &Error, request_id: Option<&str>) -> ServerError {
    log_internal(error, request_id);
    let mut extensions = ErrorExtensionValues::default();
    describe(error, &mut extensions);
    if let Some(id) = request_id {
        extensions.set("requestId", id);
    }
    let mut refusal = ServerError::new(error.to_string(), None);
    refusal.extensions = Some(extensions);
    refusal
}

/// An id from input. What is no UUID names nothing that exists.
pub fn parse_id<T: FromStr>(field: &'static str, id: &ID) -> Result<T> {
    id.parse().map_err(|_| Error::invalid(field, "is not an id"))
}

/// What a nullable field answers with. The library would let a `Result` around the `Option` take the
/// whole object with it; the other way round the error is told and the field alone is null.
pub type Nullable<T> = Option<async_graphql::Result<T>>;

/// From what a resolver found.
pub async fn nullable<T>(found: impl Future<Output = async_graphql::Result<Option<T>>>) -> Nullable<T> {
    found.await.transpose()
}

/// `None` instead of the refusal where nothing is there.
pub fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether nothing was executed: no data, and no error is about a field of the answer.
pub fn is_request_error(response: &Response) -> bool {
    is_without_data(response) && response.errors.iter().all(|error| error.path.is_empty())
}

/// Whether there are errors only.
pub fn is_without_data(response: &Response) -> bool {
    response.data == Value::Null && !response.errors.is_empty()
}

/// The response as JSON. A request error has no `data` entry, as the specification demands.
pub fn render(response: &Response) -> String {
    #[derive(Serialize)]
    struct RequestError<'a> {
        errors: &'a [ServerError],
    }
    let text = if is_request_error(response) {
        serde_json::to_string(&RequestError { errors: &response.errors })
    } else {
        serde_json::to_string(response)
    };
    text.unwrap_or_else(|error| unserialisable(&error))
}

/// The errors alone, as a JSON array.
pub fn render_errors(errors: &[ServerError]) -> String {
    serde_json::to_string(errors).unwrap_or_else(|_| "[]".to_owned())
}

/// A map key that is no text is the only way to get here, and the schema has none.
fn unserialisable(error: &serde_json::Error) -> String {
    tracing::error!(%error, "a GraphQL response cannot be written as JSON");
    r#"{"errors":[{"message":"Something went wrong on our side","extensions":{"code":"INTERNAL"}}]}"#.to_owned()
}

/// Loaders hand their error to several fields, hence the second form.
fn own_error(error: &ServerError) -> Option<&Error> {
    error.source::<Error>().or_else(|| error.source::<Arc<Error>>().map(AsRef::as_ref))
}

fn log_internal(error: &Error, request_id: Option<&str>) {
    if let Error::Internal(source) = error {
        tracing::error!(error = ?source, request_id, "a GraphQL request failed");
    }
}

fn describe(error: &Error, extensions: &mut ErrorExtensionValues) {
    extensions.set("code", error.code());
    if let Some(fields) = error.fields() {
        let fields = fields.iter().map(|(field, message)| (async_graphql::Name::new(field), Value::from(message)));
        extensions.set("fields", Value::Object(fields.collect()));
    }
    match error {
        Error::Limited { retry_after } => extensions.set("retryAfter", retry_after.as_secs().max(1)),
        Error::Conflict(conflict) => {
            if let Some(details) = conflict.details.clone().and_then(|details| Value::from_json(details).ok()) {
                extensions.set("details", details);
            }
        }
        _ => {}
    }
}

/// The library's refusals that leave one guessing. Its parser ends at 64 levels, before the schema counts them.
fn clarify(message: &mut String, limits: &Limits) {
    if matches!(message.as_str(), "Query is nested too deep." | "recursion limit exceeded.") {
        let deepest = limits.graphql_depth.min(64);
        *message = format!("The document is nested deeper than {deepest} levels; ask for less at once");
    } else if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        message.push('\u{2026}');
    }
}
