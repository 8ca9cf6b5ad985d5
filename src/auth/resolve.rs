//! From a secret to a [`Caller`], through a cache of seconds. Events about members, sessions and
//! tokens clear the cache; the few seconds are the net for what no event tells.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::TimeDelta;

use super::{
    Caller, Config, Permission,
    caller::{Origin, Via},
    queries, secret,
};
use crate::{
    base::{Clock, Error, Result},
    db::Db,
};

const FRESH_FOR: Duration = Duration::from_secs(5);
const MOST_KEPT: usize = 20_000;
/// "Last used" is written at most this often.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Callers by the hash of their secret, and since when they are known.
type Kept = HashMap<secret::Hash, (Instant, Arc<Caller>)>;

/// Resolves secrets to callers; clones share the cache.
#[derive(Clone)]
pub struct Resolver {
    db: Db,
    clock: Clock,
    config: Config,
    kept: Arc<Mutex<Kept>>,
    epoch: Arc<AtomicU64>,
}

impl Resolver {
    pub fn new(db: Db, clock: Clock, config: Config) -> Self {
        Self { db, clock, config, kept: Arc::default(), epoch: Arc::default() }
    }

    /// The caller that this secret proves: a cookie, an access token or an API token.
    pub async fn resolve(&self, text: &str) -> Result<Arc<Caller>> {
        let hash = secret::Hash::of(text);
        if let Some(caller) = self.look_up(&hash) {
            return Ok(caller);
        }
        let epoch = self.epoch();
        let caller = if secret::is_api_token(text) { self.token(&hash).await? } else { self.session(&hash).await? };
        let caller = Arc::new(caller.ok_or_else(not_signed_in)?);
        // What changed while we looked it up must not be hidden by the cache.
        if epoch == self.epoch() {
            self.keep(hash, caller.clone());
        }
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
        let role = match caller.origin {
            Origin::Session(id) => queries::role_of_session(tx.connection(), id, caller.workspace).await?,
            Origin::Token(id) => queries::role_of_token(tx.connection(), id, now).await?,
            Origin::Job(_) | Origin::System => Some(caller.role),
        };
        Ok(role.map(|role| Arc::new(caller.clone().moved_to(caller.workspace, role))))
    }

    /// Rises whenever anybody's rights may have changed. A socket compares it at each delivery
    /// and resolves its caller again only where it rose.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Forgets all callers: somebody's role, session or token changed.
    pub fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn session(&self, hash: &secret::Hash) -> Result<Option<Caller>> {
        let now = self.clock.now();
        let mut tx = self.db.system().await?;
        let Some(row) = queries::session_by_secret(tx.connection(), hash, now).await? else { return Ok(None) };
        if now - row.last_used_at > TOUCH_EVERY {
            let until = (row.kind == "cookie").then(|| now + self.config.cookie());
            queries::touch_session(tx.connection(), row.id, hash, now, until).await?;
        }
        tx.commit().await?;
        Ok(Some(Caller::new(row.workspace_id, row.user_id, row.role, Origin::Session(row.id), Via::Graphql)))
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
        let fresh = |since: &Instant, caller: &Caller| since.elapsed() < FRESH_FOR && !caller.is_over(now);
        kept.get(hash).filter(|(since, caller)| fresh(since, caller)).map(|(_, caller)| caller.clone())
    }

    fn keep(&self, hash: secret::Hash, caller: Arc<Caller>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, (since, _)| since.elapsed() < FRESH_FOR);
            if kept.len() >= MOST_KEPT {
                kept.clear();
            }
        }
        kept.insert(hash, (Instant::now(), caller));
    }
}

fn not_signed_in() -> Error {
    Error::Unauthenticated("Not signed in, or the session has ended".into())
}
