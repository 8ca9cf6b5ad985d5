//! Lists: order, pages by cursor in both directions, search, counts.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{account, contact, refusal, text, updated};
use crate::support::{
    client::{Client, with_query},
    server::TestServer,
    sql, statements,
};

const PAGE: &str =
    "query($first: Int, $after: String, $last: Int, $before: String, $search: String, $order: [ContactOrder!]) {
    contacts(first: $first, after: $after, last: $last, before: $before, search: $search, orderBy: $order) {
        edges { cursor node { id lastName } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

const FIELDS: [&str; 5] = ["CREATED_AT", "UPDATED_AT", "LAST_NAME", "EMAIL", "COUNTRY"];

async fn page(client: &Client, variables: &Value) -> Value {
    client.data(PAGE, variables.clone()).await["contacts"].take()
}

fn ids(page: &Value) -> Vec<String> {
    page["edges"].as_array().expect("edges").iter().map(|edge| text(&edge["node"]["id"])).collect()
}

/// What the list is asked for, in pages of this size from this place.
fn asked(list: &Value, way: &str, size: usize, place: &Value) -> Value {
    let mut variables = list.clone();
    variables[way] = json!(size);
    variables[if way == "first" { "after" } else { "before" }] = place.clone();
    variables
}

/// The list page by page, forward with `first` or backward with `last`; `between` happens after
/// each page.
async fn walk(client: &Client, list: &Value, way: &str, size: usize, mut between: impl AsyncFnMut()) -> Vec<String> {
    let (mut all, mut place) = (Vec::new(), Value::Null);
    loop {
        let page = page(client, &asked(list, way, size, &place)).await;
        let info = &page["pageInfo"];
        let (more, behind, next) = match way {
            "first" => ("hasNextPage", "hasPreviousPage", "endCursor"),
            _ => ("hasPreviousPage", "hasNextPage", "startCursor"),
        };
        assert_eq!(info[behind], json!(!place.is_null()), "{list} {way}");
        let rows = ids(&page);
        assert!(rows.len() <= size);
        all = if way == "first" { [all, rows].concat() } else { [rows, all].concat() };
        if info[more] == false {
            return all;
        }
        place = info[next].clone();
        between().await;
    }
}

/// Contacts with ties and nulls in everything that lists are sorted by, the oldest first.
async fn crowd(server: &TestServer, client: &Client, count: usize) -> Vec<String> {
    let mut made = Vec::new();
    for number in 0..count {
        let names = [json!("alpha"), json!("beta"), Value::Null, json!("alpha"), json!("gamma")];
        let email = if number % 3 == 0 { Value::Null } else { json!(format!("c{:02}@x.test", (number * 7) % count)) };
        let country = if number % 4 == 0 { Value::Null } else { json!(["DE", "FR"][number % 2]) };
        let fields = json!({ "firstName": "F", "lastName": names[number % 5], "email": email, "country": country });
        made.push(contact(client, fields).await);
    }
    // three at a time were changed in the same instant
    let tie = "UPDATE contacts SET updated_at = date_trunc('second', now()) + id_number / 3 * interval '1 second'
                 FROM (SELECT id AS number_of, row_number() OVER (ORDER BY id) AS id_number FROM contacts) AS numbered
                WHERE number_of = id";
    sql::run(&server.database.db, tie).await;
    made
}

#[tokio::test]
async fn pages_put_together_are_the_whole_list_in_its_order() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let made = crowd(&server, &ada, 23).await;
    contact(&server.other_workspace().await, json!({ "lastName": "alpha" })).await;
    let columns = ["id", "updated_at", "last_name", "email", "country"];
    for (field, column) in FIELDS.iter().zip(columns) {
        for (direction, nulls) in [("ASC", "LAST"), ("DESC", "FIRST")] {
            let list = json!({ "order": [{ "field": field, "direction": direction }] });
            let order = format!("{column} {direction} NULLS {nulls}, id {direction}");
            let expected = format!(
                "SELECT id::text AS value FROM contacts WHERE workspace_id = '{}' ORDER BY {order}",
                ada.workspace()
            );
            let expected = sql::texts(&server.database.db, &expected).await;
            assert_eq!(expected.len(), made.len());
            for size in [1, 4, 23, 24] {
                for way in ["first", "last"] {
                    let all = walk(&ada, &list, way, size, async || {}).await;
                    assert_eq!(all, expected, "{field} {direction}, {way} {size}");
                }
            }
        }
    }
    let newest: Vec<_> = made.iter().rev().cloned().collect();
    assert_eq!(walk(&ada, &json!({}), "first", 5, async || {}).await, newest, "unless told otherwise");
    assert_eq!(walk(&ada, &json!({ "order": [] }), "last", 5, async || {}).await, newest);
    // there and back again
    let list = json!({ "order": [{ "field": "COUNTRY" }] });
    let (one, two) = (
        page(&ada, &asked(&list, "first", 7, &Value::Null)).await,
        ids(&page(&ada, &asked(&list, "first", 14, &Value::Null)).await),
    );
    let next = page(&ada, &asked(&list, "first", 7, &one["pageInfo"]["endCursor"])).await;
    assert_eq!([ids(&one), ids(&next)].concat(), two);
    let back = page(&ada, &asked(&list, "last", 7, &next["pageInfo"]["startCursor"])).await;
    assert_eq!(back["edges"], one["edges"]);
}

#[tokio::test]
async fn rows_that_come_and_go_between_two_pages_move_no_other() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    crowd(&server, &ada, 12).await;
    for field in FIELDS {
        for way in ["first", "last"] {
            let list = json!({ "order": [{ "field": field, "direction": "DESC" }] });
            let before = ids(&page(&ada, &asked(&list, "first", 500, &Value::Null)).await);
            let mut number = 0;
            let walked = walk(&ada, &list, way, 2, async || {
                number += 1;
                // not for ever: some come where the walk still has to go
                if number <= 6 {
                    let names = [Value::Null, json!("alpha"), json!("zeta")];
                    contact(&ada, json!({ "firstName": "New", "lastName": names[number % 3], "country": "DE" })).await;
                }
            })
            .await;
            let there: Vec<_> = walked.iter().filter(|id| before.contains(id)).cloned().collect();
            assert_eq!(there, before, "{field} {way}");
            let once: BTreeSet<_> = walked.iter().collect();
            assert_eq!(once.len(), walked.len(), "{field} {way}: a row came twice");
        }
    }
    // the very row that a cursor stands on may be deleted
    let list = json!({ "order": [{ "field": "LAST_NAME" }] });
    let first = page(&ada, &asked(&list, "first", 3, &Value::Null)).await;
    let rest = ids(&page(&ada, &asked(&list, "first", 500, &first["pageInfo"]["endCursor"])).await);
    let delete = "mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }";
    ada.data(delete, json!({ "id": first["edges"][2]["node"]["id"] })).await;
    assert_eq!(ids(&page(&ada, &asked(&list, "first", 500, &first["pageInfo"]["endCursor"])).await), rest);
}

