//! Lists whose criteria are changed, and whether lists are what they should be: the old members are served
//! until the new ones are known; what nobody followed is found at night and mended; reactors that stood
//! still until the log had forgotten what they missed look at everything anew.

use chrono::TimeDelta;
use kontor::{
    ctx::Ctx,
    jobs::{Enqueued, Job, enqueue},
    lists::{build::NoteUnbuilt, live::audit::AuditLists},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    ADD, REMOVE, add, contacts, held, list, reversed,
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
async fn a_list_whose_building_was_cancelled_or_given_up_says_so_until_it_is_built() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let db = &server.database.db;
    contacts(&server, &ada, 3).await;
    let cancelled = dynamic(&ada, json!({ "all": [] })).await;
    let failed = dynamic(&ada, equals("lastName", "N0")).await;
    let asked = "query($id: ID!) { contactList(id: $id) { broken } }";
    let job_of = async |id: &str| {
        let job = format!("SELECT build_job_id::text AS value FROM contact_lists WHERE id = '{id}'");
        sql::texts(db, &job).await.remove(0)
    };
    let job = job_of(&cancelled).await;
    ada.data("mutation($id: ID!) { cancelJob(input: { id: $id }) { job { status } } }", json!({ "id": job })).await;
    let given_up = job_of(&failed).await;
    sql::run(db, &format!("UPDATE jobs SET state = 'failed', finished_at = now() WHERE id = '{given_up}'")).await;
    let _node = server.second_node().await;
    run_job(&server, &NoteUnbuilt {}).await;
    let broken = async |id: &str| ada.data(asked, json!({ "id": id })).await["contactList"]["broken"].take();
    eventually("both are noted", async || !broken(&cancelled).await.is_null() && !broken(&failed).await.is_null())
        .await;
    assert!(broken(&cancelled).await.as_str().is_some_and(|why| why.contains("cancelled")));
    assert!(broken(&failed).await.as_str().is_some_and(|why| why.contains("tries")));
    // what it has is not what it asks for: nothing to be kept, and nothing to be followed
    let keep =
        "mutation($id: ID!, $n: String) { snapshotContactList(input: { id: $id, name: $n }) { contactList { id } } }";
    for name in [None, Some("Copy")] {
        let refused = ada.refused(keep, json!({ "id": cancelled, "n": name }), "CONFLICT").await;
        assert!(refused["message"].as_str().is_some_and(|why| why.contains("cancelled")), "{refused}");
    }
    let chosen = list(&ada, json!({ "name": "Chosen" })).await;
    ada.refused(ADD, json!({ "input": { "id": chosen, "fromListId": cancelled } }), "CONFLICT").await;
    ada.refused(REMOVE, json!({ "input": { "id": chosen, "fromListId": failed } }), "CONFLICT").await;
    contacts(&server, &ada, 1).await;
    // what builds anew that could not be asked does not mean these
    ada.data("mutation { createTeam(input: { name: \"T\" }) { team { id } } }", json!({})).await;
    settled(&server).await;
    assert_eq!(held(&ada, &cancelled).await.0, 0);
    assert!(broken(&cancelled).await.is_string() && broken(&failed).await.is_string());
    // refreshed, and tried again by whoever looks after jobs
    let refresh = "mutation($id: ID!) { refreshContactList(input: { id: $id }) { contactList { id } } }";
    ada.data(refresh, json!({ "id": cancelled })).await;
    sql::run(db, &format!("UPDATE jobs SET state = 'queued', finished_at = NULL WHERE id = '{given_up}'")).await;
    nothing_is_open(db).await;
    assert_eq!((broken(&cancelled).await, broken(&failed).await), (Value::Null, Value::Null));
    assert_eq!(held(&ada, &cancelled).await.0, 4);
    assert_eq!(wrong(&server.ctx, db, ada.workspace()).await, Vec::<String>::new());
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
    server.advance(TimeDelta::minutes(2));
    let ada = ada.again().await;
    eventually("they are members again", async || held(&ada, &id).await.0 == 3).await;
    nothing_is_open(db).await;
    // and then nothing is wrong
    run_job(&server, &AuditLists {}).await;
    nothing_is_open(db).await;
    assert_eq!(sql::number(db, suspected).await, 0);
}

