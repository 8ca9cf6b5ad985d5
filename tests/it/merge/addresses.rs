//! Further addresses: nobody's twice, told as a part of their contact.

use serde_json::{Value, json};

use super::{ADD, made, text};
use crate::support::{client::Client, server::TestServer, sql};

const PRIMARY: &str = "mutation($id: ID!) { makeAddressPrimary(input: { id: $id }) { contact { email phone extraAddresses { kind address } } } }";

async fn add(client: &Client, contact: &str, kind: &str, address: &str) -> Value {
    let added = json!({ "contact": contact, "kind": kind, "address": address });
    client.data(ADD, added).await["addExtraAddress"]["contact"].take()
}

#[tokio::test]
async fn they_are_normalised_told_and_kept_in_the_history() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let id = made(&ada, "contact", json!({ "lastName": "L", "email": "ada@one.test" })).await;
    let follow =
        "subscription($after: String) { recordChanged(kind: CONTACT, after: $after) { changes { field after } } }";
    let mut live = ada.subscribe(follow, json!({ "after": server.cursor().await })).await;
    let contact = add(&ada, &id, "EMAIL", " Ada@Two.Test ").await;
    assert_eq!(contact["extraAddresses"][0]["address"], "ada@two.test");
    assert_eq!(contact["version"], 2);
    let told = live.next().await["recordChanged"]["changes"].clone();
    let kept = json!([{ "kind": "email", "address": "ada@two.test", "label": null }]);
    assert_eq!(told, json!([{ "field": "extraAddresses", "after": kept }]));
    add(&ada, &id, "PHONE", "+49 30 1234567").await;
    let history = "query($id: ID!) { contact(id: $id) { history { totalCount nodes { field } } } }";
    let history = ada.data(history, json!({ "id": id })).await["contact"]["history"].clone();
    assert_eq!((&history["totalCount"], &history["nodes"][1]["field"]), (&json!(2), &json!("extraAddresses")));
    for (kind, address) in [("EMAIL", "no address"), ("EMAIL", ""), ("PHONE", "none")] {
        let wrong = json!({ "contact": id, "kind": kind, "address": address });
        let refusal = ada.refused(ADD, wrong, "BAD_USER_INPUT").await;
        assert!(refusal["extensions"]["fields"]["address"].is_string(), "{refusal}");
    }
    let twice = json!({ "contact": id, "kind": "EMAIL", "address": "ADA@two.test" });
    ada.refused(ADD, twice, "CONFLICT").await;
    let own = json!({ "contact": id, "kind": "EMAIL", "address": "ada@one.test" });
    ada.refused(ADD, own, "CONFLICT").await;
}

#[tokio::test]
async fn an_address_becomes_the_contacts_own_and_the_former_a_further_one() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let id = made(&ada, "contact", json!({ "lastName": "L", "email": "ada@one.test" })).await;
    let with = add(&ada, &id, "EMAIL", "ada@two.test").await;
    let swapped = ada.data(PRIMARY, json!({ "id": with["extraAddresses"][0]["id"] })).await;
    let contact = &swapped["makeAddressPrimary"]["contact"];
    assert_eq!(contact["email"], "ada@two.test");
    assert_eq!(contact["extraAddresses"], json!([{ "kind": "EMAIL", "address": "ada@one.test" }]));
    let with = add(&ada, &id, "PHONE", "030 1234567").await;
    let phone = &with["extraAddresses"][1]["id"];
    let swapped = ada.data(PRIMARY, json!({ "id": phone })).await;
    let contact = &swapped["makeAddressPrimary"]["contact"];
    assert_eq!(
        (&contact["phone"], contact["extraAddresses"].as_array().expect("a list").len()),
        (&json!("030 1234567"), 1)
    );
    let remove = "mutation($id: ID!) { removeExtraAddress(input: { id: $id }) { contact { extraAddresses { id } } } }";
    let known = "query($id: ID!) { contact(id: $id) { extraAddresses { id } } }";
    let known = ada.data(known, json!({ "id": id })).await["contact"]["extraAddresses"][0]["id"].clone();
    let left = ada.data(remove, json!({ "id": known })).await;
    assert_eq!(left["removeExtraAddress"]["contact"]["extraAddresses"], json!([]));
    ada.refused(remove, json!({ "id": known }), "NOT_FOUND").await;
}

