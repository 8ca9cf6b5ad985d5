//! What is particular to leads, deals, products and tasks, by both APIs.

use kontor::auth::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{client::Client, server::TestServer, statements};

async fn made(client: &Client, path: &str, body: Value) -> Value {
    let answer = client.post(path, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.data()
}

#[tokio::test]
async fn a_lead_is_of_whoever_enters_it_and_shows_its_owner() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let lead = json!({ "first_name": "Grace", "last_name": "Hopper", "email": "G@Navy.test" });
    let lead = made(&rep, "/leads", lead).await;
    assert_eq!(lead["assigned_to"], json!(rep.user()));
    assert_eq!(lead["owner"]["id"], json!(rep.user()));
    assert!(lead["owner"]["email"].is_string() && lead["owner"]["full_name"].is_string(), "{lead}");
    assert_eq!(
        [&lead["status"], &lead["source"], &lead["lead_score"], &lead["email"]],
        [&json!("new"), &json!("website"), &json!(0), &json!("g@navy.test")]
    );
    for wrong in [json!({ "lead_score": 101 }), json!({ "lead_score": -1 }), json!({ "status": "x" })] {
        rep.put(&format!("/leads/{}", lead["id"].as_str().unwrap_or_default()), wrong).await.refused(400);
    }
    // ten on a page unless the client says
    assert_eq!(rep.get("/leads").await.expect(StatusCode::OK)["pagination"]["limit"], 10);
    let converted =
        rep.put(&format!("/leads/{}", lead["id"].as_str().unwrap_or_default()), json!({ "status": "converted" })).await;
    assert!(converted.data()["converted_date"].is_string());
}

#[tokio::test]
async fn a_sales_representative_sees_and_counts_only_leads_that_are_theirs_or_nobodys() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (rep, other, support) = (
        ada.invite_role(Role::SalesRep).await,
        ada.invite_role(Role::SalesRep).await,
        ada.invite_role(Role::Support).await,
    );
    let lead = |owner: Value, name: &str| {
        let email = format!("{}@x.test", name.to_lowercase());
        json!({ "first_name": "F", "last_name": name, "email": email, "assigned_to": owner })
    };
    let mine = made(&ada, "/leads", lead(json!(rep.user()), "Mine")).await["id"].clone();
    let nobodys = made(&ada, "/leads", lead(Value::Null, "Nobodys")).await["id"].clone();
    let others = made(&ada, "/leads", lead(json!(other.user()), "Others")).await["id"].clone();
    let ids = |answer: &Value| {
        let mut ids: Vec<_> = answer.as_array().expect("a list").iter().map(|lead| lead["id"].clone()).collect();
        ids.sort_by_key(ToString::to_string);
        ids
    };
    let mut seen = vec![mine.clone(), nobodys.clone()];
    seen.sort_by_key(ToString::to_string);
    for path in
        ["/leads", "/leads?sort=last_name", "/leads?search=x.test", "/leads?first_name=F", "/leads?page=1&limit=5"]
    {
        let page = rep.get(path).await.expect(StatusCode::OK);
        assert_eq!(ids(&page["data"]), seen, "{path}");
        assert_eq!(page["pagination"]["total"], 2, "{path}");
        assert_eq!(ada.get(path).await.expect(StatusCode::OK)["pagination"]["total"], 3, "{path}");
        support.get(path).await.refused(403);
    }
    for order in [
        "",
        "(search: \"x.test\")",
        "(orderBy: [{ field: LAST_NAME }])",
        "(search: \"x.te\", orderBy: [{ field: EMAIL }])",
    ] {
        let page = rep.data(&format!("{{ leads{order} {{ nodes {{ id }} totalCount }} }}"), json!({})).await;
        assert_eq!(ids(&page["leads"]["nodes"]), seen, "{order}");
        assert_eq!(page["leads"]["totalCount"], 2, "{order}");
    }
    // one that is out of sight is as good as none
    let of_others = others.as_str().expect("an id");
    rep.get(&format!("/leads/{of_others}")).await.refused(404);
    rep.put(&format!("/leads/{of_others}"), json!({ "city": "C" })).await.refused(404);
    rep.delete(&format!("/leads/{of_others}")).await.refused(404);
    let found = rep
        .data("query($id: ID!) { lead(id: $id) { id } record(kind: LEAD, id: $id) { id } }", json!({ "id": others }))
        .await;
    assert_eq!(found, json!({ "lead": null, "record": null }));
    // also through what leads to it
    let task = json!({ "title": "Call", "related_to_type": "lead", "related_to_id": others });
    let task = made(&ada, "/tasks", task).await["id"].clone();
    let through = rep.data("query($id: ID!) { task(id: $id) { title lead { id } } }", json!({ "id": task })).await;
    assert_eq!(through["task"], json!({ "title": "Call", "lead": null }));
    // taking what is nobody's is allowed, giving it away is not
    rep.put(&format!("/leads/{}", nobodys.as_str().expect("an id")), json!({ "assigned_to": other.user() }))
        .await
        .refused(403);
    rep.put(&format!("/leads/{}", nobodys.as_str().expect("an id")), json!({ "assigned_to": rep.user() })).await.data();
}

