//! Many rows, and rows that somebody else holds: nobody waits for the purge, nor it for them.

use chrono::TimeDelta;
use serde_json::json;

use super::{delete, made, orphans, purge, rows};
use crate::support::{server::TestServer, sql};

/// All that a change of a living contact would move.
const STATE: &str = "SELECT md5(string_agg(id::text || version || updated_at, ',' ORDER BY id)) AS value FROM contacts
    WHERE deleted_at IS NULL";

/// Contacts by the thousand, with these columns besides.
async fn many(server: &TestServer, count: usize, columns: &str, values: &str) {
    let insert = format!(
        "INSERT INTO contacts (workspace_id, id, last_name, created_by, created_at, updated_at, {columns}) \
         SELECT m.workspace_id, gen_random_uuid(), 'N' || n, m.user_id, now(), now(), {values} \
           FROM (SELECT workspace_id, user_id FROM members LIMIT 1) AS m CROSS JOIN generate_series(1, {count}) AS n"
    );
    sql::run(&server.database.db, &insert).await;
}

#[tokio::test]
async fn what_is_too_much_for_one_transaction_goes_in_several() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let account = made(&ada, "account", json!({ "name": "Navy" })).await;
    many(&server, 6_000, "account_id", &format!("'{account}'")).await;
    many(&server, 1_200, "deleted_at", "now() - interval '40 days'").await;
    let db = &server.database.db;
    let history =
        "INSERT INTO record_changes (workspace_id, kind, record_id, version, at, actor, origin, before, after)
        SELECT c.workspace_id, 'contact', c.id, n, now(), '{}', 'graphql', '{}', '{}'
          FROM (SELECT workspace_id, id FROM contacts WHERE deleted_at IS NOT NULL LIMIT 1) c,
               generate_series(2, 11000) n";
    sql::run(db, history).await;
    delete(&ada, "account", &account).await;
    server.advance(TimeDelta::days(31));
    let before = sql::texts(db, STATE).await;
    purge(&server).await;
    assert_eq!((rows(&server, "accounts").await, rows(&server, "contacts").await), (0, 6_000));
    assert_eq!(rows(&server, "contacts WHERE account_id IS NULL AND deleted_at IS NULL").await, 6_000);
    let after = sql::texts(db, STATE).await;
    assert_eq!(after, before);
    orphans::assert_none(&server).await;
}

#[tokio::test]
async fn what_somebody_holds_is_left_for_the_next_night_with_what_it_leads_to() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (held, free) = (
        made(&ada, "contact", json!({ "lastName": "Held" })).await,
        made(&ada, "contact", json!({ "lastName": "Free" })).await,
    );
    let locked = made(&ada, "contact", json!({ "lastName": "Locked" })).await;
    let deal = made(&ada, "deal", json!({ "name": "D", "contactId": held })).await;
    for contact in [&held, &free, &locked] {
        delete(&ada, "contact", contact).await;
    }
    server.advance(TimeDelta::days(31));
    let mut tx = server.ctx.db.begin(&ada.workspace()).await.expect("a transaction");
    sql::run_in(&mut tx, &format!("SELECT FROM deals WHERE id = '{deal}' FOR NO KEY UPDATE")).await;
    sql::run_in(&mut tx, &format!("SELECT FROM contacts WHERE id = '{locked}' FOR KEY SHARE")).await;
    // it ends although they are held
    purge(&server).await;
    let left = sql::texts(&server.database.db, "SELECT last_name AS value FROM contacts ORDER BY 1").await;
    assert_eq!(left, ["Held", "Locked"]);
    assert_eq!(rows(&server, &format!("deals WHERE contact_id = '{held}'")).await, 1);
    tx.commit().await.expect("committed");
    purge(&server).await;
    assert_eq!(rows(&server, "contacts").await, 0);
    assert_eq!(rows(&server, "deals WHERE contact_id IS NULL").await, 1);
}

#[tokio::test]
async fn what_was_deleted_is_found_by_an_index_however_much_lives() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    many(&server, 20_000, "deleted_at", "CASE WHEN n % 1000 = 0 THEN now() - interval '40 days' END").await;
    sql::run(&server.database.db, "ANALYZE contacts").await;
    let plan = sql::plan(
        &server.database.db,
        &format!(
            "EXPLAIN SELECT t.id, t.deleted_at FROM contacts t WHERE t.workspace_id = '{}'
                AND t.deleted_at < now() - interval '30 days' ORDER BY t.deleted_at, t.id LIMIT 500 FOR UPDATE SKIP LOCKED",
            ada.workspace()
        ),
    )
    .await;
    assert!(plan.contains("contacts_deleted_idx") && !plan.contains("Sort"), "{plan}");
}
