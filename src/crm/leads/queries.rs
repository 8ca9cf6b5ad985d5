//! The SQL of leads alone: their conversions, and how many there are of which sort.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Conversion;
use crate::{
    base::{
        Result,
        ids::{ContactId, LeadId, WorkspaceId},
    },
    crm::record::Sight,
    db::schema::lead_conversions,
};

pub async fn insert_conversion(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    conversion: &Conversion,
) -> Result<()> {
    let row = (lead_conversions::workspace_id.eq(workspace), conversion);
    diesel::insert_into(lead_conversions::table).values(row).execute(connection).await?;
    Ok(())
}

/// Of these leads those that were converted.
pub async fn conversions(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    leads: &[LeadId],
) -> Result<Vec<Conversion>> {
    Ok(lead_conversions::table
        .filter(lead_conversions::workspace_id.eq(workspace))
        .filter(lead_conversions::lead_id.eq_any(leads))
        .select(Conversion::as_select())
        .load(connection)
        .await?)
}

#[derive(QueryableByName)]
pub struct Source {
    #[diesel(sql_type = SqlUuid)]
    pub record: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub lead: LeadId,
}

/// For each of the records that this column leads to, the live lead in sight that became it last.
pub async fn sources(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    column: &'static str,
    records: &[Uuid],
    sight: Sight,
) -> Result<Vec<Source>> {
    let statement = format!(
        "SELECT DISTINCT ON (c.{column}) c.{column} AS record, c.lead_id AS lead \
           FROM lead_conversions c JOIN leads l ON l.workspace_id = $1 AND l.id = c.lead_id AND l.deleted_at IS NULL \
          WHERE c.workspace_id = $1 AND c.{column} = ANY($2){} \
          ORDER BY c.{column}, c.converted_at DESC, c.lead_id DESC",
        sight.condition()
    );
    let rows = sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<Array<SqlUuid>, _>(records);
    Ok(rows.load(connection).await?)
}

#[derive(QueryableByName)]
struct FoundContact {
    #[diesel(sql_type = SqlUuid)]
    id: ContactId,
}

/// The live contact that has this address, as its own or as a further one: there is one at most.
pub async fn contact_of_email(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    email: &str,
) -> Result<Option<ContactId>> {
    let found: Option<FoundContact> = sql_query(
        "SELECT id FROM contacts WHERE workspace_id = $1 AND email = $2 AND deleted_at IS NULL \
         UNION ALL \
         SELECT contact_id FROM contact_extra_addresses \
          WHERE workspace_id = $1 AND kind = 'email' AND address = $2 AND is_live",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Text, _>(email)
    .get_result(connection)
    .await
    .optional()?;
    Ok(found.map(|found| found.id))
}

#[derive(QueryableByName)]
struct FoundAccount {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    id: Option<Uuid>,
}

/// The oldest live account of this name, whatever the case, in the workspace that the transaction is
/// bound to; the function looks nowhere else.
pub async fn account_of_name(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    name: &str,
) -> Result<Option<Uuid>> {
    let found: FoundAccount = sql_query("SELECT account_of_name($2) AS id WHERE $1 IS NOT NULL")
        .bind::<SqlUuid, _>(workspace)
        .bind::<Text, _>(name)
        .get_result(connection)
        .await?;
    Ok(found.id)
}

#[derive(QueryableByName)]
pub struct Counted {
    #[diesel(sql_type = Nullable<Text>)]
    pub status: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub source: Option<String>,
    #[diesel(sql_type = BigInt)]
    pub count: i64,
}

/// How many live leads in sight there are of each status, and of each source, the most first; in one
/// walk over them.
pub async fn counts(connection: &mut AsyncPgConnection, workspace: WorkspaceId, sight: Sight) -> Result<Vec<Counted>> {
    let statement = format!(
        "SELECT status, source, count(*) AS count FROM leads WHERE workspace_id = $1 AND deleted_at IS NULL{} \
          GROUP BY GROUPING SETS ((status), (source)) ORDER BY count DESC, status, source",
        sight.condition()
    );
    Ok(sql_query(statement).bind::<SqlUuid, _>(workspace).load(connection).await?)
}
