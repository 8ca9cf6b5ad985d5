//! Criteria of lists that were checked before: reading, parsing and checking those of hundreds of lists
//! would take most of a server's time for following one change. Checking is a pure function of the criteria
//! and the custom fields, by whose digests they are kept; so nobody has to be told of anything.

use std::sync::LazyLock;

use quick_cache::{Weighter, sync::Cache};
use sha2::{Digest, Sha256};

use crate::crm::criteria::{Criteria, Known};

/// Bytes that criteria in memory take, of all workspaces together, and how many are expected.
const BYTES: u64 = 64 << 20;
const EXPECTED: usize = 10_000;
/// How many times as much memory criteria take as their JSON has letters, and what comes on top.
const TIMES: usize = 16;
const MORE: usize = 1_024;

/// What criteria ask, and whose changes matter to that.
#[derive(Debug, Clone)]
pub struct Checked {
    pub criteria: Criteria,
    /// Sorted, see `kept::reads_of`.
    pub reads: Vec<String>,
}

/// Custom fields, as far as criteria may depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields([u8; 32]);

impl Fields {
    pub fn of(known: &Known) -> Self {
        Self(Sha256::digest(format!("{known:?}")).into())
    }
}

type Key = [u8; 32];

/// With the letters of its JSON.
#[derive(Debug, Clone)]
struct Kept(Checked, usize);

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<Key, Kept> for ByBytes {
    fn weight(&self, _: &Key, Kept(_, letters): &Kept) -> u64 {
        (letters * TIMES + MORE) as u64
    }
}

static CHECKED: LazyLock<Cache<Key, Kept, ByBytes>> = LazyLock::new(|| Cache::with_weighter(EXPECTED, BYTES, ByBytes));

fn key(fields: Fields, criteria: &[u8]) -> Key {
    Sha256::new().chain_update(fields.0).chain_update(criteria).finalize().into()
}

/// Criteria of this digest, if they were checked against these fields lately.
pub fn find(fields: Fields, criteria: &[u8]) -> Option<Checked> {
    CHECKED.get(&key(fields, criteria)).map(|Kept(checked, _)| checked)
}

/// Keeps criteria of this digest and so many letters for the next time.
pub fn keep(fields: Fields, criteria: &[u8], letters: usize, checked: &Checked) {
    CHECKED.insert(key(fields, criteria), Kept(checked.clone(), letters));
}
