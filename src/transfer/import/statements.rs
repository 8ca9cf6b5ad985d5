//! The statements of a batch, written from the mapped fields. Names of tables and columns come
//! from our own field tables; every value is in the staging table or bound.

use super::{map::Mapped, stage, target::Target};
use crate::crm::record::{Field, FieldType, value::time_in_history};

/// The statements for one staging table.
pub struct Statements {
    /// The rows that are there: a crash of PostgreSQL empties the table.
    pub count: String,
    /// Per field that refers to something: the rows whose reference leads nowhere.
    /// `$1` workspace.
    pub dangling: Vec<(&'static Field, String)>,
    /// The rows whose key is a further address of a contact: they are its duplicates, and become nothing.
    /// `$1` workspace.
    pub taken: Option<String>,
    /// The rows that have a live record. `$1` workspace, `$2` rows.
    pub matching: String,
    /// Locks the live records of a wave. `$1` workspace, `$2` wave, `$3` rows left out.
    pub lock: String,
    /// Updates them, with history; returns number, record, next version and changed columns of each
    /// matched row.
    /// `$1` to `$3` as above, `$4` kind, `$5` time, `$6` actor, `$7` origin.
    pub update: String,
    /// Inserts what has no live record, of one wave or of all; returns the new ids.
    /// `$1` workspace, `$2` wave, `$3` rows left out, `$4` creator, `$5` time, `$6` the import's job.
    pub insert: String,
}

impl Statements {
    pub fn new(target: &Target, mapped: &[Mapped], table: &str) -> Self {
        let fields: Vec<_> = mapped.iter().map(|(_, field)| *field).collect();
        let key = fields.iter().find(|field| field.column == target.key).copied();
        Self {
            count: format!("SELECT count(*) AS count FROM {table}"),
            dangling: fields.iter().filter_map(|field| Some((*field, dangling(field, table)?))).collect(),
            taken: key.and_then(|key| taken(key, table)),
            matching: matching(target, key, table),
            lock: lock(target, key, table),
            update: update(target, key, &fields, table),
            insert: insert(target, key, &fields, table),
        }
    }
}

/// The join of staged rows to their live records. Without a key column nothing matches.
fn matched(target: &Target, key: Option<&Field>) -> String {
    let on = key.map_or_else(|| "false".to_owned(), |key| format!("c.{} = s.{}", key.column, stage::column(key)));
    format!("JOIN {} c ON c.workspace_id = $1 AND {on} AND c.deleted_at IS NULL", target.table)
}

fn taken(key: &Field, table: &str) -> Option<String> {
    (key.column == "email").then(|| {
        format!(
            "SELECT s.number FROM {table} s JOIN contact_extra_addresses x ON x.workspace_id = $1 AND x.kind = 'email' \
                AND x.is_live AND x.address = s.{}",
            stage::column(key)
        )
    })
}

fn matching(target: &Target, key: Option<&Field>, table: &str) -> String {
    format!("SELECT s.number FROM {table} s {} WHERE s.number = ANY($2)", matched(target, key))
}

/// In the order of the keys, so that two imports never wait for one another in a circle.
fn lock(target: &Target, key: Option<&Field>, table: &str) -> String {
    format!(
        "SELECT c.id FROM {table} s {} WHERE s.wave = $2 AND s.number <> ALL($3) ORDER BY c.{} FOR NO KEY UPDATE OF c",
        matched(target, key),
        target.key
    )
}

fn insert(target: &Target, key: Option<&Field>, fields: &[&'static Field], table: &str) -> String {
    let columns: String = fields.iter().map(|field| format!(", {}", field.column)).collect();
    let values: String = fields.iter().map(|field| format!(", {}", new_value(field))).collect();
    let order = key.map(|key| format!("s.{}, ", stage::column(key))).unwrap_or_default();
    format!(
        "INSERT INTO {} (workspace_id, id, created_by, created_at, updated_at, import_job_id{columns}) \
         SELECT $1, s.id, $4, $5, $5, $6{values} FROM {table} s \
          WHERE s.creatable AND ($2 IS NULL OR s.wave = $2) AND s.number <> ALL($3) ORDER BY {order}s.number \
         ON CONFLICT (workspace_id, {}) WHERE deleted_at IS NULL DO NOTHING RETURNING id",
        target.table, target.key
    )
}

/// An empty cell changes nothing.
fn update(target: &Target, key: Option<&Field>, fields: &[&'static Field], table: &str) -> String {
    let set: Vec<_> = fields.iter().filter(|field| field.column != target.key).collect();
    let pairs: String = set
        .iter()
        .map(|field| format!(", {} AS new_{column}, c.{column} AS old_{column}", staged(field), column = field.column))
        .collect();
    let differs = |field: &Field| {
        format!("new_{column} IS NOT NULL AND new_{column} IS DISTINCT FROM old_{column}", column = field.column)
    };
    let changes = |which: &str| {
        let parts = set.iter().map(|field| {
            let value = json(field, &format!("{which}_{}", field.column));
            let object = format!("jsonb_build_object('{}', {value})", field.column);
            format!("CASE WHEN {} THEN {object} ELSE '{{}}' END", differs(field))
        });
        std::iter::once("'{}'::jsonb".to_owned()).chain(parts).collect::<Vec<_>>().join(" || ")
    };
    let assignments: String = set
        .iter()
        .map(|field| format!(", {column} = coalesce(new_{column}, old_{column})", column = field.column))
        .collect();
    format!(
        "WITH pairs AS (SELECT s.number, c.id, c.version{pairs} FROM {table} s {matched} \
                         WHERE s.wave = $2 AND s.number <> ALL($3)), \
              matched AS MATERIALIZED (SELECT *, {before} AS before, {after} AS after FROM pairs), \
              history AS (INSERT INTO record_changes \
                              (workspace_id, kind, record_id, version, at, actor, origin, before, after) \
                          SELECT $1, $4, id, version + 1, $5, $6, $7, before, after FROM matched \
                           WHERE after <> '{{}}'), \
              updated AS (UPDATE {target} SET version = matched.version + 1, updated_at = $5{assignments} FROM matched \
                           WHERE {target}.workspace_id = $1 AND {target}.id = matched.id AND matched.after <> '{{}}') \
         SELECT number, id, version + 1 AS version, ARRAY(SELECT jsonb_object_keys(after)) AS changed FROM matched",
        matched = matched(target, key),
        before = changes("old"),
        after = changes("new"),
        target = target.table,
    )
}

/// The staged value as its column's type.
fn staged(field: &Field) -> String {
    match field.field_type {
        FieldType::Decimal => format!("s.{}::numeric", stage::column(field)),
        _ => format!("s.{}", stage::column(field)),
    }
}

/// The staged value, or what a new record has without one.
fn new_value(field: &Field) -> String {
    match field.field_type {
        FieldType::Choice(words) => format!("coalesce({}, '{}')", staged(field), words[0]),
        FieldType::Tags => format!("coalesce({}, '{{}}')", staged(field)),
        _ => staged(field),
    }
}

/// As `Value::to_json` writes it into the history.
fn json(field: &Field, value: &str) -> String {
    match field.field_type {
        FieldType::Decimal => format!("to_jsonb(trim_scale({value})::text)"),
        FieldType::User | FieldType::Link(_) | FieldType::Pipeline | FieldType::Stage | FieldType::Id => {
            format!("to_jsonb({value}::text)")
        }
        FieldType::Instant => time_in_history(value),
        _ => format!("to_jsonb({value})"),
    }
}

fn dangling(field: &Field, table: &str) -> Option<String> {
    let target = match (field.field_type, field.links_to()) {
        (FieldType::User, _) => "members r WHERE r.workspace_id = $1 AND r.status = 'active' AND r.user_id".to_owned(),
        (_, Some(linked)) => format!("{linked} r WHERE r.workspace_id = $1 AND r.deleted_at IS NULL AND r.id"),
        (_, None) => return None,
    };
    let column = stage::column(field);
    Some(format!(
        "SELECT s.number FROM {table} s WHERE s.{column} IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM {target} = s.{column})"
    ))
}
