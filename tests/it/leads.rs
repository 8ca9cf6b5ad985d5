//! Converting leads, giving them to somebody and counting them, by both APIs.

use chrono::{DateTime, Utc};
use kontor::auth::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{client::Client, server::TestServer, sql, statements};

const CONVERT: &str = "mutation($input: ConvertLeadInput!) { convertLead(input: $input) {
    lead { id status version convertedDate convertedTo { convertedAt contact { id } account { id } deal { id } } }
    contact { id firstName lastName email title city source tags ownerId account { id } convertedFrom { id } }
    account { id name industry ownerId convertedFrom { id } }
    deal { id name amount currency leadSource ownerId stage { name } contact { id } account { id } convertedFrom { id } } } }";

async fn made(client: &Client, path: &str, body: Value) -> Value {
    client.post(path, body).await.expect(StatusCode::CREATED)["data"].clone()
}

async fn lead(client: &Client, more: Value) -> String {
    let mut body = json!({ "first_name": "Grace", "last_name": "Hopper", "email": "grace@navy.test" });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    text(&made(client, "/leads", body).await["id"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

async fn rows(server: &TestServer, table: &str) -> i64 {
    sql::number(&server.database.db, &format!("SELECT count(*) AS value FROM {table}")).await
}

#[tokio::test]
async fn a_lead_becomes_a_contact_an_account_and_a_deal() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let more = json!({ "company": "Navy Ltd", "title": "Admiral", "city": "Arlington", "source": "referral",
        "industry": "Defence", "tags": ["vip"] });
    let id = lead(&rep, more).await;
    let cursor = server.cursor().await;
    let input =
        json!({ "id": id, "account": { "name": "Navy Ltd" }, "deal": { "amount": "1200.50", "currency": "eur" } });
    let converted = ada.data(CONVERT, json!({ "input": input })).await["convertLead"].clone();
    let (contact, account, deal) = (&converted["contact"], &converted["account"], &converted["deal"]);
    assert_eq!([&converted["lead"]["status"], &converted["lead"]["version"]], [&json!("CONVERTED"), &json!(2)]);
    assert!(converted["lead"]["convertedDate"].is_string());
    let became = &converted["lead"]["convertedTo"];
    assert_eq!(
        [&became["contact"]["id"], &became["account"]["id"], &became["deal"]["id"]],
        [&contact["id"], &account["id"], &deal["id"]]
    );
    let owner = json!(rep.user());
    let of_contact = json!({ "id": contact["id"], "firstName": "Grace", "lastName": "Hopper", "email": "grace@navy.test",
        "title": "Admiral", "city": "Arlington", "source": "REFERRAL", "tags": ["vip"], "ownerId": owner,
        "account": { "id": account["id"] }, "convertedFrom": { "id": id } });
    assert_eq!(contact, &of_contact);
    let of_account = json!({ "id": account["id"], "name": "Navy Ltd", "industry": "Defence", "ownerId": owner,
        "convertedFrom": { "id": id } });
    assert_eq!(account, &of_account);
    let of_deal = json!({ "id": deal["id"], "name": "Navy Ltd", "amount": "1200.5", "currency": "EUR",
        "leadSource": "REFERRAL", "ownerId": owner, "stage": { "name": "Qualification" },
        "contact": { "id": contact["id"] }, "account": { "id": account["id"] }, "convertedFrom": { "id": id } });
    assert_eq!(deal, &of_deal);

    // all of it is told and kept, as if somebody had done it record by record
    for (kind, record, action) in [
        ("LEAD", &json!(id), "UPDATED"),
        ("CONTACT", &contact["id"], "CREATED"),
        ("ACCOUNT", &account["id"], "CREATED"),
        ("DEAL", &deal["id"], "CREATED"),
    ] {
        let follow = "subscription($kind: RecordKind!, $after: String) { recordChanged(kind: $kind, after: $after) { action recordId } }";
        let mut live = ada.subscribe(follow, json!({ "kind": kind, "after": cursor })).await;
        assert_eq!(live.next().await["recordChanged"], json!({ "action": action, "recordId": record }), "{kind}");
    }
    let history = "query($id: ID!) { lead(id: $id) { history { nodes { field after } } } }";
    let history = ada.data(history, json!({ "id": id })).await["lead"]["history"]["nodes"].clone();
    let status = history.as_array().expect("a list").iter().find(|change| change["field"] == "status");
    assert_eq!(status.expect("its status changed")["after"], "CONVERTED");
    let log = ada.data("{ auditLog(first: 50) { nodes { action subjectId details } } }", json!({})).await;
    let entries = log["auditLog"]["nodes"].as_array().expect("a list").clone();
    let entry = entries.iter().find(|entry| entry["action"] == "lead.converted").expect("an entry");
    assert_eq!([&entry["subjectId"], &entry["details"]["dealId"]], [&json!(id), &deal["id"]]);

    // once and for all
    let again = ada.refused(CONVERT, json!({ "input": { "id": id } }), "CONFLICT").await;
    let details = &again["extensions"]["details"];
    assert_eq!(
        [&details["contactId"], &details["accountId"], &details["dealId"]],
        [&contact["id"], &account["id"], &deal["id"]]
    );
    ada.post(&format!("/leads/{id}/convert"), json!({})).await.refused(409);
    assert_eq!([rows(&server, "contacts").await, rows(&server, "deals").await], [1, 1]);
}

/// The `converted` entries of a record's timeline: who did it, and what it was.
async fn told(client: &Client, kind: &str, id: &Value) -> Vec<Value> {
    let query = "query($kind: RecordKind!, $id: ID!) {
        record(kind: $kind, id: $id) { timeline { nodes { what actor { kind userId } payload } } } }";
    let found = client.data(query, json!({ "kind": kind, "id": id })).await;
    let entries = found["record"]["timeline"]["nodes"].as_array().expect("a list").clone();
    let told = entries.into_iter().filter(|entry| entry["what"] == "converted");
    told.map(|entry| json!([entry["actor"], entry["payload"]])).collect()
}

#[tokio::test]
async fn a_conversion_stands_in_the_timelines_of_all_that_it_joins() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let by = json!({ "kind": "user", "userId": ada.user() });
    let id = json!(lead(&ada, json!({})).await);
    let input = json!({ "id": id, "account": { "name": "Navy Ltd" }, "deal": {}, "clientMutationId": "once" });
    let first = ada.data(CONVERT, json!({ "input": input })).await["convertLead"].clone();
    let again = ada.data(CONVERT, json!({ "input": input })).await["convertLead"].clone();
    assert_eq!(first["deal"]["id"], again["deal"]["id"], "the same request sent again");
    let (contact, account, deal) = (&first["contact"]["id"], &first["account"]["id"], &first["deal"]["id"]);
    let one = json!([by, { "leadId": id, "contactId": contact, "accountId": account, "dealId": deal }]);
    for (kind, record) in [("LEAD", &id), ("CONTACT", contact), ("ACCOUNT", account), ("DEAL", deal)] {
        assert_eq!(told(&ada, kind, record).await, std::slice::from_ref(&one), "{kind}");
    }

    // what was there before is told of it, too
    let other = json!(lead(&ada, json!({})).await);
    let input = json!({ "id": other, "account": { "name": "navy LTD" } });
    let joined = ada.data(CONVERT, json!({ "input": input })).await["convertLead"].clone();
    assert_eq!([&joined["contact"]["id"], &joined["account"]["id"]], [contact, account]);
    let two = json!([by, { "leadId": other, "contactId": contact, "accountId": account, "dealId": null }]);
    assert_eq!(told(&ada, "LEAD", &other).await, std::slice::from_ref(&two));
    for (kind, record) in [("CONTACT", contact), ("ACCOUNT", account)] {
        assert_eq!(told(&ada, kind, record).await, [two.clone(), one.clone()], "{kind}");
    }
    assert_eq!(told(&ada, "DEAL", deal).await, [one]);

    // one that is refused leaves none
    let refused = json!(lead(&ada, json!({ "email": "third@navy.test" })).await);
    let input = json!({ "id": refused, "deal": { "currency": "Euros" } });
    ada.refused(CONVERT, json!({ "input": input }), "BAD_USER_INPUT").await;
    assert!(told(&ada, "LEAD", &refused).await.is_empty());
    assert_eq!(rows(&server, "timeline").await, 7);
}

