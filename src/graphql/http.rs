//! POST and GET by the GraphQL-over-HTTP specification. Our own, because the library's handler runs
//! mutations on GET and passes 46 of the 61 public audits.

use std::sync::Arc;

use async_graphql::{Request, parser::types::OperationType};
use axum::{
    Router,
    body::Body,
    extract::{Request as HttpRequest, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::Response,
    routing::any,
};

use super::{
    errors,
    fanout::{Pace, Subscriber},
    gateway::{Arrival, Gateway},
    negotiate::{Accepted, Media, negotiate},
    operation,
    parameters::{self, Asked},
    refusal::Refusal,
    socket,
    standing::Standing,
    stream,
    transport::Transport,
};
use crate::{
    auth::Caller,
    base::{Error, Result},
    http::body::{STRANGERS_BYTES, read_whole},
};

/// The one path of the GraphQL API.
pub const PATH: &str = "/graphql";

/// Serves [`PATH`]: POST, GET, event streams and websockets.
pub fn router<G: Gateway>(transport: Transport<G>) -> Router {
    Router::new().route(PATH, any(serve::<G>)).with_state(transport)
}

async fn serve<G: Gateway>(State(transport): State<Transport<G>>, request: HttpRequest) -> Response {
    let (parts, body) = request.into_parts();
    if is_upgrade(&parts) {
        return socket::upgrade(transport, parts).await;
    }
    let arrival = Arrival::of(&parts);
    let Some(accepted) = negotiate(&parts.headers) else {
        return Refusal::not_acceptable().respond(Media::Json, arrival.request_id.as_deref());
    };
    let exchange = Exchange { transport, arrival, accepted };
    exchange.answer(parts, body).await.unwrap_or_else(|refusal| {
        let media = if accepted.single == Media::EventStream { Media::Json } else { accepted.single };
        refusal.respond(media, exchange.arrival.request_id.as_deref())
    })
}

/// One request over plain HTTP.
struct Exchange<G> {
    transport: Transport<G>,
    arrival: Arrival,
    accepted: Accepted,
}

/// Who asks, as of this epoch of rights.
struct Asking {
    caller: Option<Arc<Caller>>,
    epoch: u64,
}

impl<G: Gateway> Exchange<G> {
    async fn answer(&self, parts: Parts, body: Body) -> Result<Response, Refusal> {
        let limits = self.transport.gateway.limits();
        match parts.method {
            Method::POST => {
                // Also what keeps other sites' pages out: a form or a simple request cannot send
                // this type, and for any other the browser asks first.
                require_json(&parts.headers)?;
                // before the body: strangers could hold memory with theirs
                let asking = self.asking().await?;
                let most =
                    if asking.caller.is_some() { limits.body_bytes } else { limits.body_bytes.min(STRANGERS_BYTES) };
                let body = read_whole(body, most).await?;
                // a body may take its time, and rights be taken away meanwhile
                let is_current = self.transport.gateway.rights_epoch() == asking.epoch;
                let asking = if is_current { asking } else { self.asking().await? };
                match parameters::from_body(&body, limits)? {
                    Asked::One(request) => self.one(*request, asking).await,
                    Asked::Batch(requests) => self.batch(requests, asking).await,
                }
            }
            Method::GET => {
                let mut request = parameters::from_uri(&parts.uri, limits)?;
                if operation::kind(&mut request) == Some(OperationType::Mutation) {
                    return Err(Refusal::method("POST", "must be POST for a mutation"));
                }
                self.one(request, self.asking().await?).await
            }
            _ => Err(Refusal::method("GET, POST", "must be GET or POST")),
        }
    }

    async fn asking(&self) -> Result<Asking> {
        let epoch = self.transport.gateway.rights_epoch();
        Ok(Asking { caller: self.transport.gateway.resolve(&self.arrival).await?, epoch })
    }

    async fn one(&self, mut request: Request, asking: Asking) -> Result<Response, Refusal> {
        let is_subscription = operation::kind(&mut request) == Some(OperationType::Subscription);
        if is_subscription && !self.accepted.events {
            return Err(Refusal::needs_event_stream());
        }
        let Asking { caller, epoch } = asking;
        let mut answer = match self.transport.gateway.refuse_costly(std::slice::from_mut(&mut request)) {
            Err(error) => self.refused(&error),
            Ok(()) if is_subscription => return self.subscribe(request, caller, epoch),
            Ok(()) => self.execute(request, caller).await,
        };
        let headers = std::mem::take(&mut answer.http_headers);
        let payload = errors::render(&answer);
        let mut response = match self.accepted.single {
            Media::EventStream => stream::once(&payload),
            Media::GraphqlResponse if errors::is_request_error(&answer) => {
                Media::GraphqlResponse.respond(StatusCode::BAD_REQUEST, payload)
            }
            media => media.respond(StatusCode::OK, payload),
        };
        response.headers_mut().extend(headers);
        Ok(response)
    }

    /// One after the other, as they were written: a later one may rely on an earlier one.
    async fn batch(&self, mut requests: Vec<Request>, asking: Asking) -> Result<Response, Refusal> {
        if self.accepted.single == Media::EventStream {
            return Err(Refusal::not_acceptable());
        }
        let (gateway, caller) = (&self.transport.gateway, asking.caller);
        gateway.refuse_costly(&mut requests)?;
        let mut payloads = Vec::with_capacity(requests.len());
        let mut headers = HeaderMap::new();
        for (at, request) in requests.into_iter().enumerate() {
            // the first one is counted with the request
            let admitted = if at == 0 { Ok(()) } else { gateway.admit(caller.as_deref(), self.arrival.peer) };
            let mut answer = match admitted {
                Ok(()) => self.execute(request, caller.clone()).await,
                Err(error) => self.refused(&error),
            };
            // extending would replace the cookies of the one before
            for (name, value) in &std::mem::take(&mut answer.http_headers) {
                headers.append(name, value.clone());
            }
            payloads.push(errors::render(&answer));
        }
        let mut response = self.accepted.single.respond(StatusCode::OK, format!("[{}]", payloads.join(",")));
        response.headers_mut().extend(headers);
        Ok(response)
    }

    async fn execute(&self, request: Request, caller: Option<Arc<Caller>>) -> async_graphql::Response {
        let gateway = &self.transport.gateway;
        let mut answer = gateway.execute(caller, request.data(self.arrival.client.clone())).await;
        errors::dress(&mut answer, gateway.limits(), self.arrival.request_id.as_deref());
        answer
    }

    fn refused(&self, error: &Error) -> async_graphql::Response {
        let refusal = errors::refusal(error, self.arrival.request_id.as_deref());
        async_graphql::Response::from_errors(vec![refusal])
    }

    fn subscribe(&self, request: Request, caller: Option<Arc<Caller>>, epoch: u64) -> Result<Response, Refusal> {
        let Transport { gateway, fanout, seats, .. } = &self.transport;
        let most = gateway.limits().sockets_per_user;
        let seat = seats.take(caller.as_deref(), self.arrival.peer, most).ok_or_else(|| Refusal::no_seat(most))?;
        let pace = Arc::new(Pace::default());
        let subscription = fanout.subscribe(Subscriber {
            caller: caller.clone(),
            request,
            resume_after: self.arrival.headers.get("last-event-id").and_then(text),
            pace: Arc::clone(&pace),
            request_id: self.arrival.request_id.clone(),
        });
        let standing = Standing::new(gateway.clone(), caller, epoch);
        Ok(stream::live(&self.transport, subscription, standing, pace, seat))
    }
}

fn is_upgrade(parts: &Parts) -> bool {
    let upgrade = parts.headers.get(header::UPGRADE);
    // over HTTP/2 a websocket comes by CONNECT
    parts.method == Method::CONNECT || upgrade.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn require_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, parameters) = sent.split_once(';').unwrap_or((sent, ""));
    let charset =
        parameters.split(';').filter_map(|one| one.split_once('=')).find(|(name, _)| name.trim() == "charset");
    let is_utf8 = charset.is_none_or(|(_, charset)| charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"));
    if kind.trim().eq_ignore_ascii_case("application/json") && is_utf8 { Ok(()) } else { Err(Refusal::media_type()) }
}

fn text(value: &HeaderValue) -> Option<String> {
    value.to_str().ok().map(str::to_owned)
}
