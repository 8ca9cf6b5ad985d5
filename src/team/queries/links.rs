//! One-time links: to set a new password, and to set up a new installation.

use chrono::{DateTime, Utc};
use diesel::{
    dsl::exists,
    prelude::*,
    select, sql_query,
    sql_types::{BigInt, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    auth::secret,
    base::{Result, ids::UserId},
    db::schema::one_time_links,
};

pub async fn insert_reset_link(
    connection: &mut AsyncPgConnection,
    hash: &secret::Hash,
    user: UserId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    diesel::insert_into(one_time_links::table)
        .values((
            one_time_links::hash.eq(hash.as_bytes()),
            one_time_links::purpose.eq("password_reset"),
            one_time_links::user_id.eq(user),
            one_time_links::created_at.eq(now),
            one_time_links::expires_at.eq(expires_at),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether a link of this purpose can still be used.
pub async fn is_good_link(
    connection: &mut AsyncPgConnection,
    purpose: &'static str,
    hash: &secret::Hash,
    now: DateTime<Utc>,
) -> Result<bool> {
    let good = one_time_links::table
        .find(hash.as_bytes())
        .filter(one_time_links::purpose.eq(purpose))
        .filter(one_time_links::used_at.is_null())
        .filter(one_time_links::expires_at.gt(now));
    Ok(select(exists(good)).get_result(connection).await?)
}

/// Spends the link and tells whose it was; the person's other links are spent with it.
pub async fn use_reset_link(
    connection: &mut AsyncPgConnection,
    hash: &secret::Hash,
    now: DateTime<Utc>,
) -> Result<Option<UserId>> {
    let user: Option<Option<UserId>> = diesel::update(
        one_time_links::table
            .find(hash.as_bytes())
            .filter(one_time_links::purpose.eq("password_reset"))
            .filter(one_time_links::used_at.is_null())
            .filter(one_time_links::expires_at.gt(now)),
    )
    .set(one_time_links::used_at.eq(now))
    .returning(one_time_links::user_id)
    .get_result(connection)
    .await
    .optional()?;
    let Some(Some(user)) = user else { return Ok(None) };
    diesel::update(one_time_links::table.filter(one_time_links::user_id.eq(user)))
        .filter(one_time_links::used_at.is_null())
        .set(one_time_links::used_at.eq(now))
        .execute(connection)
        .await?;
    Ok(Some(user))
}

pub async fn replace_set_up_link(
    connection: &mut AsyncPgConnection,
    hash: &secret::Hash,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    diesel::delete(one_time_links::table.filter(one_time_links::purpose.eq("set_up"))).execute(connection).await?;
    diesel::insert_into(one_time_links::table)
        .values((
            one_time_links::hash.eq(hash.as_bytes()),
            one_time_links::purpose.eq("set_up"),
            one_time_links::created_at.eq(now),
            one_time_links::expires_at.eq(expires_at),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn use_set_up_link(
    connection: &mut AsyncPgConnection,
    hash: &secret::Hash,
    now: DateTime<Utc>,
) -> Result<bool> {
    let used = diesel::update(
        one_time_links::table
            .find(hash.as_bytes())
            .filter(one_time_links::purpose.eq("set_up"))
            .filter(one_time_links::used_at.is_null())
            .filter(one_time_links::expires_at.gt(now)),
    )
    .set(one_time_links::used_at.eq(now))
    .execute(connection)
    .await?;
    Ok(used == 1)
}

/// Deletes some of the links that expired before then; how many.
pub async fn purge(connection: &mut AsyncPgConnection, before: DateTime<Utc>, most: i64) -> Result<usize> {
    let delete = sql_query(
        "DELETE FROM one_time_links WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM one_time_links WHERE expires_at < $1 ORDER BY expires_at LIMIT $2))",
    );
    Ok(delete.bind::<Timestamptz, _>(before).bind::<BigInt, _>(most).execute(connection).await?)
}
