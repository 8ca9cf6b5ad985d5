//! The SQL of what deals have beside their fields.

use bigdecimal::BigDecimal;
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid},
    upsert::excluded,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{LineItem, StageTotal};
use crate::{
    base::{
        Result,
        ids::{DealId, LineItemId, StageId, WorkspaceId},
    },
    crm::record::Sight,
    db::schema::deal_products,
};

/// The line items of these deals, each deal's in their order.
pub async fn line_items(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    deals: &[DealId],
) -> Result<Vec<LineItem>> {
    let items = deal_products::table
        .filter(deal_products::workspace_id.eq(workspace))
        .filter(deal_products::deal_id.eq_any(deals))
        .order((deal_products::deal_id, deal_products::position, deal_products::id))
        .select(LineItem::as_select());
    Ok(items.load(connection).await?)
}

/// Writes these items of one deal, which are new or known.
pub async fn put_line_items(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    items: &[LineItem],
) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = items.iter().map(|item| (deal_products::workspace_id.eq(workspace), item)).collect();
    diesel::insert_into(deal_products::table)
        .values(rows)
        .on_conflict((deal_products::workspace_id, deal_products::id))
        .do_update()
        .set((
            deal_products::product_id.eq(excluded(deal_products::product_id)),
            deal_products::name.eq(excluded(deal_products::name)),
            deal_products::quantity.eq(excluded(deal_products::quantity)),
            deal_products::unit_price.eq(excluded(deal_products::unit_price)),
            deal_products::discount_percent.eq(excluded(deal_products::discount_percent)),
            deal_products::position.eq(excluded(deal_products::position)),
            deal_products::updated_at.eq(excluded(deal_products::updated_at)),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn delete_line_items(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    deal: DealId,
    ids: &[LineItemId],
) -> Result<()> {
    let items = deal_products::table
        .filter(deal_products::workspace_id.eq(workspace))
        .filter(deal_products::deal_id.eq(deal))
        .filter(deal_products::id.eq_any(ids));
    diesel::delete(items).execute(connection).await?;
    Ok(())
}

/// One change of a deal's stage.
#[derive(Debug, QueryableByName)]
pub struct StageChange {
    #[diesel(sql_type = SqlUuid)]
    pub deal: Uuid,
    #[diesel(sql_type = Timestamptz)]
    pub at: chrono::DateTime<chrono::Utc>,
    #[diesel(sql_type = Nullable<Text>)]
    pub before: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub after: Option<String>,
}

/// The changes of the stages of these deals, each deal's the newest first and no more than so many.
pub async fn stage_changes(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    deals: &[Uuid],
    most: i64,
) -> Result<Vec<StageChange>> {
    let changes = sql_query(
        "SELECT wanted.id AS deal, c.at, c.before ->> 'stage_id' AS before, c.after ->> 'stage_id' AS after \
           FROM unnest($2) AS wanted (id) CROSS JOIN LATERAL ( \
                SELECT at, version, before, after FROM record_changes \
                 WHERE workspace_id = $1 AND kind = 'deal' AND record_id = wanted.id AND after ? 'stage_id' \
                 ORDER BY version DESC LIMIT $3) AS c \
          ORDER BY wanted.id, c.version DESC",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(deals)
    .bind::<BigInt, _>(most);
    Ok(changes.load(connection).await?)
}

#[derive(QueryableByName)]
struct TotalRow {
    #[diesel(sql_type = SqlUuid)]
    stage: StageId,
    #[diesel(sql_type = Text)]
    currency: String,
    #[diesel(sql_type = BigInt)]
    deals: i64,
    #[diesel(sql_type = Numeric)]
    amount: BigDecimal,
}

/// What the live deals on these stages come to, by currency.
pub async fn stage_totals(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    sight: Sight,
    stages: &[StageId],
) -> Result<Vec<StageTotal>> {
    let statement = format!(
        "SELECT stage_id AS stage, currency, count(*) AS deals, sum(amount) AS amount FROM deals \
          WHERE workspace_id = $1 AND stage_id = ANY($2) AND deleted_at IS NULL{} \
          GROUP BY stage_id, currency ORDER BY stage_id, currency",
        sight.condition()
    );
    let rows: Vec<TotalRow> =
        sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<Array<SqlUuid>, _>(stages).load(connection).await?;
    let total = |TotalRow { stage, currency, deals, amount }| StageTotal { stage, currency, deals, amount };
    Ok(rows.into_iter().map(total).collect())
}
