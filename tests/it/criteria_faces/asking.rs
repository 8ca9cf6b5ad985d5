//! Filters of records, previews, and what can be asked.

use kontor::{
    auth::Role,
    crm::{Account, Contact, Deal, Lead, Task},
};
use serde_json::{Value, json};

use super::{compare, ids, list, made, meant};
use crate::support::{eventually, server::TestServer, statements};

#[tokio::test]
async fn criteria_go_with_search_with_orders_and_with_pages_both_ways() {
    let server = TestServer::start().await;
    let (ada, eve) = (server.admin().await, server.other_workspace().await);
    let mut riga = Vec::new();
    for (name, city) in [("Cole", "Riga"), ("Dahl", "Oslo"), ("Abel", "Riga"), ("Berg", "riga"), ("Abendroth", "Riga")]
    {
        let id = made::<Contact>(&server, &ada, json!({ "lastName": name, "city": city })).await;
        riga.extend((city != "Oslo").then_some(id));
    }
    // no name, and so at the end
    riga.push(made::<Contact>(&server, &ada, json!({ "firstName": "X", "city": "Riga" })).await);
    made::<Contact>(&server, &eve, json!({ "lastName": "E", "city": "Riga" })).await;
    let criteria = compare("city", "EQ", "Riga");
    let newest: Vec<_> = riga.iter().rev().cloned().collect();
    assert_eq!(meant(&ada, &criteria).await, (newest, 5));
    assert_eq!(meant(&eve, &criteria).await.1, 1);
    let by_name =
        "query($where: RecordCriteria, $first: Int, $after: String, $last: Int, $before: String, $search: String) {
        contacts(first: $first, after: $after, last: $last, before: $before, search: $search, where: $where,
                 orderBy: [{ field: LAST_NAME, direction: ASC }])
        { nodes { lastName } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }";
    let names = |page: &Value| {
        let nodes = page["contacts"]["nodes"].as_array().expect("rows").iter();
        nodes.map(|node| node["lastName"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    let all = ["Abel", "Abendroth", "Berg", "Cole", "-"];
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = ada.data(by_name, json!({ "where": criteria, "first": 2, "after": after })).await;
        seen.extend(names(&page));
        let info = &page["contacts"]["pageInfo"];
        after = info["endCursor"].clone();
        if info["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen, all);
    let (mut seen, mut before) = (Vec::new(), Value::Null);
    loop {
        let page = ada.data(by_name, json!({ "where": criteria, "last": 2, "before": before })).await;
        seen.splice(0..0, names(&page));
        let info = &page["contacts"]["pageInfo"];
        before = info["startCursor"].clone();
        if info["hasPreviousPage"] == false {
            break;
        }
    }
    assert_eq!(seen, all);
    let found = ada.data(by_name, json!({ "where": criteria, "search": "ABE" })).await;
    assert_eq!(
        (names(&found), &found["contacts"]["totalCount"]),
        (vec!["Abel".to_owned(), "Abendroth".to_owned()], &json!(2))
    );
    ada.refused(by_name, json!({ "where": criteria, "after": "nonsense" }), "BAD_USER_INPUT").await;
}

#[tokio::test]
async fn every_kind_takes_criteria() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    for (many, field) in [
        ("leads", "email"),
        ("contacts", "email"),
        ("accounts", "name"),
        ("deals", "name"),
        ("products", "name"),
        ("tasks", "title"),
    ] {
        let query =
            format!("query($where: RecordCriteria) {{ {many}(where: $where) {{ nodes {{ id }} totalCount }} }}");
        let answer = ada.data(&query, json!({ "where": compare(field, "CONTAINS", "nobody") })).await;
        assert_eq!(answer[many]["totalCount"], 0, "{many}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_by_its_path() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let query = "query($where: RecordCriteria) { contacts(where: $where) { totalCount } }";
    let wrong = json!({ "all": [
        { "any": [] },
        { "not": { "compare": { "field": "shoeSize", "op": "EQ", "value": 1 } } },
        { "compare": { "field": "createdAt", "op": "BEFORE", "value": "soon" } },
        { "related": { "relation": "DEALS", "where": { "compare": { "field": "amount", "op": "GT", "value": "much" } } } },
    ] });
    let refused = ada.refused(query, json!({ "where": wrong }), "BAD_USER_INPUT").await;
    let fields: Vec<_> = refused["extensions"]["fields"].as_object().expect("fields").keys().cloned().collect();
    let paths =
        ["where.all[1].not.compare.field", "where.all[2].compare.value", "where.all[3].related.where.compare.value"];
    assert_eq!(fields, paths);
    for (criteria, path) in [
        (json!({ "any": [{ "inList": "nonsense" }] }), "where.any[0].inList"),
        (json!({ "all": vec![json!({ "compare": { "field": "city", "op": "IS_EMPTY" } }); 251] }), "where"),
    ] {
        let refused = ada.refused(query, json!({ "where": criteria }), "BAD_USER_INPUT").await;
        assert!(refused["extensions"]["fields"][path].is_string(), "{refused}");
    }
    // the schema itself
    for criteria in
        [json!({}), json!({ "all": [], "any": [] }), json!({ "compare": { "field": "city", "op": "LIKES" } })]
    {
        ada.refused(query, json!({ "where": criteria }), "BAD_USER_INPUT").await;
    }
}

#[tokio::test]
async fn nobody_finds_out_by_asking_what_they_do_not_see() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (rep, support) = (ada.invite_role(Role::SalesRep).await, ada.invite_role(Role::Support).await);
    let mut of_lead = Vec::new();
    for (owner, client) in [("ada", &ada), ("rep", &rep)] {
        let lead =
            made::<Lead>(&server, client, json!({ "email": format!("{owner}@x.de"), "ownerId": client.user() })).await;
        of_lead.push(made::<Task>(&server, client, json!({ "title": owner, "leadId": lead })).await);
    }
    let leads = "query($where: RecordCriteria) { leads(where: $where) { nodes { email } totalCount } }";
    let seen = rep.data(leads, json!({ "where": { "all": [] } })).await["leads"].take();
    assert_eq!(seen, json!({ "nodes": [{ "email": "rep@x.de" }], "totalCount": 1 }));
    // nor through a relation
    let tasks = "query($where: RecordCriteria) { tasks(where: $where) { nodes { id } totalCount } }";
    let by_lead = json!({ "where": compare("lead.email", "ENDS_WITH", "x.de") });
    assert_eq!(ids(&rep.data(tasks, by_lead.clone()).await["tasks"]["nodes"]), of_lead[1..]);
    assert_eq!(ada.data(tasks, by_lead.clone()).await["tasks"]["totalCount"], 2);
    support.refused(tasks, by_lead, "FORBIDDEN").await;
    // lists of others
    let contact = made::<Contact>(&server, &ada, json!({ "lastName": "N" })).await;
    let private = list(&ada, json!({ "name": "Layoffs", "contactIds": [contact] })).await;
    let in_it = json!({ "all": [{ "any": [] }, { "not": { "inList": private } }] });
    let query = "query($where: RecordCriteria) { contacts(where: $where) { totalCount } }";
    let refused = rep.refused(query, json!({ "where": in_it }), "BAD_USER_INPUT").await;
    assert!(refused["extensions"]["fields"]["where.all[1].not.inList"].is_string(), "{refused}");
    let named = json!({ "related": { "relation": "LISTS", "where": compare("name", "STARTS_WITH", "Lay") } });
    assert_eq!((meant(&ada, &named).await.1, meant(&rep, &named).await.1), (1, 0));
    assert_eq!(meant(&ada, &json!({ "inList": private })).await, (vec![contact], 1));
}

#[tokio::test]
async fn the_words_about_the_caller_are_about_the_caller() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let mine = json!({ "compare": { "field": "ownerId", "op": "IS_ME" } });
    let of_ada = made::<Contact>(&server, &ada, json!({ "lastName": "A", "ownerId": ada.user() })).await;
    let of_rep = made::<Contact>(&server, &rep, json!({ "lastName": "R", "ownerId": rep.user() })).await;
    assert_eq!(meant(&ada, &mine).await, (vec![of_ada], 1));
    assert_eq!(meant(&rep, &mine).await, (vec![of_rep], 1));
}

#[tokio::test]
async fn what_can_be_asked_is_told_with_all_that_goes_with_it() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let define =
        "mutation { createCustomField(input: { kind: CONTACT, label: \"Plan\", type: TEXT }) { customField { key } } }";
    let key = ada.data(define, json!({})).await["createCustomField"]["customField"]["key"]
        .as_str()
        .expect("a key")
        .to_owned();
    let query = "{ criteriaFields(kind: CONTACT) { name label type isCustom choices { value label }
        operators { operator operand units takesField takesMatchEmpty takesCaseSensitive } }
        criteriaRelations(kind: CONTACT) { relation kind quantifiers fields { name } } }";
    // all that there is to know of relations is within what a request may cost
    let whole = "{ criteriaRelations(kind: ACCOUNT) { relation kind quantifiers fields { name label type isCustom
        choices { value label } operators { operator operand units takesField takesMatchEmpty takesCaseSensitive } } } }";
    let of_accounts = ada.data(whole, json!({})).await["criteriaRelations"].take();
    let names: Vec<_> = of_accounts.as_array().expect("relations").iter().map(|one| &one["relation"]).collect();
    assert_eq!(names, ["CONTACTS", "DEALS", "TASKS"]);
    let told = ada.data(query, json!({})).await;
    let fields = told["criteriaFields"].as_array().expect("fields");
    let of = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap_or_else(|| panic!("{name}"));
    let used = |field: &str, operator: &str| {
        let operators = of(field)["operators"].as_array().expect("operators").iter();
        operators.clone().find(|used| used["operator"] == operator).unwrap_or_else(|| panic!("{operator}")).clone()
    };
    assert_eq!(of(&format!("custom.{key}"))["isCustom"], true);
    assert_eq!(of("account.industry")["type"], "TEXT");
    assert!(
        of("status")["choices"].as_array().expect("choices").contains(&json!({ "value": "active", "label": "Active" }))
    );
    assert_eq!(
        used("createdAt", "IN_LAST"),
        json!({ "operator": "IN_LAST", "operand": "SPAN", "takesField": false, "takesMatchEmpty": false,
            "takesCaseSensitive": false, "units": ["MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"] })
    );
    assert_eq!(used("createdAt", "THIS")["units"], json!(["WEEK", "MONTH", "QUARTER", "YEAR"]));
    let ne = used("city", "NE");
    assert_eq!(
        [&ne["operand"], &ne["takesField"], &ne["takesMatchEmpty"], &ne["takesCaseSensitive"]],
        [&json!("VALUE"), &json!(true), &json!(true), &json!(true)]
    );
    let far = "query ($links: Int!) { criteriaFields(kind: TASK, links: $links) { name label type } }";
    let told_far = ada.data(far, json!({ "links": 3 })).await;
    let three_links = json!({ "name": "deal.contact.account.employees", "label": "Deal: Contact: Account: Employees", "type": "NUMBER" });
    assert!(told_far["criteriaFields"].as_array().expect("fields").contains(&three_links));
    let own = ada.data(far, json!({ "links": 0 })).await;
    assert!(
        own["criteriaFields"]
            .as_array()
            .expect("fields")
            .iter()
            .all(|field| !field["name"].to_string().contains("owner."))
    );
    for links in [-1, 4] {
        ada.refused(far, json!({ "links": links }), "BAD_USER_INPUT").await;
    }
    let relations = told["criteriaRelations"].as_array().expect("relations");
    let relation = |name: &str| relations.iter().find(|relation| relation["relation"] == name).expect("a relation");
    assert_eq!((&relation("DEALS")["kind"], &relation("LISTS")["kind"]), (&json!("DEAL"), &Value::Null));
    assert!(relation("DEALS")["quantifiers"].as_array().expect("quantifiers").contains(&json!("AT_LEAST")));
    assert!(relation("DEALS")["fields"].as_array().expect("fields").iter().any(|field| field["name"] == "amount"));
}

