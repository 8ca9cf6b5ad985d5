//! The advisory locks of the whole program, side by side so that no two are the same number.
//! They begin with "kontor" in ASCII, to keep clear of other programs in the database.

use diesel::{
    sql_query,
    sql_types::{Integer, Text},
};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use super::Tx;
use crate::base::Result;

/// Held while migrating.
pub const MIGRATION: i64 = 0x6b6f_6e74_6f72_0001;
/// Held, for its session, by the node that relays events.
pub const RELAY: i64 = 0x6b6f_6e74_6f72_0002;
/// Held by a registration, so that an empty installation gets one first admin only.
pub const REGISTRATION: i64 = 0x6b6f_6e74_6f72_0003;
/// Held while jobs are claimed, so that limits per workspace are exact.
pub const CLAIM: i64 = 0x6b6f_6e74_6f72_0004;

/// The first half of named locks, "kont"; PostgreSQL keeps locks of two halves apart from the others.
const NAMED: i32 = 0x6b6f_6e74;

/// Waits until nobody else holds the lock, and holds it until the transaction ends. A statement of
/// its own: what follows sees everything that the former holder has committed.
pub async fn hold_in(tx: &mut Tx, lock: i64) -> Result<()> {
    Ok(tx.connection().batch_execute(&format!("SELECT pg_advisory_xact_lock({lock})")).await?)
}

/// The same for a lock of which there are many: one person's, one thing's. Two names may by chance
/// be one lock; then the one waits for the other, and no more.
pub async fn hold_named_in(tx: &mut Tx, name: &str) -> Result<()> {
    sql_query("SELECT pg_advisory_xact_lock($1, hashtext($2))")
        .bind::<Integer, _>(NAMED)
        .bind::<Text, _>(name)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Holds a named lock together with others who share it: only who wants it alone waits, or is waited
/// for.
pub async fn share_named_in(tx: &mut Tx, name: &str) -> Result<()> {
    sql_query("SELECT pg_advisory_xact_lock_shared($1, hashtext($2))")
        .bind::<Integer, _>(NAMED)
        .bind::<Text, _>(name)
        .execute(tx.connection())
        .await?;
    Ok(())
}
