//! Taking a bulk change back.

use kontor::crm::{Contact, Task};
use serde_json::json;

use super::{UNDO, UPDATE, ask, counts, done, failures, number, worker};
use crate::support::{records::make_record, server::TestServer};

#[tokio::test]
async fn what_was_there_before_returns_unless_somebody_has_changed_it_since() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let field = "mutation { createCustomField(input: { kind: CONTACT, key: \"tier\", label: \"Tier\", type: TEXT })
        { customField { id } } }";
    ada.data(field, json!({})).await;
    let mut ids = Vec::new();
    for (city, tier) in [(json!("Riga"), json!("silver")), (json!(null), json!(null)), (json!("Rom"), json!("x"))] {
        let fields =
            json!({ "lastName": "N", "city": city, "tags": ["a"], "customFields": { "tier": tier, "free": 1 } });
        ids.push(make_record::<Contact>(&server.ctx, &ada.caller(), fields).await.id.to_string());
    }
    let before = "contacts WHERE tags = '{a}' AND custom_fields ->> 'free' = '1' AND (city, custom_fields ->> 'tier') \
        IS NOT DISTINCT FROM (CASE city WHEN 'Riga' THEN 'Riga' END, CASE city WHEN 'Riga' THEN 'silver' END)";
    assert_eq!(number(&server, before).await, 2);
    let input = json!({
        "kind": "CONTACT", "ids": ids, "addTags": ["b"],
        "patch": { "contact": { "city": "Oslo", "customFields": { "tier": "gold" } } },
    });
    let (job, _) = done(&server, &ada, UPDATE, input).await;
    assert_eq!(number(&server, "contacts WHERE city = 'Oslo' AND tags = '{a,b}'").await, 3);
    ada.put(&format!("/contacts/{}", ids[2]), json!({ "title": "Buyer" })).await.data();

    let (undo, told) = done(&server, &ada, UNDO, json!({ "jobId": job })).await;
    assert_eq!((counts(&told), &told["action"], &told["undoes"]), ([2, 0, 1], &json!("UNDO"), &json!(job)));
    assert_eq!(failures(&told), [(ids[2].clone(), "CONFLICT".to_owned(), None)]);
    assert_eq!(number(&server, before).await, 2);
    let kept = "contacts WHERE city = 'Oslo' AND title = 'Buyer' AND custom_fields ->> 'tier' = 'gold' AND version = 3";
    assert_eq!(number(&server, kept).await, 1);
    // once more, nothing is as the first change left it
    let (_, told) = done(&server, &ada, UNDO, json!({ "jobId": job })).await;
    assert_eq!(counts(&told), [0, 0, 3]);
    // and the taking back can be taken back
    let (_, told) = done(&server, &ada, UNDO, json!({ "jobId": undo })).await;
    assert_eq!(counts(&told), [2, 0, 0]);
    assert_eq!(number(&server, "contacts WHERE city = 'Oslo' AND tags = '{a,b}'").await, 3);
}

#[tokio::test]
async fn what_the_kinds_rules_filled_in_goes_as_well() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let task = make_record::<Task>(&server.ctx, &ada.caller(), json!({ "title": "T" })).await.id;
    let input = json!({ "kind": "TASK", "ids": [task], "patch": { "task": { "status": "COMPLETED" } } });
    let (job, _) = done(&server, &ada, UPDATE, input).await;
    assert_eq!(number(&server, "tasks WHERE completed_date IS NOT NULL").await, 1);
    done(&server, &ada, UNDO, json!({ "jobId": job })).await;
    assert_eq!(number(&server, "tasks WHERE completed_date IS NULL AND status = 'pending' AND version = 3").await, 1);
}

#[tokio::test]
async fn it_waits_for_the_end_and_happens_once_at_a_time() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let contact = make_record::<Contact>(&server.ctx, &ada.caller(), json!({ "lastName": "N" })).await.id;
    let input = json!({ "kind": "CONTACT", "ids": [contact], "addTags": ["a"] });
    let (job, _) = ask(&ada, UPDATE, input).await;
    let undo = json!({ "input": { "jobId": job } });
    ada.refused(UNDO, undo.clone(), "CONFLICT").await;
    {
        let _worker = worker(&server);
        server.jobs_done().await;
    }
    ask(&ada, UNDO, json!({ "jobId": job })).await;
    ada.refused(UNDO, undo, "CONFLICT").await;
    ada.refused(UNDO, json!({ "input": { "jobId": uuid::Uuid::now_v7() } }), "NOT_FOUND").await;
}