/// Those of `lists.records` and `lists.live` both; the lists are of two workspaces.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reactors_that_missed_what_the_log_has_forgotten_bring_all_lists_in_line() {
    let server = TestServer::start_idle().await;
    let (ada, eve) = (server.admin().await, server.other_workspace().await);
    let db = &server.database.db;
    let (ids, theirs) = (contacts(&server, &ada, 6).await, contacts(&server, &eve, 2).await);
    let node = server.second_node().await;
    let chosen = list(&ada, json!({ "name": "S", "contactIds": ids })).await;
    let all = dynamic(&ada, json!({ "all": [] })).await;
    let in_riga = dynamic(&ada, equals("city", "Riga")).await;
    let of_chosen = dynamic(&ada, json!({ "inList": chosen })).await;
    let of_eve = dynamic(&eve, json!({ "all": [] })).await;
    let chosen_by_eve = list(&eve, json!({ "name": "E", "contactIds": theirs })).await;
    let update =
        "mutation($id: ID!) { updateContact(input: { id: $id, patch: { city: \"Riga\" } }) { contact { id } } }";
    ada.data(update, json!({ "id": ids[4] })).await;
    settled(&server).await;
    assert_eq!(held(&ada, &in_riga).await, (1, ids[4..5].to_vec()));
    drop(node);

    // something that nobody reads before it is gone
    ada.data(update, json!({ "id": ids[5] })).await;
    server.events_logged().await;
    server.advance(TimeDelta::days(32));
    let (ada, eve) = (ada.again().await, eve.again().await);
    add(&eve, &chosen_by_eve, &contacts(&server, &eve, 1).await).await;
    server.events_logged().await;
    server.events.drop_old_partitions().await.expect("dropped");
    let behind = "SELECT count(*) AS value FROM reactors, event_log_state \
                   WHERE name IN ('lists.records', 'lists.live') AND position < dropped_position";
    assert_eq!(sql::number(db, behind).await, 2, "both have missed it");
    // and what no event ever told of: one was deleted, one came back, one left Riga, some got lost
    let member = |list: &str, contact: &str| format!("list_id = '{list}' AND record_id = '{contact}'");
    let now = server.clock.now().to_rfc3339();
    for statement in [
        format!("UPDATE contacts SET deleted_at = '{now}' WHERE id IN ('{}', '{}')", ids[0], theirs[0]),
        format!("UPDATE list_members SET is_suspended = true WHERE {}", member(&chosen, &ids[1])),
        format!("UPDATE contact_lists SET member_count = member_count - 1 WHERE id = '{chosen}'"),
        format!("UPDATE contacts SET city = 'Oslo' WHERE id = '{}'", ids[4]),
        format!("DELETE FROM list_members WHERE {}", member(&all, &ids[2])),
        format!("DELETE FROM list_members WHERE {}", member(&all, &ids[3])),
        format!("UPDATE contact_lists SET member_count = member_count - 2 WHERE id = '{all}'"),
        format!("DELETE FROM list_members WHERE {}", member(&of_eve, &theirs[1])),
        format!("UPDATE contact_lists SET member_count = member_count - 1 WHERE id = '{of_eve}'"),
    ] {
        sql::run(db, &statement).await;
    }
    for workspace in [ada.workspace(), eve.workspace()] {
        assert!(!wrong(&server.ctx, db, workspace).await.is_empty());
    }

    let _node = server.second_node().await;
    eventually("both have passed", async || sql::number(db, behind).await == 0).await;
    nothing_is_open(db).await;
    for workspace in [ada.workspace(), eve.workspace()] {
        let wrong = wrong(&server.ctx, db, workspace).await;
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    let live = reversed(&ids[1..]);
    for list in [&chosen, &all, &of_chosen] {
        assert_eq!(held(&ada, list).await, (5, live.clone()));
    }
    assert_eq!(held(&ada, &in_riga).await, (1, ids[5..].to_vec()));
    assert_eq!((held(&eve, &of_eve).await.0, held(&eve, &chosen_by_eve).await.0), (2, 2));
    // nobody mends by night what was found by then
    let mended = "SELECT count(*) AS value FROM jobs WHERE kind = 'lists.mend' AND state <> 'queued'";
    assert_eq!(sql::number(db, mended).await, 0);
}