#[tokio::test]
async fn rest_converts_to_a_contact_alone_unless_told() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let first = lead(&ada, json!({ "company": "Navy" })).await;
    let alone = ada.send(reqwest::Method::POST, &format!("/leads/{first}/convert"), |request| request).await.data();
    assert_eq!([&alone["id"], &alone["status"]], [&json!(first), &json!("converted")]);
    text(&alone["converted_date"]).parse::<DateTime<Utc>>().expect("a time");
    assert_eq!([&alone["converted_to"]["account_id"], &alone["converted_to"]["deal_id"]], [&Value::Null, &Value::Null]);
    let contact = ada.get(&format!("/contacts/{}", text(&alone["converted_to"]["contact_id"]))).await.data();
    assert_eq!([&contact["email"], &contact["account_id"]], [&json!("grace@navy.test"), &Value::Null]);

    let second = lead(&ada, json!({ "email": "second@navy.test", "company": "Navy" })).await;
    let body = json!({ "create_account": true, "create_deal": true, "deal_amount": 99.5 });
    let whole = ada.post(&format!("/leads/{second}/convert"), body).await.data();
    let deal = ada.get(&format!("/deals/{}", text(&whole["converted_to"]["deal_id"]))).await.data();
    assert_eq!([&deal["deal_name"], &deal["amount"]], [&json!("Navy"), &json!("99.50")]);
    assert_eq!(deal["account_id"], whole["converted_to"]["account_id"]);

    // what is wrong is told by the names that were sent
    let third = lead(&ada, json!({ "email": "third@navy.test" })).await;
    for (body, field) in [
        (json!({ "create_account": true }), "account_name"),
        (json!({ "create_deal": true, "deal_amount": "much" }), "deal_amount"),
        (json!({ "create_deal": true, "deal_amount": [1] }), "deal_amount"),
        (json!({ "create_deal": true, "deal_name": "n".repeat(300) }), "deal_name"),
    ] {
        let refusal = ada.post(&format!("/leads/{third}/convert"), body).await.refused(400);
        assert!(refusal["fields"][field].is_string(), "{field}: {refusal}");
    }
    ada.post("/leads/no-id/convert", json!({})).await.refused(404);
}

