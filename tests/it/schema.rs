//! The two schemas that stand in files: `schema.graphql` is what the program serves, and
//! `src/db/schema.rs` is what the migrations make.

use std::{collections::BTreeMap, fs, path::Path};

use kontor::graphql::schema;

use crate::support::{database::database, sql};

/// Columns that diesel does not see, each with its reason.
const UNSEEN: &[(&str, &str)] = &[
    ("accounts.search_text", "generated; searched by the function search_record_ids"),
    ("contact_lists.criteria_digest", "generated; read by its name"),
    ("contacts.search_text", "generated; searched by the function search_record_ids"),
    ("contacts.extra_emails", "kept by a trigger, for the search text alone"),
    ("contacts.extra_phone_digits", "kept by a trigger, for the search text alone"),
    ("deals.search_text", "generated; searched by the function search_record_ids"),
    ("leads.search_text", "generated; searched by the function search_record_ids"),
    ("products.search_text", "generated; searched by the function search_record_ids"),
    ("tasks.search_text", "generated; searched by the function search_record_ids"),
    ("accounts.import_job_id", "written by imports, read for timelines, by SQL of their own"),
    ("contacts.import_job_id", "as that of accounts"),
    ("deals.import_job_id", "as that of accounts"),
    ("leads.import_job_id", "as that of accounts"),
    ("products.import_job_id", "as that of accounts"),
    ("tasks.import_job_id", "as that of accounts"),
    ("jobs.tenant", "generated; only the index of the claim needs it"),
];

#[test]
fn the_published_schema_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let published = fs::read_to_string(path).expect("schema.graphql can be read");
    let served = schema::sdl();
    let lines = published.lines().zip(served.lines()).enumerate();
    let differs = lines.map(|(at, (old, new))| (at + 1, old, new)).find(|(_, old, new)| old != new);
    assert!(published == served, "schema.graphql is stale at {differs:?}: run `cargo run -- schema > schema.graphql`");
}

/// `table.column` to its type, as diesel names it.
type Columns = BTreeMap<String, String>;

#[tokio::test]
async fn diesel_knows_the_tables_as_they_are() {
    let test = database().await;
    let made = sql::texts(
        &test.db,
        "SELECT format('%s %s %s %s %s', table_schema, table_name, column_name, udt_name, is_nullable) AS value
           FROM information_schema.columns c
           JOIN pg_class t ON t.oid = format('%I.%I', table_schema, table_name)::regclass
          WHERE table_schema IN ('public', 'staging') AND t.relkind IN ('r', 'p') AND NOT t.relispartition
            AND table_name <> '__diesel_schema_migrations'",
    )
    .await;
    let made: Columns = made.iter().filter_map(|line| column(line)).collect();
    let known = columns_of_diesel();
    assert!(known.len() > 100, "{}", known.len());
    let mut wrong = Vec::new();
    for (name, made_as) in &made {
        match known.get(name) {
            Some(known_as) if known_as == made_as => {}
            Some(known_as) => wrong.push(format!("{name} is {made_as}, diesel has {known_as}")),
            None if UNSEEN.iter().any(|(unseen, _)| unseen == name) => {}
            None => wrong.push(format!("{name} ({made_as}) is unknown to diesel")),
        }
    }
    wrong.extend(known.keys().filter(|name| !made.contains_key(*name)).map(|name| format!("{name} does not exist")));
    assert!(wrong.is_empty(), "src/db/schema.rs is not what the migrations make:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn diesel_knows_the_keys_as_they_are() {
    let test = database().await;
    let made = sql::texts(
        &test.db,
        "SELECT format('%s: %s', conrelid::regclass, string_agg(attname, ', ' ORDER BY place)) AS value
           FROM pg_constraint c JOIN pg_class t ON t.oid = conrelid, unnest(conkey) WITH ORDINALITY AS key (number, place)
           JOIN LATERAL (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = number) a ON true
          WHERE contype = 'p' AND NOT t.relispartition GROUP BY conrelid",
    )
    .await;
    for (table, key) in tables().iter().map(|table| (&table.name, &table.key)) {
        assert!(made.contains(&format!("{table}: {key}")), "the key of {table} is not ({key})");
    }
}

/// A line of the catalogue as diesel would write it.
fn column(line: &str) -> Option<(String, String)> {
    let [schema, table, column, udt, nullable] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
    // staging is written by COPY alone
    if schema != "public" {
        return None;
    }
    let single = |udt: &str| match udt {
        "uuid" => "Uuid".to_owned(),
        "text" => "Text".to_owned(),
        "timestamptz" => "Timestamptz".to_owned(),
        "jsonb" => "Jsonb".to_owned(),
        "bool" => "Bool".to_owned(),
        "bytea" => "Bytea".to_owned(),
        "int2" => "Int2".to_owned(),
        "int4" => "Int4".to_owned(),
        "int8" => "Int8".to_owned(),
        "numeric" => "Numeric".to_owned(),
        other => format!("({other}?)"),
    };
    let whole = udt.strip_prefix('_').map_or_else(|| single(udt), |of| format!("Array<{}>", single(of)));
    let whole = if nullable == "YES" { format!("Nullable<{whole}>") } else { whole };
    Some((format!("{table}.{column}"), whole))
}

struct Table {
    name: String,
    key: String,
    columns: Vec<(String, String)>,
}

fn columns_of_diesel() -> Columns {
    let named = |table: Table| {
        let name = table.name;
        table.columns.into_iter().map(move |(column, sql_type)| (format!("{name}.{column}"), sql_type))
    };
    tables().into_iter().flat_map(named).collect()
}

/// Reads the `table!` blocks as they are written.
fn tables() -> Vec<Table> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/db/schema.rs")).expect("readable");
    let mut tables: Vec<Table> = Vec::new();
    let mut sql_name = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("#[sql_name = \"") {
            sql_name = name.strip_suffix("\"]").map(ToOwned::to_owned);
        } else if let Some((name, key)) = line.strip_suffix(") {").and_then(|line| line.split_once(" (")) {
            tables.push(Table { name: name.to_owned(), key: key.to_owned(), columns: Vec::new() });
        } else if let Some((name, sql_type)) = line.strip_suffix(',').and_then(|line| line.split_once(" -> ")) {
            let name = sql_name.take().unwrap_or_else(|| name.to_owned());
            tables.last_mut().expect("a table").columns.push((name, sql_type.to_owned()));
        }
    }
    tables
}