#[tokio::test]
async fn an_address_is_nobodys_twice_in_whatever_way() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let one = made(&ada, "contact", json!({ "lastName": "1", "email": "one@a.test" })).await;
    let two = made(&ada, "contact", json!({ "lastName": "2", "email": "two@a.test" })).await;
    add(&ada, &one, "EMAIL", "more@a.test").await;
    let other = |refusal: &Value| refusal["extensions"]["details"]["other"].clone();
    let taken = |address: &str| json!({ "contact": two, "kind": "EMAIL", "address": address });
    assert_eq!(other(&ada.refused(ADD, taken("one@a.test"), "CONFLICT").await), one);
    assert_eq!(other(&ada.refused(ADD, taken("more@a.test"), "CONFLICT").await), one);
    let create = "mutation { createContact(input: { contact: { email: \"more@a.test\" } }) { contact { id } } }";
    assert_eq!(other(&ada.refused(create, json!({}), "CONFLICT").await), one);
    let update = "mutation($id: ID!) { updateContact(input: { id: $id, patch: { email: \"more@a.test\" } }) { contact { id } } }";
    assert_eq!(other(&ada.refused(update, json!({ "id": two }), "CONFLICT").await), one);
    // phones may be shared, and another workspace is another world
    add(&ada, &one, "PHONE", "030 1234567").await;
    add(&ada, &two, "PHONE", "030 1234567").await;
    let foreigner = server.other_workspace().await;
    let theirs = made(&foreigner, "contact", json!({ "lastName": "1", "email": "one@a.test" })).await;
    add(&foreigner, &theirs, "EMAIL", "more@a.test").await;

    // a deleted contact's are free, and keep it from returning once they are taken
    let delete = "mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }";
    let restore =
        "mutation($id: ID!) { restoreContact(input: { id: $id }) { contact { extraAddresses { address } } } }";
    ada.data(delete, json!({ "id": one })).await;
    let took = add(&ada, &two, "EMAIL", "more@a.test").await;
    assert_eq!(other(&ada.refused(restore, json!({ "id": one }), "CONFLICT").await), two);
    let of_email = took["extraAddresses"].as_array().expect("a list").iter().find(|one| one["kind"] == "EMAIL");
    let remove = "mutation($id: ID!) { removeExtraAddress(input: { id: $id }) { contact { id } } }";
    ada.data(remove, json!({ "id": of_email.expect("it is there")["id"] })).await;
    let third = made(&ada, "contact", json!({ "lastName": "3", "email": "more@a.test" })).await;
    assert_eq!(other(&ada.refused(restore, json!({ "id": one }), "CONFLICT").await), third);
    ada.data(delete, json!({ "id": third })).await;
    let back = ada.data(restore, json!({ "id": one })).await["restoreContact"]["contact"].clone();
    assert_eq!(text(&back["extraAddresses"][0]["address"]), "more@a.test");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_take_an_address_at_once_one_gets_it() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let one = made(&ada, "contact", json!({ "lastName": "1" })).await;
    for round in 0..10 {
        let address = format!("r{round}@a.test");
        let create = format!(
            "mutation {{ createContact(input: {{ contact: {{ email: \"{address}\" }} }}) {{ contact {{ id }} }} }}"
        );
        let further = json!({ "contact": one, "kind": "EMAIL", "address": address });
        let (made, added) = tokio::join!(ada.graphql(&create, json!({})), ada.graphql(ADD, further));
        let refused: Vec<_> = [&made, &added].into_iter().filter(|answer| answer.get("errors").is_some()).collect();
        assert_eq!(refused.len(), 1, "{made} {added}");
        assert_eq!(refused[0]["errors"][0]["extensions"]["code"], "CONFLICT");
    }
    let twice = "SELECT count(*) AS value FROM contacts c JOIN contact_extra_addresses x ON x.address = c.email";
    assert_eq!(sql::number(&server.database.db, twice).await, 0);
}
