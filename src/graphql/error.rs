//! Refusals as GraphQL errors: `extensions.code`, and for input `extensions.fields`.

use async_graphql::{ErrorExtensionValues, Value as GqlValue};
use serde_json::Value;

use crate::{base::Error, http::problem_body};

/// The error that a resolver answers with.
pub fn refusal(error: Error) -> async_graphql::Error {
    let retry_after = match &error {
        Error::Limited { retry_after } => Some(retry_after.as_secs().max(1)),
        _ => None,
    };
    let mut body = problem_body(&error, ToOwned::to_owned);
    let message = body.remove("message").and_then(|text| text.as_str().map(ToOwned::to_owned)).unwrap_or_default();
    let mut extensions = ErrorExtensionValues::default();
    for (name, value) in body {
        if let Ok(value) = GqlValue::from_json(value) {
            extensions.set(name, value);
        }
    }
    if let Some(seconds) = retry_after {
        extensions.set("retryAfter", seconds);
    }
    async_graphql::Error { message, source: None, extensions: Some(extensions) }
}

/// Lets resolvers write `.or_refuse()?` after an operation.
pub trait OrRefuse<T> {
    fn or_refuse(self) -> async_graphql::Result<T>;
}

impl<T> OrRefuse<T> for crate::base::Result<T> {
    fn or_refuse(self) -> async_graphql::Result<T> {
        self.map_err(refusal)
    }
}

/// An id from input. What is no UUID names nothing that exists.
pub fn parse_id<T: std::str::FromStr>(field: &'static str, id: &async_graphql::ID) -> async_graphql::Result<T> {
    id.parse().map_err(|_| refusal(Error::invalid(field, "is not an id")))
}

/// JSON for a `JSON` scalar.
pub fn json(value: &Value) -> async_graphql::Json<Value> {
    async_graphql::Json(value.clone())
}
