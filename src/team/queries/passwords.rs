//! Passwords, as their hashes.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    base::{Result, ids::UserId},
    db::schema::users,
};

/// What signing in needs of a person.
#[derive(Queryable)]
pub struct Credentials {
    pub id: UserId,
    pub password_hash: Option<String>,
}

pub async fn credentials(connection: &mut AsyncPgConnection, email: &str) -> Result<Option<Credentials>> {
    Ok(users::table
        .filter(users::email.eq(email))
        .select((users::id, users::password_hash))
        .first(connection)
        .await
        .optional()?)
}

pub async fn set_password(
    connection: &mut AsyncPgConnection,
    user: UserId,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(users::table.find(user))
        .set((users::password_hash.eq(hash), users::updated_at.eq(now)))
        .execute(connection)
        .await?;
    Ok(())
}
