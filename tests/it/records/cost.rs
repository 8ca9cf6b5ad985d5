//! What a request may cost, and that a page costs the same however many rows it has.

use std::sync::Arc;

use kontor::base::Limits;
use serde_json::{Value, json};

use super::{account, contact, refusal};
use crate::support::{server::TestServer, statements};

#[tokio::test]
async fn a_page_with_all_that_its_rows_lead_to_takes_a_constant_number_of_statements() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let owners = [&ada, &ada.invite_role(kontor::auth::Role::SalesRep).await].map(|owner| owner.user());
    for number in 0..50_usize {
        let account = account(&ada, json!({ "name": format!("A{number}"), "ownerId": owners[number % 2] })).await;
        let fields = json!({ "lastName": "N", "accountId": account, "ownerId": owners[number / 2 % 2] });
        contact(&ada, fields).await;
    }
    let query = "query($first: Int!, $order: [ContactOrder!]) { contacts(first: $first, orderBy: $order) {
        nodes { displayName owner { fullName } account { name owner { email } } } } }";
    for order in [json!([]), json!([{ "field": "LAST_NAME" }])] {
        let ask = async |first: usize| {
            let variables = json!({ "first": first, "order": order });
            statements::caused_by(ada.workspace(), ada.data(query, variables)).await
        };
        let (few, at_first) = ask(2).await;
        let (many, seen) = ask(50).await;
        let rows = |page: &Value| page["contacts"]["nodes"].as_array().expect("rows").clone();
        assert_eq!((rows(&few).len(), rows(&many).len()), (2, 50));
        let whole = |row: &Value| row["account"]["owner"]["email"].is_string() && row["owner"]["fullName"].is_string();
        assert!(rows(&many).iter().all(whole));
        assert_eq!(seen.len(), at_first.len(), "{seen:#?}");
        // the page, its people and its accounts, and the accounts' people, each in a transaction
        assert!(seen.len() <= 15, "{seen:#?}");
    }
}

#[tokio::test]
async fn documents_that_are_too_deep_or_too_dear_are_refused_before_they_cost_anything() {
    let strict = |ctx: &mut kontor::ctx::Ctx| {
        ctx.limits = Arc::new(Limits { graphql_depth: 5, graphql_cost: 1_000, ..(*ctx.limits).clone() });
    };
    let server = TestServer::start_with(strict).await;
    let ada = server.admin().await;
    let deep = "{ contacts(first: 1) { edges { node { account { owner { id } } } } } }";
    let aliases: String =
        (0..30).map(|number| format!("c{number}: contacts(first: 50) {{ nodes {{ id }} }} ")).collect();
    for (query, variables, limit) in [
        (deep.to_owned(), json!({}), "5"),
        ("{ contacts(first: 500) { nodes { id email } } }".to_owned(), json!({}), "1000"),
        ("query($n: Int) { contacts(first: $n) { nodes { id email } } }".to_owned(), json!({ "n": 500 }), "1000"),
        (format!("{{ {aliases} }}"), json!({}), "1000"),
    ] {
        let work = ada.graphql(&query, variables);
        let (answer, seen) = statements::caused_by(ada.workspace(), work).await;
        assert_eq!(refusal(&answer)["code"], "BAD_USER_INPUT", "{query}");
        let message = answer["errors"][0]["message"].as_str().expect("a message").replace([' ', ','], "");
        assert!(message.contains(limit), "{message}");
        assert!(seen.is_empty(), "{seen:?}");
    }
    ada.data("{ contacts(first: 50) { nodes { id email owner { id } } } }", json!({})).await;
}
