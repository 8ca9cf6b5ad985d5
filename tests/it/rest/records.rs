//! The rules that all kinds of records share, run for each kind.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::server::{Client, TestServer, with_query};

/// What the shared rules need to know of a kind.
struct Kind {
    path: &'static str,
    /// A text field with a value of its own per record, and its column.
    name: &'static str,
    /// The number makes it unlike the others.
    new: fn(usize) -> Value,
    choice: (&'static str, &'static str),
    /// A text field that is empty unless it is set.
    text: &'static str,
    /// Records on a page unless the client says.
    limit: i64,
}

const KINDS: [Kind; 6] = [
    Kind {
        path: "/contacts",
        name: "last_name",
        new: |number| json!({ "first_name": "G", "last_name": format!("L{number}"), "email": format!("c{number}@example.com") }),
        choice: ("status", "customer"),
        text: "phone",
        limit: 1000,
    },
    Kind {
        path: "/accounts",
        name: "account_name",
        new: |number| json!({ "account_name": format!("L{number}"), "account_number": format!("A-{number}") }),
        choice: ("type", "vendor"),
        text: "phone",
        limit: 1000,
    },
    Kind {
        path: "/leads",
        name: "last_name",
        new: |number| json!({ "first_name": "G", "last_name": format!("L{number}"), "email": "one@example.com" }),
        choice: ("status", "qualified"),
        text: "phone",
        limit: 10,
    },
    Kind {
        path: "/deals",
        name: "deal_name",
        new: |number| json!({ "deal_name": format!("L{number}") }),
        choice: ("lead_source", "event"),
        text: "next_step",
        limit: 1000,
    },
    Kind {
        path: "/products",
        name: "name",
        new: |number| json!({ "name": format!("L{number}"), "price": number }),
        choice: ("status", "discontinued"),
        text: "category",
        limit: 1000,
    },
    Kind {
        path: "/tasks",
        name: "title",
        new: |number| json!({ "title": format!("L{number}") }),
        choice: ("priority", "urgent"),
        text: "notes",
        limit: 1000,
    },
];

/// A field with a value as a client sends it, and as it is answered.
pub type Sent = (&'static str, Value, Value);

/// One that is answered as it is sent.
pub fn same(field: &'static str, value: Value) -> Sent {
    (field, value.clone(), value)
}

/// What is true of the fields of a kind.
pub struct Fields {
    pub path: &'static str,
    /// All that can be set, unlike those of any other record.
    pub sent: Vec<Sent>,
    /// What is shown besides.
    pub more: &'static [&'static str],
    /// What the fields are that are not null when they are cleared.
    pub cleared: Vec<(&'static str, Value)>,
    /// Those that cannot be cleared, at least when all others are.
    pub needed: &'static [&'static str],
}

