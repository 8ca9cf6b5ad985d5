//! Reading definitions, and looking for who has a value.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Jsonb, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{super::RecordKind, CustomField};
use crate::{
    base::{Result, ids::WorkspaceId},
    db::schema::custom_fields,
};

/// In their order.
pub async fn definitions(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
) -> Result<Vec<CustomField>> {
    Ok(custom_fields::table
        .filter(custom_fields::workspace_id.eq(workspace))
        .filter(custom_fields::kind.eq(kind))
        .order((custom_fields::position, custom_fields::id))
        .select(CustomField::as_select())
        .load(connection)
        .await?)
}

/// The keys that no new record may lack.
pub async fn required_keys(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
) -> Result<Vec<String>> {
    Ok(custom_fields::table
        .filter(custom_fields::workspace_id.eq(workspace))
        .filter(custom_fields::kind.eq(kind))
        .filter(custom_fields::is_required)
        .select(custom_fields::key)
        .load(connection)
        .await?)
}

#[derive(QueryableByName)]
struct Holder {
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = SqlUuid)]
    other: Uuid,
}

/// Another record that has one of these values where it must be unique: the key and the record.
pub async fn holder(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    record: Uuid,
    bag: &Json,
) -> Result<Option<(String, Uuid)>> {
    let found: Option<Holder> = sql_query(
        "SELECT f.key, holder.record_id AS other FROM custom_value_rows($1, $2, $3, $4) AS mine \
          CROSS JOIN LATERAL (SELECT v.record_id FROM custom_values v \
                WHERE v.workspace_id = $1 AND v.field_id = mine.field_id AND v.unique_value = mine.unique_value \
                  AND v.record_id <> $3 LIMIT 1) AS holder \
           JOIN custom_fields f ON f.workspace_id = $1 AND f.id = mine.field_id \
          ORDER BY f.position LIMIT 1",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Text, _>(kind)
    .bind::<SqlUuid, _>(record)
    .bind::<Jsonb, _>(bag)
    .get_result(connection)
    .await
    .optional()?;
    Ok(found.map(|found| (found.key, found.other)))
}
