//! The rules that all kinds of records share, run for each kind.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::server::{Client, TestServer};

/// What the shared rules need to know of a kind.
struct Kind {
    path: &'static str,
    /// A text field with a value of its own per record, and its column.
    name: &'static str,
    /// The number makes it unlike the others.
    new: fn(usize) -> Value,
    choice: (&'static str, &'static str),
}

const KINDS: [Kind; 2] = [
    Kind {
        path: "/contacts",
        name: "last_name",
        new: |number| json!({ "first_name": "G", "last_name": format!("L{number}"), "email": format!("c{number}@example.com") }),
        choice: ("status", "customer"),
    },
    Kind {
        path: "/accounts",
        name: "account_name",
        new: |number| json!({ "account_name": format!("L{number}"), "account_number": format!("A-{number}") }),
        choice: ("type", "vendor"),
    },
];

pub fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> =
        object.as_object().unwrap_or_else(|| panic!("an object: {object}")).keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

async fn make(client: &Client, kind: &Kind, count: usize) -> Vec<Value> {
    let mut made = Vec::new();
    for number in 0..count {
        made.push(client.post(kind.path, (kind.new)(number)).await.data());
    }
    made
}

impl Kind {
    fn one(&self, record: &Value) -> String {
        format!("{}/{}", self.path, record["id"].as_str().expect("an id"))
    }

    /// The names on the page of this query.
    async fn names(&self, client: &Client, query: &str) -> Vec<String> {
        let page = client.get(&format!("{}?{query}", self.path)).await.data();
        page.as_array()
            .expect("a list")
            .iter()
            .map(|one| one[self.name].as_str().unwrap_or("none").to_owned())
            .collect()
    }
}

#[tokio::test]
async fn the_envelopes_and_codes_of_the_five_routes() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for kind in &KINDS {
        let created = ada.post(kind.path, (kind.new)(0)).await.expect(StatusCode::CREATED);
        assert_eq!(keys(&created), ["data", "success"]);
        let record = &created["data"];
        assert_eq!(
            record["id"].as_str().and_then(|id| uuid::Uuid::parse_str(id).ok()).map(|id| id.get_version_num()),
            Some(7)
        );
        for time in ["created_at", "updated_at"] {
            let text = record[time].as_str().expect("a time");
            assert!(text.len() == 24 && text.ends_with('Z') && text.as_bytes()[19] == b'.', "{text}");
        }
        let one = ada.get(&kind.one(record)).await.expect(StatusCode::OK);
        assert_eq!(one, json!({ "success": true, "data": record }));
        let list = ada.get(kind.path).await.expect(StatusCode::OK);
        let pagination = json!({ "total": 1, "page": 1, "pages": 1, "limit": 1000 });
        assert_eq!(list, json!({ "success": true, "data": [record], "pagination": pagination }));

        let changed = ada.put(&kind.one(record), json!({ kind.name: "Changed" })).await.expect(StatusCode::OK);
        assert_eq!(changed["data"][kind.name], "Changed");
        assert!(changed["data"]["updated_at"].as_str() >= record["updated_at"].as_str());
        let deleted = ada.delete(&kind.one(record)).await.expect(StatusCode::OK);
        assert_eq!(keys(&deleted), ["message", "success"]);

        ada.get(&kind.one(record)).await.refused(404);
        ada.put(&kind.one(record), json!({})).await.refused(404);
        ada.delete(&kind.one(record)).await.refused(404);
        let none = ada.get(kind.path).await.expect(StatusCode::OK);
        let pagination = json!({ "total": 0, "page": 1, "pages": 0, "limit": 1000 });
        assert_eq!(none, json!({ "success": true, "data": [], "pagination": pagination }));
    }
}