#[tokio::test]
async fn a_contact_with_the_address_and_an_account_with_the_name_are_taken_as_they_are() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let contact = json!({ "first_name": "G.", "last_name": "H.", "email": "grace@navy.test" });
    let contact = made(&ada, "/contacts", contact).await;
    let account = made(&ada, "/accounts", json!({ "account_name": "Navy Ltd" })).await;
    let id = lead(&ada, json!({ "title": "Admiral" })).await;
    let input = json!({ "id": id, "account": { "name": " navy LTD " }, "deal": { "name": "Ship" } });
    let converted = ada.data(CONVERT, json!({ "input": input })).await["convertLead"].clone();
    assert_eq!([&converted["contact"]["id"], &converted["account"]["id"]], [&contact["id"], &account["id"]]);
    assert_eq!(converted["deal"]["contact"]["id"], contact["id"]);
    let present = ada.get(&format!("/contacts/{}", text(&contact["id"]))).await.data();
    assert_eq!(present, contact, "it stays as it is");
    assert_eq!([rows(&server, "contacts").await, rows(&server, "accounts").await], [1, 1]);

    // by its id; and a deleted one is none
    let other = lead(&ada, json!({ "email": "other@navy.test" })).await;
    let input = json!({ "id": other, "account": { "id": account["id"] } });
    let converted = ada.data(CONVERT, json!({ "input": input })).await["convertLead"].clone();
    assert_eq!(converted["contact"]["account"]["id"], account["id"]);
    // of several leads that became it, the last
    assert_eq!(converted["account"]["convertedFrom"]["id"], json!(other));
    ada.delete(&format!("/accounts/{}", text(&account["id"]))).await.expect(StatusCode::OK);
    let third = lead(&ada, json!({ "email": "third@navy.test" })).await;
    let input = json!({ "id": third, "account": { "id": account["id"] } });
    let refusal = ada.refused(CONVERT, json!({ "input": input }), "BAD_USER_INPUT").await;
    assert!(refusal["extensions"]["fields"]["account.id"].is_string(), "{refusal}");
    let became = "query($id: ID!) { lead(id: $id) { convertedTo { contact { id } account { id } } } }";
    let became = ada.data(became, json!({ "id": other })).await;
    assert_eq!(became["lead"]["convertedTo"]["account"], Value::Null, "deleted");
    assert!(became["lead"]["convertedTo"]["contact"]["id"].is_string());
}

