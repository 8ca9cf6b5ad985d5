//! How much of a pool one workspace, or one of its people, uses at once: whoever is past that waits for its own,
//! not for the others.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::pool::WAIT_FOR_CONNECTION;
use crate::base::{Error, Result};

/// Places per owner, such as a workspace; clones share them.
#[derive(Debug, Clone)]
pub struct Shares<K> {
    each: usize,
    /// Of the owners that use some or wait.
    used: Arc<Mutex<HashMap<K, Weak<Semaphore>>>>,
}

/// Some places; dropped, they are free again.
#[derive(Debug)]
pub struct Share {
    permits: Vec<OwnedSemaphorePermit>,
}

impl Share {
    /// Both.
    pub fn and(mut self, other: Self) -> Self {
        self.permits.extend(other.permits);
        self
    }
}

impl<K: Copy + Eq + Hash> Shares<K> {
    /// So many for each owner, one at least.
    pub fn new(each: usize) -> Self {
        Self { each: each.max(1), used: Arc::default() }
    }

    /// Waits for a place of this owner's; `Unavailable` where that takes as long as anybody waits for a
    /// connection.
    pub async fn take(&self, owner: K) -> Result<Share> {
        let places = self.of(owner);
        match timeout(WAIT_FOR_CONNECTION, places.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Share { permits: vec![permit] }),
            Ok(Err(closed)) => Err(Error::internal(closed)),
            Err(_) => Err(Error::Unavailable(
                "Your workspace asks for as many searches as may run at once; try again in a moment".into(),
            )),
        }
    }

    /// The same, for however long that takes.
    pub async fn wait(&self, owner: K) -> Result<Share> {
        let permit = self.of(owner).acquire_owned().await.map_err(Error::internal)?;
        Ok(Share { permits: vec![permit] })
    }

    fn of(&self, owner: K) -> Arc<Semaphore> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = used.get(&owner).and_then(Weak::upgrade) {
            return places;
        }
        // a permit holds its semaphore, so what nobody holds is nobody's
        used.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(self.each));
        used.insert(owner, Arc::downgrade(&places));
        places
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::base::ids::WorkspaceId;

    #[tokio::test]
    async fn one_workspace_waits_for_its_own_and_the_others_do_not() -> Result<()> {
        let shares = Shares::new(2);
        let (one, other) = (WorkspaceId::new(), WorkspaceId::new());
        let first = shares.take(one).await?;
        let second = shares.take(one).await?;
        let mut waiting = Box::pin(shares.take(one));
        assert!((&mut waiting).now_or_never().is_none());
        let others = shares.take(other).await?;
        drop(first);
        let third = waiting.await?;
        assert_eq!(shares.used.lock().unwrap_or_else(PoisonError::into_inner).len(), 2);
        drop((second, third, others));
        // nothing is kept of who has gone
        let next = shares.take(WorkspaceId::new()).await?;
        assert_eq!(shares.used.lock().unwrap_or_else(PoisonError::into_inner).len(), 1);
        drop(next);
        Ok(())
    }
}
