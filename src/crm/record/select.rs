//! Which records, in which order: pages by cursor for GraphQL, numbered pages with filters for
//! REST, counts. Two steps each: ids from a narrow statement, then the rows.

use std::collections::HashMap;

use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::{
    FieldType, Record, Sight, queries,
    search::{Reach, Search},
};
pub use super::{
    keyset::{Places, keyset},
    order::{At, Numbered, Order, Related, RelatedFilter, Sort, reads_descending},
};
use crate::{
    auth::Caller,
    base::{
        Error, Result,
        ids::WorkspaceId,
        page::{PageArgs, Slice},
    },
    ctx::Ctx,
    db::Tx,
};

/// A page of records and the cursor of each.
pub type Page<R> = Slice<(At, R)>;

/// A page by cursor.
pub async fn page<R: Record>(
    ctx: &Ctx,
    caller: &Caller,
    search: Option<&Search>,
    order: Order,
    args: PageArgs,
) -> Result<Page<R>> {
    let sight = Sight::of::<R>(caller)?;
    let request = args.parse::<At>()?;
    request.require_cursor(|at| at.is_of(R::TABLE, order))?;
    if let (None, None, true, Sight::All) = (search, order.field, order.descending, sight) {
        let mut tx = ctx.db.read(caller).await?;
        let connection = tx.connection();
        let beyond = request.from.as_ref().map(|at| at.id);
        let rows = R::rows_by_age(connection, caller.workspace, beyond, request.is_backward(), request.fetch()).await?;
        let at = |row: &R| At::new(R::TABLE, order, None, row.meta().id);
        return Ok(request.slice(rows.into_iter().map(|row| (at(&row), row)).collect()));
    }
    let mut tx = ctx.db.look(caller).await?;
    let connection = tx.connection();
    let found = queries::ordered_ids(connection, R::TABLE, caller.workspace, sight, search, order, &request).await?;
    Ok(request.slice(rows_of(connection, caller.workspace, found, |at| at.id).await?))
}

/// What was found with its rows, in its order, which the rows come without. One that was deleted
/// between the two statements is left out.
pub async fn rows_of<R: Record, F>(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    found: Vec<F>,
    id: fn(&F) -> Uuid,
) -> Result<Vec<(F, R)>> {
    let ids: Vec<_> = found.iter().map(id).collect();
    let rows = R::rows_by_ids(connection, workspace, &ids).await?;
    let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.meta().id, row)).collect();
    let with_row = |found| rows.remove(&id(&found)).map(|row| (found, row));
    Ok(found.into_iter().filter_map(with_row).collect())
}

/// How many live records match; exact.
pub async fn count<R: Record>(ctx: &Ctx, caller: &Caller, search: Option<&Search>) -> Result<i64> {
    let sight = Sight::of::<R>(caller)?;
    let mut tx = ctx.db.look(caller).await?;
    match search {
        None if sight == Sight::All => queries::counts::all(tx.connection(), caller.workspace, R::KIND).await,
        None => queries::count_matching(tx.connection(), R::TABLE, caller.workspace, sight, &[]).await,
        Some(search) => queries::count_found(tx.connection(), R::TABLE, caller.workspace, sight, search, &[]).await,
    }
}

/// Any page by its number, with the exact total. Deep pages and sorts without an index cost what
/// they cost, up to the statement time-out.
pub async fn numbered<R: Record>(ctx: &Ctx, caller: &Caller, wanted: &Numbered) -> Result<(Vec<R>, i64)> {
    let sight = Sight::of::<R>(caller)?;
    if let Some((field, _)) = wanted.filters.iter().find(|(field, _)| matches!(field.field_type, FieldType::Json)) {
        return Err(Error::invalid(field.name, "cannot be filtered by equality"));
    }
    let search = Search::new(R::KIND, Reach::Contract, wanted.search.as_deref())?;
    let mut tx = ctx.db.look(caller).await?;
    let (ids, total) = match search {
        Some(search) => found_page::<R>(&mut tx, caller, sight, &search, wanted).await?,
        None => matching_page::<R>(&mut tx, caller, sight, wanted).await?,
    };
    let rows = rows_of(tx.connection(), caller.workspace, ids, |id| *id).await?;
    Ok((rows.into_iter().map(|(_, row)| row).collect(), total))
}

async fn matching_page<R: Record>(
    tx: &mut Tx,
    caller: &Caller,
    sight: Sight,
    wanted: &Numbered,
) -> Result<(Vec<Uuid>, i64)> {
    let (connection, workspace) = (tx.connection(), caller.workspace);
    let total = match wanted.filters[..] {
        [] if sight == Sight::All => queries::counts::all(connection, workspace, R::KIND).await?,
        _ => queries::count_matching(connection, R::TABLE, workspace, sight, &wanted.filters).await?,
    };
    if wanted.offset() >= total {
        return Ok((Vec::new(), total));
    }
    Ok((queries::numbered_ids(connection, R::TABLE, workspace, sight, wanted).await?, total))
}

async fn found_page<R: Record>(
    tx: &mut Tx,
    caller: &Caller,
    sight: Sight,
    search: &Search,
    wanted: &Numbered,
) -> Result<(Vec<Uuid>, i64)> {
    let (connection, workspace) = (tx.connection(), caller.workspace);
    let (ids, total) = queries::found_ids(connection, R::TABLE, workspace, sight, search, wanted).await?;
    let total = match total {
        Some(total) => total,
        None if wanted.offset() == 0 => 0,
        // past the end
        None => queries::count_found(connection, R::TABLE, workspace, sight, search, &wanted.filters).await?,
    };
    Ok((ids, total))
}

/// A page for each of these records, of what leads to it, the newest first. Two statements for all.
pub async fn related_pages<R: Record>(
    ctx: &Ctx,
    caller: &Caller,
    column: &'static str,
    filter: RelatedFilter,
    to: &[Uuid],
    args: PageArgs,
) -> Result<HashMap<Uuid, Page<R>>> {
    let sight = Sight::of::<R>(caller)?;
    let request = args.parse::<At>()?;
    let order = Order::NEWEST_FIRST;
    request.require_cursor(|at| at.is_of(R::TABLE, order))?;
    let mut tx = ctx.db.read(caller).await?;
    let wanted = queries::related::Wanted { table: R::TABLE, column, sight, filter };
    let found = queries::related::pages(tx.connection(), caller.workspace, wanted, to, &request).await?;
    let ids: Vec<_> = found.iter().map(|found| found.id).collect();
    let rows = R::rows_by_ids(tx.connection(), caller.workspace, &ids).await?;
    let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.meta().id, row)).collect();
    let mut pages: HashMap<Uuid, Vec<(At, R)>> = to.iter().map(|id| (*id, Vec::new())).collect();
    for found in found {
        // one record leads to one by the same column
        if let Some(row) = rows.remove(&found.id) {
            pages.entry(found.to).or_default().push((At::new(R::TABLE, order, None, found.id), row));
        }
    }
    Ok(pages.into_iter().map(|(to, rows)| (to, request.slice(rows))).collect())
}

/// How many records lead to each of these.
pub async fn related_counts<R: Record>(
    ctx: &Ctx,
    caller: &Caller,
    column: &'static str,
    filter: RelatedFilter,
    to: &[Uuid],
) -> Result<HashMap<Uuid, i64>> {
    let sight = Sight::of::<R>(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let wanted = queries::related::Wanted { table: R::TABLE, column, sight, filter };
    let counted = queries::related::counts(tx.connection(), caller.workspace, wanted, to).await?;
    let none = to.iter().map(|id| (*id, 0));
    Ok(none.chain(counted).collect())
}