#[tokio::test]
async fn a_contact_with_the_address_as_a_further_one_is_taken_too() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let contact =
        made(&ada, "/contacts", json!({ "first_name": "G.", "last_name": "H.", "email": "g@navy.test" })).await;
    let further = "mutation($id: ID!, $address: String!) { addExtraAddress(input: { contactId: $id, kind: EMAIL,
        address: $address }) { contact { id } } }";
    ada.data(further, json!({ "id": contact["id"], "address": "grace@navy.test" })).await;
    let id = lead(&ada, json!({})).await;
    let converted = ada.data(CONVERT, json!({ "input": { "id": id } })).await["convertLead"].clone();
    assert_eq!(converted["contact"]["id"], contact["id"]);
    let other = lead(&ada, json!({})).await;
    let by_rest = ada.post(&format!("/leads/{other}/convert"), json!({})).await.expect(StatusCode::OK);
    assert!(by_rest["data"]["converted_to"].to_string().contains(&text(&contact["id"])), "{by_rest}");
    assert_eq!(rows(&server, "contacts").await, 1);
}

#[tokio::test]
async fn custom_fields_that_are_required_are_not_asked_of_what_a_lead_becomes() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    for kind in ["CONTACT", "ACCOUNT", "DEAL"] {
        let field =
            "mutation($kind: RecordKind!) { createCustomField(input: { kind: $kind, label: \"Plan\", key: \"plan\",
            type: TEXT, isRequired: true }) { customField { id } } }";
        ada.data(field, json!({ "kind": kind })).await;
    }
    let id = lead(&ada, json!({})).await;
    let input = json!({ "id": id, "account": { "name": "Navy" }, "deal": { "name": "Ship" } });
    let converted = ada.data(CONVERT, json!({ "input": input })).await["convertLead"].clone();
    assert!(["contact", "account", "deal"].iter().all(|kind| converted[kind]["id"].is_string()), "{converted}");
}

#[tokio::test]
async fn of_two_who_convert_at_once_one_does() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let manager = ada.invite_role(Role::Manager).await;
    let id = lead(&ada, json!({})).await;
    let input = json!({ "input": { "id": id, "account": { "name": "Navy" }, "deal": {} } });
    let (one, two) = tokio::join!(ada.graphql(CONVERT, input.clone()), manager.graphql(CONVERT, input));
    let refused: Vec<_> = [&one, &two].into_iter().filter(|answer| answer.get("errors").is_some()).collect();
    assert_eq!(refused.len(), 1, "{one} {two}");
    assert_eq!(refused[0]["errors"][0]["extensions"]["code"], "CONFLICT");
    for table in ["contacts", "accounts", "deals", "lead_conversions"] {
        assert_eq!(rows(&server, table).await, 1, "{table}");
    }

    // two leads of one person and company at once become one contact and one account
    let (one, two) =
        (lead(&ada, json!({ "email": "twin@air.test" })).await, lead(&ada, json!({ "email": "twin@air.test" })).await);
    let input = |id: &str| json!({ "input": { "id": id, "account": { "name": "Air" } } });
    let (one, two) = tokio::join!(ada.data(CONVERT, input(&one)), manager.data(CONVERT, input(&two)));
    for record in ["contact", "account"] {
        assert_eq!(one["convertLead"][record]["id"], two["convertLead"][record]["id"], "{record}");
    }
}

