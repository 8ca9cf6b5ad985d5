//! The SQL of further addresses.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::model::ExtraAddress;
use crate::base::{
    Result,
    ids::{ContactId, ExtraAddressId, WorkspaceId},
};

const COLUMNS: &str = "x.id, x.contact_id, x.kind, x.address, x.label, x.created_at";

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Those of these contacts, the oldest first.
pub async fn of_contacts(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    contacts: &[Uuid],
) -> Result<Vec<ExtraAddress>> {
    let statement = format!(
        "SELECT {COLUMNS} FROM contact_extra_addresses x WHERE x.workspace_id = $1 AND x.contact_id = ANY($2) \
          ORDER BY x.created_at, x.id"
    );
    let rows = sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<Array<SqlUuid>, _>(contacts);
    Ok(rows.load(connection).await?)
}

pub async fn find(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ExtraAddressId,
) -> Result<Option<ExtraAddress>> {
    let statement = format!("SELECT {COLUMNS} FROM contact_extra_addresses x WHERE x.workspace_id = $1 AND x.id = $2");
    let row = sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<SqlUuid, _>(id);
    Ok(row.get_result(connection).await.optional()?)
}

pub async fn insert(connection: &mut AsyncPgConnection, workspace: WorkspaceId, new: &ExtraAddress) -> Result<()> {
    sql_query(
        "INSERT INTO contact_extra_addresses (workspace_id, id, contact_id, kind, address, label, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(new.id)
    .bind::<SqlUuid, _>(new.contact_id)
    .bind::<Text, _>(new.kind)
    .bind::<Text, _>(&new.address)
    .bind::<Nullable<Text>, _>(&new.label)
    .bind::<Timestamptz, _>(new.created_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes it where it is still this contact's and still this address; whether it was.
pub async fn delete(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: Uuid,
    contact: Uuid,
    address: &str,
) -> Result<bool> {
    let gone = sql_query(
        "DELETE FROM contact_extra_addresses WHERE workspace_id = $1 AND id = $2 AND contact_id = $3 AND address = $4",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(contact)
    .bind::<Text, _>(address)
    .execute(connection)
    .await?;
    Ok(gone > 0)
}

/// Gives it to another contact, which is live or not, where it is still this contact's and still this
/// address; whether it was.
pub async fn give(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    (id, address): (Uuid, &str),
    from: Uuid,
    to: Uuid,
) -> Result<bool> {
    let given = sql_query(
        "UPDATE contact_extra_addresses x SET contact_id = $4, \
                is_live = EXISTS (SELECT FROM contacts c WHERE c.workspace_id = $1 AND c.id = $4 AND c.deleted_at IS NULL) \
          WHERE x.workspace_id = $1 AND x.id = $2 AND x.contact_id = $3 AND x.address = $5",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(from)
    .bind::<SqlUuid, _>(to)
    .bind::<Text, _>(address)
    .execute(connection)
    .await?;
    Ok(given > 0)
}

/// Another live contact that has this e-mail address, or one of the contact's further ones, in whatever
/// way; or the contact itself, where it has it in two.
pub async fn holder(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    contact: ContactId,
    email: Option<&str>,
) -> Result<Option<Uuid>> {
    let found: Option<Found> = sql_query(
        "WITH own (address) AS ( \
             SELECT $3 WHERE $3 IS NOT NULL \
             UNION SELECT x.address FROM contact_extra_addresses x \
              WHERE x.workspace_id = $1 AND x.contact_id = $2 AND x.kind = 'email'), \
         holders (id) AS ( \
             SELECT c.id FROM own JOIN contacts c ON c.workspace_id = $1 AND c.email = own.address \
                AND c.deleted_at IS NULL \
             UNION SELECT x.contact_id FROM own JOIN contact_extra_addresses x ON x.workspace_id = $1 \
                AND x.address = own.address AND x.kind = 'email' AND x.is_live) \
         SELECT id FROM holders ORDER BY id = $2, id LIMIT 1",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(contact)
    .bind::<Nullable<Text>, _>(email)
    .get_result(connection)
    .await
    .optional()?;
    Ok(found.map(|found| found.id))
}