#[tokio::test]
async fn a_deal_stands_on_a_stage_by_name_or_id() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let deal = made(&ada, "/deals", json!({ "deal_name": "Ship" })).await;
    assert_eq!(
        [&deal["stage"], &deal["probability"], &deal["amount"], &deal["currency"], &deal["close_date"]],
        [&json!("Qualification"), &json!(10), &json!("0.00"), &json!("USD"), &Value::Null]
    );
    let path = format!("/deals/{}", deal["id"].as_str().expect("an id"));
    let won = ada.put(&path, json!({ "stage": "Closed Won", "amount": 1200.5 })).await.data();
    assert_eq!(
        [&won["stage"], &won["probability"], &won["amount"]],
        [&json!("Closed Won"), &json!(100), &json!("1200.50")]
    );
    assert!(won["close_date"].is_string(), "{won}");
    // a whole record sent back is no change
    let echo = ada.put(&path, won.clone()).await.data();
    assert_eq!(echo["updated_at"], won["updated_at"]);
    assert_eq!(ada.get("/deals?stage=closed%20won").await.expect(StatusCode::OK)["pagination"]["total"], 1);
    assert_eq!(ada.get("/deals?stage=On%20Hold").await.expect(StatusCode::OK)["pagination"]["total"], 0);
    ada.put(&path, json!({ "stage": "No such" })).await.refused(400);
    ada.put(&path, json!({ "stage": null })).await.refused(400);
    ada.put(&path, json!({ "currency": "Euro" })).await.refused(400);
    let query = "query($id: ID!) { deal(id: $id) { stageId stage { name type probability } } }";
    let shown = ada.data(query, json!({ "id": deal["id"] })).await;
    assert_eq!(shown["deal"]["stage"], json!({ "name": "Closed Won", "type": "WON", "probability": 100 }));
    // another workspace's stage is none of this one's
    let eve = server.other_workspace().await;
    let theirs = made(&eve, "/deals", json!({ "deal_name": "E" })).await["id"].clone();
    let theirs = eve.data(query, json!({ "id": theirs })).await["deal"]["stageId"].clone();
    let update = "mutation($input: UpdateDealInput!) { updateDeal(input: $input) { deal { id } } }";
    let input = json!({ "id": deal["id"], "patch": { "stageId": theirs } });
    ada.refused(update, json!({ "input": input }), "BAD_USER_INPUT").await;
}

