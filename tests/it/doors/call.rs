//! How a door is tried, and what comes back, in the envelope of its face.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    client::{Answer, Client},
    live::{Live, Told},
};

/// How a door is tried. The texts hold `$name` where something that [`super::world`] makes belongs.
#[derive(Debug, Clone)]
pub enum Call {
    /// The operation's keyword and its one root field.
    Graphql(&'static str, &'static str),
    Http(Method, String, Body),
    /// A part of something else, with nothing of its own to try.
    Nothing,
}

#[derive(Debug, Clone, Copy)]
pub enum Body {
    None,
    Json(&'static str),
    Bytes(&'static [u8]),
    /// A file of contacts to import.
    Form,
}

const FORM: &str = "--door\r\nContent-Disposition: form-data; name=\"entity_type\"\r\n\r\ncontacts\r\n\
    --door\r\nContent-Disposition: form-data; name=\"file\"; filename=\"people.csv\"\r\n\r\nlast_name\nHopper\n\r\n--door--\r\n";

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    Good(Value),
    Refused(String),
    /// Neither an answer nor a refusal as this face gives them.
    #[expect(dead_code, reason = "printed where it was not expected, which it never is")]
    Odd(String),
}

/// One root field of a GraphQL operation; of a subscription the first message.
pub async fn graphql(client: &Client, operation: &str, text: &str) -> Outcome {
    let query = format!("{operation} {{ {text} }}");
    if operation == "subscription" {
        return match Live::begin(client, &query, json!({})).await.hear().await {
            Told::Data(data) => Outcome::Good(data),
            Told::Refused(error) => refused(&error),
            other => Outcome::Odd(format!("{other:?}")),
        };
    }
    let answer = client.graphql_with(&query, json!({}), |request| request).await;
    match answer.body["errors"].get(0) {
        Some(error) => refused(error),
        None if answer.body["data"].is_object() => Outcome::Good(answer.body),
        None => Outcome::Odd(answer.body.to_string()),
    }
}

fn refused(error: &Value) -> Outcome {
    match (&error["extensions"]["code"], &error["message"]) {
        (Value::String(code), Value::String(_)) => Outcome::Refused(code.clone()),
        _ => Outcome::Odd(error.to_string()),
    }
}

pub async fn http(client: &Client, method: &Method, path: &str, body: Body, text: String) -> Outcome {
    let answer = client
        .at(method.clone(), path, |request| match body {
            Body::None => request,
            Body::Json(_) => request.header("content-type", "application/json").body(text),
            Body::Bytes(bytes) => request.body(bytes),
            Body::Form => request.header("content-type", "multipart/form-data; boundary=door").body(FORM),
        })
        .await;
    if answer.status.is_success() {
        return Outcome::Good(answer.body);
    }
    match told_as_it_should(method, path, &answer) {
        Some(code) => Outcome::Refused(code.to_owned()),
        None => Outcome::Odd(format!("{} {}", answer.status, answer.body)),
    }
}

/// The code of a refusal whose status and envelope are those of its face.
fn told_as_it_should<'a>(method: &Method, path: &str, answer: &'a Answer) -> Option<&'a str> {
    let code = match answer.status {
        StatusCode::BAD_REQUEST => "BAD_USER_INPUT",
        StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
        StatusCode::FORBIDDEN => "FORBIDDEN",
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::CONFLICT => "CONFLICT",
        _ => return None,
    };
    let body = &answer.body;
    let bare = ["/api/v1/import", "/api/v1/contact-lists"].iter().any(|root| path.starts_with(root));
    let wrapped = path.starts_with("/api/v1/") && !bare;
    let in_envelope = body["code"] == code && body["message"].is_string() && (!wrapped || body["success"] == false);
    // an answer to HEAD has no body
    (in_envelope || method == Method::HEAD).then_some(code)
}
