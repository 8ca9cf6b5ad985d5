//! Which rows there are about records, by the database's own account: a table that is new and that the
//! purge does not know of fails here.

use kontor::crm::{RecordKind, purge::attached};

use super::{
    rows,
    world::{KINDS, World},
};
use crate::support::{database::database, server::TestServer, sql};

/// Tables that name records without saying of which kind, with how that is found for a row `t`.
const KIND_OF: &[(&str, &str)] = &[
    ("list_members", "'contact'"),
    ("list_log", "'contact'"),
    (
        "custom_values",
        "(SELECT f.kind FROM custom_fields f WHERE f.workspace_id = t.workspace_id AND f.id = t.field_id)",
    ),
];

/// Tables whose rows stay without their record, each with its reason.
const STAY: &[(&str, &str)] = &[
    ("list_builds", "what a job has still to do: who is gone does not enter, and the rows go when the job is through"),
    ("bulk_targets", "what a job has still to do: it tells that the record is gone, and the row goes with that"),
    ("bulk_failures", "what a job tells, and goes with it"),
    ("record_merge_losers", "what a merge was about: goes with the merge, which goes with the record that stayed"),
];

/// The tables with a column `record_id`, each with the SQL of a row's kind.
async fn tables(server: &TestServer) -> Vec<(String, String)> {
    let db = &server.database.db;
    let with = |column: &str| {
        format!(
            "SELECT c.table_name::text AS value FROM information_schema.columns c
               JOIN information_schema.tables t USING (table_schema, table_name)
              WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.column_name = '{column}' ORDER BY 1"
        )
    };
    let (all, with_kind) = (sql::texts(db, &with("record_id")).await, sql::texts(db, &with("kind")).await);
    assert!(all.len() > 8, "{all:?}");
    let mut found = Vec::new();
    for table in all.into_iter().filter(|table| !STAY.iter().any(|(stays, _)| stays == table)) {
        let known = KIND_OF.iter().find(|(known, _)| *known == table).map(|(_, kind)| (*kind).to_owned());
        let kind = known.or_else(|| with_kind.contains(&table).then(|| "t.kind".to_owned()));
        let kind = kind.unwrap_or_else(|| panic!("of which kind are the records of {table}?"));
        found.push((table, kind));
    }
    found
}

/// Rows about records that are not there, and that became part of none that is there.
pub async fn assert_none(server: &TestServer) {
    for (table, of) in tables(server).await {
        for kind in KINDS {
            let orphans = format!(
                "{table} t WHERE {of} = '{kind}'
                   AND NOT EXISTS (SELECT FROM {kind}s r WHERE r.workspace_id = t.workspace_id AND r.id = t.record_id)
                   AND NOT EXISTS (SELECT FROM {kind}s r,
                                        records_merged_into(r.workspace_id, '{kind}', r.id) AS merged (id)
                                    WHERE r.workspace_id = t.workspace_id AND merged.id = t.record_id)"
            );
            assert_eq!(rows(server, &orphans).await, 0, "{table}, {kind}");
        }
    }
    // and none of merges into records that are gone
    let merges = "record_merge_losers l WHERE NOT EXISTS (SELECT FROM record_merges m
        WHERE m.workspace_id = l.workspace_id AND m.id = l.merge_id)";
    assert_eq!(rows(server, merges).await, 0);
}

/// That no test of what goes passes because there was nothing: every table has a row about one of the
/// doomed records, and every foreign key one that leads to one.
pub async fn assert_all_attached(server: &TestServer, world: &World) {
    for (table, of) in tables(server).await {
        let mut found = 0;
        for kind in KINDS {
            let about = format!("{table} t WHERE {of} = '{kind}' AND t.record_id = '{}'", world.doomed(kind));
            found += rows(server, &about).await;
        }
        assert!(found > 0, "attach something in {table}");
    }
    for kind in KINDS {
        let of = RecordKind::parse(kind).expect("a kind");
        for attached in attached::to(of) {
            let leading = format!("{} WHERE {} = '{}'", attached.table, of.link(), world.doomed(kind));
            assert!(rows(server, &leading).await > 0, "{leading}");
        }
    }
    assert!(rows(server, "record_merge_moves").await + rows(server, "record_merge_losers").await > 0);
}

#[tokio::test]
async fn every_foreign_key_to_a_record_is_known_to_the_purge_and_keeps_no_record() {
    let test = database().await;
    let tables: Vec<_> = RecordKind::ALL.iter().map(|kind| format!("'{}'::regclass", kind.table())).collect();
    let keys = format!(
        "SELECT c.conrelid::regclass || '.' || a.attname ||
                CASE WHEN c.confdeltype IN ('c', 'n') THEN '' ELSE ' keeps it' END
                AS value
           FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[2]
          WHERE c.contype = 'f' AND c.confrelid IN ({}) ORDER BY 1",
        tables.join(", ")
    );
    let there = sql::texts(&test.db, &keys).await;
    let known = RecordKind::ALL.iter().flat_map(|kind| attached::to(*kind).map(|one| (one.table, kind.link())));
    let mut known: Vec<_> = known.map(|(table, column)| format!("{table}.{column}")).collect();
    known.sort();
    let mut there_sorted = there.clone();
    there_sorted.sort();
    assert_eq!(there_sorted, known);
}
