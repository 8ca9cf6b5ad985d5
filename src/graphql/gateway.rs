//! What the transport asks of the application, so that it knows neither schema, sessions nor
//! database, and so that its tests can put a toy behind it.

use std::{net::IpAddr, sync::Arc};

use async_graphql::{Request, Response};
use axum::http::{HeaderMap, request::Parts};
use futures_util::stream::BoxStream;

use super::{cost::Costs, position::Position};
use crate::{
    auth::Caller,
    base::{Error, Limits, Result, page},
    http::{client::ClientInfo, request_id::RequestId},
};

/// The application behind the transport. Clones share everything.
pub trait Gateway: Clone + Send + Sync + 'static {
    /// Who is calling: by the `Authorization` header, else by the session cookie.
    ///
    /// `None` is nobody: no credentials, or a cookie that is spent (its holder must still be able
    /// to sign in). A wrong `Authorization` is an error.
    fn resolve(&self, arrival: &Arrival) -> impl Future<Output = Result<Option<Arc<Caller>>>> + Send;

    /// Moves whenever the rights of anybody may have changed: a role, a scope, a session's end.
    fn rights_epoch(&self) -> u64;

    /// Whether a caller who was looked up after the epoch was this must be looked up again: their
    /// rights may have changed since, or what proves them has run out. Asked at each delivery, so
    /// it costs an atomic load.
    fn is_stale(&self, caller: &Caller, epoch: u64) -> bool;

    /// The same caller as of now; `None` where the session ended, the token was withdrawn or the
    /// user was deactivated.
    fn refresh(&self, caller: &Caller) -> impl Future<Output = Result<Option<Arc<Caller>>>> + Send;

    /// Whether one more operation may begin on a socket or in a batch, where operations come without
    /// requests that a layer could count.
    fn admit(&self, _caller: Option<&Caller>, _from: Option<IpAddr>) -> Result<()> {
        Ok(())
    }

    /// Runs a query or mutation, with the caller and fresh loaders in the request's data.
    fn execute(&self, caller: Option<Arc<Caller>>, request: Request) -> impl Future<Output = Response> + Send;

    /// Runs a subscription, likewise.
    ///
    /// A shared one runs once for everybody with an equal fingerprint of rights, under the caller
    /// who came first, and may outlive that caller's session: its resolver judges by what the
    /// fingerprint covers. Sessions are the transport's to check, per socket and delivery.
    fn subscribe(&self, caller: Option<Arc<Caller>>, request: Request) -> BoxStream<'static, Response>;

    /// Whether subscribers of the subscription field of this name share an execution: every one of
    /// them gets each event once, in order, and may resume by cursor. The resolver keeps the
    /// contract of [`super::position::StreamPosition`].
    fn is_shared(&self, field: &str) -> bool;

    /// Names of fields, types and values whose answer depends on who asks beyond what their
    /// fingerprint of rights covers: a request that has one of these words, in its text or its
    /// variables, is executed for each subscriber alone.
    fn personal_words(&self) -> &'static [&'static str] {
        &[]
    }

    fn limits(&self) -> &Limits;

    /// What the schema's fields cost.
    fn costs(&self) -> &Costs;

    /// Refuses requests that cost more, all together, than one may.
    fn refuse_costly(&self, requests: &mut [Request]) -> Result<()> {
        let most = self.limits().graphql_cost;
        let mut total = 0_usize;
        for request in requests.iter_mut() {
            total = total.saturating_add(self.costs().of(request, most));
        }
        if total <= most {
            return Ok(());
        }
        let what = if requests.len() == 1 { "query" } else { "batch" };
        Err(Error::invalid(what, format!("costs more than {most}; ask for fewer fields or smaller pages")))
    }

    /// The opaque cursor of a position, as the schema's `cursor` fields print it.
    fn cursor(&self, position: Position) -> String {
        page::encode(&(position.event, position.index))
    }

    /// Reads a cursor back; `None` where it is none.
    fn position(&self, cursor: &str) -> Option<Position> {
        let (event, index) = page::decode("after", cursor).ok()?;
        Some(Position { event, index })
    }
}

/// What a request or a socket's upgrade brought along that tells who is there.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    pub headers: HeaderMap,
    /// The other end's address, where the server provides it.
    pub peer: Option<IpAddr>,
    /// Address and program, as operations want them.
    pub client: ClientInfo,
    /// Appears in errors as `extensions.requestId`.
    pub request_id: Option<Arc<str>>,
}

impl Arrival {
    pub fn of(parts: &Parts) -> Self {
        let client = ClientInfo::of(parts);
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
        Self { headers: parts.headers.clone(), peer: client.address, client, request_id }
    }
}