/// Sets every field of a kind, reads it, sends it back, looks for it and clears it. There must be another
/// record of the kind.
pub async fn set_read_and_clear(client: &Client, of: &Fields) {
    let (path, fields) = (of.path, &of.sent);
    let sent: serde_json::Map<_, _> =
        fields.iter().map(|(field, sent, _)| ((*field).to_owned(), sent.clone())).collect();
    let created = client.post(path, sent.into()).await.expect(StatusCode::CREATED)["data"].clone();
    let one = format!("{path}/{}", created["id"].as_str().expect("an id"));
    let read = client.get(&one).await.data();
    assert_eq!(read, created);
    for (field, _, answered) in fields {
        assert_eq!(&read[field], answered, "{field}");
    }
    let mut expected: Vec<_> = fields.iter().map(|(field, ..)| *field).collect();
    expected.extend(of.more.iter().chain(&["id", "created_at", "updated_at"]));
    expected.sort_unstable();
    assert_eq!(keys(&read), expected);
    assert_eq!(client.put(&one, read.clone()).await.data(), read, "an echo changes nothing");

    for (field, _, answered) in fields {
        let value = match answered {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            _ => continue,
        };
        let found = client.get(&with_query(path, &[(*field, &value)])).await.data();
        assert_eq!(found, json!([read]), "{field}={value}");
        let sorted = client.get(&with_query(path, &[("sort", &format!("-{field}"))])).await.data();
        assert!(sorted.as_array().is_some_and(|all| all.len() > 1), "{field}");
    }

    let is_kept = |field: &str| of.needed.contains(&field) || of.cleared.iter().any(|(kept, _)| *kept == field);
    for (field, ..) in fields.iter().filter(|(field, ..)| !is_kept(field)) {
        assert_eq!(client.put(&one, json!({ *field: null })).await.data()[field], Value::Null, "{field}");
    }
    for (field, value) in &of.cleared {
        assert_eq!(&client.put(&one, json!({ *field: null })).await.data()[field], value, "{field}");
    }
    for field in of.needed {
        client.put(&one, json!({ *field: null })).await.refused(400);
    }
}

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
        let pagination = json!({ "total": 1, "page": 1, "pages": 1, "limit": kind.limit });
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
        let pagination = json!({ "total": 0, "page": 1, "pages": 0, "limit": kind.limit });
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
        // a lead's owner is shown beside the field
        for field in keys(&made[0]).into_iter().filter(|field| *field != "owner") {
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
        let ((choice, word), text) = (kind.choice, kind.text);
        let change = json!({ choice: word, "tags": ["a", "b"], text: "+1 2" });
        let changed = ada.put(&kind.one(&made[1]), change).await.data();
        let time = changed["updated_at"].as_str().expect("a time");
        let id = changed["id"].as_str().expect("an id");
        for query in [
            format!("{}=L1", kind.name),
            format!("{choice}={word}"),
            format!("id={id}"),
            format!("updated_at={time}"),
            "tags=b,a".to_owned(),
            format!("{text}=%2B1%202"),
            format!("{choice}={word}&{text}=%2B1%202&id={id}"),
            format!("{choice}={word}&search=l1&sort=id"),
        ] {
            assert_eq!(kind.names(&ada, &query).await, ["L1"], "{} {query}", kind.path);
        }
        assert_eq!(kind.names(&ada, &format!("{text}=")).await, ["L2", "L0"], "what is empty");
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
        eve.put(&path, json!({ kind.text: "1" })).await.refused(404);
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
            ada.put(&path, json!({ kind.text: "1" })).await.refused(404);
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

#[tokio::test]
async fn search_looks_into_these_fields_and_no_others() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for (path, needed, searched, not) in [
        ("/leads", json!({}), ["first_name", "last_name", "company"].as_slice(), "city"),
        ("/accounts", json!({}), &["account_name", "industry"], "description"),
        ("/deals", json!({}), &["deal_name", "description"], "next_step"),
        ("/products", json!({ "price": 1 }), &["name", "sku", "description"], "category"),
        ("/tasks", json!({}), &["title", "description"], "notes"),
    ] {
        let mut body = needed;
        for field in searched {
            body[field] = json!(format!("Some Word of {field}"));
        }
        body[not] = json!("Elsewhere");
        if path == "/leads" {
            body["email"] = json!("Someone@Mail.example");
        }
        let record = ada.post(path, body).await.data();
        let mut other = KINDS.iter().find(|kind| kind.path == path).map(|kind| (kind.new)(1)).expect("a kind");
        other[not] = json!("some word of");
        ada.post(path, other).await.data();
        for field in searched {
            let word = format!("me woRD OF {field}").to_uppercase();
            let found = ada.get(&with_query(path, &[("search", &word)])).await.expect(StatusCode::OK);
            assert_eq!(found["data"], json!([record]), "{path} {field}");
            assert_eq!(found["pagination"]["total"], 1, "{path} {field}");
        }
        let elsewhere = ada.get(&with_query(path, &[("search", "elsewhere")])).await.data();
        assert_eq!(elsewhere, json!([]), "{path} {not}");
    }
    let by_address = ada.get("/leads?search=ONE%40MAIL").await.data();
    assert_eq!(by_address.as_array().map(Vec::len), Some(1), "{by_address}");
}

#[tokio::test]
async fn what_a_new_record_needs_is_told_by_field() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for (path, needed) in [
        ("/contacts", ["email", "first_name", "last_name"].as_slice()),
        ("/leads", &["email", "first_name", "last_name"]),
        ("/accounts", &["account_name"]),
        ("/deals", &["deal_name"]),
        ("/products", &["name", "price"]),
        ("/tasks", &["title"]),
    ] {
        for empty in [Value::Null, json!(" ")] {
            let body: serde_json::Map<_, _> = needed.iter().map(|field| ((*field).to_owned(), empty.clone())).collect();
            for body in [json!({}), Value::Object(body)] {
                let refusal = ada.post(path, body).await.refused(400);
                assert_eq!(keys(&refusal["fields"]), needed, "{path}");
                assert!(needed.iter().all(|field| refusal["fields"][field] == "is needed"), "{refusal}");
                assert_eq!(refusal["code"], "BAD_USER_INPUT");
            }
        }
    }
}
