//! The tags that records of a kind have, for people who choose one.

use std::time::Duration;

use super::{Record, Sight, queries};
use crate::{
    auth::Caller,
    base::{Error, Result, text},
    ctx::Ctx,
};

/// Most tags that are told at once.
const MOST: i64 = 500;
/// Longest fragment that is searched for, in characters.
const MOST_SEARCH: usize = 60;
/// It reads all records of the kind, so it may not take as long as other statements.
const TIME: Duration = Duration::from_secs(5);

/// A tag, and how many live records that the caller sees have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagCount {
    pub name: String,
    pub count: i64,
}

/// The tags in use that hold the fragment, in whatever case; the most used first.
pub async fn in_use<R: Record>(ctx: &Ctx, caller: &Caller, search: Option<&str>) -> Result<Vec<TagCount>> {
    let sight = Sight::of::<R>(caller)?;
    let search = text::clean(search.unwrap_or_default(), MOST_SEARCH);
    let search = search.map_err(|message| Error::invalid("search", message))?;
    let pattern = search.map(|search| text::like_anywhere(&search));
    let mut tx = ctx.db.read(caller).await?;
    tx.limit_statements(TIME.min(Duration::from_secs(ctx.limits.statement_seconds))).await?;
    let counted = queries::tags::in_use(tx.connection(), caller.workspace, R::TABLE, sight, pattern.as_deref(), MOST);
    Ok(counted.await?.into_iter().map(|(name, count)| TagCount { name, count }).collect())
}
