//! From a secret to a [`Caller`], through a cache of seconds. Events about members, sessions and
//! tokens make what is known of their user stale; the few seconds are the net for what no event
//! tells.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Caller, Config, Permission,
    caller::{Origin, Via},
    queries, secret,
    session::SessionKind,
};
use crate::{
    base::{Clock, Error, Result, ids::UserId},
    db::Db,
};

const FRESH_FOR: TimeDelta = TimeDelta::seconds(5);
const MOST_KEPT: usize = 20_000;
/// "Last used" is written at most this often.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Resolves secrets to callers; clones share the cache.
#[derive(Clone)]
pub struct Resolver {
    db: Db,
    clock: Clock,
    config: Config,
    kept: Arc<Mutex<HashMap<secret::Hash, Kept>>>,
    changes: Arc<Changes>,
}

struct Kept {
    caller: Arc<Caller>,
    since: DateTime<Utc>,
    /// What [`Changes::count`] was before it was looked up.
    epoch: u64,
}

impl Kept {
    /// Not where the clock was set back, either.
    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        (now - self.since).abs() < FRESH_FOR
    }
}

/// When whose rights changed last, in a few kilobytes whatever the number of users: those who
/// share a place are looked up once more than they need.
struct Changes {
    /// Changes of anybody so far; a moment between two of them is an epoch.
    count: AtomicU64,
    /// Per place, the number of the last change.
    last: [AtomicU64; 1024],
    hasher: RandomState,
}

impl Changes {
    fn of(&self, user: UserId) -> &AtomicU64 {
        &self.last[(self.hasher.hash_one(user) % self.last.len() as u64) as usize]
    }
}

impl Resolver {
    pub fn new(db: Db, clock: Clock, config: Config) -> Self {
        let last = std::array::from_fn(|_| AtomicU64::new(0));
        let changes = Changes { count: AtomicU64::new(0), last, hasher: RandomState::new() };
        Self { db, clock, config, kept: Arc::default(), changes: Arc::new(changes) }
    }

    /// The caller that this secret proves: a cookie, an access token or an API token.
    pub async fn resolve(&self, text: &str) -> Result<Arc<Caller>> {
        let hash = secret::Hash::of(text);
        if let Some(caller) = self.look_up(&hash) {
            return Ok(caller);
        }
        // what changes while we look it up makes it stale
        let epoch = self.epoch();
        let caller = if secret::is_api_token(text) { self.token(&hash).await? } else { self.session(&hash).await? };
        let caller = Arc::new(caller.ok_or_else(not_signed_in)?);
        self.keep(hash, Kept { caller: caller.clone(), since: self.clock.now(), epoch });
        Ok(caller)
    }

    /// Whether this secret proved somebody within the last seconds. Asks nobody.
    pub fn knows(&self, hash: &secret::Hash) -> bool {
        self.look_up(hash).is_some()
    }

    /// The same caller as of now; `None` where the session or token has ended.
    pub async fn refresh(&self, caller: &Caller) -> Result<Option<Arc<Caller>>> {
        let now = self.clock.now();
        let mut tx = self.db.system().await?;
        let found = match caller.origin {
            Origin::Session(id) => queries::standing_of_session(tx.connection(), id, caller.workspace, now).await?,
            Origin::Token(id) => queries::standing_of_token(tx.connection(), id, now).await?,
            Origin::Job(_) | Origin::System => return Ok(Some(Arc::new(caller.clone()))),
        };
        Ok(found.map(|(role, until)| Arc::new(caller.clone().moved_to(caller.workspace, role).with_end(until))))
    }

    /// The present moment, for [`is_stale`](Self::is_stale); ask before looking a caller up.
    pub fn epoch(&self) -> u64 {
        self.changes.count.load(Ordering::Acquire)
    }

    /// Whether a caller who was looked up in that epoch must be looked up again: their rights may
    /// have changed, or what proves them has run out. A socket asks at each delivery.
    pub fn is_stale(&self, caller: &Caller, epoch: u64) -> bool {
        self.changes.of(caller.user).load(Ordering::Acquire) > epoch || caller.is_over(self.clock.now())
    }

    /// Forgets what is known of a user: their role, a session or a token of theirs changed.
    pub fn forget(&self, user: UserId) {
        let change = self.changes.count.fetch_add(1, Ordering::AcqRel) + 1;
        self.changes.of(user).fetch_max(change, Ordering::AcqRel);
    }

    async fn session(&self, hash: &secret::Hash) -> Result<Option<Caller>> {
        let now = self.clock.now();
        let mut tx = self.db.system().await?;
        let Some(row) = queries::session_by_secret(tx.connection(), hash, now).await? else { return Ok(None) };
        let mut until = row.expires_at;
        if now - row.last_used_at > TOUCH_EVERY {
            let longer = (row.kind == SessionKind::Cookie).then(|| now + self.config.cookie());
            queries::touch_session(tx.connection(), row.id, hash, now, longer).await?;
            until = longer.unwrap_or(until);
        }
        tx.commit().await?;
        let caller = Caller::new(row.workspace_id, row.user_id, row.role, Origin::Session(row.id), Via::Graphql);
        Ok(Some(caller.with_end(Some(until))))
    }

    async fn token(&self, hash: &secret::Hash) -> Result<Option<Caller>> {
        let now = self.clock.now();
        let mut tx = self.db.system().await?;
        let Some(row) = queries::token_by_hash(tx.connection(), hash, now).await? else { return Ok(None) };
        if row.last_used_at.is_none_or(|last| now - last > TOUCH_EVERY) {
            queries::touch_token(tx.connection(), row.id, now).await?;
        }
        tx.commit().await?;
        let caller = Caller::new(row.workspace_id, row.user_id, row.role, Origin::Token(row.id), Via::Graphql)
            .with_end(row.expires_at);
        Ok(Some(if row.scopes.is_empty() {
            caller
        } else {
            caller.with_scopes(row.scopes.iter().filter_map(|scope| Permission::from_scope(scope)).collect())
        }))
    }

    fn look_up(&self, hash: &secret::Hash) -> Option<Arc<Caller>> {
        let now = self.clock.now();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |kept: &&Kept| kept.is_fresh(now) && !self.is_stale(&kept.caller, kept.epoch);
        kept.get(hash).filter(fresh).map(|kept| kept.caller.clone())
    }

    fn keep(&self, hash: secret::Hash, new: Kept) {
        let now = new.since;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, kept| kept.is_fresh(now));
            if kept.len() >= MOST_KEPT {
                kept.clear();
            }
        }
        kept.insert(hash, new);
    }
}

fn not_signed_in() -> Error {
    Error::Unauthenticated("Not signed in, or the session has ended".into())
}
