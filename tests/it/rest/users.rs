//! `/users`

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::server::{PASSWORD, TestServer};

fn person(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD, "full_name": "Bob Builder", "role": "manager", "phone": "1", "department": "Sales" })
}

async fn id_of(client: &crate::support::server::Client) -> String {
    client.get("/auth/me").await.data()["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn an_admin_makes_users() {
    let server = TestServer::start().await;
    let admin = server.sign_up("ada@example.com").await;
    let answer = admin.post("/users", person("Bob@example.com")).await.expect(StatusCode::CREATED);
    let bob = &answer["data"];
    let told = ["email", "full_name", "role", "phone", "department", "status"].map(|field| bob[field].as_str());
    assert_eq!(
        told.map(Option::unwrap_or_default),
        ["bob@example.com", "Bob Builder", "manager", "1", "Sales", "active"]
    );
    assert_eq!(bob["last_login"], Value::Null);
    server.sign_in("bob@example.com", PASSWORD).await;

    assert_eq!(admin.post("/users", person("bob@example.com")).await.refused(409)["code"], "CONFLICT");
    let plain = json!({ "email": "rep@example.com", "password": PASSWORD, "full_name": "Rep" });
    assert_eq!(admin.post("/users", plain).await.data()["role"], "sales_rep");
    for (field, value) in
        [("email", json!("x")), ("role", json!("king")), ("password", json!("x")), ("full_name", json!(null))]
    {
        let mut body = person("new@example.com");
        body[field] = value;
        let refusal = admin.post("/users", body).await.refused(400);
        assert!(refusal["fields"][field].is_string(), "{refusal}");
    }
}

#[tokio::test]
async fn who_may_list_make_and_deactivate_users() {
    let server = TestServer::start().await;
    let admin = server.sign_up("ada@example.com").await;
    for (role, list, make) in [("manager", 200, 403), ("sales_rep", 403, 403), ("support", 403, 403)] {
        let client = server.colleague(&admin, role).await;
        assert_eq!(client.get("/users").await.status.as_u16(), list, "{role}");
        assert_eq!(client.post("/users", person("x@example.com")).await.status.as_u16(), make, "{role}");
        assert_eq!(client.post("/users", json!({})).await.status.as_u16(), make, "{role}");
        client.delete(&format!("/users/{}", id_of(&admin).await)).await.refused(403);
    }
}

#[tokio::test]
async fn users_come_in_pages_newest_first() {
    let server = TestServer::start().await;
    let admin = server.sign_up("ada@example.com").await;
    for number in 0..4 {
        admin.post("/users", person(&format!("u{number}@example.com"))).await.expect(StatusCode::CREATED);
    }
    let page = admin.get("/users?page=2&limit=2&role=ignored").await.expect(StatusCode::OK);
    let emails: Vec<_> = page["data"].as_array().expect("a list").iter().map(|user| user["email"].as_str()).collect();
    assert_eq!(emails, [Some("u1@example.com"), Some("u0@example.com")]);
    assert_eq!(page["pagination"], json!({ "total": 5, "page": 2, "pages": 3, "limit": 2 }));
    let all = admin.get("/users").await.expect(StatusCode::OK);
    assert_eq!(all["pagination"], json!({ "total": 5, "page": 1, "pages": 1, "limit": 1000 }));
    let beyond = admin.get("/users?page=99999999999999999999999").await.expect(StatusCode::OK);
    assert_eq!(beyond["data"], json!([]));
}

#[tokio::test]
async fn one_sees_and_changes_oneself_and_an_admin_everybody() {
    let server = TestServer::start().await;
    let admin = server.sign_up("ada@example.com").await;
    let rep = server.colleague(&admin, "sales_rep").await;
    let (admin_id, rep_id) = (id_of(&admin).await, id_of(&rep).await);
    let (of_admin, of_rep) = (format!("/users/{admin_id}"), format!("/users/{rep_id}"));
    assert_eq!(rep.get(&of_rep).await.data()["id"], json!(rep_id));
    assert_eq!(admin.get(&of_rep).await.data()["id"], json!(rep_id));
    rep.get(&of_admin).await.refused(404);
    rep.put(&of_admin, json!({ "full_name": "X" })).await.refused(403);
    rep.put(&of_rep, json!({ "role": "admin" })).await.refused(403);

    // a client sends everything back that it read
    let mut whole = rep.get(&of_rep).await.data();
    whole["phone"] = json!("+1");
    assert_eq!(rep.put(&of_rep, whole).await.data()["phone"], "+1");

    let changed = admin.put(&of_rep, json!({ "role": "manager", "department": "Sales" })).await.data();
    assert_eq!([&changed["role"], &changed["department"], &changed["phone"]], ["manager", "Sales", "+1"]);
    assert_eq!(admin.put(&of_rep, json!({ "department": null })).await.data()["department"], Value::Null);
    for wrong in
        [json!({ "role": null }), json!({ "role": "king" }), json!({ "status": "gone" }), json!({ "full_name": null })]
    {
        admin.put(&of_rep, wrong).await.refused(400);
    }
    admin.put(&of_admin, json!({ "role": "support" })).await.refused(409);
}

#[tokio::test]
async fn deleting_a_user_deactivates_them() {
    let server = TestServer::start().await;
    let admin = server.sign_up("ada@example.com").await;
    let rep = server.colleague(&admin, "sales_rep").await;
    let path = format!("/users/{}", id_of(&rep).await);
    let done = admin.delete(&path).await.expect(StatusCode::OK);
    assert_eq!((done["success"].as_bool(), done["message"].is_string()), (Some(true), true));
    rep.get("/auth/me").await.refused(401);
    assert_eq!(admin.get(&path).await.data()["status"], "inactive");
    admin.delete(&format!("/users/{}", id_of(&admin).await)).await.refused(409);
}

#[tokio::test]
async fn users_of_other_workspaces_and_wrong_ids_are_not_found() {
    let server = TestServer::start().await;
    let ours = server.sign_up("ada@example.com").await;
    let theirs = server.sign_up("eve@example.com").await;
    for id in [id_of(&theirs).await, uuid::Uuid::now_v7().to_string(), "x".to_owned(), "%ff".to_owned(), "1".to_owned()]
    {
        let path = format!("/users/{id}");
        ours.get(&path).await.refused(404);
        ours.put(&path, json!({ "full_name": "X" })).await.refused(404);
        ours.delete(&path).await.refused(404);
    }
}
