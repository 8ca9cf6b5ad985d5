//! What is found to be the same, and why; and that it is found by indexes.

use kontor::auth::Role;
use serde_json::{Value, json};

use super::{ADD, made, text};
use crate::support::{client::Client, server::TestServer};

const FIND: &str =
    "query($kind: RecordKind!, $id: ID!) { duplicates(kind: $kind, id: $id) { record { id } reasons score } }";

async fn found(client: &Client, kind: &str, id: &str) -> Vec<(String, Value)> {
    let found = client.data(FIND, json!({ "kind": kind, "id": id })).await["duplicates"].take();
    let found = found.as_array().expect("a list").iter();
    found.map(|one| (text(&one["record"]["id"]), one["reasons"].clone())).collect()
}

#[tokio::test]
async fn contacts_are_found_by_further_addresses_phones_and_names() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let foreigner = server.other_workspace().await;
    let same = json!({ "firstName": "Grace", "lastName": "Hopper", "phone": "+49 (0)30 1234567" });
    made(&foreigner, "contact", same.clone()).await;
    let grace = made(&ada, "contact", same).await;
    let by_phone = made(&ada, "contact", json!({ "lastName": "Other", "mobile": "030/123 45 67" })).await;
    let by_further = made(&ada, "contact", json!({ "lastName": "Another" })).await;
    ada.data(ADD, json!({ "contact": by_further, "kind": "PHONE", "address": "0049 30 1234567" })).await;
    let by_name = made(&ada, "contact", json!({ "firstName": "Grace", "lastName": "Hoppper" })).await;
    made(&ada, "contact", json!({ "firstName": "Alan", "lastName": "Turing", "phone": "030 7654321" })).await;
    let mut seen = found(&ada, "CONTACT", &grace).await;
    seen.sort_by_key(|(id, _)| id.clone());
    let mut expected = vec![
        (by_phone, json!(["SAME_PHONE"])),
        (by_further.clone(), json!(["SAME_PHONE"])),
        (by_name, json!(["SIMILAR_NAME"])),
    ];
    expected.sort_by_key(|(id, _)| id.clone());
    assert_eq!(seen, expected);
    // from the other side, too
    assert_eq!(found(&ada, "CONTACT", &by_further).await.len(), 2);
    let nobody = made(&foreigner, "contact", json!({ "lastName": "Nobody" })).await;
    assert!(found(&foreigner, "CONTACT", &nobody).await.is_empty());
}

#[tokio::test]
async fn names_are_alike_in_every_script_and_sooner_in_one_company() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let one = made(&ada, "contact", json!({ "firstName": "Łukasz", "lastName": "Wójcicki" })).await;
    let two = made(&ada, "contact", json!({ "firstName": "łukasz", "lastName": "Wójcick" })).await;
    assert_eq!(found(&ada, "CONTACT", &one).await, [(two, json!(["SIMILAR_NAME"]))]);
    let account = made(&ada, "account", json!({ "name": "Navy" })).await;
    let of = |name: &str| json!({ "firstName": name, "lastName": "Holberton", "accountId": account });
    let betty = made(&ada, "contact", of("Betty")).await;
    let elizabeth = made(&ada, "contact", of("Betsy")).await;
    let stranger = made(&ada, "contact", json!({ "firstName": "Betsy", "lastName": "Holberton" })).await;
    let seen = found(&ada, "CONTACT", &betty).await;
    assert_eq!(seen.first(), Some(&(elizabeth, json!(["SIMILAR_NAME", "SAME_COMPANY"]))));
    assert!(seen.iter().all(|(id, _)| *id != stranger), "alike is not enough: {seen:?}");
}

#[tokio::test]
async fn leads_are_found_by_their_address_and_only_where_one_sees_them() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let own = made(&rep, "lead", json!({ "lastName": "A", "email": "Same@A.test" })).await;
    let others = made(&ada, "lead", json!({ "lastName": "B", "email": "same@a.TEST" })).await;
    assert_eq!(found(&ada, "LEAD", &own).await, [(others.clone(), json!(["SAME_EMAIL", "SAME_COMPANY"]))]);
    assert!(found(&rep, "LEAD", &own).await.is_empty());
    rep.refused(FIND, json!({ "kind": "LEAD", "id": others }), "NOT_FOUND").await;
    let groups = "{ duplicateGroups(kind: LEAD, by: EMAIL) { totalCount nodes { value count records { id } } } }";
    let seen = ada.data(groups, json!({})).await["duplicateGroups"].take();
    let records = json!([{ "id": own }, { "id": others }]);
    assert_eq!(seen, json!({ "totalCount": 1, "nodes": [{ "value": "same@a.test", "count": 2, "records": records }] }));
    assert_eq!(rep.data(groups, json!({})).await["duplicateGroups"]["totalCount"], 0);
}

#[tokio::test]
async fn groups_are_paged_in_the_order_of_their_marks() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    for name in ["Ada", "Bob", "Cyd"] {
        made(&ada, "account", json!({ "name": name })).await;
        made(&ada, "account", json!({ "name": name.to_uppercase() })).await;
    }
    made(&ada, "account", json!({ "name": "Alone", "phone": "12" })).await;
    made(&ada, "account", json!({ "name": "Lonely", "phone": "12" })).await;
    let page = "query($after: String) { duplicateGroups(kind: ACCOUNT, by: NAME, first: 2, after: $after) {
        totalCount nodes { value } pageInfo { hasNextPage endCursor } } }";
    let first = ada.data(page, json!({})).await["duplicateGroups"].take();
    assert_eq!(first["nodes"], json!([{ "value": "ada" }, { "value": "bob" }]));
    assert_eq!((&first["totalCount"], &first["pageInfo"]["hasNextPage"]), (&json!(3), &json!(true)));
    let second = ada.data(page, json!({ "after": first["pageInfo"]["endCursor"] })).await["duplicateGroups"].take();
    assert_eq!((&second["nodes"], &second["pageInfo"]["hasNextPage"]), (&json!([{ "value": "cyd" }]), &json!(false)));
    let by_phone = ada.data("{ duplicateGroups(kind: ACCOUNT, by: PHONE) { totalCount } }", json!({})).await;
    assert_eq!(by_phone["duplicateGroups"]["totalCount"], 0, "an extension says nothing");
    for wrong in ["kind: ACCOUNT, by: EMAIL", "kind: TASK, by: NAME", "kind: DEAL, by: PHONE"] {
        let wrong = format!("{{ duplicateGroups({wrong}) {{ totalCount }} }}");
        ada.refused(&wrong, json!({}), "BAD_USER_INPUT").await;
    }
}
