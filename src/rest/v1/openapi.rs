//! The document that describes the routes, in OpenAPI 3.1, and its page for people.

use axum::{
    Router,
    http::{HeaderName, header},
    response::IntoResponse,
    routing::get,
};
use bytes::Bytes;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, RefOr, Required,
        SecurityRequirement, Type,
        path::{Operation, ParameterBuilder, ParameterIn},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use super::{
    describe::refusal,
    envelope::{Done, Pagination, RefusalReply},
    page,
};
use crate::{ctx::Ctx, http::repeat};

const SCHEME: &str = "bearer";
const ABOUT: &str = "The compatibility API. Send `Authorization: Bearer <token>` with the token that signing in \
    answers. Ids are UUIDs; times are RFC 3339 in UTC with milliseconds; amounts are texts with two digits. `PUT` is \
    a partial update: what is absent stays as it is, null clears. Every refusal has a `message`.";

/// The finished document: the routes at their full paths, with what all of them have in common.
pub fn document(root: &str, described: OpenApi) -> OpenApi {
    let info = InfoBuilder::new().title("Kontor REST API").version("1").description(Some(ABOUT));
    let components = ComponentsBuilder::new()
        .schema(RefusalReply::name(), RefusalReply::schema())
        .schema(Done::name(), Done::schema())
        .schema(Pagination::name(), Pagination::schema())
        .security_scheme(SCHEME, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let head = OpenApiBuilder::new()
        .info(info.build())
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new::<_, _, String>(SCHEME, [])]))
        .build();
    let mut document = head.nest(root, described);
    for (path, item) in &mut document.paths.paths {
        let can_repeat = !path.contains("/auth/") || path.ends_with("/update-profile");
        [&mut item.post, &mut item.put, &mut item.delete]
            .into_iter()
            .flatten()
            .filter(|_| can_repeat)
            .for_each(add_repeat_key);
        operations(item).for_each(|operation| add_common_answers(path, operation));
    }
    document
}

/// The operations of a path.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten()
}

/// The routes that sign people in and out, and change their passwords, take none.
fn add_repeat_key(operation: &mut Operation) {
    let key = ParameterBuilder::new()
        .name(repeat::HEADER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A text of your making, at most 200 characters, new for each thing you want done. Sent again with the \
             same request within 24 hours, nothing is done, and the answer shows what the first one changed, as it is \
             now; with another request it is a 409.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(200))))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(key));
    let used = || RefOr::T(refusal("The Idempotency-Key was used before with another request"));
    operation.responses.responses.entry("409".to_owned()).or_insert_with(used);
}

fn add_common_answers(path: &str, operation: &mut Operation) {
    let has_body = operation.request_body.is_some();
    let mut parameters = operation.parameters.iter().flatten();
    let has_query = parameters.any(|one| matches!(one, RefOr::T(one) if one.parameter_in == ParameterIn::Query));
    let common = [
        (has_body || has_query, "400", "Something in the request is wrong; `fields` tells what"),
        (operation.security.is_none(), "401", "Nobody is signed in, or the session has ended"),
        (path.contains("{id}"), "404", "There is none with this id, or not for you"),
        (has_body, "413", "The body is too large"),
        (true, "429", "Too many requests; `Retry-After` tells when to try again"),
    ];
    for (_, status, description) in common.into_iter().filter(|(applies, ..)| *applies) {
        let answer = || RefOr::T(refusal(description));
        operation.responses.responses.entry(status.to_owned()).or_insert_with(answer);
    }
}

/// `/openapi.json`, `/docs`. Both are the same for everybody and hold no secret.
pub fn routes(document: &OpenApi) -> Router<Ctx> {
    let json = document.to_json().unwrap_or_default();
    let html = page::html(&serde_json::from_str(&json).unwrap_or_default());
    Router::new()
        .route("/openapi.json", get(fixed("application/json", json)))
        .route("/docs", get(fixed("text/html; charset=utf-8", html)))
        .route("/docs.css", get(fixed("text/css; charset=utf-8", page::STYLE.to_owned())))
}

/// A handler that always answers the same.
fn fixed(
    media: &'static str,
    content: String,
) -> impl FnOnce() -> std::future::Ready<axum::response::Response> + Clone + Send + Sync + 'static {
    const POLICY: &str =
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    const SNIFF: HeaderName = header::X_CONTENT_TYPE_OPTIONS;
    let content = Bytes::from(content);
    move || {
        let headers = [(header::CONTENT_TYPE, media), (header::CONTENT_SECURITY_POLICY, POLICY), (SNIFF, "nosniff")];
        std::future::ready((headers, content).into_response())
    }
}
