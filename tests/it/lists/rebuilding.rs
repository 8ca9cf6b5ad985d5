//! Lists whose criteria are changed, and whether lists are what they should be: the old members are served
//! until the new ones are known; what nobody followed is found at night and mended; a reactor that starts
//! anew finds all that it missed.

use kontor::{
    ctx::Ctx,
    jobs::{Enqueued, Job, enqueue},
    lists::live::audit::AuditLists,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    contacts, held, list,
    settled::{nothing_is_open, settled, wrong},
};
use crate::support::{client::Client, eventually, server::TestServer, sql};

const MANY: i64 = 30_000;
const BUILDING: &str = "query($id: ID!) { contactList(id: $id) { contactCount
    building { status processed total } } }";

fn equals(field: &str, value: &str) -> Value {
    json!({ "compare": { "field": field, "op": "EQ", "value": value } })
}

async fn dynamic(client: &Client, criteria: Value) -> String {
    list(client, json!({ "name": "L", "listType": "DYNAMIC", "criteria": criteria })).await
}

async fn run_job<J: Job<Ctx>>(server: &TestServer, job: &J) {
    let mut tx = server.database.db.system().await.expect("a transaction");
    let about = Enqueued::default();
    enqueue::<Ctx, J>(&mut tx, server.clock.now(), job, about).await.expect("enqueued");
    tx.commit().await.expect("committed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_keeps_its_former_members_until_the_new_ones_are_known() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let (db, workspace) = (&server.database.db, ada.workspace());
    let many = format!(
        "INSERT INTO contacts (workspace_id, id, last_name, city, created_by, created_at, updated_at) \
         SELECT '{workspace}', ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'N' || n, \
                (ARRAY['Riga', 'Oslo', 'Bergen'])[n % 3 + 1], '{}', now(), now() FROM generate_series(1, {MANY}) n",
        ada.user()
    );
    sql::run(db, &many).await;
    let node = server.second_node().await;
    let id = dynamic(&ada, equals("city", "Riga")).await;
    settled(&server).await;
    assert_eq!(held(&ada, &id).await.0, MANY / 3);
    drop(node);
    let edit = "mutation($id: ID!, $c: RecordCriteria!) { updateContactList(input: { id: $id, criteria: $c }) {
        contactList { contactCount building { status } } } }";
    let edited = ada.data(edit, json!({ "id": id, "c": equals("city", "Oslo") })).await;
    let expected = json!({ "contactCount": MANY / 3, "building": { "status": "PENDING" } });
    assert_eq!(edited["updateContactList"]["contactList"], expected);
    // what it has now is neither the one nor the other
    let keep = "mutation($id: ID!, $name: String) { snapshotContactList(input: { id: $id, name: $name }) { contactList { id } } }";
    for name in [None, Some("Copy")] {
        ada.refused(keep, json!({ "id": id, "name": name }), "CONFLICT").await;
    }
    // the job is held up between two of its transactions
    let lock = format!("SELECT 1 FROM contact_lists WHERE id = '{id}' FOR UPDATE");
    let mut before = db.system().await.expect("a transaction");
    sql::run_in(&mut before, &lock).await;
    let _node = server.second_node().await;
    // who waits first for a row holds its place, for which the next one waits
    let waiting = |granted: &str| {
        format!(
            "SELECT count(*) AS value FROM pg_locks WHERE locktype = 'tuple' AND {granted} \
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    };
    let (held_up, now) = loop {
        eventually("a job waits", async || sql::number(db, &waiting("granted")).await == 1).await;
        let mut next = db.system().await.expect("a transaction");
        tokio::join!(sql::run_in(&mut next, &lock), async {
            eventually("both wait", async || sql::number(db, &waiting("NOT granted")).await == 1).await;
            drop(before);
        });
        let now = ada.data(BUILDING, json!({ "id": id })).await["contactList"].take();
        // others had something to do with the list before
        if now["building"]["processed"] != 0 {
            break (next, now);
        }
        before = next;
    };
    let processed = now["building"]["processed"].as_i64().expect("a number");
    assert!((1..MANY).contains(&processed) && now["building"]["total"] == MANY, "{now}");
    assert_eq!(now["contactCount"], MANY / 3, "the former ones");
    let update =
        "mutation($id: ID!, $c: String!) { updateContact(input: { id: $id, patch: { city: $c } }) { contact { id } } }";
    let contact = |n: i64| {
        Uuid::from_u128(0x4000_8000_0000_0000_0000 + u128::from_str_radix(&n.to_string(), 16).expect("digits"))
    };
    // of those who are looked at first, and last: one who would enter, one who would leave
    for (n, city) in [(1, "Riga"), (2, "Oslo"), (3, "Oslo"), (MANY - 2, "Bergen"), (MANY, "Oslo")] {
        ada.data(update, json!({ "id": contact(n), "c": city })).await;
    }
    drop(held_up);
    nothing_is_open(db).await;
    let wrong = wrong(&server.ctx, db, workspace).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    let now = ada.data(BUILDING, json!({ "id": id })).await["contactList"].take();
    assert_eq!(now["building"], Value::Null);
    assert_eq!(sql::number(db, "SELECT count(*) AS value FROM list_builds").await, 0);
}

#[tokio::test]
async fn what_nobody_followed_is_found_at_night_and_mended() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 3).await;
    let id = dynamic(&ada, json!({ "all": [] })).await;
    settled(&server).await;
    assert_eq!(held(&ada, &id).await.0, 3);
    // a defect: two are missing, as if nobody had told of them
    let db = &server.database.db;
    let lose = format!("DELETE FROM list_members WHERE list_id = '{id}' AND record_id IN ('{}', '{}')", ids[0], ids[1]);
    sql::run(db, &lose).await;
    sql::run(db, &format!("UPDATE contact_lists SET member_count = 1 WHERE id = '{id}'")).await;
    run_job(&server, &AuditLists {}).await;
    let suspected = "SELECT count(*) AS value FROM jobs WHERE kind = 'lists.mend' AND state = 'queued'";
    eventually("they are suspected", async || sql::number(db, suspected).await == 1).await;
    assert_eq!(held(&ada, &id).await.0, 1, "a change may be on its way");
    server.advance(chrono::TimeDelta::minutes(2));
    let ada = ada.again().await;
    eventually("they are members again", async || held(&ada, &id).await.0 == 3).await;
    nothing_is_open(db).await;
    // and then nothing is wrong
    run_job(&server, &AuditLists {}).await;
    nothing_is_open(db).await;
    assert_eq!(sql::number(db, suspected).await, 0);
}
