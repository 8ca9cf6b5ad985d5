//! A file of every sort of row, and all that its import leaves behind: to compare an import that was
//! disturbed with one that was not.

use kontor::db::Db;
use rand::{RngExt, rngs::StdRng};

use super::sql;

/// Rows of every sort: new ones, duplicates near and far, bad ones, quoted line breaks.
pub fn file(rng: &mut StdRng, rows: usize) -> String {
    let mut text = "email,city,notes,status\r\n".to_owned();
    for row in 0..rows {
        let person = if rng.random_bool(0.2) { rng.random_range(0..=row) } else { row };
        let city = rng.random_range(0..3);
        text.push_str(&match rng.random_range(0..20) {
            0 => format!("not an address,{city},,\r\n"),
            1 => format!("u{person}@x.de,{city}\r\n"),
            2 => format!("u{person}@x.de,{city},\"a\r\n\r\n\"\"b\"\"\",\r\n"),
            3 => ",,,\r\n".to_owned(),
            4 => format!("u{person}@x.de,,,nonsense\n"),
            5 => format!("\r\n,City of row {row},row {row},\r\n"),
            6 => format!(",Rom,{row},lead\r\n"),
            _ => format!("u{person}@x.de,{city},,customer\r\n"),
        });
    }
    text
}

/// Everything that the imports of this database have left, but for ids and times.
pub async fn outcome(db: &Db) -> Vec<String> {
    let mut all = Vec::new();
    for query in [
        "SELECT jsonb_build_array(email, city, notes, status, source, version, tags)::text AS value FROM contacts \
          WHERE deleted_at IS NULL ORDER BY id",
        "SELECT concat_ws(' ', c.email, h.version, h.before, h.after) AS value FROM record_changes h \
           JOIN contacts c ON c.id = h.record_id ORDER BY c.email, h.version",
        "SELECT concat_ws('|', row, line, \"column\", value, code, message, cells) AS value FROM import_errors \
          ORDER BY import_id, row",
        "SELECT concat_ws('|', status, total_rows, processed_rows, created_rows, updated_rows, unchanged_rows, \
          skipped_rows, failed_rows, resume_row, resume_byte, resume_line) AS value FROM imports ORDER BY id",
        // every record is told once, whatever the batches; where nothing relays, the outbox has it all
        "SELECT concat_ws(' ', name, payload, cardinality(record_ids)) AS value FROM \
          (SELECT position AS place, name, payload, record_ids FROM events \
            UNION ALL SELECT id, name, payload, record_ids FROM outbox) told \
          WHERE name LIKE 'record.%' ORDER BY place",
    ] {
        all.extend(sql::texts(db, query).await);
    }
    all
}

/// How many staging tables there are.
pub async fn staged(db: &Db) -> i64 {
    sql::number(db, "SELECT count(*) AS value FROM pg_tables WHERE schemaname = 'staging'").await
}
