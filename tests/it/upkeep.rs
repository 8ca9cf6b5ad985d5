//! The installation's own chores.

use chrono::TimeDelta;
use kontor::{
    jobs::{Enqueued, enqueue},
    upkeep::PurgeSecrets,
};

use crate::support::{server::TestServer, sql};

#[tokio::test]
async fn expired_secrets_go_however_many_there_are_and_the_others_stay() {
    let server = TestServer::start().await;
    let (db, ctx) = (&server.database.db, &server.ctx);
    let admin = server.admin().await;
    let now = ctx.clock.now();
    let (old, young) = (now - TimeDelta::days(8), now - TimeDelta::days(1));
    // more than one batch of each
    for (at, rows) in [(old, 5_001), (young, 10)] {
        let bytes = format!("sha256(convert_to('{at}' || row::text, 'UTF8'))");
        let (workspace, user) = (admin.workspace(), admin.user());
        for insert in [
            format!("INSERT INTO session_secrets (hash, session_id, kind, expires_at)
                     SELECT {bytes}, (SELECT id FROM sessions LIMIT 1), 'access', '{at}' FROM generate_series(1, {rows}) row"),
            format!("INSERT INTO one_time_links (hash, purpose, created_at, expires_at)
                     SELECT {bytes}, 'set_up', now(), '{at}' FROM generate_series(1, {rows}) row"),
            format!("INSERT INTO sign_in_failures (subject, failures, window_ends_at)
                     SELECT {bytes}, 1, '{at}'::timestamptz + interval '2 days' FROM generate_series(1, {rows}) row"),
            format!("INSERT INTO idempotency_keys (workspace_id, user_id, key, input_hash, answer, created_at)
                     SELECT '{workspace}', '{user}', '{at}' || row, '', '{{}}', '{at}'::timestamptz + interval '1 hour'
                       FROM generate_series(1, {rows}) row"),
        ] {
            sql::run(db, &insert).await;
        }
    }
    let sessions = sql::number(db, "SELECT count(*) AS value FROM session_secrets").await - 5_001;

    let mut tx = db.system().await.expect("a transaction");
    enqueue(&mut tx, now, &PurgeSecrets {}, Enqueued::default()).await.expect("enqueued");
    tx.commit().await.expect("committed");
    server.jobs_done().await;
    for (table, left) in
        [("session_secrets", sessions), ("one_time_links", 10), ("sign_in_failures", 10), ("idempotency_keys", 10)]
    {
        assert_eq!(sql::number(db, &format!("SELECT count(*) AS value FROM {table}")).await, left, "{table}");
    }
    assert!(admin.get("/contacts").await.status.is_success(), "whoever is signed in stays so");
}
