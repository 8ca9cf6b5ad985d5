//! Whose a record may be: somebody's who is at work here.

use kontor::auth::Role;
use serde_json::json;

use crate::support::server::{Client, TestServer};

async fn deactivate(admin: &Client, somebody: &Client) {
    let deactivate = "mutation D($id: ID!) { deactivateUser(input: { id: $id }) { done } }";
    admin.data(deactivate, json!({ "id": somebody.user() })).await;
}

#[tokio::test]
async fn a_record_is_given_to_nobody_who_has_left() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (rep, stranger) = (admin.invite_role(Role::SalesRep).await, server.other_workspace().await);
    let contact = |owner: &Client| {
        let email = format!("{}@x.de", uuid::Uuid::now_v7().simple());
        json!({ "first_name": "A", "last_name": "B", "email": email, "assigned_to": owner.user() })
    };
    let owned = admin.post("/contacts", contact(&rep)).await.data();
    let path = format!("/contacts/{}", owned["id"].as_str().expect("an id"));
    deactivate(&admin, &rep).await;
    for refused in [&rep, &stranger] {
        let told = admin.post("/contacts", contact(refused)).await.refused(400);
        assert!(told["message"].as_str().is_some_and(|told| told.contains("not an active user")), "{told}");
        let free = admin.post("/contacts", contact(&admin)).await.data();
        let free = format!("/contacts/{}", free["id"].as_str().expect("an id"));
        admin.put(&free, json!({ "assigned_to": refused.user() })).await.refused(400);
    }
    // what is theirs stays theirs until somebody takes it
    let kept = admin.put(&path, json!({ "title": "Buyer", "assigned_to": rep.user() })).await.data();
    assert_eq!((&kept["title"], &kept["assigned_to"]), (&json!("Buyer"), &json!(rep.user())));
    let taken = admin.put(&path, json!({ "assigned_to": admin.user() })).await.data();
    assert_eq!(taken["assigned_to"], json!(admin.user()));
    admin.put(&path, json!({ "assigned_to": rep.user() })).await.refused(400);
}
