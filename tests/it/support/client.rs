//! Somebody who speaks to the server: by GraphQL, by REST, over a websocket.

use kontor::{
    auth::{Caller, Origin, Role, Via, session::SessionKind},
    base::ids::{UserId, WorkspaceId},
    ctx::Ctx,
};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use super::{
    live::Live,
    server::{make_user, start_session},
};

/// Speaks to one server as one person. REST's paths are below `/api/v1`.
#[derive(Clone)]
pub struct Client {
    pub http: reqwest::Client,
    /// The server's address.
    pub url: String,
    /// Where the REST face begins.
    pub root: String,
    pub token: Option<String>,
    /// A browser's session, sent as its cookie.
    pub cookie: Option<String>,
    /// Who it is, where that is known.
    me: Option<Me>,
    ctx: Ctx,
}

#[derive(Debug, Clone, Copy)]
pub struct Me {
    pub user: UserId,
    pub workspace: WorkspaceId,
    pub role: Role,
}

impl Client {
    pub fn new(url: &str, ctx: &Ctx) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let (url, root) = (url.to_owned(), format!("{url}/api/v1"));
        Self { http, url, root, token: None, cookie: None, me: None, ctx: ctx.clone() }
    }

    pub fn signed_in(self, me: Me, token: String) -> Self {
        Self { token: Some(token), me: Some(me), ..self }
    }

    /// A browser with this cookie and nothing else.
    pub fn with_cookie(self, cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()), ..self }
    }

    pub fn me(&self) -> Me {
        self.me.expect("a client that was made by an operation")
    }

    pub fn user(&self) -> UserId {
        self.me().user
    }

    pub fn workspace(&self) -> WorkspaceId {
        self.me().workspace
    }

    /// As operations know this client.
    pub fn caller(&self) -> Caller {
        let me = self.me();
        Caller::new(me.workspace, me.user, me.role, Origin::System, Via::System)
    }

    /// A new user of the same workspace, signed in.
    pub async fn invite_role(&self, role: Role) -> Self {
        let user = make_user(&self.ctx, &self.caller(), role).await;
        self.session_of(Me { user, workspace: self.workspace(), role }, SessionKind::Tokens).await
    }

    /// The same person with another session.
    pub async fn again(&self) -> Self {
        self.session_of(self.me(), SessionKind::Tokens).await
    }

    /// The same person in a browser.
    pub async fn in_browser(&self) -> Self {
        self.session_of(self.me(), SessionKind::Cookie).await
    }

    async fn session_of(&self, me: Me, kind: SessionKind) -> Self {
        let started = start_session(&self.ctx, me.workspace, me.user, kind).await;
        let text = started.access.text;
        let (token, cookie) = match kind {
            SessionKind::Tokens => (Some(text), None),
            SessionKind::Cookie => (None, Some(format!("kontor_session={text}"))),
        };
        Self { token, cookie, me: Some(me), ..self.clone() }
    }

    /// The answer to a GraphQL request: `data` and `errors`.
    pub async fn graphql(&self, query: &str, variables: Value) -> Value {
        self.graphql_with(query, variables, |request| request).await.body
    }

    /// The same; `with` adds what is special about the request.
    pub async fn graphql_with(
        &self,
        query: &str,
        variables: Value,
        with: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Answer {
        let request = self.http.post(format!("{}/graphql", self.url));
        let request = self.dressed(request).json(&json!({ "query": query, "variables": variables }));
        answer(query.to_owned(), with(request)).await
    }

    /// The data of a request that succeeds.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.graphql(query, variables.clone()).await;
        assert!(answer.get("errors").is_none(), "{query} with {variables}: {answer}");
        answer["data"].take()
    }

    /// The first error of a request that is refused with this code.
    pub async fn refused(&self, query: &str, variables: Value, code: &str) -> Value {
        let mut answer = self.graphql(query, variables.clone()).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{query} with {variables}: {answer}");
        answer["errors"][0].take()
    }

    /// Follows a subscription on a websocket of its own.
    pub async fn subscribe(&self, query: &str, variables: Value) -> Live {
        Live::begin(self, query, variables).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, |request| request).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, |request| request.json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, |request| request.json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, |request| request).await
    }

    /// Any REST request; `with` adds what is special about it.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        with: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Answer {
        self.request(method, format!("{}{path}", self.root), with).await
    }

    /// Any request; the path is the whole one.
    pub async fn at(
        &self,
        method: Method,
        path: &str,
        with: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Answer {
        self.request(method, format!("{}{path}", self.url), with).await
    }

    async fn request(
        &self,
        method: Method,
        url: String,
        with: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Answer {
        let name = format!("{method} {url}");
        answer(name, with(self.dressed(self.http.request(method, url)))).await
    }

    fn dressed(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }
}

async fn answer(name: String, request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    Answer { name, status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}

/// The path with these parameters, percent-encoded.
pub fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params("http://kontor.test", parameters).expect("a URL");
    format!("{path}?{}", url.query().unwrap_or_default())
}

/// What came back.
pub struct Answer {
    name: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// A JSON string where it was no JSON.
    pub body: Value,
}

impl Answer {
    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.name, self.body);
        self.body
    }

    /// The body's `data` of a good answer.
    #[track_caller]
    pub fn data(self) -> Value {
        assert!(self.status.is_success(), "{}: {} {}", self.name, self.status, self.body);
        assert_eq!(self.body["success"], true, "{}: {}", self.name, self.body);
        self.body["data"].clone()
    }

    /// The message of a refusal with this status, in the wrapped family's envelope.
    #[track_caller]
    pub fn refused(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.name, self.body);
        assert_eq!(self.body["success"], false, "{}: {}", self.name, self.body);
        assert!(self.body["message"].is_string() && self.body["code"].is_string(), "{}: {}", self.name, self.body);
        self.body
    }
}
