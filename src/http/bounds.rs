//! What a request may cost: its rate, its time. (Body sizes are set on the routes.)

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{Quota, RateLimiter, clock::Clock as _, clock::DefaultClock, state::keyed::DashMapStateStore};

use super::{caller::Credential, client::ClientInfo, problem::Problem};
use crate::{auth::secret, base::Error};

/// Requests per token, or per address where there is none; per node.
#[derive(Clone)]
pub struct Rates(Option<Arc<RateLimiter<Key, DashMapStateStore<Key>, DefaultClock>>>);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Credential(secret::Hash),
    Address(Option<std::net::IpAddr>),
}

impl Rates {
    /// `per_minute` of 0 switches the limit off. A tenth of it may come at once.
    pub fn new(per_minute: u32) -> Self {
        let quota = NonZeroU32::new(per_minute).map(|per_minute| {
            let burst = NonZeroU32::new(per_minute.get() / 10).unwrap_or(NonZeroU32::MIN);
            Quota::per_minute(per_minute).allow_burst(burst)
        });
        Self(quota.map(|quota| Arc::new(RateLimiter::dashmap(quota))))
    }

    /// Forgets who has not called for long; call it now and then.
    pub fn tidy(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }

    fn check(&self, key: Key) -> Result<(), Error> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(&key).map_err(|refused| {
            let retry_after = refused.wait_time_from(DefaultClock::default().now());
            Error::Limited { retry_after: retry_after.max(Duration::from_secs(1)) }
        })
    }
}

/// Refuses requests past the rate, with `Retry-After`.
pub async fn rate(State(rates): State<Rates>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let key = match Credential::of(&parts.headers) {
        // a hash, so that no table of secrets lies in memory
        Some(credential) => Key::Credential(secret::Hash::of(credential.text())),
        None => Key::Address(ClientInfo::of(&parts).address),
    };
    match rates.check(key) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => Problem(error).into_response(),
    }
}

/// Ends a request that takes longer than this. Not for uploads, downloads and streams.
pub async fn time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem(Error::TimedOut).into_response(),
    }
}
