//! How many bodies are being taken in at once: each holds up to a piece in memory, for as long as its
//! client likes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::{Error, Result, ids::UserId};

/// When somebody who found no place may look again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The places of this process; clones share them.
#[derive(Clone)]
pub(super) struct Intakes {
    all: Arc<Semaphore>,
    per_user: usize,
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// One place; dropped, it is free again.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    user: UserId,
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
}

impl Intakes {
    pub fn new(all: usize, per_user: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS))), per_user, taken: Arc::default() }
    }

    /// A place for this person; `Limited` where all are taken, or all of theirs.
    pub fn take(&self, user: UserId) -> Result<Place> {
        let none_left = || Error::Limited { retry_after: LOOK_AGAIN };
        let mut taken = lock(&self.taken);
        let of_user = taken.get(&user).copied().unwrap_or(0);
        if of_user >= self.per_user {
            return Err(none_left());
        }
        let permit = self.all.clone().try_acquire_owned().map_err(|_| none_left())?;
        taken.insert(user, of_user + 1);
        Ok(Place { _permit: permit, user, taken: self.taken.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        match taken.get_mut(&self.user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.user)),
        }
    }
}

fn lock(taken: &Mutex<HashMap<UserId, usize>>) -> MutexGuard<'_, HashMap<UserId, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_per_process_and_per_person() {
        let (ada, bob) = (UserId::new(), UserId::new());
        let intakes = Intakes::new(3, 2);
        let first = intakes.take(ada).expect("a place");
        let _second = intakes.take(ada).expect("a place");
        assert!(matches!(intakes.take(ada), Err(Error::Limited { .. })));
        let _third = intakes.take(bob).expect("a place");
        assert!(intakes.take(bob).is_err(), "all are taken");
        drop(first);
        drop(intakes.take(bob).expect("one is free again"));
        drop(intakes.take(ada).expect("and each counts for itself"));
    }
}
