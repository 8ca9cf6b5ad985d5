//! What becomes of memberships when contacts are deleted and restored.

use serde_json::json;

use super::{add, contacts, held, list, reversed};
use crate::support::{client::Client, eventually, server::TestServer, sql};

async fn delete(client: &Client, contact: &str) {
    client
        .data("mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }", json!({ "id": contact }))
        .await;
}

async fn restore(client: &Client, contact: &str) {
    let restore = "mutation($id: ID!) { restoreContact(input: { id: $id }) { contact { id } } }";
    client.data(restore, json!({ "id": contact })).await;
}

/// Waits until the reactor has its place, so that it misses nothing.
async fn reacting(server: &TestServer) {
    let there = "SELECT count(*) AS value FROM reactors WHERE name = 'lists.records'";
    eventually("lists follow records", async || sql::number(&server.database.db, there).await == 1).await;
}

async fn counts_become(client: &Client, list: &str, count: i64) {
    eventually("the count follows", async || held(client, list).await.0 == count).await;
}

#[tokio::test]
async fn a_deleted_contact_leaves_its_lists_and_returns_with_its_restoring() {
    let server = TestServer::start().await;
    reacting(&server).await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 3).await;
    let both = [
        list(&ada, json!({ "name": "One", "contactIds": ids })).await,
        list(&ada, json!({ "name": "Two", "contactIds": ids[..2] })).await,
    ];
    delete(&ada, &ids[0]).await;
    counts_become(&ada, &both[0], 2).await;
    counts_become(&ada, &both[1], 1).await;
    assert_eq!(held(&ada, &both[0]).await.1, reversed(&ids[1..]));
    // it is no contact, so it can be added to nothing
    assert_eq!(add(&ada, &both[1], &ids[..1]).await["results"][0]["outcome"], "MISSING");
    let log = "query($id: ID!) { contactList(id: $id) { entriesAndExits(first: 1) { nodes { entered source contact { id } } } } }";
    let told = ada.data(log, json!({ "id": both[0] })).await;
    let gone = json!([{ "entered": false, "source": "DELETED", "contact": null }]);
    assert_eq!(told["contactList"]["entriesAndExits"]["nodes"], gone);

    restore(&ada, &ids[0]).await;
    counts_become(&ada, &both[0], 3).await;
    counts_become(&ada, &both[1], 2).await;
    let told = ada.data(log, json!({ "id": both[0] })).await;
    assert_eq!(told["contactList"]["entriesAndExits"]["nodes"][0]["source"], "RESTORED");
    server.jobs_done().await;
    assert_eq!(held(&ada, &both[1]).await, (2, reversed(&ids[..2])));
}

#[tokio::test]
async fn a_dynamic_list_forgets_a_deleted_contact() {
    let server = TestServer::start().await;
    reacting(&server).await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 2).await;
    let id = list(&ada, json!({ "name": "D", "listType": "DYNAMIC", "criteria": { "all": [] } })).await;
    // as building it would
    let members =
        ids.iter().map(|contact| format!("('{}', '{id}', '{contact}', now(), 'criteria_match')", ada.workspace()));
    let members = members.collect::<Vec<_>>().join(", ");
    let db = &server.database.db;
    sql::run(
        db,
        &format!(
            "INSERT INTO list_members (workspace_id, list_id, record_id, entered_at, source) VALUES {members}
        ON CONFLICT DO NOTHING"
        ),
    )
    .await;
    sql::run(db, &format!("UPDATE contact_lists SET member_count = 2 WHERE id = '{id}'")).await;
    delete(&ada, &ids[0]).await;
    let kept =
        format!("SELECT count(*) AS value FROM list_members WHERE list_id = '{id}' AND record_id = '{}'", ids[0]);
    eventually("it is forgotten", async || sql::number(db, &kept).await == 0).await;
    assert_eq!(held(&ada, &id).await, (1, ids[1..].to_vec()));
}

#[tokio::test]
async fn who_enters_a_list_while_it_is_deleted_does_not_stay() {
    let server = TestServer::start().await;
    reacting(&server).await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 1).await;
    let id = list(&ada, json!({ "name": "L" })).await;
    // deleted behind everybody's back, as for somebody who adds it and does not see that yet
    let set = async |deleted: &str| {
        let statement = format!("UPDATE contacts SET deleted_at = {deleted} WHERE id = '{}'", ids[0]);
        sql::run(&server.database.db, &statement).await;
    };
    let mut tx = server.database.db.begin(&ada.workspace()).await.expect("a transaction");
    let by = kontor::lists::steps::By::caller(&server.ctx, &ada.caller());
    let contact = [ids[0].parse().expect("an id")];
    let (list, manual) = (id.parse().expect("an id"), kontor::lists::Source::Manual);
    let entered = kontor::lists::steps::add_in(&mut tx, &by, list, &contact, manual).await.expect("added");
    assert_eq!(entered, contact);
    set("now()").await;
    tx.commit().await.expect("committed");
    eventually("it is suspended", async || {
        let suspended = "SELECT count(*) AS value FROM list_members WHERE is_suspended";
        sql::number(&server.database.db, suspended).await == 1
    })
    .await;
    assert_eq!(held(&ada, &id).await, (0, vec![]));
}
