//! The rows of a file that failed, as they are kept and shown.

use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Nullable, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::super::report::{RowError, RowErrorCode};
use crate::{
    base::{
        Result,
        ids::{ImportId, WorkspaceId},
        page::PageRequest,
    },
    db::schema::import_errors,
};

#[derive(Insertable)]
#[diesel(table_name = import_errors)]
struct NewError<'a> {
    workspace_id: WorkspaceId,
    import_id: ImportId,
    row: i64,
    line: i64,
    column: Option<&'a str>,
    value: Option<&'a str>,
    code: RowErrorCode,
    message: &'a str,
    cells: &'a [String],
}

/// A statement can bind 65,535 values.
const ERRORS_AT_ONCE: usize = 1_000;

pub async fn insert(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ImportId,
    errors: &[RowError],
) -> Result<()> {
    for some in errors.chunks(ERRORS_AT_ONCE) {
        let rows: Vec<_> = some
            .iter()
            .map(|error| NewError {
                workspace_id: workspace,
                import_id: id,
                row: error.row,
                line: error.line,
                column: error.column.as_deref(),
                value: error.value.as_deref(),
                code: error.code,
                message: &error.message,
                cells: &error.cells,
            })
            .collect();
        diesel::insert_into(import_errors::table).values(rows).execute(connection).await?;
    }
    Ok(())
}

#[derive(QueryableByName)]
struct ErrorRow {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    import_id: ImportId,
    #[diesel(sql_type = BigInt, column_name = "row")]
    number: i64,
    #[diesel(sql_type = BigInt)]
    line: i64,
    #[diesel(sql_type = Nullable<Text>)]
    column: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
    #[diesel(sql_type = Text)]
    code: RowErrorCode,
    #[diesel(sql_type = Text)]
    message: String,
    #[diesel(sql_type = Array<Text>)]
    cells: Vec<String>,
}

/// A page of the errors of each of these imports, in the order of the file or, backwards, against
/// it.
pub async fn pages(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    ids: &[ImportId],
    request: &PageRequest<i64>,
) -> Result<Vec<(ImportId, RowError)>> {
    let (beyond, way) = if request.is_backward() { ("<", "DESC") } else { (">", "ASC") };
    let statement = format!(
        "SELECT e.* FROM unnest($2) AS ids (id) CROSS JOIN LATERAL \
            (SELECT import_id, \"row\", line, \"column\", value, code, message, cells FROM import_errors \
              WHERE workspace_id = $1 AND import_id = ids.id AND ($3::bigint IS NULL OR \"row\" {beyond} $3) \
              ORDER BY \"row\" {way} LIMIT $4) e ORDER BY e.\"row\" {way}",
    );
    let rows: Vec<ErrorRow> = diesel::sql_query(statement)
        .bind::<diesel::sql_types::Uuid, _>(workspace)
        .bind::<Array<diesel::sql_types::Uuid>, _>(ids)
        .bind::<Nullable<BigInt>, _>(request.from)
        .bind::<BigInt, _>(request.fetch())
        .load(connection)
        .await?;
    let error = |found: ErrorRow| {
        let ErrorRow { import_id, number: row, line, column, value, code, message, cells } = found;
        (import_id, RowError { row, line, column, value, code, message, cells })
    };
    Ok(rows.into_iter().map(error).collect())
}

#[derive(QueryableByName)]
pub struct ShortError {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    pub import_id: ImportId,
    #[diesel(sql_type = BigInt)]
    pub number: i64,
    #[diesel(sql_type = Text)]
    pub message: String,
}

/// Row and message of the first errors of each of these imports.
pub async fn first(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    ids: &[ImportId],
    most: i64,
) -> Result<Vec<ShortError>> {
    let query = diesel::sql_query(
        "SELECT e.import_id, e.row AS number, e.message FROM unnest($2) AS ids (id) CROSS JOIN LATERAL \
            (SELECT import_id, row, message FROM import_errors \
              WHERE workspace_id = $1 AND import_id = ids.id ORDER BY row LIMIT $3) e",
    );
    Ok(query
        .bind::<diesel::sql_types::Uuid, _>(workspace)
        .bind::<Array<diesel::sql_types::Uuid>, _>(ids)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?)
}
