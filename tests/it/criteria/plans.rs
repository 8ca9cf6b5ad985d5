//! Criteria are answered by the indexes that there are for them.

use kontor::{
    crm::{
        RecordKind,
        fields::{self, CustomType, ops::NewField},
    },
    db::Tx,
};
use serde_json::{Value, json};

use super::{checked, setting};
use crate::support::{client::Client, server::TestServer, sql};

const ROWS: i64 = 20_000;

async fn define(server: &TestServer, ada: &Client) {
    let score = NewField {
        kind: RecordKind::Contact,
        key: Some("score".into()),
        label: "Score".into(),
        description: None,
        field_type: CustomType::Number,
        choices: Vec::new(),
        record_kind: None,
        is_required: false,
        is_unique: false,
        is_indexed: true,
    };
    fields::ops::create(&server.ctx, &ada.caller(), score).await.expect("a field");
    server.jobs_done().await;
}

async fn fill(server: &TestServer, ada: &Client) {
    let (db, workspace, user) = (&server.database.db, ada.workspace(), ada.user());
    for table in ["contacts", "custom_values"] {
        sql::run(db, &format!("ALTER TABLE {table} SET (autovacuum_enabled = off)")).await;
    }
    // one in four hundred has each of the values, but for names, of which there are few
    let insert = format!(
        "INSERT INTO contacts (workspace_id, id, first_name, last_name, email, phone, city, country, tags, custom_fields, \
                               created_by, created_at, updated_at) \
         SELECT '{workspace}', ('018' || lpad(to_hex(n), 29, '0'))::uuid, 'Ann', \
                CASE WHEN n % 400 = 0 THEN 'De Vries' ELSE 'Miller' || n % 7 END, 'p' || n || '@x.test', \
                '+49 40 ' || 1000000 + n, 'Town ' || n % 400, 'C' || n % 400, \
                CASE WHEN n % 2 = 0 THEN ARRAY['Tag ' || n % 400] ELSE '{{}}' END, \
                jsonb_build_object('score', n % 400), '{user}', \
                timestamptz '2026-03-29 10:00Z' - n * interval '1 hour', now() \
           FROM generate_series(0, {ROWS} - 1) AS n"
    );
    sql::run(db, &insert).await;
    sql::run(db, "ANALYZE contacts, custom_values").await;
}

fn is(field: &str, op: &str, value: impl Into<Value>) -> Value {
    json!({ "compare": { "field": field, "op": op, "value": value.into() } })
}

/// How often this connection has used the index, and has read all contacts.
async fn scans(tx: &mut Tx, index: &str) -> [i64; 2] {
    let count = |relation: &str| format!("SELECT pg_stat_get_xact_numscans('{relation}'::regclass) AS value");
    [sql::number_in(tx, &count(index)).await, sql::number_in(tx, &count("contacts")).await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_class_of_checked_criteriais_answered_by_its_index() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    define(&server, &ada).await;
    fill(&server, &ada).await;
    let (db, workspace) = (&server.database.db, ada.workspace());
    let every = ROWS / 400;
    let last_week = json!({ "compare": { "field": "createdAt", "op": "IN_LAST", "value": 7, "unit": "DAY" } });
    for (criteria, index, count) in [
        (is("city", "EQ", "TOWN 8"), "contacts_lower_city_idx", every),
        (is("city", "STARTS_WITH", "Town 39"), "contacts_lower_city_idx", every * 11),
        (
            json!({ "compare": { "field": "city", "op": "IN", "values": ["town 1", "TOWN 2"] } }),
            "contacts_lower_city_idx",
            every * 2,
        ),
        (is("lastName", "STARTS_WITH", "de v"), "contacts_search_idx", every),
        (is("lastName", "EQ", "DE VRIES"), "contacts_search_idx", every),
        (is("email", "CONTAINS", "1234@"), "contacts_search_idx", 2),
        (is("email", "EQ", "P1234@X.test"), "contacts_email_key", 1),
        (is("phone", "CONTAINS", "(1) 01234"), "contacts_search_idx", 10),
        (is("phone", "EQ", "0049 (40) 101-2345"), "contacts_search_idx", 1),
        (
            json!({ "compare": { "field": "tags", "op": "HAS_ANY", "values": ["TAG 8", "none"] } }),
            "contacts_tags_idx",
            every,
        ),
        (json!({ "compare": { "field": "tags", "op": "HAS_ALL", "values": ["tag 8"] } }), "contacts_tags_idx", every),
        (last_week, "contacts_created_idx", 7 * 24),
        (is("custom.score", "EQ", 8), "custom_values_number_idx", every),
    ] {
        let checked_criteria = checked(db, workspace, RecordKind::Contact, &criteria).await;
        let mut tx = db.system_in(workspace).await.expect("a transaction");
        let before = scans(&mut tx, index).await;
        let counted = checked_criteria.count(tx.connection(), workspace, &setting()).await.expect("counted");
        let after = scans(&mut tx, index).await;
        assert_eq!(counted, count, "{criteria}");
        assert!(after[0] > before[0], "{criteria}");
        assert_eq!(after[1], before[1], "{criteria}: all of them were read");
    }
}