#[tokio::test]
async fn pages_have_exact_totals_and_no_gaps() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for kind in &KINDS {
        make(&ada, kind, 5).await;
        assert_eq!(kind.names(&ada, "page=1&limit=2").await, ["L4", "L3"]);
        assert_eq!(kind.names(&ada, "page=2&limit=2").await, ["L2", "L1"]);
        assert_eq!(kind.names(&ada, "page=3&limit=2").await, ["L0"]);
        assert!(kind.names(&ada, "page=4&limit=2").await.is_empty());
        let page = |query: &str| {
            let (ada, path) = (ada.clone(), format!("{}?{query}", kind.path));
            async move { ada.get(&path).await.expect(StatusCode::OK)["pagination"].clone() }
        };
        assert_eq!(page("page=2&limit=2").await, json!({ "total": 5, "page": 2, "pages": 3, "limit": 2 }));
        assert_eq!(page("limit=5").await["pages"], 1);
        assert_eq!(page("limit=5000").await["limit"], 1000);
        assert_eq!(page("page=9223372036854775807&limit=99999999999999999999").await["total"], 5);
        for wrong in [
            "page=0",
            "page=-1",
            "page=x",
            "page=",
            "page=1.5",
            "limit=0",
            "limit=-5",
            "limit=ten",
            "limit=1e3",
            "limit=NaN",
            "page=1&page=2",
        ] {
            let refusal = ada.get(&format!("{}?{wrong}", kind.path)).await.refused(400);
            let field = wrong.split('=').next().expect("a name");
            assert_eq!(keys(&refusal["fields"]), [field], "{wrong}");
        }
    }
}

#[tokio::test]
async fn lists_sort_by_any_field() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for kind in &KINDS {
        let made = make(&ada, kind, 3).await;
        ada.put(&kind.one(&made[1]), json!({ kind.choice.0: kind.choice.1 })).await.data();
        for (sort, names) in [
            ("sort=", ["L2", "L1", "L0"]),
            ("sort=-created_at", ["L2", "L1", "L0"]),
            ("sort=created_at", ["L0", "L1", "L2"]),
            ("sort=id", ["L0", "L1", "L2"]),
            ("sort=-id", ["L2", "L1", "L0"]),
            ("sort=-updated_at", ["L1", "L2", "L0"]),
            ("sort=updated_at", ["L0", "L2", "L1"]),
        ] {
            assert_eq!(kind.names(&ada, sort).await, names, "{} {sort}", kind.path);
        }
        assert_eq!(kind.names(&ada, &format!("sort=-{}", kind.name)).await, ["L2", "L1", "L0"]);
        assert_eq!(kind.names(&ada, &format!("sort={}", kind.name)).await, ["L0", "L1", "L2"]);
        assert_eq!(kind.names(&ada, &format!("sort={}&limit=1&page=2", kind.name)).await, ["L1"]);
        for field in keys(&made[0]) {
            assert_eq!(kind.names(&ada, &format!("sort=-{field}")).await.len(), 3, "{} {field}", kind.path);
        }
        for wrong in [
            "sort=nonsense",
            "sort=owner_id",
            "sort=deleted_at",
            "sort=workspace_id",
            "sort=-",
            "sort=id,created_at",
            "sort=id%20DESC",
        ] {
            let refusal = ada.get(&format!("{}?{wrong}", kind.path)).await.refused(400);
            assert_eq!(keys(&refusal["fields"]), ["sort"]);
        }
    }
}