#[tokio::test]
async fn a_conversion_that_is_refused_leaves_nothing() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let id = lead(&ada, json!({})).await;
    let none = uuid::Uuid::now_v7();
    for (input, field) in [
        (json!({ "id": id, "account": { "name": "Navy" }, "deal": { "pipelineId": none } }), "deal.pipelineId"),
        (json!({ "id": id, "account": { "name": "Navy" }, "deal": { "currency": "Euros" } }), "deal.currency"),
        (json!({ "id": id, "account": { "name": " " } }), "account.name"),
        (json!({ "id": id, "ownerId": none }), "ownerId"),
    ] {
        let refusal = ada.refused(CONVERT, json!({ "input": input }), "BAD_USER_INPUT").await;
        assert!(refusal["extensions"]["fields"][field].is_string(), "{field}: {refusal}");
    }
    // a company alone is nobody to write to
    let input = json!({ "lead": { "company": "Navy" } });
    let create = "mutation($lead: LeadInput!) { createLead(input: { lead: $lead }) { lead { id } } }";
    let company = text(&ada.data(create, input).await["createLead"]["lead"]["id"]);
    let input = json!({ "id": company, "account": { "name": "Navy" } });
    let refusal = ada.refused(CONVERT, json!({ "input": input }), "BAD_USER_INPUT").await;
    assert!(refusal["extensions"]["fields"]["contact.lastName"].is_string(), "{refusal}");
    for table in ["contacts", "accounts", "deals", "lead_conversions", "record_changes"] {
        assert_eq!(rows(&server, table).await, 0, "{table}");
    }
    let audited = "SELECT count(*) AS value FROM audit_log WHERE action = 'lead.converted'";
    assert_eq!(sql::number(&server.database.db, audited).await, 0);
    assert_eq!(ada.get(&format!("/leads/{id}")).await.data()["status"], "new");
}

#[tokio::test]
async fn who_may_convert_and_whose_the_records_are() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (rep, other) = (ada.invite_role(Role::SalesRep).await, ada.invite_role(Role::SalesRep).await);
    let (support, eve) = (ada.invite_role(Role::Support).await, server.other_workspace().await);
    let mine = lead(&rep, json!({ "email": "a@x.test" })).await;
    let path = format!("/leads/{mine}/convert");
    other.post(&path, json!({})).await.refused(404);
    support.post(&path, json!({})).await.refused(403);
    eve.post(&path, json!({})).await.refused(404);
    let input = json!({ "id": mine, "ownerId": other.user() });
    rep.refused(CONVERT, json!({ "input": input }), "FORBIDDEN").await;
    let converted = rep.data(CONVERT, json!({ "input": { "id": mine } })).await["convertLead"].clone();
    assert_eq!(converted["contact"]["ownerId"], json!(rep.user()));
    // the other sees the contact, and not the lead that it was
    let from = "query($id: ID!) { contact(id: $id) { lastName convertedFrom { id } } }";
    let seen = other.data(from, json!({ "id": converted["contact"]["id"] })).await;
    assert_eq!(seen["contact"], json!({ "lastName": "Hopper", "convertedFrom": null }));

    // a manager gives them to whom they like; where the lead's owner has left they are the caller's
    let input = json!({ "id": lead(&rep, json!({ "email": "b@x.test" })).await, "ownerId": other.user() });
    let given = ada.data(CONVERT, json!({ "input": input })).await["convertLead"].clone();
    assert_eq!(given["contact"]["ownerId"], json!(other.user()));
    let left = lead(&rep, json!({ "email": "c@x.test" })).await;
    ada.delete(&format!("/users/{}", rep.user())).await.expect(StatusCode::OK);
    let kept = ada.data(CONVERT, json!({ "input": { "id": left } })).await["convertLead"].clone();
    assert_eq!(kept["contact"]["ownerId"], json!(ada.user()));
}

