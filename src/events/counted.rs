//! Entries of a map that are there as long as somebody uses them. Who uses one is counted in the map,
//! under the map's own lock: so of two who leave at the same moment one is the last.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

pub struct Counted<K, V> {
    entries: HashMap<K, Entry<V>>,
}

struct Entry<V> {
    users: usize,
    value: V,
}

impl<K: Eq + Hash, V> Counted<K, V> {
    /// The value under the key, made if there is none, with one user more.
    pub fn enter(&mut self, key: K, make: impl FnOnce() -> V) -> &V {
        let entry = self.entries.entry(key).or_insert_with(|| Entry { users: 0, value: make() });
        entry.users += 1;
        &entry.value
    }

    /// Takes one user away, and with the last one the value.
    pub fn leave<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.users = entry.users.saturating_sub(1);
            if entry.users == 0 {
                self.entries.remove(key);
            }
        }
    }

    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).map(|entry| &entry.value)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|entry| &entry.value)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<K, V> Default for Counted<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stays_until_its_last_user_leaves() {
        let mut counted = Counted::default();
        assert_eq!(counted.enter("a", || 1), &1);
        assert_eq!(counted.enter("a", || 2), &1, "it is there already");
        counted.leave("a");
        assert_eq!(counted.get("a"), Some(&1));
        counted.leave("a");
        counted.leave("a");
        assert_eq!((counted.get("a"), counted.len()), (None, 0));
    }
}
