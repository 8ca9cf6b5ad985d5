//! How much the rings of a node hold all together, and those of one user's subscriptions: one person
//! may subscribe to thousands of different things. Past that the oldest answers go, whichever ring
//! they are in.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::base::ids::UserId;

/// The books of one node; `R` leads to a ring.
#[derive(Debug)]
pub struct Budget<R> {
    most: usize,
    most_of_user: usize,
    books: Mutex<Books<R>>,
}

#[derive(Debug)]
struct Books<R> {
    /// The number of the next entry; numbers grow with age.
    next: u64,
    bytes: usize,
    users: HashMap<UserId, Account<R>>,
}

#[derive(Debug)]
struct Account<R> {
    bytes: usize,
    entries: BTreeMap<u64, Held<R>>,
}

#[derive(Debug)]
struct Held<R> {
    bytes: usize,
    by: R,
}

impl<R> Budget<R> {
    pub fn new(most: usize, most_of_user: usize) -> Self {
        let books = Books { next: 0, bytes: 0, users: HashMap::new() };
        Self { most, most_of_user, books: Mutex::new(books) }
    }

    /// Enters an answer of this size that a ring of the user's is about to hold. Tells its number,
    /// and which rings have to give up what: everything up to a number.
    pub fn enter(&self, user: UserId, bytes: usize, by: R) -> (u64, Vec<(R, u64)>) {
        let mut books = self.books();
        let number = books.next;
        books.next += 1;
        books.bytes += bytes;
        let account = books.users.entry(user).or_insert_with(|| Account { bytes: 0, entries: BTreeMap::new() });
        account.bytes += bytes;
        account.entries.insert(number, Held { bytes, by });
        let mut gone = Vec::new();
        while books.users.get(&user).is_some_and(|account| account.bytes > self.most_of_user)
            && let Some(oldest) = books.oldest_of(user).filter(|oldest| *oldest != number)
        {
            gone.extend(books.strike(user, oldest).map(|held| (held.by, oldest)));
        }
        while books.bytes > self.most
            && let Some((user, oldest)) = books.oldest().filter(|(_, oldest)| *oldest != number)
        {
            gone.extend(books.strike(user, oldest).map(|held| (held.by, oldest)));
        }
        (number, gone)
    }

    /// Strikes out what a ring has given up by itself.
    pub fn leave(&self, user: UserId, numbers: impl IntoIterator<Item = u64>) {
        let mut books = self.books();
        for number in numbers {
            books.strike(user, number);
        }
    }

    /// What all rings hold.
    pub fn bytes(&self) -> usize {
        self.books().bytes
    }

    fn books(&self) -> MutexGuard<'_, Books<R>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> Books<R> {
    fn oldest_of(&self, user: UserId) -> Option<u64> {
        self.users.get(&user)?.entries.keys().next().copied()
    }

    fn oldest(&self) -> Option<(UserId, u64)> {
        let of_each = self.users.keys().filter_map(|user| Some((*user, self.oldest_of(*user)?)));
        of_each.min_by_key(|(_, oldest)| *oldest)
    }

    /// Nothing where it was struck out before.
    fn strike(&mut self, user: UserId, number: u64) -> Option<Held<R>> {
        let account = self.users.get_mut(&user)?;
        let held = account.entries.remove(&number)?;
        account.bytes -= held.bytes;
        self.bytes -= held.bytes;
        if account.entries.is_empty() {
            self.users.remove(&user);
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_whoever_is_at_fault() {
        let budget = Budget::new(100, 60);
        let (one, two) = (UserId::new(), UserId::new());
        let enter = |user, bytes| {
            let (number, gone) = budget.enter(user, bytes, ());
            (number, gone.into_iter().map(|(_, number)| number).collect::<Vec<_>>())
        };
        assert_eq!(enter(one, 30), (0, vec![]));
        assert_eq!(enter(two, 30), (1, vec![]));
        assert_eq!(enter(one, 30), (2, vec![]));
        assert_eq!(enter(one, 30), (3, vec![0]), "past what one user may hold");
        assert_eq!(budget.bytes(), 90);
        assert_eq!(enter(two, 20), (4, vec![1]), "past what the node holds");
        budget.leave(one, [2, 2, 0]);
        assert_eq!(budget.bytes(), 50);
        assert_eq!(enter(two, 500), (5, vec![4, 3]), "the newest stays, however large");
        budget.leave(two, [5]);
        assert_eq!(budget.bytes(), 0);
        assert!(budget.books().users.is_empty());
    }
}
