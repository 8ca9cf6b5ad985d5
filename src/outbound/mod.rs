//! The only HTTP client. Everything that people can make us call (webhooks, other systems) goes
//! through here, so that nobody can use us to reach what only we can reach: see [`guard`].

pub mod guard;

use std::{error::Error as _, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Client, Method, StatusCode, Url,
    header::{HeaderMap, HeaderValue, USER_AGENT},
    redirect,
};
use serde::Deserialize;

use crate::base::{Error, Result};
use guard::{Guard, Network, Refused};

const MOST_REDIRECTS: usize = 5;

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
        let on_redirect = guard.clone();
        let redirects = redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > MOST_REDIRECTS {
                return attempt.error(Refused("It redirects too often".to_owned()));
            }
            match on_redirect.check_url(attempt.url()) {
                Ok(()) => attempt.follow(),
                Err(refused) => attempt.error(refused),
            }
        });
        let client = Client::builder()
            // A proxy would connect in our place, and the guard would see the proxy's address only.
            .no_proxy()
            .dns_resolver(guard.clone())
            .redirect(redirects)
            .referer(false)
            .connect_timeout(Duration::from_secs(config.connect_seconds))
            .timeout(Duration::from_secs(config.request_seconds))
            .build()
            .map_err(Error::internal)?;
        Ok(Self { client, guard, response_bytes: config.response_bytes })
    }

    /// Sends the request and reads the whole answer. Forbidden where the address may not be called,
    /// Invalid where the URL is none, TooLarge for an answer over the limit, Unavailable where the
    /// other side does not answer (in time).
    pub async fn send(&self, request: Request) -> Result<Answer> {
        let url = Url::parse(&request.url).map_err(|_| Error::invalid("url", "is not a URL"))?;
        self.guard.check_url(&url).map_err(forbidden)?;
        let agent = HeaderValue::from_static(concat!("kontor/", env!("CARGO_PKG_VERSION")));
        let sending = self.client.request(request.method, url).header(USER_AGENT, agent).headers(request.headers);
        let mut response = sending.body(request.body).send().await.map_err(failed)?;
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
        "The other server did not answer in time"
    } else if error.is_connect() {
        "The other server cannot be reached"
    } else {
        "The other server broke off its answer"
    };
    // the URL may hold a secret in its query
    tracing::debug!(error = %error.without_url(), "a request to another server failed");
    Error::Unavailable(message.into())
}