#[tokio::test]
async fn a_lead_is_assigned_by_those_who_may() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (manager, rep) = (ada.invite_role(Role::Manager).await, ada.invite_role(Role::SalesRep).await);
    let path = format!("/leads/{}/assign", lead(&rep, json!({})).await);
    let assigned = manager.put(&path, json!({ "assigned_to": manager.user() })).await.data();
    assert_eq!([&assigned["assigned_to"], &assigned["owner"]["id"]], [&json!(manager.user()); 2]);
    // not even to oneself, or back
    for to in [json!(rep.user()), Value::Null] {
        rep.put(&path, json!({ "assigned_to": to })).await.refused(403);
    }
    let nobody = manager.put(&path, json!({ "assigned_to": null })).await.data();
    assert_eq!([&nobody["assigned_to"], &nobody["owner"]], [&Value::Null; 2]);
    for wrong in [json!({}), json!({ "assigned_to": "x" }), json!({ "assigned_to": uuid::Uuid::now_v7() })] {
        let refusal = manager.put(&path, wrong).await.refused(400);
        assert!(refusal["fields"]["assigned_to"].is_string(), "{refusal}");
    }
}

#[tokio::test]
async fn the_overview_counts_what_one_sees() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    for (number, (owner, status, source)) in [
        (json!(rep.user()), "new", "website"),
        (json!(rep.user()), "qualified", "event"),
        (Value::Null, "new", "website"),
        (json!(ada.user()), "contacted", "event"),
        (json!(ada.user()), "new", "website"),
    ]
    .into_iter()
    .enumerate()
    {
        let more =
            json!({ "email": format!("{number}@x.test"), "assigned_to": owner, "status": status, "source": source });
        lead(&ada, more).await;
    }
    let deleted = lead(&ada, json!({ "email": "deleted@x.test" })).await;
    ada.delete(&format!("/leads/{deleted}")).await.expect(StatusCode::OK);
    let all = ada.get("/leads/stats/overview").await.data();
    let by_status = json!([{ "status": "new", "count": "3" }, { "status": "contacted", "count": "1" },
        { "status": "qualified", "count": "1" }]);
    let by_source = json!([{ "source": "website", "count": "3" }, { "source": "event", "count": "2" }]);
    assert_eq!(all, json!({ "byStatus": by_status, "bySource": by_source }));
    let seen = rep.get("/leads/stats/overview").await.data();
    let by_status = json!([{ "status": "new", "count": "2" }, { "status": "qualified", "count": "1" }]);
    let by_source = json!([{ "source": "website", "count": "2" }, { "source": "event", "count": "1" }]);
    assert_eq!(seen, json!({ "byStatus": by_status, "bySource": by_source }));
    let none = json!({ "byStatus": [], "bySource": [] });
    assert_eq!(server.other_workspace().await.get("/leads/stats/overview").await.data(), none);
}

#[tokio::test]
async fn what_leads_became_costs_as_many_statements_for_many_as_for_one() {
    statements::listen();
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    for number in 0..4 {
        let id = lead(&ada, json!({ "email": format!("{number}@x.test") })).await;
        let input = json!({ "id": id, "account": { "name": format!("A{number}") }, "deal": {} });
        ada.data(CONVERT, json!({ "input": input })).await;
    }
    let query = "query($first: Int) {
        leads(first: $first) { nodes { convertedTo { contact { id } account { id } deal { id } } } }
        contacts(first: $first) { nodes { convertedFrom { id } } } }";
    let counted = async |first: i32| {
        let asked = ada.data(query, json!({ "first": first }));
        let (data, seen) = statements::caused_by(ada.workspace(), asked).await;
        (data, seen.len())
    };
    let (_, for_one) = counted(1).await;
    let (data, for_all) = counted(50).await;
    assert_eq!(for_one, for_all);
    for node in data["leads"]["nodes"].as_array().expect("a list") {
        assert!(node["convertedTo"]["deal"]["id"].is_string(), "{node}");
    }
    assert!(data["contacts"]["nodes"][3]["convertedFrom"]["id"].is_string());
}
