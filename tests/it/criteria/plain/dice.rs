//! Chance that can be repeated: all of it comes from one seed.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use uuid::Uuid;

pub struct Dice(StdRng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// One of so many, from 0 on.
    pub fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    pub fn pick<'t, T: ?Sized>(&mut self, items: &[&'t T]) -> &'t T {
        items[self.below(items.len())]
    }

    pub fn one<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    /// In no order of time: nothing may depend on that.
    pub fn id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.0.random::<u128>().to_be_bytes()).into_uuid()
    }
}
