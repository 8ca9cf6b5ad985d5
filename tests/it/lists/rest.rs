//! `/contact-lists`, line by line as the contract has it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{contacts, reversed, text};
use crate::support::{client::Client, server::TestServer};

const FIELDS: [&str; 16] = [
    "color",
    "contact_count",
    "contact_ids",
    "created_at",
    "created_by",
    "criteria",
    "description",
    "icon",
    "id",
    "is_favorite",
    "is_shared",
    "last_updated_count",
    "list_type",
    "name",
    "tags",
    "updated_at",
];

async fn made(client: &Client, body: Value) -> Value {
    client.post("/contact-lists", body).await.expect(StatusCode::CREATED)
}

fn path(list: &Value) -> String {
    format!("/contact-lists/{}", text(&list["id"]))
}

/// A refusal in the bare envelope.
async fn refused(client: &Client, method: Method, path: &str, body: Value, status: StatusCode) {
    let answer = client.send(method, path, |request| request.json(&body)).await.expect(status);
    assert!(answer["message"].is_string() && answer["code"].is_string(), "{answer}");
    assert!(answer.get("success").is_none() || status == StatusCode::FORBIDDEN, "{answer}");
}

#[tokio::test]
async fn a_list_has_these_fields_and_no_envelope() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 2).await;
    let list = made(
        &ada,
        json!({ "name": "VIPs", "contact_ids": ids, "id": "ignored", "contact_count": 99, "nonsense": 1,
            "workspace_id": 5, "created_by": uuid::Uuid::now_v7(), "created_at": "1999-01-01", "updated_at": null,
            "last_updated_count": [] }),
    )
    .await;
    assert_eq!(list.as_object().expect("an object").keys().collect::<Vec<_>>(), FIELDS);
    let defaults = json!({ "description": null, "list_type": "static", "criteria": {}, "color": "#3B82F6", "icon": null,
        "is_favorite": false, "is_shared": false, "tags": [], "contact_count": 2, "created_by": ada.user() });
    for (field, value) in defaults.as_object().expect("an object") {
        assert_eq!(&list[field], value, "{field}");
    }
    assert_eq!(list["contact_ids"], json!(ids));
    assert_eq!(uuid::Uuid::parse_str(&text(&list["id"])).map(|id| id.get_version_num()), Ok(7));
    for time in ["created_at", "updated_at", "last_updated_count"] {
        assert_eq!(text(&list[time]).len(), "2025-10-17T09:30:00.000Z".len(), "{time}");
    }
    assert_eq!(ada.get(&path(&list)).await.expect(StatusCode::OK), list);
    // what is sent back as it was read changes nothing
    assert_eq!(ada.put(&path(&list), list.clone()).await.expect(StatusCode::OK), list);
    refused(&ada, Method::POST, "/contact-lists", json!({}), StatusCode::BAD_REQUEST).await;
    refused(&ada, Method::POST, "/contact-lists", json!({ "name": "N", "list_type": "odd" }), StatusCode::BAD_REQUEST)
        .await;
    refused(&ada, Method::POST, "/contact-lists", json!({ "name": "N", "contact_ids": "x" }), StatusCode::BAD_REQUEST)
        .await;
    refused(&ada, Method::POST, "/contact-lists", json!({ "name": "N", "color": "red" }), StatusCode::BAD_REQUEST)
        .await;
    let unknown = format!("/contact-lists/{}", uuid::Uuid::now_v7());
    refused(&ada, Method::GET, &unknown, json!({}), StatusCode::NOT_FOUND).await;
    refused(&ada, Method::GET, "/contact-lists/x", json!({}), StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn the_lists_are_ones_own_and_the_shared_ones_favourites_first() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(kontor::auth::Role::SalesRep).await;
    let first = made(&ada, json!({ "name": "First" })).await;
    let second = made(&ada, json!({ "name": "Second", "is_shared": true })).await;
    made(&ada, json!({ "name": "Third", "list_type": "dynamic" })).await;
    let names = async |client: &Client, query: &str| {
        let all = client.get(&format!("/contact-lists{query}")).await.expect(StatusCode::OK);
        all.as_array().expect("a bare array").iter().map(|list| text(&list["name"])).collect::<Vec<_>>()
    };
    assert_eq!(names(&ada, "").await, ["Third", "Second", "First"]);
    let liked = ada.put(&path(&first), json!({ "is_favorite": true })).await.expect(StatusCode::OK);
    assert_eq!((&liked["is_favorite"], &liked["updated_at"]), (&json!(true), &first["updated_at"]));
    assert_eq!(names(&ada, "").await, ["First", "Third", "Second"]);
    assert_eq!(names(&ada, "?is_favorite=true").await, ["First"]);
    assert_eq!(names(&ada, "?is_favorite=false").await, ["Third", "Second"]);
    assert_eq!(names(&ada, "?type=dynamic").await, ["Third"]);
    assert_eq!(names(&ada, "?search=IRS").await, ["First"]);
    // what changed last comes first
    ada.put(&path(&second), json!({ "description": "Ada's friends" })).await.expect(StatusCode::OK);
    assert_eq!(names(&ada, "").await, ["First", "Second", "Third"]);
    assert_eq!(names(&ada, "?search=FRIENDS&is_favorite=false&type=static").await, ["Second"]);
    assert_eq!(names(&ada, "?search=&is_favorite=&type=").await.len(), 3);
    assert_eq!(names(&rep, "").await, ["Second"]);
    refused(&rep, Method::GET, &path(&first), json!({}), StatusCode::NOT_FOUND).await;
    for wrong in ["?type=odd", "?is_favorite=1"] {
        assert_eq!(ada.get(&format!("/contact-lists{wrong}")).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }

    // a shared list is liked by each for themself, and changed by its maker alone
    let second = rep.get("/contact-lists").await.body[0].clone();
    assert_eq!(
        rep.put(&path(&second), json!({ "is_favorite": true })).await.expect(StatusCode::OK)["is_favorite"],
        true
    );
    assert_eq!(ada.get(&path(&second)).await.body["is_favorite"], false);
    refused(&rep, Method::PUT, &path(&second), json!({ "name": "N" }), StatusCode::FORBIDDEN).await;
    let mut echo = second.clone();
    echo["is_favorite"] = json!(false);
    assert_eq!(rep.put(&path(&second), echo).await.expect(StatusCode::OK), second, "the whole list back");
}

#[tokio::test]
async fn a_put_changes_what_it_names() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 3).await;
    let list = made(&ada, json!({ "name": "L", "contact_ids": ids[..2], "description": "D", "icon": "star" })).await;
    let put = async |body: Value| ada.put(&path(&list), body).await.expect(StatusCode::OK);
    let changed =
        put(json!({ "name": "M", "color": "#000000", "tags": ["a"], "description": null, "is_shared": true })).await;
    let shown = json!([
        changed["name"],
        changed["color"],
        changed["tags"],
        changed["description"],
        changed["icon"],
        changed["is_shared"]
    ]);
    assert_eq!(shown, json!(["M", "#000000", ["a"], null, "star", true]));
    assert_eq!(changed["contact_ids"], json!(ids[..2]));
    let cleared =
        put(json!({ "color": null, "tags": null, "icon": null, "is_shared": null, "is_favorite": null })).await;
    let shown = ["color", "tags", "icon", "is_shared", "is_favorite"].map(|field| cleared[field].clone());
    assert_eq!(json!(shown), json!(["#3B82F6", [], null, false, false]));
    let set = put(json!({ "contact_ids": ids[1..] })).await;
    assert_eq!((&set["contact_ids"], &set["contact_count"]), (&json!(ids[1..]), &json!(2)));
    assert_eq!(put(json!({ "contact_ids": [] })).await["contact_count"], 0);
    for wrong in [
        json!({ "contact_ids": 5 }),
        json!({ "name": null }),
        json!({ "list_type": "dynamic" }),
        json!({ "criteria": { "city": { "operator": "equals", "value": "X" } } }),
    ] {
        refused(&ada, Method::PUT, &path(&list), wrong, StatusCode::BAD_REQUEST).await;
    }
    let dynamic = made(&ada, json!({ "name": "D", "list_type": "dynamic", "criteria": {} })).await;
    server.jobs_done().await;
    let dynamic = ada.get(&path(&dynamic)).await.expect(StatusCode::OK);
    assert_eq!(ada.put(&path(&dynamic), dynamic.clone()).await.expect(StatusCode::OK), dynamic);
}

