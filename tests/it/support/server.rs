//! A server on a port of its own over a database of its own, and clients that speak to it.

use std::{net::SocketAddr, sync::Arc};

use kontor::{
    auth::{self, Resolver},
    base::{Clock, Limits},
    ctx::Ctx,
    rest,
};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use super::database::{TestDatabase, database};

/// What everybody who signs up has.
pub const PASSWORD: &str = "correct horse battery";

/// A running server; it ends with its test's runtime.
pub struct TestServer {
    pub database: TestDatabase,
    pub ctx: Ctx,
    pub url: String,
}

impl TestServer {
    /// With open registration, so that a test can have several workspaces.
    pub async fn start() -> Self {
        Self::start_with(|ctx| ctx.auth.open_registration = true).await
    }

    /// With handles that are changed before anything starts.
    pub async fn start_with(change: impl FnOnce(&mut Ctx)) -> Self {
        let database = database().await;
        let (db, clock) = (database.db.clone(), Clock::default());
        let auth = auth::Config::default();
        let resolver = Resolver::new(db.clone(), clock.clone(), auth.clone());
        let limits = Arc::new(Limits::default());
        let mut ctx = Ctx { db, clock, limits, auth, resolver, public_url: "http://kontor.test".into() };
        change(&mut ctx);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (router, _) = rest::routes(ctx.clone());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { database, ctx, url: format!("http://{address}") }
    }

    /// Somebody who is not signed in.
    pub fn stranger(&self) -> Client {
        Client { http: reqwest::Client::new(), root: format!("{}/api/v1", self.url), token: None }
    }

    pub fn client(&self, token: &str) -> Client {
        Client { token: Some(token.to_owned()), ..self.stranger() }
    }

    /// The admin of a workspace of their own.
    pub async fn sign_up(&self, email: &str) -> Client {
        let body = json!({ "email": email, "password": PASSWORD, "full_name": "Ada Admin" });
        let answer = self.stranger().post("/auth/register", body).await.expect(StatusCode::CREATED);
        self.client(answer["data"]["token"].as_str().expect("a token"))
    }

    /// A new user of the admin's workspace, signed in.
    pub async fn colleague(&self, admin: &Client, role: &str) -> Client {
        let email = format!("{}@colleagues.test", uuid::Uuid::now_v7().simple());
        let body = json!({ "email": email, "password": PASSWORD, "full_name": "Cora Colleague", "role": role });
        admin.post("/users", body).await.expect(StatusCode::CREATED);
        self.sign_in(&email, PASSWORD).await
    }

    pub async fn sign_in(&self, email: &str, password: &str) -> Client {
        let answer = self.stranger().post("/auth/login", json!({ "email": email, "password": password })).await;
        self.client(answer.expect(StatusCode::OK)["data"]["token"].as_str().expect("a token"))
    }
}

/// Speaks to the REST API; paths are below `/api/v1`.
#[derive(Clone)]
pub struct Client {
    pub http: reqwest::Client,
    pub root: String,
    pub token: Option<String>,
}

impl Client {
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

    /// Any request; `with` adds what is special about it.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        with: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Answer {
        let name = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.root));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = with(request).send().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        Answer { name, status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }
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
