//! The shapes around what a route answers. By history there are two families: records, users and
//! auth wrap everything in `success` and `data`; lists, imports, exports and conversations are
//! bare, and their refusals are little more than a `message` (see [`BareRefusal`]).

use std::marker::PhantomData;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    base::{Error, FieldErrors, error::Conflict},
    http::problem,
};

/// One thing.
#[derive(Debug, Serialize, ToSchema)]
pub struct One<T> {
    /// Always true.
    success: bool,
    data: T,
}

/// One thing, and what was done with it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Told<T> {
    /// Always true.
    success: bool,
    message: &'static str,
    data: T,
}

/// A page of things.
#[derive(Debug, Serialize, ToSchema)]
pub struct Many<T> {
    /// Always true.
    success: bool,
    data: Vec<T>,
    pagination: Pagination,
}

/// Where a page stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Pagination {
    /// How many things there are on all pages.
    pub total: i64,
    /// This page, counted from 1.
    pub page: i64,
    /// How many pages there are.
    pub pages: i64,
    /// The most things on a page.
    pub limit: i64,
}

/// Done, and nothing to show.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    /// Always true.
    success: bool,
    message: &'static str,
}

impl<T> One<T> {
    pub fn new(data: T) -> Self {
        Self { success: true, data }
    }

    /// As the answer to a creation.
    pub fn created(data: T) -> (StatusCode, Self) {
        (StatusCode::CREATED, Self::new(data))
    }
}

impl<T> Told<T> {
    pub fn new(message: &'static str, data: T) -> Self {
        Self { success: true, message, data }
    }
}

impl<T> Many<T> {
    pub fn new(data: Vec<T>, pagination: Pagination) -> Self {
        Self { success: true, data, pagination }
    }
}

impl Done {
    pub fn new(message: &'static str) -> Self {
        Self { success: true, message }
    }
}

impl<T: Serialize> IntoResponse for One<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl<T: Serialize> IntoResponse for Told<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl<T: Serialize> IntoResponse for Many<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// What a field of an operation is called on these routes.
pub trait Names {
    fn name(field: &str) -> String;
}

/// Names without a table of their own: in snake_case, but for the few that never were.
#[derive(Debug)]
pub struct Plain;

impl Names for Plain {
    fn name(field: &str) -> String {
        match field {
            "refreshToken" | "currentPassword" | "newPassword" => field.to_owned(),
            // what the person calls themself names their first workspace
            "workspaceName" => "full_name".to_owned(),
            // criteria are sent with names of their own, and the path to what is wrong in them is theirs
            _ if field.starts_with("criteria.") => field.to_owned(),
            _ => snake(field),
        }
    }
}

pub fn snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// A refusal as `{"success": false, "message", "code", "fields"?}`.
#[derive(Debug)]
pub struct Refusal<N = Plain>(Error, PhantomData<N>);

/// A refusal of the bare family: `{"message", "code", "fields"?}`; of a caller, with `success` too.
#[derive(Debug)]
pub struct BareRefusal(Error);

impl<N> From<Error> for Refusal<N> {
    fn from(error: Error) -> Self {
        Self(error, PhantomData)
    }
}

impl From<Error> for BareRefusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl<N: Names> IntoResponse for Refusal<N> {
    fn into_response(self) -> Response {
        let error = renamed(self.0, N::name);
        problem::respond(&error, Value::Object(refused(&error)))
    }
}

impl IntoResponse for BareRefusal {
    fn into_response(self) -> Response {
        let error = renamed(self.0, Plain::name);
        let body = match error {
            // every route refuses a caller in the same way
            Error::Unauthenticated(_) | Error::Forbidden(_) => refused(&error),
            _ => problem::problem_body(&error, ToOwned::to_owned),
        };
        problem::respond(&error, Value::Object(body))
    }
}

/// The body of a refusal in the wrapped family.
pub fn refused(error: &Error) -> Map<String, Value> {
    let mut body = problem::problem_body(error, ToOwned::to_owned);
    body.insert("success".to_owned(), json!(false));
    body
}

/// The same error with these routes' names of the fields, in its message too.
pub fn renamed(error: Error, name: impl Fn(&str) -> String) -> Error {
    let rename = |fields: &FieldErrors| {
        let mut renamed = FieldErrors::new();
        fields.iter().for_each(|(field, message)| renamed.add(name(field), message.to_owned()));
        renamed
    };
    match error {
        Error::Invalid(fields) => Error::Invalid(rename(&fields)),
        Error::Conflict(conflict) => {
            let fields = rename(&conflict.fields);
            // some messages are made of nothing but the fields
            let of_fields = conflict.message == conflict.fields.to_string();
            let message = if of_fields { fields.to_string().into() } else { conflict.message };
            Error::Conflict(Conflict { message, fields, details: conflict.details })
        }
        other => other,
    }
}

/// A refusal, for the document.
#[derive(ToSchema)]
#[schema(as = Refusal)]
#[expect(dead_code, reason = "read by the derive alone")]
pub struct RefusalReply {
    /// Always false. Not on the bare routes, but for 401 and 403.
    success: bool,
    /// What is wrong, in a plain sentence.
    message: String,
    /// For programs: `NOT_FOUND`, `FORBIDDEN`, `UNAUTHENTICATED`, `BAD_USER_INPUT`, `CONFLICT`,
    /// `RATE_LIMITED`, `CURSOR_EXPIRED`, `TIMED_OUT`, `TOO_LARGE`, `UNAVAILABLE` or `INTERNAL`.
    code: String,
    /// What is wrong with which field, where that is known.
    fields: Option<std::collections::BTreeMap<String, String>>,
    /// Names the request when you ask for help.
    #[schema(rename = "requestId")]
    request_id: Option<String>,
}

/// A time as these routes print it: RFC 3339 in UTC with milliseconds.
pub fn millis(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_turn_into_snake_case() {
        assert_eq!(Plain::name("fullName"), "full_name");
        assert_eq!(Plain::name("email"), "email");
        assert_eq!(Plain::name("newPassword"), "newPassword");
        assert_eq!(Plain::name("criteria.not.inList"), "criteria.not.inList");
    }

    #[test]
    fn a_renamed_error_says_the_new_name_in_its_message_too() {
        let name = |field: &str| field.to_uppercase();
        assert_eq!(renamed(Error::invalid("a", "is needed"), name).to_string(), "A is needed");
        assert_eq!(renamed(Error::taken("a", "is taken", None), name).to_string(), "A is taken");
        assert_eq!(renamed(Error::conflict("Too late"), name).to_string(), "Too late");
    }
}