#[tokio::test]
async fn a_cursor_that_was_bent_is_refused_whatever_it_is_compared_with() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    let server = TestServer::start().await;
    let ada = server.admin().await;
    ada.data("mutation { createLead(input: { lead: { lastName: \"N\", leadScore: 7 } }) { lead { id } } }", json!({}))
        .await;
    ada.data("mutation { createDeal(input: { deal: { name: \"N\", amount: \"7.5\" } }) { deal { id } } }", json!({}))
        .await;
    for (list, field, bent) in [
        ("leads", "LEAD_SCORE", "x"),
        ("leads", "LEAD_SCORE", "99999999999"),
        ("deals", "AMOUNT", "x"),
        ("deals", "AMOUNT", "1e999999"),
        ("deals", "UPDATED_AT", "+99999-01-01 00:00:00+00"),
    ] {
        let query = format!(
            "query($after: String) {{ {list}(first: 1, after: $after, orderBy: [{{ field: {field} }}]) {{ \
             pageInfo {{ endCursor }} }} }}"
        );
        let cursor = text(&ada.data(&query, json!({})).await[list]["pageInfo"]["endCursor"]);
        ada.data(&query, json!({ "after": cursor })).await;
        let mut place: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).expect("base64")).expect("JSON");
        place["v"] = json!(bent);
        let after = URL_SAFE_NO_PAD.encode(place.to_string());
        let refused = ada.refused(&query, json!({ "after": after }), "BAD_USER_INPUT").await;
        assert!(refused["extensions"]["fields"]["after"].is_string(), "{field} {bent}: {refused}");
    }
}