#[tokio::test]
async fn a_list_whose_criteria_cannot_be_asked_any_more_is_sent_back_with_another_name() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let field = "mutation { createCustomField(input: { kind: CONTACT, label: \"Plan\", key: \"plan\", type: TEXT }) { customField { id } } }";
    let field = ada.data(field, json!({})).await["createCustomField"]["customField"]["id"].clone();
    let criteria = json!({ "custom.plan": { "operator": "equals", "value": "gold" } });
    let list = made(&ada, json!({ "name": "Gold", "list_type": "dynamic", "criteria": criteria })).await;
    let delete = "mutation($id: ID!) { deleteCustomField(input: { id: $id, force: true }) { jobId } }";
    ada.data(delete, json!({ "id": field })).await;
    let path = format!("/contact-lists/{}", list["id"].as_str().expect("an id"));
    let mut kept = ada.get(&path).await.expect(StatusCode::OK);
    assert_eq!(kept["criteria"], criteria);
    kept["name"] = json!("Gone");
    assert_eq!(ada.put(&path, kept.clone()).await.expect(StatusCode::OK)["name"], "Gone");
    kept["criteria"]["custom.plan"]["value"] = json!("silver");
    ada.put(&path, kept).await.expect(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn contact_ids_of_a_large_list_are_cut_and_not_taken_back() {
    // as large as this server's limit says
    let server = TestServer::start_with(|ctx| {
        ctx.auth.open_registration = true;
        std::sync::Arc::make_mut(&mut ctx.limits).list_ids = 3;
    })
    .await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 5).await;
    let list = made(&ada, json!({ "name": "L", "contact_ids": ids[..3] })).await;
    let add = |ids: &[String]| json!({ "contact_ids": ids });
    let grown = ada.post(&format!("{}/contacts", path(&list)), add(&ids[3..])).await.expect(StatusCode::OK);
    assert_eq!((&grown["contact_ids"], &grown["contact_count"]), (&json!(ids[..3]), &json!(5)));
    assert_eq!(ada.put(&path(&list), grown.clone()).await.expect(StatusCode::OK), grown);
    refused(&ada, Method::POST, &format!("{}/contacts", path(&list)), add(&ids[..4]), StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn many_large_lists_are_shown_without_the_ids_for_which_there_is_no_room() {
    let server = TestServer::start_with(|ctx| {
        ctx.auth.open_registration = true;
        let limits = std::sync::Arc::make_mut(&mut ctx.limits);
        (limits.list_ids, limits.lists_ids) = (3, 5);
    })
    .await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 3).await;
    for name in ["A", "B", "C"] {
        made(&ada, json!({ "name": name, "contact_ids": ids })).await;
    }
    made(&ada, json!({ "name": "D", "contact_ids": ids[..2] })).await;
    let all = ada.get("/contact-lists").await.expect(StatusCode::OK);
    let all = all.as_array().expect("lists");
    assert!(all.iter().all(|list| list["contact_count"].as_u64() > Some(1)));
    let shown: usize = all.iter().filter_map(|list| Some(list["contact_ids"].as_array()?.len())).sum();
    assert!((4..=5).contains(&shown), "{shown}");
    for list in all {
        // what is sent back as it was shown changes nothing
        let sent = ada.put(&path(list), list.clone()).await.expect(StatusCode::OK);
        assert_eq!(
            (sent["contact_ids"].as_array().map(Vec::len), &sent["updated_at"]),
            (sent["contact_count"].as_u64().map(|count| count as usize), &list["updated_at"])
        );
    }
}

#[tokio::test]
async fn contacts_of_a_list_are_shown_added_and_removed() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 5).await;
    let list = made(&ada, json!({ "name": "L", "contact_ids": ids[..1] })).await;
    let members = format!("{}/contacts", path(&list));
    let added = ada.post(&members, json!({ "contact_ids": ids })).await.expect(StatusCode::OK);
    assert_eq!((&added["contact_ids"], &added["contact_count"]), (&json!(ids), &json!(5)));
    let page = ada.get(&format!("{members}?page=2&limit=2")).await.expect(StatusCode::OK);
    let shown: Vec<_> = page["contacts"].as_array().expect("contacts").iter().map(|one| text(&one["id"])).collect();
    assert_eq!(shown, reversed(&ids)[2..4]);
    assert_eq!(page["pagination"], json!({ "page": 2, "limit": 2, "total": 5, "pages": 3 }));
    assert_eq!(page["contacts"][0], ada.get(&format!("/contacts/{}", shown[0])).await.data());
    assert_eq!(ada.get(&members).await.expect(StatusCode::OK)["pagination"]["limit"], 50);
    assert_eq!(ada.get(&format!("{members}?page=9")).await.expect(StatusCode::OK)["contacts"], json!([]));
    let removed = ada.send(Method::DELETE, &members, |request| request.json(&json!({ "contact_ids": ids[1..] }))).await;
    assert_eq!(removed.expect(StatusCode::OK)["contact_ids"], json!(ids[..1]));
    for method in [Method::POST, Method::DELETE] {
        for wrong in
            [json!({}), json!({ "contact_ids": "x" }), json!({ "contact_ids": [1] }), json!({ "contact_ids": null })]
        {
            refused(&ada, method.clone(), &members, wrong, StatusCode::BAD_REQUEST).await;
        }
    }
    assert_eq!(ada.get(&format!("{members}?limit=5000")).await.expect(StatusCode::OK)["pagination"]["limit"], 1000);
    for wrong in ["?page=0", "?limit=-1", "?limit=x", "?page=", "?limit=1.5"] {
        refused(&ada, Method::GET, &format!("{members}{wrong}"), json!({}), StatusCode::BAD_REQUEST).await;
    }
    refused(&ada, Method::POST, &format!("{}/refresh", path(&list)), json!({}), StatusCode::BAD_REQUEST).await;
    let dynamic = made(&ada, json!({ "name": "D", "list_type": "dynamic" })).await;
    for method in [Method::POST, Method::DELETE] {
        let of_dynamic = format!("{}/contacts", path(&dynamic));
        refused(&ada, method, &of_dynamic, json!({ "contact_ids": ids }), StatusCode::BAD_REQUEST).await;
    }
    let chosen = json!({ "name": "D", "list_type": "dynamic", "contact_ids": ids });
    refused(&ada, Method::POST, "/contact-lists", chosen, StatusCode::BAD_REQUEST).await;
    let fresh = ada.post(&format!("{}/refresh", path(&dynamic)), json!({})).await.expect(StatusCode::OK);
    assert_eq!(fresh["id"], dynamic["id"]);

    let gone = ada.delete(&path(&list)).await.expect(StatusCode::OK);
    assert_eq!(gone.as_object().expect("an object").keys().collect::<Vec<_>>(), ["message"]);
    refused(&ada, Method::GET, &path(&list), json!({}), StatusCode::NOT_FOUND).await;
    assert!(ada.get(&format!("/contacts/{}", ids[0])).await.status.is_success(), "the contacts stay");
}