#[tokio::test]
async fn a_preview_counts_all_and_shows_the_newest_fifty() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let mut made_ids = Vec::new();
    for number in 0..52 {
        made_ids
            .push(made::<Contact>(&server, &ada, json!({ "lastName": format!("N{number}"), "city": "Riga" })).await);
    }
    made::<Contact>(&server, &ada, json!({ "lastName": "Other" })).await;
    let query =
        "query($where: RecordCriteria!) { criteriaPreview(kind: CONTACT, where: $where) { count records { id } } }";
    let told = ada.data(query, json!({ "where": compare("city", "EQ", "RIGA") })).await["criteriaPreview"].take();
    let newest: Vec<_> = made_ids.iter().rev().take(50).cloned().collect();
    assert_eq!((&told["count"], ids(&told["records"])), (&json!(52), newest));
}

#[tokio::test]
async fn a_preview_for_a_list_counts_as_the_list_does() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    for name in ["Chosen", "Found", "Other"] {
        made::<Contact>(&server, &ada, json!({ "lastName": name, "city": name })).await;
    }
    let dynamic = |name: &str, criteria: Value| json!({ "name": name, "listType": "DYNAMIC", "criteria": criteria });
    list(&ada, dynamic("Found", compare("city", "EQ", "Found"))).await;
    let query = "query($w: RecordCriteria!, $l: Boolean!) {
        criteriaPreview(kind: CONTACT, where: $w, forList: $l) { count } }";
    let in_none = json!({ "related": { "relation": "LISTS", "quantifier": "NONE" } });
    let asked = async |for_list: bool| {
        ada.data(query, json!({ "w": in_none, "l": for_list })).await["criteriaPreview"]["count"].as_i64()
    };
    eventually("one is found", async || asked(false).await == Some(2)).await;
    assert_eq!(asked(true).await, Some(3));
    let kept = list(&ada, dynamic("In none", in_none.clone())).await;
    let count = "query($id: ID!) { contactList(id: $id) { contactCount building { status } } }";
    eventually("it is built", async || {
        ada.data(count, json!({ "id": kept })).await["contactList"] == json!({ "contactCount": 3, "building": null })
    })
    .await;
    let of_leads = "{ criteriaPreview(kind: LEAD, where: { all: [] }, forList: true) { count } }";
    let refused = ada.refused(of_leads, json!({}), "BAD_USER_INPUT").await;
    assert!(refused["extensions"]["fields"]["forList"].is_string(), "{refused}");
}

