//! The only HTTP client. Everything that people can make us call (webhooks, other systems) goes
//! through here, so that nobody can use us to reach what only we can reach: see [`guard`].

pub mod guard;

use std::{error::Error as _, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Client, Method, Response, StatusCode, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, USER_AGENT},
    redirect,
};
use serde::Deserialize;

use crate::base::{Error, Result};
use guard::{Guard, Network, Refused};

const MOST_REDIRECTS: usize = 5;
const TOO_LATE: &str = "The other server did not answer in time";

/// What may be called, and for how long.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Networks that may be called although they are private, such as `10.1.0.0/16`.
    pub allow: Vec<Network>,
    /// Seconds for a connection to be made.
    pub connect_seconds: u64,
    /// Seconds for a request from its beginning to the last byte of the answer.
    pub request_seconds: u64,
    /// Largest answer that is read, in bytes (unpacked).
    pub response_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { allow: Vec::new(), connect_seconds: 5, request_seconds: 30, response_bytes: 4 * 1024 * 1024 }
    }
}

/// Calls other servers; clones share the connections.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    guard: Arc<Guard>,
    request_time: Duration,
    response_bytes: usize,
}

/// A request to another server.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    pub url: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What it answered, whatever the status.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Outbound {
    pub fn new(config: &Config) -> Result<Self> {
        let guard = Arc::new(Guard::new(config.allow.clone()));
        let client = Client::builder()
            // A proxy would connect in our place, and the guard would see the proxy's address only.
            .no_proxy()
            .dns_resolver(guard.clone())
            // followed here, where more can be asked of them
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(config.connect_seconds))
            .build()
            .map_err(Error::internal)?;
        let request_time = Duration::from_secs(config.request_seconds);
        Ok(Self { client, guard, request_time, response_bytes: config.response_bytes })
    }

    /// Sends the request, follows redirects and reads the whole answer. Forbidden where the address
    /// may not be called, Invalid where the URL is none, TooLarge for an answer over the limit,
    /// Unavailable where the other side does not answer (in time).
    pub async fn send(&self, request: Request) -> Result<Answer> {
        let answered = tokio::time::timeout(self.request_time, self.follow(request)).await;
        answered.unwrap_or_else(|_| Err(Error::Unavailable(TOO_LATE.into())))
    }

    async fn follow(&self, request: Request) -> Result<Answer> {
        let Request { mut method, url, mut headers, mut body } = request;
        let mut url = Url::parse(&url).map_err(|_| Error::invalid("url", "is not a URL"))?;
        self.guard.check_url(&url).map_err(forbidden)?;
        let agent = HeaderValue::from_static(concat!("kontor/", env!("CARGO_PKG_VERSION")));
        for _ in 0..=MOST_REDIRECTS {
            let sending = self.client.request(method.clone(), url.clone()).header(USER_AGENT, agent.clone());
            let response = sending.headers(headers.clone()).body(body.clone()).send().await.map_err(failed)?;
            let Some(next) = self.redirected(&url, &response)? else { return self.read(response).await };
            if next.origin() != url.origin() {
                // what proves who we are was meant for the first one alone
                let kept = [ACCEPT, CONTENT_TYPE].into_iter();
                headers = kept.filter_map(|name| headers.get(&name).cloned().map(|value| (name, value))).collect();
            }
            if becomes_get(response.status(), &method) {
                (method, body) = (Method::GET, Bytes::new());
                headers.remove(CONTENT_TYPE);
            }
            url = next;
        }
        Err(forbidden(Refused("It redirects too often".to_owned())))
    }

    /// Where the answer leads, if it is a redirect that can be followed.
    fn redirected(&self, from: &Url, response: &Response) -> Result<Option<Url>> {
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let Some(next) = location.and_then(|location| from.join(location).ok()) else { return Ok(None) };
        match (from.scheme(), next.scheme()) {
            ("https", "http") => {
                return Err(forbidden(Refused("It redirects from https to http".to_owned())));
            }
            (_, "http" | "https") => {}
            _ => return Ok(None),
        }
        self.guard.check_url(&next).map_err(forbidden)?;
        Ok(Some(next))
    }

    async fn read(&self, mut response: Response) -> Result<Answer> {
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.response_bytes {
                let message = format!("The answer is larger than {} bytes", self.response_bytes);
                return Err(Error::TooLarge(message.into()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body: body.freeze() })
    }
}

/// As browsers do it: what was to be sent has been taken, and the answer is elsewhere.
fn becomes_get(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        301 | 302 => *method == Method::POST,
        303 => *method != Method::HEAD,
        _ => false,
    }
}

fn forbidden(refused: Refused) -> Error {
    Error::Forbidden(refused.0.into())
}

fn failed(error: reqwest::Error) -> Error {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(refused) = inner.downcast_ref::<Refused>() {
            return forbidden(refused.clone());
        }
        source = inner.source();
    }
    let message = if error.is_timeout() {
        TOO_LATE
    } else if error.is_connect() {
        "The other server cannot be reached"
    } else {
        "The other server broke off its answer"
    };
    // the URL may hold a secret in its query
    tracing::debug!(error = %error.without_url(), "a request to another server failed");
    Error::Unavailable(message.into())
}