#[tokio::test]
async fn a_task_is_about_one_record_and_says_since_when_it_is_done() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let contact = made(&ada, "/contacts", json!({ "first_name": "G", "last_name": "H", "email": "g@h.test" })).await;
    let deal = made(&ada, "/deals", json!({ "deal_name": "Ship" })).await;
    let task = json!({ "title": "Call", "related_to_type": "contact", "related_to_id": contact["id"] });
    let task = made(&ada, "/tasks", task).await;
    assert_eq!([&task["priority"], &task["status"]], [&json!("medium"), &json!("pending")]);
    assert_eq!([&task["related_to_type"], &task["related_to_id"]], [&json!("contact"), &contact["id"]]);
    let path = format!("/tasks/{}", task["id"].as_str().expect("an id"));
    let moved = ada.put(&path, json!({ "related_to_type": "deal", "related_to_id": deal["id"] })).await.data();
    assert_eq!([&moved["related_to_type"], &moved["related_to_id"]], [&json!("deal"), &deal["id"]]);
    let done = ada.put(&path, json!({ "status": "completed" })).await.data();
    assert!(done["completed_date"].is_string());
    assert_eq!(ada.put(&path, json!({ "status": "pending" })).await.data()["completed_date"], Value::Null);
    let of_deal = format!("/tasks?related_to_type=deal&related_to_id={}", deal["id"].as_str().expect("an id"));
    assert_eq!(ada.get(&of_deal).await.expect(StatusCode::OK)["pagination"]["total"], 1);
    // what it is about was deleted: the link is shown as none, an echo keeps it, and it comes back
    ada.delete(&format!("/deals/{}", deal["id"].as_str().expect("an id"))).await.expect(StatusCode::OK);
    let shown = ada.get(&path).await.data();
    assert_eq!([&shown["related_to_type"], &shown["related_to_id"]], [&Value::Null, &Value::Null]);
    ada.put(&path, shown).await.data();
    let restore = "mutation($id: ID!) { restoreDeal(input: { id: $id }) { deal { id } } }";
    ada.data(restore, json!({ "id": deal["id"] })).await;
    assert_eq!(ada.get(&path).await.data()["related_to_id"], deal["id"]);
    assert_eq!(ada.put(&path, json!({ "related_to_id": null })).await.data()["related_to_type"], Value::Null);
    for wrong in [
        json!({ "title": "N", "related_to_type": "product", "related_to_id": contact["id"] }),
        json!({ "title": "N", "related_to_id": contact["id"] }),
        json!({ "title": "N", "contact_id": contact["id"], "deal_id": deal["id"] }),
        json!({ "description": "no title" }),
    ] {
        ada.post("/tasks", wrong).await.refused(400);
    }
}

#[tokio::test]
async fn a_products_sku_is_its_own() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let product = made(&ada, "/products", json!({ "name": "Compiler", "price": "9.99", "sku": "C-1" })).await;
    assert_eq!(
        [&product["price"], &product["cost"], &product["unit"], &product["status"], &product["stock_quantity"]],
        [&json!("9.99"), &Value::Null, &json!("unit"), &json!("active"), &json!(0)]
    );
    assert_eq!([&product["specifications"], &product["tags"]], [&json!({}), &json!([])]);
    ada.post("/products", json!({ "name": "Other", "price": 1, "sku": "C-1" })).await.refused(409);
    ada.post("/products", json!({ "name": "No price" })).await.refused(400);
}

#[tokio::test]
async fn what_leads_to_a_page_of_records_costs_as_many_statements_as_for_one() {
    // nothing works beside the requests
    statements::listen();
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let account = made(&ada, "/accounts", json!({ "account_name": "Navy" })).await["id"].clone();
    for number in 0..5 {
        let contact =
            json!({ "first_name": "F", "last_name": "L", "email": format!("{number}@x.test"), "account_id": account });
        let contact = made(&ada, "/contacts", contact).await["id"].clone();
        for deal in 0..number {
            let stage = if deal == 0 { "Closed Won" } else { "Qualification" };
            made(&ada, "/deals", json!({ "deal_name": format!("D{deal}"), "contact_id": contact, "stage": stage }))
                .await;
        }
    }
    let query = "query($first: Int) { contacts(first: $first) { nodes { email account { name } owner { fullName }
        deals(first: 2, stageType: OPEN) { totalCount nodes { name stage { name } } } tasks { nodes { id } } } } }";
    let counted = async |first: i32| {
        let asked = ada.data(query, json!({ "first": first }));
        let (data, seen) = statements::caused_by(ada.workspace(), asked).await;
        (data, seen.len())
    };
    let (_, for_one) = counted(1).await;
    let (data, for_all) = counted(50).await;
    assert_eq!(for_one, for_all);
    let deals = |node: usize| data["contacts"]["nodes"][node]["deals"].clone();
    assert_eq!(deals(0)["totalCount"], 3);
    assert_eq!(
        deals(0)["nodes"],
        json!([{ "name": "D3", "stage": { "name": "Qualification" } }, { "name": "D2", "stage": { "name": "Qualification" } }])
    );
    assert_eq!(deals(4), json!({ "totalCount": 0, "nodes": [] }));
}
