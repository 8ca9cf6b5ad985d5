//! Trees that are made to do harm, and statements that take too long.

use std::sync::Arc;

use kontor::base::Limits;
use serde_json::{Value, json};

use super::compare;
use crate::support::{server::TestServer, sql, statements};

const QUERY: &str = "query($where: RecordCriteria) { contacts(where: $where) { totalCount } }";

#[tokio::test]
async fn deep_and_wide_trees_are_refused_before_they_cost_anything() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let deep = |levels: usize, close: &str| format!("{}{{\"all\":[]}}{close}", "{\"not\":".repeat(levels));
    let sent = |criteria: &str| format!("{{\"query\":{},\"variables\":{{\"where\":{criteria}}}}}", json!(QUERY));
    let wide = format!("{{\"all\":[{}]}}", vec![compare("city", "EQ", "x").to_string(); 20_000].join(","));
    let bodies = [
        sent(&deep(10_000, &"}".repeat(10_000))),
        sent(&deep(100, &"}".repeat(100))),
        sent(&deep(9, &"}".repeat(9))),
        sent(&wide),
        sent(&format!("{{\"all\":[{}]}}", vec!["{\"all\":[]}"; 100_000].join(","))),
        json!({ "query": format!("{{ contacts(where: {}{{ all: [] }}{}) {{ totalCount }} }}", "{ not: ".repeat(10_000), "}".repeat(10_000)) })
            .to_string(),
        json!({ "query": format!("{{ contacts(where: {}{{ all: [] }}{}) {{ totalCount }} }}", "{ not: ".repeat(100), "}".repeat(100)) })
            .to_string(),
    ];
    for body in bodies {
        let with = |request: reqwest::RequestBuilder| request.body(body);
        let work = ada.graphql_with("", json!({}), with);
        let (answer, seen) = statements::caused_by(ada.workspace(), work).await;
        assert_eq!(answer.body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{}", answer.body);
        assert!(seen.iter().all(|statement| !statement.contains("FROM contacts")), "{seen:?}");
    }
    // one that is passed often is refused by its cost
    let many: String = (0..300).map(|at| format!("c{at}: contacts(where: $where) {{ totalCount }} ")).collect();
    let many = format!("query($where: RecordCriteria) {{ {many} }}");
    let criteria = json!({ "all": vec![compare("city", "EQ", "x"); 200] });
    let refused = ada.refused(&many, json!({ "where": criteria }), "BAD_USER_INPUT").await;
    assert!(refused["message"].as_str().expect("a message").contains("costs more"), "{refused}");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_and_told() {
    let strict = |ctx: &mut kontor::ctx::Ctx| {
        ctx.limits = Arc::new(Limits { criteria_millis: 1, ..(*ctx.limits).clone() });
    };
    let server = TestServer::start_with(strict).await;
    let ada = server.admin().await;
    let seed = format!(
        "INSERT INTO contacts (workspace_id, id, first_name, last_name, created_by, created_at, updated_at) \
         SELECT '{}', gen_random_uuid(), 'Ann', 'N' || n, '{}', now(), now() FROM generate_series(1, 50000) n",
        ada.workspace(),
        ada.user()
    );
    sql::run(&server.database.db, &seed).await;
    let leaf = |number: usize| compare("lastName", "NOT_CONTAINS", &format!("x{number}"));
    let slow = json!({ "all": (0..200).map(leaf).collect::<Vec<Value>>() });
    let preview = "query($where: RecordCriteria!) { criteriaPreview(kind: CONTACT, where: $where) { count } }";
    for query in [QUERY, preview] {
        let refused = ada.refused(query, json!({ "where": slow }), "TIMED_OUT").await;
        assert!(refused["message"].as_str().expect("a message").contains("narrow it down"), "{refused}");
    }
    // nothing is held up behind it
    ada.data("{ contacts(first: 1) { nodes { id } } }", json!({})).await;
}
