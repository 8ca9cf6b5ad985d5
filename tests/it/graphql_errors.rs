//! What one field that fails leaves of the others.

use kontor::team::tokens;
use serde_json::{Value, json};

use crate::support::server::TestServer;

#[tokio::test]
async fn a_nullable_field_that_fails_is_null_and_the_rest_is_told() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let made = ada
        .data("mutation { createAccount(input: { account: { name: \"Acme\" } }) { account { id } } }", json!({}))
        .await;
    let account = &made["createAccount"]["account"]["id"];
    let create = "mutation($c: ContactInput!) { createContact(input: { contact: $c }) { contact { id } } }";
    let made = ada.data(create, json!({ "c": { "lastName": "Lovelace", "accountId": account } })).await;
    let contact = &made["createContact"]["contact"]["id"];
    let new = tokens::NewToken { name: "reader".into(), scopes: vec!["contacts:read".into()], expires_at: None };
    let (_, secret) = tokens::create(&server.ctx, &ada.caller(), new).await.expect("a token");
    let reader = server.client(&secret.text);

    let query = "query($contact: ID!, $account: ID!) {
        contact(id: $contact) { lastName account { name } }
        account(id: $account) { name }
        contacts { nodes { lastName account { name } } }
        record(kind: CONTACT, id: $contact) { displayName ... on Contact { account { id } } } }";
    let answer = reader.graphql(query, json!({ "contact": contact, "account": account })).await;
    let lovelace = json!({ "lastName": "Lovelace", "account": null });
    assert_eq!(
        answer["data"],
        json!({
            "contact": lovelace,
            "account": null,
            "contacts": { "nodes": [lovelace] },
            "record": { "displayName": "Lovelace", "account": null },
        })
    );
    let errors = answer["errors"].as_array().expect("errors");
    let mut paths: Vec<_> = errors.iter().map(|error| error["path"].to_string()).collect();
    paths.sort();
    let expected = [
        r#"["account"]"#,
        r#"["contact","account"]"#,
        r#"["contacts","nodes",0,"account"]"#,
        r#"["record","account"]"#,
    ];
    assert_eq!(paths, expected);
    assert!(errors.iter().all(|error| error["extensions"]["code"] == "FORBIDDEN"), "{errors:?}");

    let nobody = server.stranger().graphql("{ contact(id: \"x\") { id } job(id: \"x\") { id } }", json!({})).await;
    assert_eq!(nobody["data"], json!({ "contact": null, "job": null }));
    let codes = nobody["errors"].as_array().expect("errors").iter().map(|error| &error["extensions"]["code"]);
    assert_eq!(codes.collect::<Vec<&Value>>(), ["UNAUTHENTICATED"; 2]);
}
