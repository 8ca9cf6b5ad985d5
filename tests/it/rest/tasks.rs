//! `/tasks`

use kontor::crm::tasks::ABOUT;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::records::{Fields, keys, same, set_read_and_clear};
use crate::support::{
    server::{Client, TestServer, with_query},
    sql,
};

async fn contact(ada: &Client, email: &str) -> Value {
    let contact = json!({ "first_name": "G", "last_name": "H", "email": email });
    ada.post("/contacts", contact).await.data()["id"].clone()
}

#[tokio::test]
async fn every_field_can_be_set_read_found_and_cleared() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let owner = ada.get("/auth/me").await.data()["id"].clone();
    let contact = contact(&ada, "g@example.com").await;
    ada.post("/tasks", json!({ "title": "Another" })).await.data();
    let sent = vec![
        same("title", json!("Call")),
        same("description", json!("About the ship.")),
        same("status", json!("in_progress")),
        same("priority", json!("urgent")),
        ("due_date", json!("2025-10-17"), json!("2025-10-17T00:00:00.000Z")),
        ("completed_date", json!("2025-10-18T11:30:00.5+02:00"), json!("2025-10-18T09:30:00.500Z")),
        same("assigned_to", owner),
        same("related_to_type", json!("contact")),
        same("related_to_id", contact.clone()),
        ("reminder", json!("2125-10-16T08:00:00Z"), json!("2125-10-16T08:00:00.000Z")),
        same("notes", json!("Not before ten.")),
        same("tags", json!(["a"])),
        same("custom_fields", json!({ "a": 1 })),
    ];
    let cleared = vec![
        ("status", json!("pending")),
        ("priority", json!("medium")),
        ("tags", json!([])),
        ("custom_fields", json!({})),
    ];
    let more = &["account_id", "contact_id", "deal_id", "lead_id"];
    let fields = Fields { path: "/tasks", sent, more, cleared, needed: &["title"] };
    set_read_and_clear(&ada, &fields).await;
}

#[tokio::test]
async fn each_word_of_status_and_priority_is_taken() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let task = ada.post("/tasks", json!({ "title": "T" })).await.data();
    let path = format!("/tasks/{}", task["id"].as_str().expect("an id"));
    for (field, words) in [
        ("status", ["pending", "in_progress", "completed", "cancelled"]),
        ("priority", ["low", "medium", "high", "urgent"]),
    ] {
        for word in words {
            assert_eq!(ada.put(&path, json!({ field: word })).await.data()[field], word);
        }
        assert_eq!(keys(&ada.put(&path, json!({ field: "zombie" })).await.refused(400)["fields"]), [field]);
    }
}

#[tokio::test]
async fn what_a_task_is_about_changes_in_part_too() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let (one, two) = (contact(&ada, "1@example.com").await, contact(&ada, "2@example.com").await);
    let task = json!({ "title": "T", "related_to_type": "contact", "related_to_id": one });
    let task = ada.post("/tasks", task).await.data();
    let path = format!("/tasks/{}", task["id"].as_str().expect("an id"));
    let about = |task: &Value| [task["related_to_type"].clone(), task["related_to_id"].clone()];

    let moved = ada.put(&path, json!({ "related_to_id": two })).await.data();
    assert_eq!(about(&moved), [json!("contact"), two.clone()], "the type stays as it is");
    assert_eq!(ada.put(&path, json!({ "related_to_type": "contact" })).await.data(), moved);
    // it is no deal
    ada.put(&path, json!({ "related_to_type": "deal" })).await.refused(400);
    assert_eq!(ada.get(&path).await.data(), moved);
    for cleared in
        [json!({ "related_to_type": null }), json!({ "related_to_id": null }), json!({ "related_to_id": "" })]
    {
        ada.put(&path, json!({ "related_to_type": "contact", "related_to_id": two })).await.data();
        assert_eq!(about(&ada.put(&path, cleared).await.data()), [Value::Null, Value::Null]);
    }
    // a form without a choice; and nothing there to go with it
    ada.put(&path, json!({ "related_to_type": "lead", "related_to_id": "" })).await.data();
    ada.put(&path, json!({ "related_to_type": "lead" })).await.data();
    ada.put(&path, json!({ "related_to_id": two })).await.refused(400);

    // a link to what was deleted is kept
    ada.put(&path, json!({ "related_to_type": "contact", "related_to_id": two })).await.data();
    ada.delete(&format!("/contacts/{}", two.as_str().expect("an id"))).await.expect(StatusCode::OK);
    let hidden = ada.put(&path, json!({ "related_to_type": "contact", "title": "U" })).await.data();
    assert_eq!(about(&hidden), [Value::Null, Value::Null]);
    let kept = "SELECT count(*) AS value FROM tasks WHERE contact_id IS NOT NULL AND title = 'U'";
    assert_eq!(sql::number(&server.database.db, kept).await, 1);
}

