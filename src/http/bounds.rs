//! How many requests may come from where. A valid credential has an allowance of its own. All else
//! counts for the network that it comes from: requests without a credential, and those with a wrong
//! one, so that guessing with ever new tokens is slowed down and slows nobody else down.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::request::Parts;
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::DashMapStateStore,
};

use super::{caller::Credential, client::ClientInfo};
use crate::{
    auth::{Caller, Origin, Resolver, secret, throttle},
    base::Error,
};

/// Most networks or credentials that are remembered at a time, whoever calls.
const MOST_KEPT: usize = 100_000;
/// A credential counts as valid for so long after it was last seen to be.
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// While there are too many, those that have not called for long are looked for this often.
const MAKE_ROOM_EVERY: Duration = Duration::from_secs(1);
/// What all those share for whom there is no room, as a multiple of what one may.
const CROWD: u32 = 10;

/// The allowances of this node; clones share them.
#[derive(Clone)]
pub struct Rates(Option<Arc<Inner>>);

struct Inner {
    resolver: Resolver,
    callers: Buckets<Key>,
    /// By network; `None` where the server does not know whence a request came.
    networks: Buckets<Option<IpAddr>>,
    /// Credentials that were valid, and when.
    known: Mutex<HashMap<secret::Hash, Instant>>,
}

/// Who has an allowance of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Credential(secret::Hash),
    /// A session or a token that has a socket open.
    Origin(Origin),
}

/// A request that may go on: the credential that it brought, if any.
#[derive(Debug)]
pub struct Admitted(Option<secret::Hash>);

impl Rates {
    /// `per_minute` of 0 switches the limit off. A tenth of it may come at once.
    pub fn new(per_minute: u32, resolver: Resolver) -> Self {
        let inner = NonZeroU32::new(per_minute).map(|per_minute| Inner {
            resolver,
            callers: Buckets::new(per_minute),
            networks: Buckets::new(per_minute),
            known: Mutex::default(),
        });
        Self(inner.map(Arc::new))
    }

    /// Lets everybody through.
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// Refuses a request past its allowance.
    pub fn admit(&self, parts: &Parts) -> Result<Admitted, Error> {
        let Some(inner) = &self.0 else { return Ok(Admitted(None)) };
        // a hash, so that no table of secrets lies in memory
        let credential = Credential::of(&parts.headers).map(|credential| secret::Hash::of(credential.text()));
        match credential {
            Some(credential) if inner.is_known(&credential) => inner.callers.check(&Key::Credential(credential))?,
            _ => inner.networks.check(&ClientInfo::of(parts).address.map(throttle::network))?,
        }
        Ok(Admitted(credential))
    }

    /// Refuses an operation on an open socket, or a further one of a batch, past its caller's
    /// allowance. These have one besides that of their caller's requests.
    pub fn admit_operation(&self, caller: Option<&Caller>, from: Option<IpAddr>) -> Result<(), Error> {
        match (&self.0, caller) {
            (None, _) => Ok(()),
            (Some(inner), Some(caller)) => inner.callers.check(&Key::Origin(caller.origin)),
            (Some(inner), None) => inner.networks.check(&from.map(throttle::network)),
        }
    }

    /// To be told once the request has been answered: by then it is known whether its credential
    /// was any good.
    pub fn confirm(&self, Admitted(credential): Admitted) {
        if let (Some(inner), Some(credential)) = (&self.0, credential)
            && inner.resolver.knows(&credential)
        {
            inner.remember(credential);
        }
    }

    /// Forgets who has not called for long; call it now and then.
    pub fn tidy(&self) {
        if let Some(inner) = &self.0 {
            inner.callers.tidy();
            inner.networks.tidy();
            inner.known().retain(|_, since| since.elapsed() < KNOWN_FOR);
        }
    }
}

impl Inner {
    fn is_known(&self, credential: &secret::Hash) -> bool {
        self.known().get(credential).is_some_and(|since| since.elapsed() < KNOWN_FOR)
    }

    fn remember(&self, credential: secret::Hash) {
        let mut known = self.known();
        if known.len() >= MOST_KEPT && !known.contains_key(&credential) {
            // whoever is forgotten is known again after one more request
            known.clear();
        }
        known.insert(credential, Instant::now());
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<secret::Hash, Instant>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One allowance per key, for so many keys; what comes beyond those shares one.
struct Buckets<K: Hash + Eq + Clone> {
    each: RateLimiter<K, DashMapStateStore<K>, DefaultClock>,
    crowd: DefaultDirectRateLimiter,
    made_room: Mutex<Instant>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(per_minute: NonZeroU32) -> Self {
        let quota = |per_minute: NonZeroU32| {
            let burst = NonZeroU32::new(per_minute.get() / 10).unwrap_or(NonZeroU32::MIN);
            Quota::per_minute(per_minute).allow_burst(burst)
        };
        let crowd = NonZeroU32::new(per_minute.get().saturating_mul(CROWD)).unwrap_or(per_minute);
        Self {
            each: RateLimiter::dashmap(quota(per_minute)),
            crowd: RateLimiter::direct(quota(crowd)),
            made_room: Mutex::new(Instant::now()),
        }
    }

    fn check(&self, key: &K) -> Result<(), Error> {
        let checked = if self.has_room() { self.each.check_key(key) } else { self.crowd.check() };
        checked.map_err(|refused| {
            let retry_after = refused.wait_time_from(DefaultClock::default().now());
            Error::Limited { retry_after: retry_after.max(Duration::from_secs(1)) }
        })
    }

    fn has_room(&self) -> bool {
        if self.each.len() < MOST_KEPT {
            return true;
        }
        let mut made_room = self.made_room.lock().unwrap_or_else(PoisonError::into_inner);
        if made_room.elapsed() < MAKE_ROOM_EVERY {
            return false;
        }
        *made_room = Instant::now();
        self.each.retain_recent();
        self.each.len() < MOST_KEPT
    }

    fn tidy(&self) {
        self.each.retain_recent();
        self.each.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        // nobody's allowance fills up again during the test
        let buckets = Buckets::new(NonZeroU32::MIN);
        let mut refused = 0_u32;
        for caller in 0..2 * u32::try_from(MOST_KEPT).expect("a number") {
            refused += u32::from(buckets.check(&caller).is_err());
        }
        assert!(buckets.each.len() <= MOST_KEPT, "{}", buckets.each.len());
        assert!(refused >= 90_000, "those for whom there is no room share an allowance: {refused}");
        assert!(buckets.check(&0).is_err());
    }
}