#[tokio::test]
async fn any_field_filters_by_equality_and_other_parameters_are_ignored() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for kind in &KINDS {
        let made = make(&ada, kind, 3).await;
        let (choice, word) = kind.choice;
        let change = json!({ choice: word, "tags": ["a", "b"], "phone": "+1 2" });
        let changed = ada.put(&kind.one(&made[1]), change).await.data();
        let time = changed["updated_at"].as_str().expect("a time");
        let id = changed["id"].as_str().expect("an id");
        for query in [
            format!("{}=L1", kind.name),
            format!("{choice}={word}"),
            format!("id={id}"),
            format!("updated_at={time}"),
            "tags=b,a".to_owned(),
            "phone=%2B1%202".to_owned(),
            format!("{choice}={word}&phone=%2B1%202&id={id}"),
            format!("{choice}={word}&search=l1&sort=id"),
        ] {
            assert_eq!(kind.names(&ada, &query).await, ["L1"], "{} {query}", kind.path);
        }
        assert_eq!(kind.names(&ada, "phone=").await, ["L2", "L0"], "what is empty");
        assert_eq!(kind.names(&ada, "tags=").await, ["L2", "L0"], "what is empty");
        assert!(kind.names(&ada, &format!("{}=l1", kind.name)).await.is_empty(), "equality is exact");
        for ignored in
            ["nonsense=1", "owner_id=1", "deleted_at=1", "workspace_id=1", "version=7", "select[]=x", "_=123", "%00=1"]
        {
            assert_eq!(kind.names(&ada, ignored).await.len(), 3, "{ignored}");
        }
        for (wrong, field) in [
            (format!("{choice}=zombie"), choice),
            ("assigned_to=me".to_owned(), "assigned_to"),
            ("id=1".to_owned(), "id"),
            ("created_at=yesterday".to_owned(), "created_at"),
            (format!("{choice}={word}&{choice}={word}"), choice),
            ("custom_fields={}".to_owned(), "custom_fields"),
        ] {
            let refusal = ada.get(&format!("{}?{wrong}", kind.path)).await.refused(400);
            assert_eq!(keys(&refusal["fields"]), [field], "{wrong}");
        }
    }
}

#[tokio::test]
async fn an_update_is_partial_and_ignores_what_is_not_a_clients_to_set() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for kind in &KINDS {
        let record = make(&ada, kind, 1).await.remove(0);
        let forged = json!({
            "id": uuid::Uuid::now_v7(), "workspace_id": "x", "created_by": "x", "created_at": "1999-01-01", "version": 99,
            "updated_at": [], "deleted_at": "1999-01-01", "contact_count": {}, "nonsense": null, "owner_id": "x",
        });
        assert_eq!(ada.put(&kind.one(&record), forged.clone()).await.data(), record, "nothing changed");
        assert_eq!(ada.put(&kind.one(&record), json!({})).await.data(), record);

        let mut new = (kind.new)(7);
        new.as_object_mut().expect("an object").extend(forged.as_object().expect("an object").clone());
        let created = ada.post(kind.path, new).await.data();
        assert_ne!(created["id"], forged["id"]);
        assert!(created["created_at"].as_str().is_some_and(|at| !at.starts_with("1999")));
    }
}

#[tokio::test]
async fn other_workspaces_see_and_touch_nothing() {
    let server = TestServer::start().await;
    let (ada, eve) = (server.sign_up("ada@example.com").await, server.sign_up("eve@example.com").await);
    for kind in &KINDS {
        let record = make(&ada, kind, 1).await.remove(0);
        let path = kind.one(&record);
        eve.get(&path).await.refused(404);
        eve.put(&path, json!({ "phone": "1" })).await.refused(404);
        eve.delete(&path).await.refused(404);
        assert!(kind.names(&eve, "").await.is_empty());
        assert!(kind.names(&eve, "search=l0").await.is_empty());
        assert!(kind.names(&eve, &format!("id={}", record["id"].as_str().expect("an id"))).await.is_empty());
        assert_eq!(ada.get(&path).await.data(), record);
    }
}

#[tokio::test]
async fn what_is_no_id_is_not_found() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let unknown = uuid::Uuid::now_v7().to_string();
    for kind in &KINDS {
        for id in [
            unknown.as_str(),
            "x",
            "1",
            "undefined",
            "null",
            "%00",
            "%ff",
            "..%2fusers",
            "'%20OR%201=1",
            "00000000-0000-0000-0000-00000000000g",
        ] {
            let path = format!("{}/{id}", kind.path);
            ada.get(&path).await.refused(404);
            ada.put(&path, json!({ "phone": "1" })).await.refused(404);
            assert_eq!(ada.delete(&path).await.refused(404)["code"], "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for kind in &KINDS {
        let record = ada.post(&format!("{}/", kind.path), (kind.new)(0)).await.data();
        assert_eq!(ada.get(&format!("{}/?limit=1", kind.path)).await.data(), json!([record]));
        assert_eq!(ada.get(&format!("{}/", kind.one(&record))).await.data(), record);
    }
}
