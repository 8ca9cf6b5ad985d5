//! How many sockets and event streams one user has open on this node. Nobody's are counted by
//! address, so that signing out is no way around the limit.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{auth::Caller, base::ids::UserId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    User(UserId),
    Address(Option<IpAddr>),
}

/// The count per holder; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Seats(Arc<Mutex<HashMap<Holder, usize>>>);

/// One taken seat; dropped, it is free again.
#[derive(Debug)]
pub struct Seat {
    seats: Seats,
    holder: Holder,
}

impl Seats {
    /// A seat for this caller, or `None` when all of theirs are taken.
    pub fn take(&self, caller: Option<&Caller>, peer: Option<IpAddr>, most: usize) -> Option<Seat> {
        let holder = caller.map_or(Holder::Address(peer), |caller| Holder::User(caller.user));
        let mut counts = self.counts();
        let taken = counts.entry(holder).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        Some(Seat { seats: self.clone(), holder })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Holder, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.seats.counts();
        if let Some(taken) = counts.get_mut(&self.holder) {
            *taken -= 1;
            if *taken == 0 {
                counts.remove(&self.holder);
            }
        }
    }
}
