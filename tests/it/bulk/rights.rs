//! Who may change many records, and that a job does no more than its maker may.

use kontor::{auth::Role, crm::Contact};
use serde_json::json;

use super::{DELETE, REASSIGN, UPDATE, ask, counts, done, number, shown, worker};
use crate::support::{records::make_record, server::TestServer, sql};

#[tokio::test]
async fn it_is_for_admins_and_managers_and_for_their_own_workspace() {
    let server = TestServer::start().await;
    let (ada, eve) = (server.admin().await, server.other_workspace().await);
    let contact = make_record::<Contact>(&server.ctx, &ada.caller(), json!({ "lastName": "N" })).await.id;
    let update = json!({ "input": { "kind": "CONTACT", "ids": [contact], "addTags": ["a"] } });
    for role in [Role::SalesRep, Role::Support] {
        let person = ada.invite_role(role).await;
        person.refused(UPDATE, update.clone(), "FORBIDDEN").await;
        person.refused(DELETE, json!({ "input": { "kind": "CONTACT", "where": { "all": [] } } }), "FORBIDDEN").await;
        let reassign = json!({ "input": { "from": ada.user(), "to": person.user() } });
        person.refused(REASSIGN, reassign, "FORBIDDEN").await;
    }
    eve.refused(UPDATE, update, "NOT_FOUND").await;
    let all = json!({ "kind": "CONTACT", "where": { "all": [] }, "addTags": ["eve"] });
    assert_eq!(counts(&done(&server, &eve, UPDATE, all).await.1), [0, 0, 0]);
    assert_eq!(number(&server, "contacts WHERE version > 1").await, 0);
    let manager = ada.invite_role(Role::Manager).await;
    let update = json!({ "kind": "CONTACT", "ids": [contact], "addTags": ["a"] });
    assert_eq!(counts(&done(&server, &manager, UPDATE, update).await.1), [1, 0, 0]);
}

#[tokio::test]
async fn criteria_name_no_list_that_one_does_not_see() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let manager = ada.invite_role(Role::Manager).await;
    let contact = make_record::<Contact>(&server.ctx, &ada.caller(), json!({ "lastName": "N" })).await.id;
    let create =
        "mutation($ids: [ID!]) { createContactList(input: { name: \"L\", contactIds: $ids }) { contactList { id } } }";
    let list = ada.data(create, json!({ "ids": [contact] })).await["createContactList"]["contactList"]["id"].clone();
    let input = json!({ "kind": "CONTACT", "where": { "inList": list }, "addTags": ["a"] });
    let refusal = manager.refused(UPDATE, json!({ "input": input }), "BAD_USER_INPUT").await;
    assert!(refusal["extensions"]["fields"]["where.inList"].is_string(), "{refusal}");
    assert_eq!(counts(&done(&server, &ada, UPDATE, input).await.1), [1, 0, 0]);
    // nor does it tell of one by counting
    let named = json!({ "compare": { "field": "name", "op": "EQ", "value": "L" } });
    let in_it = json!({ "related": { "relation": "LISTS", "where": named } });
    let input = json!({ "kind": "CONTACT", "where": in_it, "addTags": ["b"] });
    assert_eq!(done(&server, &manager, UPDATE, input.clone()).await.1["matched"], 0);
    assert_eq!(done(&server, &ada, UPDATE, input).await.1["matched"], 1);
}

#[tokio::test]
async fn a_job_whose_maker_may_no_longer_do_it_stops() {
    for (loses, says) in [("role = 'sales_rep'", "does not allow this"), ("status = 'inactive'", "not active any more")]
    {
        let server = TestServer::start_idle().await;
        let ada = server.admin().await;
        let manager = ada.invite_role(Role::Manager).await;
        let contact = make_record::<Contact>(&server.ctx, &ada.caller(), json!({ "lastName": "N" })).await.id;
        let input = json!({ "kind": "CONTACT", "ids": [contact], "addTags": ["a"] });
        let (job, _) = ask(&manager, UPDATE, input).await;
        let lose = format!("UPDATE members SET {loses} WHERE user_id = '{}'", manager.user());
        sql::run(&server.database.db, &lose).await;
        let _worker = worker(&server);
        server.jobs_done().await;
        let told = shown(&ada, &job).await;
        assert_eq!(told["job"]["status"], "FAILED", "{told}");
        assert!(told["job"]["lastError"].as_str().is_some_and(|error| error.contains(says)), "{told}");
        assert_eq!(number(&server, "contacts WHERE version > 1").await, 0);
    }
}

#[tokio::test]
async fn a_token_is_held_to_its_scopes_by_the_job_as_well() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let create = "mutation { createApiToken(input: { name: \"T\", scopes: [\"records:bulk\", \"contacts:write\"] }) { secret } }";
    let secret = ada.data(create, json!({})).await["createApiToken"]["secret"].clone();
    let token = server.client(secret.as_str().expect("a secret"));
    let contact = make_record::<Contact>(&server.ctx, &ada.caller(), json!({ "lastName": "N" })).await.id;
    // to choose by criteria is to read
    let all = json!({ "input": { "kind": "CONTACT", "where": { "all": [] }, "addTags": ["a"] } });
    token.refused(UPDATE, all, "FORBIDDEN").await;
    token.refused(DELETE, json!({ "input": { "kind": "CONTACT", "ids": [contact] } }), "FORBIDDEN").await;
    let (job, _) = ask(&token, UPDATE, json!({ "kind": "CONTACT", "ids": [contact], "addTags": ["a"] })).await;
    // as if the token had been narrower
    let narrow = format!("UPDATE bulk_changes SET scopes = '{{records:bulk}}' WHERE id = '{job}'");
    sql::run(&server.database.db, &narrow).await;
    let _worker = worker(&server);
    server.jobs_done().await;
    let told = shown(&ada, &job).await;
    assert_eq!(told["job"]["status"], "FAILED", "{told}");
    assert!(told["job"]["lastError"].as_str().is_some_and(|error| error.contains("contacts:write")), "{told}");
}
