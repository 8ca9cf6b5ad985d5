//! The staging tables of an import: what the checked rows look like in them, and how they get
//! there. Two of them, taken in turn, so that one batch is copied while another is applied.
//!
//! Their names hold the attempt: a worker that was taken for dead, and is not, writes into tables
//! that nobody reads any more.

use bytes::{BufMut, Bytes, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type};
use uuid::Uuid;

use super::{check::Staged, map::Mapped, queries::staging};
use crate::{
    base::{Error, Result, ids::ImportId},
    crm::record::{Field, FieldType, Value},
    ctx::Ctx,
};

/// How many batches are between reading and committed.
pub const SLOTS: usize = 2;

/// Columns before the fields, in the order in which they are encoded.
const OWN_COLUMNS: usize = 4;
const COLUMNS: &str = "creatable boolean NOT NULL, number bigint NOT NULL, id uuid NOT NULL, wave integer NOT NULL";

const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const COPY_END: i16 = -1;

/// The name of a staging table, schema included.
pub fn table(import: ImportId, attempt: i32, slot: usize) -> String {
    format!("staging.import_{}_{attempt}_{slot}", import.0.simple())
}

/// The import that a table of the schema `staging` belongs to, by the table's name.
pub fn owner(table: &str) -> Option<ImportId> {
    let id = table.strip_prefix("import_")?.split('_').next()?;
    Uuid::try_parse(id).ok().map(ImportId)
}

/// The column of a field. Apart from our own columns, whatever the field is called.
pub fn column(field: &Field) -> String {
    format!("f_{}", field.column)
}

/// The type of that column. Decimals travel as text: nothing here writes PostgreSQL's own form.
pub fn sql_type(field: &Field) -> &'static str {
    match field.field_type {
        FieldType::Decimal => "text",
        _ => field.sql_type(),
    }
}

/// Makes this attempt's tables; what earlier attempts left behind is dropped.
pub async fn prepare(ctx: &Ctx, import: ImportId, attempt: i32, mapped: &[Mapped]) -> Result<()> {
    drop_tables(ctx, |table| owner(table) == Some(import)).await?;
    let fields: Vec<_> = mapped.iter().map(|(_, field)| format!("{} {}", column(field), sql_type(field))).collect();
    let columns = format!("{COLUMNS}, {}", fields.join(", "));
    let app_role = &ctx.db.connector().roles().app;
    let client = ctx.db.copy().await?;
    for slot in 0..SLOTS {
        staging::create(&client, &table(import, attempt, slot), &columns, app_role).await?;
    }
    Ok(())
}

/// Replaces what is in a slot by a batch's rows.
pub async fn fill(ctx: &Ctx, table: &str, rows: Bytes) -> Result<()> {
    let client = ctx.db.copy().await?;
    staging::fill(&client, table, rows).await
}

/// Drops the staging tables that the caller points out. One that somebody still uses stays for the
/// next time.
pub async fn drop_tables(ctx: &Ctx, mut which: impl FnMut(&str) -> bool) -> Result<()> {
    let client = ctx.db.copy().await?;
    for table in staging::list(&client).await?.iter().filter(|table| which(table)) {
        if let Err(error) = staging::remove(&client, table).await {
            tracing::info!(?error, table, "a staging table could not be dropped; trying again later");
        }
    }
    Ok(())
}

/// Writes rows in PostgreSQL's binary COPY format.
pub struct Encoder {
    buffer: BytesMut,
    columns: i16,
    types: Vec<Type>,
}

impl Encoder {
    pub fn new(mapped: &[Mapped]) -> Self {
        let types: Vec<_> = mapped.iter().map(|(_, field)| binary_type(field.field_type)).collect();
        let mut buffer = BytesMut::new();
        buffer.put_slice(COPY_HEADER);
        Self { buffer, columns: i16::try_from(OWN_COLUMNS + types.len()).unwrap_or(i16::MAX), types }
    }

    /// A row that can become a new record.
    pub fn row(&mut self, row: &Staged, values: &[Value]) -> Result<()> {
        self.buffer.put_i16(self.columns);
        // first, and so at a place that is known: see note_missing
        let creatable = true;
        put(&mut self.buffer, &creatable, &Type::BOOL)?;
        put(&mut self.buffer, &row.number, &Type::INT8)?;
        put(&mut self.buffer, &row.id, &Type::UUID)?;
        put(&mut self.buffer, &row.wave, &Type::INT4)?;
        for (value, its_type) in values.iter().zip(&self.types) {
            put_value(&mut self.buffer, value, its_type)?;
        }
        Ok(())
    }

    /// Where the next row begins.
    pub fn mark(&self) -> usize {
        self.buffer.len()
    }

    /// Takes back what was written since the mark.
    pub fn forget(&mut self, mark: usize) {
        self.buffer.truncate(mark);
    }

    /// Notes of the row at the mark that it can only update a record.
    pub fn note_missing(&mut self, mark: usize) {
        const COUNT_AND_LENGTH: usize = 2 + 4;
        self.buffer[mark + COUNT_AND_LENGTH] = 0;
    }

    pub fn finish(mut self) -> Bytes {
        self.buffer.put_i16(COPY_END);
        self.buffer.freeze()
    }
}

fn binary_type(field_type: FieldType) -> Type {
    match field_type {
        FieldType::Count | FieldType::Percent => Type::INT4,
        FieldType::Instant => Type::TIMESTAMPTZ,
        FieldType::User | FieldType::Link(_) | FieldType::Pipeline | FieldType::Stage | FieldType::Id => Type::UUID,
        FieldType::Tags => Type::TEXT_ARRAY,
        _ => Type::TEXT,
    }
}

fn put_value(buffer: &mut BytesMut, value: &Value, its_type: &Type) -> Result<()> {
    match value {
        Value::Null => {
            buffer.put_i32(-1);
            Ok(())
        }
        Value::Text(text) => put(buffer, text, its_type),
        Value::Integer(number) => put(buffer, number, its_type),
        Value::Decimal(number) => put(buffer, &number.to_plain_string(), its_type),
        Value::Time(at) => put(buffer, at, its_type),
        Value::Id(id) => put(buffer, id, its_type),
        Value::Texts(texts) => put(buffer, texts, its_type),
        Value::Json(_) => Err(Error::internal("a JSON value came out of a cell")),
    }
}

/// Length, then bytes.
fn put(buffer: &mut BytesMut, value: &dyn ToSql, its_type: &Type) -> Result<()> {
    let at = buffer.len();
    buffer.put_i32(0);
    let length = match value.to_sql_checked(its_type, buffer).map_err(Error::Internal)? {
        IsNull::Yes => -1,
        IsNull::No => i32::try_from(buffer.len() - at - 4).map_err(Error::internal)?,
    };
    buffer[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}
