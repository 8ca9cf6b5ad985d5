//! Counts are exact whoever moves the members, and their history tells how they went.

use chrono::TimeDelta;
use futures_util::future::join_all;
use kontor::lists::events::MembersChanged;
use serde_json::json;

use super::{add, contacts, held, list, remove};
use crate::support::{server::TestServer, sql};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_stay_exact_while_many_add_and_remove_at_once() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 24).await;
    let id = list(&ada, json!({ "name": "L" })).await;
    let movers = (0..8_usize).map(|mover| {
        let (ada, id, ids) = (&ada, &id, &ids);
        async move {
            for round in 0..6_usize {
                let some: Vec<_> = (0..10).map(|at| ids[(mover * 5 + round * 7 + at) % ids.len()].clone()).collect();
                if (mover + round) % 2 == 0 {
                    add(ada, id, &some).await
                } else {
                    remove(ada, id, &some).await
                };
            }
        }
    });
    join_all(movers).await;
    let (count, seen) = held(&ada, &id).await;
    assert_eq!(count, seen.len() as i64);
    let db = &server.database.db;
    let members = sql::number(db, "SELECT count(*) AS value FROM list_members WHERE NOT is_suspended").await;
    let logged = "SELECT coalesce(sum(CASE WHEN entered THEN 1 ELSE -1 END), 0)::int8 AS value FROM list_log";
    let size = sql::number(db, "SELECT size AS value FROM list_sizes ORDER BY hour DESC LIMIT 1").await;
    assert_eq!([members, sql::number(db, logged).await, size], [count; 3]);

    // and so do the events, one after the other
    server.events_logged().await;
    let told = "SELECT payload::text AS value FROM events WHERE name = 'contact_list.members' ORDER BY position";
    let mut present = 0;
    for payload in sql::texts(db, told).await {
        let changed: MembersChanged = serde_json::from_str(&payload).expect("a payload");
        present += changed.entered.len() as i64 - changed.left.len() as i64;
        assert_eq!(changed.count, present);
    }
    assert_eq!(present, count);
}

#[tokio::test]
async fn the_history_of_the_size_has_the_end_of_each_hour() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 6).await;
    let from = server.ctx.clock.now();
    let id = list(&ada, json!({ "name": "L", "contactIds": ids[..1] })).await;
    add(&ada, &id, &ids[..3]).await;
    for size in [4, 6] {
        server.advance(TimeDelta::hours(2));
        add(&ada, &id, &ids[..size]).await;
    }
    let query = "query($id: ID!, $from: DateTime!, $to: DateTime!) { contactList(id: $id) {
        sizeHistory(range: { from: $from, to: $to }) { at size } } }";
    let sizes = async |after: TimeDelta, before: TimeDelta| {
        let variables = json!({ "id": id, "from": from + after, "to": from + before });
        let shown = ada.data(query, variables).await;
        let points = shown["contactList"]["sizeHistory"].as_array().expect("points").clone();
        points.iter().map(|point| point["size"].as_i64().expect("a size")).collect::<Vec<_>>()
    };
    assert_eq!(sizes(TimeDelta::hours(-2), TimeDelta::hours(9)).await, [3, 4, 6]);
    assert_eq!(sizes(TimeDelta::hours(3), TimeDelta::hours(9)).await, [4, 6], "the one at the beginning, too");
    for (from, to) in [(from, from), (from, from + TimeDelta::days(400))] {
        ada.refused(query, json!({ "id": id, "from": from, "to": to }), "BAD_USER_INPUT").await;
    }
    let old = json!({ "id": id, "from": "-10000-01-01T00:00:00Z", "to": "-10000-02-01T00:00:00Z" });
    ada.refused(query, old, "BAD_USER_INPUT").await;
}