#[tokio::test]
async fn a_page_by_criteria_takes_a_constant_number_of_statements() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let mut contacts = Vec::new();
    for number in 0..50 {
        let account = made::<Account>(&server, &ada, json!({ "name": format!("A{number}") })).await;
        let fields = json!({ "lastName": "N", "accountId": account, "ownerId": ada.user() });
        let contact = made::<Contact>(&server, &ada, fields).await;
        made::<Deal>(&server, &ada, json!({ "name": "D", "contactId": contact })).await;
        contacts.push(contact);
    }
    list(&ada, json!({ "name": "L", "contactIds": contacts })).await;
    let query = "query($first: Int, $where: RecordCriteria) { contacts(first: $first, where: $where) { nodes {
        account { name } owner { fullName } lists { name } deals(first: 5, stageType: OPEN) { nodes { name } } } } }";
    let ask = async |first: usize| {
        let variables = json!({ "first": first, "where": { "related": { "relation": "DEALS" } } });
        statements::caused_by(ada.workspace(), ada.data(query, variables)).await
    };
    let ((_, few), (page, many)) = (ask(2).await, ask(50).await);
    let rows = page["contacts"]["nodes"].as_array().expect("rows");
    assert_eq!(rows.len(), 50);
    for row in rows {
        assert!(row["account"]["name"].is_string() && row["owner"]["fullName"].is_string(), "{row}");
        assert_eq!((&row["lists"][0]["name"], &row["deals"]["nodes"][0]["name"]), (&json!("L"), &json!("D")));
    }
    assert_eq!(few.len(), many.len(), "{many:#?}");
}
