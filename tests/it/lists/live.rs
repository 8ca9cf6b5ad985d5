//! `contactListChanged`: each change once, in order, resumable; only while one sees the list. And
//! what others' live records tell of one's lists: nothing.

use kontor::auth::Role;
use serde_json::{Value, json};

use super::{SHARE, add, contacts, list, remove, text};
use crate::support::{client::Client, live::Live, server::TestServer};

const CHANGES: &str = "subscription($id: ID!, $after: String) { contactListChanged(id: $id, after: $after) {
    cursor occurredAt count entered left actor { userId } } }";

async fn follow(client: &Client, list: &str, after: &str) -> Live {
    client.subscribe(CHANGES, json!({ "id": list, "after": after })).await
}

async fn next(live: &mut Live) -> Value {
    live.next().await["contactListChanged"].take()
}

#[tokio::test]
async fn who_enters_and_leaves_is_told_once_in_order_and_from_wherever_one_was() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 3).await;
    let (id, other) = (list(&ada, json!({ "name": "L" })).await, list(&ada, json!({ "name": "O" })).await);
    let start = server.cursor().await;
    let mut live = follow(&ada, &id, &start).await;
    add(&ada, &other, &ids).await;
    add(&ada, &id, &ids[..2]).await;
    add(&ada, &id, &ids[..2]).await;
    remove(&ada, &id, &ids[..1]).await;
    add(&ada, &id, &ids).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(next(&mut live).await);
    }
    let what = |change: &Value| json!([change["count"], change["entered"], change["left"]]);
    let expected = [json!([2, ids[..2], []]), json!([1, [], ids[..1]]), json!([3, [ids[0], ids[2]], []])];
    assert_eq!(told.iter().map(what).collect::<Vec<_>>(), expected);
    assert_eq!(told[0]["actor"]["userId"], json!(ada.user()));
    for (at, change) in told.iter().enumerate().take(2) {
        let mut again = follow(&ada, &id, &text(&change["cursor"])).await;
        assert_eq!(next(&mut again).await, told[at + 1]);
    }
}

#[tokio::test]
async fn an_unshared_list_and_a_deleted_one_stop() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let ids = contacts(&server, &ada, 2).await;
    let id = list(&ada, json!({ "name": "L", "sharing": "VIEW" })).await;
    let start = server.cursor().await;
    let (mut theirs, mut own) = (follow(&rep, &id, &start).await, follow(&ada, &id, &start).await);
    add(&ada, &id, &ids[..1]).await;
    assert_eq!((next(&mut theirs).await["count"].take(), next(&mut own).await["count"].take()), (json!(1), json!(1)));
    ada.data(SHARE, json!({ "input": { "id": id, "level": "PRIVATE" } })).await;
    assert_eq!(theirs.refused().await, "NOT_FOUND");
    add(&ada, &id, &ids).await;
    assert_eq!(next(&mut own).await["count"], 2);
    // nor is what was missed told now
    assert_eq!(follow(&rep, &id, &start).await.refused().await, "NOT_FOUND");
    ada.data("mutation($id: ID!) { deleteContactList(input: { id: $id }) { deletedId } }", json!({ "id": id })).await;
    assert_eq!(own.refused().await, "NOT_FOUND");
}

#[tokio::test]
async fn live_records_show_each_subscriber_their_own_lists() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (one, two) = (ada.invite_role(Role::SalesRep).await, ada.invite_role(Role::SalesRep).await);
    let ids = contacts(&server, &ada, 1).await;
    for (client, name) in [(&one, "Of one"), (&two, "Of two")] {
        list(client, json!({ "name": name, "contactIds": ids })).await;
    }
    let query = "subscription { recordChanged(kind: CONTACT) { record { ... on Contact { lists { name } } } } }";
    // wherever they come in, both are told of the changes
    let after = server.cursor().await;
    let query = query.replace("CONTACT)", &format!("CONTACT, after: \"{after}\")"));
    let (mut of_one, mut of_two) = (one.subscribe(&query, json!({})).await, two.subscribe(&query, json!({})).await);
    for city in ["A", "B"] {
        ada.put(&format!("/contacts/{}", ids[0]), json!({ "city": city })).await.data();
        for (live, name) in [(&mut of_one, "Of one"), (&mut of_two, "Of two")] {
            assert_eq!(live.next().await["recordChanged"]["record"]["lists"], json!([{ "name": name }]));
        }
    }
}
