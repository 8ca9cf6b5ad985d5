//! What handlers take out of a request: the caller, the path's id, the query, the JSON body. Each
//! refuses in the envelope of the route's family, which is the type parameter `R`.

use std::{fmt, marker::PhantomData, str::FromStr};

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, header::CONTENT_TYPE, request::Parts},
    response::IntoResponse,
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use super::envelope::{Pagination, Refusal};
use crate::{
    auth::{Caller, RepeatKey},
    base::{Error, FieldErrors, Result},
    ctx::Ctx,
    http::{
        self,
        body::{STRANGERS_BYTES, read_whole},
        client::ClientInfo,
        request_id,
    },
    team::access,
};

/// `limit` above this is taken as this.
const MOST: i64 = 1000;

const TWICE: &str = "is given more than once";

/// Left in a request's extensions by [`Signed`] for [`Body`], which is always extracted last.
#[derive(Clone, Copy)]
struct SignedIn;

/// Extracts the caller; 401 where nobody is signed in.
pub struct Signed<R = Refusal> {
    pub caller: Caller,
    refusal: PhantomData<fn() -> R>,
}

impl<R: From<Error> + IntoResponse> FromRequestParts<Ctx> for Signed<R> {
    type Rejection = R;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, R> {
        let signed = http::Signed::from_request_parts(parts, ctx).await.map_err(|problem| problem.0)?;
        parts.extensions.insert(SignedIn);
        let caller = signed.0.repeating(parts.extensions.get::<RepeatKey>().cloned());
        Ok(Self { caller, refusal: PhantomData })
    }
}

/// The text in the path where an id belongs.
pub struct PathId(String);

impl PathId {
    /// The id; what is no UUID names nothing that exists.
    pub fn of<T: FromStr>(&self, noun: &'static str) -> Result<T> {
        self.0.parse().map_err(|_| Error::NotFound(noun))
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(path.map(|Path(text)| text).unwrap_or_default()))
    }
}

/// The parameters after the question mark, in order.
pub struct Parameters<R = Refusal> {
    pairs: Vec<(String, String)>,
    refusal: PhantomData<fn() -> R>,
}

impl<S: Send + Sync, R: From<Error> + IntoResponse> FromRequestParts<S> for Parameters<R> {
    type Rejection = R;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, R> {
        let Query(pairs) = Query::try_from_uri(&parts.uri)
            .map_err(|_| Error::invalid("query", "cannot be read; percent-encode what is special in it"))?;
        Ok(Self { pairs, refusal: PhantomData })
    }
}

impl<R> Parameters<R> {
    /// The one value of a parameter, `None` where it is absent.
    pub fn get(&self, name: &'static str) -> Result<Option<&str>> {
        let mut values = self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Error::invalid(name, TWICE)),
            (value, None) => Ok(value),
        }
    }

    /// `page` and `limit`, with this limit where none is given.
    pub fn numbers(&self, limit: i64) -> Result<Numbers> {
        let mut fields = FieldErrors::new();
        let mut number = |name, default| match self.get(name) {
            Ok(None) => default,
            Ok(Some(text)) => fields.take(name, positive(text)).unwrap_or(default),
            Err(_) => {
                fields.add(name, TWICE);
                default
            }
        };
        let numbers = Numbers { page: number("page", 1), limit: number("limit", limit).min(MOST) };
        fields.into_result()?;
        Ok(numbers)
    }
}

/// A number past what fits is as good as the largest: there is nothing on that page either.
fn positive(text: &str) -> Result<i64, &'static str> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(number) if digits && number > 0 => Ok(number),
        Err(_) if digits => Ok(i64::MAX),
        _ => Err("must be a whole number, at least 1"),
    }
}

/// A page by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    pub page: i64,
    pub limit: i64,
}

impl Numbers {
    /// How many things stand before the page.
    pub fn offset(self) -> i64 {
        self.page.saturating_sub(1).saturating_mul(self.limit)
    }

    pub fn of(self, total: i64) -> Pagination {
        let pages = total / self.limit + i64::from(total % self.limit != 0);
        Pagination { total, page: self.page, pages, limit: self.limit }
    }
}

/// Extracts a JSON object. No body at all is an empty one.
pub struct Body<T, R = Refusal> {
    pub content: T,
    refusal: PhantomData<fn() -> R>,
}

impl<T: DeserializeOwned, R: From<Error> + IntoResponse> FromRequest<Ctx> for Body<T, R> {
    type Rejection = R;

    async fn from_request(request: Request, ctx: &Ctx) -> Result<Self, R> {
        let (parts, body) = request.into_parts();
        let most = ctx.limits.body_bytes;
        let most = if parts.extensions.get::<SignedIn>().is_some() { most } else { most.min(STRANGERS_BYTES) };
        let bytes = read_whole(body, most).await?;
        let content = if bytes.is_empty() { parse(b"{}")? } else { require_json(&parts.headers, &bytes)? };
        Ok(Self { content, refusal: PhantomData })
    }
}

fn require_json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T> {
    let given = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let media = given.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    match media.as_deref() {
        None | Some("application/json") => parse(bytes),
        Some(media) if media.starts_with("application/") && media.ends_with("+json") => parse(bytes),
        Some(_) => Err(Error::invalid("body", "must be JSON, sent with Content-Type: application/json")),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let json: Value =
        serde_json::from_slice(bytes).map_err(|error| Error::invalid("body", format!("is not valid JSON: {error}")))?;
    if !json.is_object() {
        return Err(Error::invalid("body", format!("must be a JSON object, not {}", kind(&json))));
    }
    serde_path_to_error::deserialize(json)
        .map_err(|error| Error::invalid(error.path().to_string(), expectation(&error.inner().to_string())))
}

/// serde's "invalid type: integer `5`, expected a string" as the end of a sentence about a field.
fn expectation(text: &str) -> String {
    let parts = text.split_once(": ").and_then(|(_, rest)| rest.split_once(", expected "));
    parts
        .map_or_else(|| "is not as it should be".to_owned(), |(found, wanted)| format!("must be {wanted}, not {found}"))
}

fn kind(json: &Value) -> &'static str {
    match json {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// For fields where absent and `null` differ: absent is `None`, `null` is `Some(None)`.
pub fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

/// An object that null clears.
pub fn or_empty_object(given: Option<Value>) -> Value {
    given.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
}

/// What operations want to know of the client.
pub fn client(info: ClientInfo) -> access::Client {
    access::Client {
        address: info.address,
        user_agent: info.user_agent,
        local: info.local,
        request_id: request_id::current(),
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.pairs.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_up() {
        let pages = |total| Numbers { page: 1, limit: 10 }.of(total).pages;
        assert_eq!([pages(0), pages(1), pages(10), pages(11)], [0, 1, 1, 2]);
    }

    #[test]
    fn only_positive_whole_numbers_count() {
        assert_eq!(positive("7"), Ok(7));
        assert_eq!(positive("99999999999999999999"), Ok(i64::MAX));
        for wrong in ["", "0", "-1", "+1", "1.5", "1e3", "abc", "1;--"] {
            assert!(positive(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_type_is_told_by_the_field() {
        #[derive(Debug, serde::Deserialize)]
        struct Given {
            #[expect(dead_code, reason = "only its type matters")]
            name: String,
        }
        let error = parse::<Given>(br#"{"name": 5}"#).expect_err("refused");
        assert_eq!(error.to_string(), "name must be a string, not integer `5`");
    }
}