#[tokio::test]
async fn what_is_no_cursor_of_this_list_is_refused_by_name() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    let server = TestServer::start().await;
    let ada = server.admin().await;
    crowd(&server, &ada, 5).await;
    account(&ada, json!({ "name": "alpha" })).await;
    let cursor = async |field: &str| {
        let list = json!({ "order": [{ "field": field }] });
        text(&page(&ada, &asked(&list, "first", 1, &Value::Null)).await["pageInfo"]["endCursor"])
    };
    let of_accounts =
        "query($order: [AccountOrder!]) { accounts(first: 1, orderBy: $order) { pageInfo { endCursor } } }";
    let mut wrong = ["", "%%%", "bm9uc2Vuc2U", "W10", "e30", "\u{0}"].map(ToOwned::to_owned).to_vec();
    for order in [json!([]), json!([{ "field": "NAME" }])] {
        let accounts = ada.data(of_accounts, json!({ "order": order })).await;
        wrong.push(text(&accounts["accounts"]["pageInfo"]["endCursor"]));
    }
    let users = ada.data("{ users(first: 1) { edges { cursor } } }", json!({})).await;
    wrong.push(text(&users["users"]["edges"][0]["cursor"]));
    for field in FIELDS {
        let mut wrong = wrong.clone();
        for other in FIELDS.iter().filter(|other| **other != field) {
            wrong.push(cursor(other).await);
        }
        // one of ours, bent: the list is right and the value is none that could stand there
        let mut bent: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor(field).await).expect("base64")).expect("JSON");
        let bad = match field {
            "CREATED_AT" | "UPDATED_AT" => "yesterday",
            _ => "a\u{0}b",
        };
        bent["v"] = json!(bad);
        wrong.push(URL_SAFE_NO_PAD.encode(bent.to_string()));
        for way in ["first", "last"] {
            for place in &wrong {
                let list = json!({ "order": [{ "field": field }] });
                let answer = ada.graphql(PAGE, asked(&list, way, 2, &json!(place))).await;
                let told = refusal(&answer);
                assert_eq!(told["code"], "BAD_USER_INPUT", "{field} {place:?}");
                let name = if way == "first" { "after" } else { "before" };
                assert!(told["fields"][name].is_string(), "{field} {place:?}: {told}");
            }
            // its own is fine, in the other direction of the order, too
            for direction in ["ASC", "DESC"] {
                let list = json!({ "order": [{ "field": field, "direction": direction }] });
                page(&ada, &asked(&list, way, 2, &json!(cursor(field).await))).await;
            }
        }
    }
}

#[tokio::test]
async fn senseless_pages_are_refused() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    contact(&ada, json!({ "lastName": "N" })).await;
    let cursor = page(&ada, &json!({ "first": 1 })).await["pageInfo"]["endCursor"].clone();
    for wrong in [
        json!({ "first": -1 }),
        json!({ "first": 501 }),
        json!({ "last": 501 }),
        json!({ "first": 1, "last": 1 }),
        json!({ "first": 1, "before": cursor }),
        json!({ "last": 1, "after": cursor }),
        json!({ "after": cursor, "before": cursor }),
        json!({ "search": "a\u{7}" }),
        json!({ "search": "a".repeat(201) }),
        json!({ "order": [{ "field": "EMAIL" }, { "field": "COUNTRY" }] }),
    ] {
        assert_eq!(refusal(&ada.graphql(PAGE, wrong.clone()).await)["code"], "BAD_USER_INPUT", "{wrong}");
    }
    let none = page(&ada, &json!({ "first": 0 })).await;
    assert_eq!((ids(&none).len(), &none["pageInfo"]["hasNextPage"]), (0, &json!(true)));
    assert_eq!(ids(&page(&ada, &json!({ "first": 500 })).await).len(), 1);
}

