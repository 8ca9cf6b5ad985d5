//! `/api/v1`: the compatibility routes, one file per noun.
//!
//! A handler parses, calls one operation and shapes the answer; `request` does the first,
//! `envelope` the last, and no rule stands here. Two families of answers exist by history, see
//! `envelope`. Every route is registered together with its description, so that the document of
//! `openapi` cannot lack one.

mod accounts;
mod auth;
mod contact_lists;
mod contacts;
mod deals;
mod describe;
mod envelope;
mod import;
mod leads;
mod openapi;
mod page;
mod products;
mod published;
mod records;
mod request;
mod tasks;
mod users;

use std::time::Duration;

use axum::{
    Router,
    extract::{FromRequestParts, Request, State},
    http::{Method, StatusCode, Uri},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower::ServiceExt;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use self::{
    envelope::{BareRefusal, Plain, Refusal},
    request::Signed,
};
use crate::{
    base::Error,
    ctx::Ctx,
    http::{guard::Asked, repeat, time_limit},
};

const ROOT: &str = "/api/v1";

/// The routes and the document that describes them.
pub fn routes(ctx: Ctx) -> (Router, OpenApi) {
    let limit = Duration::from_secs(ctx.limits.request_seconds);
    // Streams and uploads are merged after the time limit, which is for short requests.
    let (router, described) = OpenApiRouter::new()
        .merge(auth::routes())
        .merge(users::routes())
        .merge(leads::routes())
        .merge(contacts::routes())
        .merge(accounts::routes())
        .merge(deals::routes())
        .merge(products::routes())
        .merge(tasks::routes())
        .merge(contact_lists::routes())
        .merge(import::routes())
        .layer(middleware::from_fn_with_state(ctx.clone(), keep_key))
        .layer(middleware::from_fn_with_state(limit, end_in_time))
        .merge(import::upload_routes())
        .split_for_parts();
    let document = openapi::document(ROOT, described);
    let router = router
        .merge(openapi::routes(&document))
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown_path)
        .with_state(ctx);
    (Router::new().nest_service(ROOT, router.map_request(without_last_slash)), document)
}

/// The families without an envelope.
const BARE: [&str; 4] = ["contact-lists", "import", "export", "conversations"];

/// A refusal of the edge, in the envelope of the route's family.
pub fn refuse(asked: &Asked, error: Error) -> Response {
    enveloped(asked.uri.path().strip_prefix(ROOT).unwrap_or_default(), error)
}

/// A refusal in the envelope of the family that this path below the root is of.
fn enveloped(path: &str, error: Error) -> Response {
    match is_bare(path) {
        true => BareRefusal::from(error).into_response(),
        false => Refusal::<Plain>::from(error).into_response(),
    }
}

fn is_bare(path: &str) -> bool {
    BARE.contains(&path.split('/').nth(1).unwrap_or_default())
}

/// The earlier server took `/contacts/` for `/contacts`.
fn without_last_slash(mut request: Request) -> Request {
    let uri = request.uri();
    let path = uri.path().trim_end_matches('/');
    if path.is_empty() || path.len() == uri.path().len() {
        return request;
    }
    let shorter = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    if let Ok(shorter) = shorter.parse() {
        *request.uri_mut() = shorter;
    }
    request
}

/// What only reads repeats itself, and the body of a stranger is not read whole.
async fn keep_key(State(ctx): State<Ctx>, request: Request, next: Next) -> Response {
    let writes = matches!(*request.method(), Method::POST | Method::PUT | Method::DELETE);
    let (mut parts, body) = request.into_parts();
    let keeps = writes
        && repeat::has_key(&parts.headers)
        && Signed::<Refusal>::from_request_parts(&mut parts, &ctx).await.is_ok();
    let request = Request::from_parts(parts, body);
    if !keeps {
        return next.run(request).await;
    }
    let path = request.uri().path().to_owned();
    match repeat::take_down(request, ctx.limits.body_bytes).await {
        Ok(request) => next.run(request).await,
        Err(error) => enveloped(&path, error),
    }
}

async fn end_in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    time_limit::in_time(limit, next.run(request)).await.unwrap_or_else(|error| enveloped(&path, error))
}

async fn unknown_path(uri: Uri) -> Response {
    enveloped(uri.path(), Error::NotFound("Route"))
}

async fn wrong_method(uri: Uri) -> Response {
    let error = Error::invalid("method", "is not one that this route has; see the Allow header");
    let mut response = enveloped(uri.path(), error);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}