#[tokio::test]
async fn counts_say_since_when_they_are_true() {
    let server = TestServer::start().await;
    let (ada, eve) = (server.admin().await, server.other_workspace().await);
    let ids = contacts(&server, &ada, 1).await;
    let list = made(&ada, json!({ "name": "L" })).await;
    assert_eq!((&list["contact_ids"], &list["contact_count"]), (&json!([]), &json!(0)));
    server.advance(chrono::TimeDelta::hours(1));
    // contacts that are not there, or another workspace's, are left out
    let theirs = contacts(&server, &eve, 1).await;
    let added = json!({ "contact_ids": [ids[0], theirs[0], uuid::Uuid::now_v7()] });
    let added = ada.post(&format!("{}/contacts", path(&list)), added).await.expect(StatusCode::OK);
    assert_eq!((&added["contact_ids"], &added["contact_count"]), (&json!(ids), &json!(1)));
    assert!(text(&added["last_updated_count"]) > text(&list["last_updated_count"]), "{added}");
}

#[tokio::test]
async fn a_dynamic_list_is_counted_when_it_is_made_changed_and_refreshed() {
    // nobody makes the members
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    contacts(&server, &ada, 2).await;
    let list = made(&ada, json!({ "name": "D", "list_type": "dynamic" })).await;
    assert_eq!((&list["contact_count"], &list["contact_ids"]), (&json!(2), &json!([])));
    contacts(&server, &ada, 1).await;
    server.advance(chrono::TimeDelta::hours(1));
    let fresh = ada.post(&format!("{}/refresh", path(&list)), json!({})).await.expect(StatusCode::OK);
    assert_eq!((&fresh["contact_count"], &fresh["id"]), (&json!(3), &list["id"]));
    assert!(text(&fresh["last_updated_count"]) > text(&list["last_updated_count"]), "{fresh}");
    let narrower = json!({ "criteria": { "last_name": { "operator": "equals", "value": "N1" } } });
    assert_eq!(ada.put(&path(&list), narrower).await.expect(StatusCode::OK)["contact_count"], 1);
}

#[tokio::test]
async fn who_is_not_signed_in_and_what_is_too_large_are_told_as_everywhere() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let list = path(&made(&ada, json!({ "name": "L" })).await);
    for client in [server.stranger(), server.client("kontor_a_made_up")] {
        for (method, path) in [
            (Method::GET, "/contact-lists".to_owned()),
            (Method::POST, "/contact-lists".to_owned()),
            (Method::GET, list.clone()),
            (Method::PUT, list.clone()),
            (Method::DELETE, list.clone()),
            (Method::GET, format!("{list}/contacts")),
            (Method::POST, format!("{list}/contacts")),
            (Method::DELETE, format!("{list}/contacts")),
            (Method::POST, format!("{list}/refresh")),
        ] {
            client.send(method, &path, |request| request.json(&json!({}))).await.refused(401);
        }
    }
    let large = json!({ "name": "x".repeat(10 * 1024 * 1024) });
    refused(&ada, Method::POST, "/contact-lists", large, StatusCode::PAYLOAD_TOO_LARGE).await;
}