#[tokio::test]
async fn a_search_finds_the_same_by_both_apis_page_by_page_in_any_order() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    for (first, last, email) in [
        ("Grace", "Hopper", "g@navy.test"),
        ("Jo\u{308}rg", "O'Brien", "j@post.test"),
        ("50%", "_x_", "c@d.test"),
        ("Navy", "Hopper", "n@d.test"),
        ("Hop", "Backslash\\", "b@d.test"),
    ] {
        contact(&ada, json!({ "firstName": first, "lastName": last, "email": email, "city": "Berlin" })).await;
    }
    for (search, found) in [
        ("HOPP", 2),
        ("hop", 3),
        ("navy", 2),
        ("J\u{d6}RG", 1),
        ("o'brien", 1),
        ("grace hop", 1),
        ("%", 1),
        ("_x", 1),
        ("\\", 1),
        ("post", 1),
        ("berlin", 0),
        ("", 5),
        ("  ", 5),
    ] {
        let rest = ada.get(&with_query("/contacts", &[("search", search)])).await.data();
        let rest: Vec<_> = rest.as_array().expect("a list").iter().map(|one| text(&one["id"])).collect();
        assert_eq!(rest.len(), found, "{search:?}");
        let list = json!({ "search": search });
        for way in ["first", "last"] {
            assert_eq!(walk(&ada, &list, way, 2, async || {}).await, rest, "{search:?} {way}");
        }
        for field in FIELDS {
            let list = json!({ "search": search, "order": [{ "field": field }] });
            let (there, back) =
                (walk(&ada, &list, "first", 1, async || {}).await, walk(&ada, &list, "last", 2, async || {}).await);
            assert_eq!(there, back, "{search:?} {field}");
            assert_eq!(there.iter().collect::<BTreeSet<_>>(), rest.iter().collect(), "{search:?} {field}");
        }
        let count = ada
            .data("query($s: String) { contacts(search: $s, first: 0) { totalCount } }", json!({ "s": search }))
            .await;
        assert_eq!(count["contacts"]["totalCount"], found, "{search:?}");
    }
}

#[tokio::test]
async fn rows_are_counted_only_when_somebody_asks() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    for _ in 0..3 {
        contact(&ada, json!({ "lastName": "N" })).await;
    }
    for search in ["null", "\"n\""] {
        let ask = async |fields: &str| {
            let list = format!("{{ contacts(first: 2, search: {search}) {{ nodes {{ id }} {fields} }} }}");
            statements::caused_by(ada.workspace(), ada.data(&list, json!({}))).await
        };
        let (_, without) = ask("pageInfo { hasNextPage }").await;
        let (data, with) = ask("totalCount").await;
        assert_eq!(data["contacts"]["totalCount"], 3);
        // what else stands there is the page, in the same words
        let beyond: Vec<_> = with.iter().filter(|statement| !without.contains(*statement)).collect();
        assert!(beyond.iter().any(|statement| statement.contains("count")), "{with:#?}");
        assert!(!without.is_empty() && without.iter().all(|statement| with.contains(statement)), "{without:#?}");
    }
}

#[tokio::test]
async fn a_changed_record_moves_in_the_order_of_changes() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let made = [contact(&ada, json!({ "lastName": "A" })).await, contact(&ada, json!({ "lastName": "B" })).await];
    let list = json!({ "order": [{ "field": "UPDATED_AT", "direction": "DESC" }] });
    assert_eq!(ids(&page(&ada, &list).await), [made[1].clone(), made[0].clone()]);
    updated(&ada, &made[0], None, json!({ "city": "X" })).await;
    assert_eq!(ids(&page(&ada, &list).await), made);
}
