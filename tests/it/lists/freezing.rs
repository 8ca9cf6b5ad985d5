//! Dynamic lists that become static at a time of their own: who is in them then stays, whatever happens to
//! the contacts, and it is told.

use chrono::TimeDelta;
use kontor::{
    jobs::{Enqueued, enqueue},
    lists::jobs::FreezeLists,
};
use serde_json::{Value, json};

use super::{
    add, contacts, held, list, remove,
    settled::{nothing_is_open, settled, wrong},
};
use crate::support::{client::Client, eventually, server::TestServer, sql};

const SHOWN: &str =
    "query($id: ID!) { contactList(id: $id) { listType criteria freezeAt contactCount broken building { status }
    entriesAndExits { totalCount } } }";

async fn shown(client: &Client, list: &str) -> Value {
    client.data(SHOWN, json!({ "id": list })).await["contactList"].take()
}

async fn move_to(client: &Client, contact: &str, city: &str) {
    let update = "mutation($id: ID!, $city: String!) { updateContact(input: { id: $id, patch: { city: $city } }) {
        contact { id } } }";
    client.data(update, json!({ "id": contact, "city": city })).await;
}

async fn dynamic(client: &Client, more: Value) -> String {
    let riga = json!({ "compare": { "field": "city", "op": "EQ", "value": "Riga" } });
    let mut input = json!({ "name": "L", "listType": "DYNAMIC", "criteria": riga });
    input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    list(client, input).await
}

#[tokio::test]
async fn as_many_become_static_as_there_may_be_static_ones() {
    let server = TestServer::start_with(|ctx| std::sync::Arc::make_mut(&mut ctx.limits).static_lists = 1).await;
    let ada = server.admin().await;
    let at = server.ctx.clock.now() + TimeDelta::hours(1);
    for _ in 0..2 {
        dynamic(&ada, json!({ "freezeAt": at })).await;
    }
    server.jobs_done().await;
    server.advance(TimeDelta::hours(2));
    let mut tx = server.database.db.system().await.expect("a transaction");
    enqueue(&mut tx, server.ctx.clock.now(), &FreezeLists {}, Enqueued::default()).await.expect("enqueued");
    tx.commit().await.expect("committed");
    server.jobs_done().await;
    let statics = "SELECT count(*) AS value FROM contact_lists WHERE list_type = 'static'";
    assert_eq!(sql::number(&server.database.db, statics).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_becomes_static_when_its_time_has_come_keeps_its_members_and_tells_it() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    // however many look at the clock
    let _node = server.second_node().await;
    let ids = contacts(&server, &ada, 4).await;
    for contact in &ids[..2] {
        move_to(&ada, contact, "Riga").await;
    }
    let at = server.clock.now() + TimeDelta::hours(2);
    let by_its_making = dynamic(&ada, json!({ "freezeAt": at })).await;
    let by_a_change = dynamic(&ada, json!({})).await;
    let withdrawn = dynamic(&ada, json!({ "freezeAt": at })).await;
    let later = dynamic(&ada, json!({ "freezeAt": at + TimeDelta::days(30) })).await;
    let of_it = dynamic(&ada, json!({ "criteria": { "inList": by_its_making } })).await;
    let set = "mutation($id: ID!, $at: DateTime) { updateContactList(input: { id: $id, freezeAt: $at }) {
        contactList { listType freezeAt } } }";
    let told = ada.data(set, json!({ "id": by_a_change, "at": at })).await["updateContactList"]["contactList"].take();
    assert_eq!((&told["listType"], told["freezeAt"].is_string()), (&json!("DYNAMIC"), true));
    ada.data(set, json!({ "id": withdrawn, "at": null })).await;
    let past = json!({ "id": withdrawn, "at": server.clock.now() - TimeDelta::minutes(1) });
    ada.refused(set, past, "BAD_USER_INPUT").await;
    settled(&server).await;

    // shortly before, they still follow
    server.advance(TimeDelta::minutes(115));
    let ada = ada.again().await;
    move_to(&ada, &ids[1], "Oslo").await;
    move_to(&ada, &ids[2], "Riga").await;
    settled(&server).await;
    let members = (2, vec![ids[2].clone(), ids[0].clone()]);
    let both = [&by_its_making, &by_a_change];
    for list in both {
        assert_eq!(
            (held(&ada, list).await, &shown(&ada, list).await["listType"]),
            (members.clone(), &json!("DYNAMIC"))
        );
    }
    let changes =
        "subscription($id: ID!, $after: String) { contactListChanged(id: $id, after: $after) { count entered left } }";
    let after = server.cursor().await;
    let mut live = ada.subscribe(changes, json!({ "id": by_its_making, "after": after })).await;

    // by the schedule itself, not by the test
    server.advance(TimeDelta::minutes(6));
    let ada = ada.again().await;
    for list in both {
        eventually("it is static", async || shown(&ada, list).await["listType"] == "STATIC").await;
        let expected = json!({ "listType": "STATIC", "criteria": null, "freezeAt": null, "contactCount": 2,
            "broken": null, "building": null, "entriesAndExits": { "totalCount": 4 } });
        assert_eq!(shown(&ada, list).await, expected);
        server.events_logged().await;
        let told = format!(
            "SELECT (payload || jsonb_build_object('times', count(*) OVER ()))::text AS value FROM events \
              WHERE name = 'contact_list.updated' AND record_ids = ARRAY['{list}'::uuid] AND logged_at > '{}'",
            (server.clock.now() - TimeDelta::minutes(30)).to_rfc3339()
        );
        let told: Vec<Value> = sql::texts(&server.database.db, &told)
            .await
            .iter()
            .map(|text| serde_json::from_str(text).expect("JSON"))
            .collect();
        assert_eq!(told, [json!({ "changed": ["listType", "criteria"], "times": 1 })]);
    }
    for (list, has_time) in [(&withdrawn, false), (&later, true)] {
        let now = shown(&ada, list).await;
        assert_eq!((&now["listType"], now["freezeAt"].is_string()), (&json!("DYNAMIC"), has_time));
    }

    // nobody enters or leaves by what becomes of them, but in the lists that still follow
    move_to(&ada, &ids[0], "Oslo").await;
    move_to(&ada, &ids[3], "Riga").await;
    settled(&server).await;
    for list in [by_its_making.as_str(), &by_a_change, &of_it] {
        assert_eq!(held(&ada, list).await, members);
    }
    for list in [&withdrawn, &later] {
        assert_eq!(held(&ada, list).await, (2, vec![ids[3].clone(), ids[2].clone()]));
    }
    // they are chosen from now on; who listens goes on, and has heard nothing in between
    assert_eq!(add(&ada, &by_its_making, &ids[3..]).await["changedCount"], 1);
    assert_eq!(remove(&ada, &by_its_making, &ids[..1]).await["changedCount"], 1);
    for (count, entered, left) in [(3, &ids[3..], &ids[..0]), (2, &ids[..0], &ids[..1])] {
        let told = live.next().await["contactListChanged"].take();
        assert_eq!(told, json!({ "count": count, "entered": entered, "left": left }));
    }
    nothing_is_open(&server.database.db).await;
    assert_eq!(held(&ada, &of_it).await, (2, vec![ids[3].clone(), ids[2].clone()]));
    let wrong = wrong(&server.ctx, &server.database.db, ada.workspace()).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}