#[tokio::test]
async fn tasks_are_found_by_what_they_are_about() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let ids =
        async |path: &str, body: Value| ada.post(path, body).await.data()["id"].as_str().expect("an id").to_owned();
    let account = ids("/accounts", json!({ "account_name": "A" })).await;
    let deal = ids("/deals", json!({ "deal_name": "D" })).await;
    let lead = ids("/leads", json!({ "first_name": "I", "last_name": "J", "email": "i@example.com" })).await;
    let contact = contact(&ada, "g@example.com").await;
    let contact = contact.as_str().expect("an id");
    ada.post("/tasks", json!({ "title": "nothing" })).await.data();
    for (kind, id) in [("lead", &*lead), ("contact", contact), ("account", &account), ("deal", &deal)] {
        let task = json!({ "title": kind, "related_to_type": kind, "related_to_id": id });
        let task = ada.post("/tasks", task).await.data();
        assert_eq!([&task["related_to_type"], &task["related_to_id"]], [kind, id]);
    }
    let titles = async |query: &[(&str, &str)]| {
        let found = ada.get(&with_query("/tasks", query)).await.data();
        found
            .as_array()
            .expect("a list")
            .iter()
            .map(|task| task["title"].as_str().expect("a title").to_owned())
            .collect::<Vec<_>>()
    };
    for (kind, id) in [("lead", &*lead), ("contact", contact), ("account", &account), ("deal", &deal)] {
        assert_eq!(titles(&[("related_to_type", kind)]).await, [kind]);
        assert_eq!(titles(&[("related_to_id", id)]).await, [kind]);
        assert_eq!(titles(&[("related_to_type", kind), ("related_to_id", id)]).await, [kind]);
    }
    assert_eq!(titles(&[("related_to_type", "")]).await, ["nothing"]);
    assert_eq!(titles(&[("related_to_id", "")]).await, ["nothing"]);
    assert!(titles(&[("related_to_type", "deal"), ("related_to_id", contact)]).await.is_empty());
    assert!(titles(&[("related_to_type", "deal"), ("related_to_id", "")]).await.is_empty());
    assert_eq!(titles(&[("sort", "related_to_type"), ("limit", "4")]).await, ["account", "contact", "deal", "lead"]);
    for (field, wrong) in [("related_to_type", "product"), ("related_to_id", "x")] {
        let refusal = ada.get(&with_query("/tasks", &[(field, wrong)])).await.refused(400);
        assert_eq!(keys(&refusal["fields"]), [field]);
    }
}

#[tokio::test]
async fn tasks_about_something_are_found_by_an_index_whatever_it_is() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    ada.post("/tasks", json!({ "title": "T" })).await.data();
    let db = &server.database.db;
    let many = "INSERT INTO tasks (workspace_id, id, title, status, priority, created_by, created_at, updated_at) \
         SELECT workspace_id, gen_random_uuid(), title, status, priority, created_by, created_at, updated_at \
           FROM tasks, generate_series(1, 5000)";
    sql::run(db, many).await;
    sql::run(db, "ANALYZE tasks").await;
    let about = ABOUT.iter().find(|field| field.rest == "related_to_id").expect("a field").column;
    let workspace = sql::texts(db, "SELECT DISTINCT workspace_id::text AS value FROM tasks").await.remove(0);
    let found = format!(
        "EXPLAIN SELECT t.id FROM tasks t WHERE t.workspace_id = '{workspace}' AND t.deleted_at IS NULL \
            AND {about} = '{}' ORDER BY t.workspace_id DESC, t.id DESC LIMIT 51",
        uuid::Uuid::now_v7()
    );
    let plan = sql::plan(db, &found).await;
    assert!(plan.contains("tasks_about_idx"), "{plan}");
}
