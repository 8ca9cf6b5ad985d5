//! Writers and definitions at once.

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{CREATE, DEFINE, after_setting, changed, contact, defined, input, refusal, rows, set};
use crate::support::{server::TestServer, sql};

#[tokio::test]
async fn of_many_who_take_a_unique_value_at_once_one_has_it() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    defined(&ada, json!({ "key": "number", "isUnique": true })).await;
    let tries = (0..12).map(|at| {
        let number = if at % 2 == 0 { "a-1" } else { "A-1" };
        ada.graphql(CREATE, json!({ "contact": { "lastName": "N", "customFields": { "number": number } } }))
    });
    let answers = join_all(tries).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.get("errors").is_none());
    assert_eq!((made.len(), refused.len()), (1, 11));
    let holder = &made[0]["data"]["createContact"]["contact"]["id"];
    for answer in refused {
        let expected = json!({ "customFields.number": "is already used by another contact" });
        assert_eq!(refusal(answer), (&json!("CONFLICT"), &expected));
        assert_eq!(&answer["errors"][0]["extensions"]["details"]["other"], holder, "{answer}");
    }
    // by an update, by REST, and by taking a deletion back
    let id = contact(&ada, json!({ "number": "b" })).await;
    assert_eq!(refusal(&set(&ada, &id, json!({ "number": "a-1" })).await).0, "CONFLICT");
    let refused =
        ada.put(&format!("/contacts/{id}"), json!({ "custom_fields": { "number": "a-1" } })).await.refused(409);
    assert_eq!(refused["fields"]["custom_fields.number"], "is already used by another contact");
    ada.delete(&format!("/contacts/{}", holder.as_str().expect("an id"))).await.expect(StatusCode::OK);
    assert_eq!(after_setting(&ada, &id, json!({ "number": "a-1" })).await["number"], "a-1");
    let restore = "mutation($id: ID!) { restoreContact(input: { id: $id }) { contact { id } } }";
    let answer = ada.refused(restore, json!({ "id": holder }), "CONFLICT").await;
    assert_eq!(answer["extensions"]["details"]["other"], json!(id), "{answer}");
    // its own value is nobody else's
    after_setting(&ada, &id, json!({ "number": "A-1" })).await;
    // of another workspace it is another field
    let other = server.other_workspace().await;
    defined(&other, json!({ "key": "number", "isUnique": true })).await;
    contact(&other, json!({ "number": "a-1" })).await;
}

#[tokio::test]
async fn no_value_slips_in_beside_a_new_definition() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    for round in 0..6 {
        let key = format!("k{round}");
        let writers = (0..6).map(|_| {
            ada.graphql(CREATE, json!({ "contact": { "lastName": "N", "customFields": { &key: "no number" } } }))
        });
        let define = ada.graphql(DEFINE, json!({ "input": input(json!({ "key": key, "type": "NUMBER" })) }));
        let (written, defined) = tokio::join!(join_all(writers), define);
        let held = format!(
            "SELECT count(*) AS value FROM contacts WHERE workspace_id = '{}' AND custom_fields ? '{key}'",
            ada.workspace()
        );
        let held = sql::number(&server.database.db, &held).await;
        let went_well = written.iter().filter(|answer| answer.get("errors").is_none()).count();
        assert_eq!(held, went_well as i64);
        // either the values were first, or the definition
        assert_eq!(defined.get("errors").is_none(), held == 0, "{defined}");
    }
}

#[tokio::test]
async fn an_index_that_is_filled_while_people_write_has_every_value() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = join_all((0..30).map(|number| contact(&ada, json!({ "x": format!("v{number}") })))).await;
    let field = defined(&ada, json!({})).await["customField"]["id"].clone();
    let new = |number: usize| if number.is_multiple_of(3) { json!(format!("w{number}")) } else { Value::Null };
    let written = ids.iter().enumerate().filter(|(number, _)| number % 3 < 2);
    let writers = written.map(|(number, id)| after_setting(&ada, id, json!({ "x": new(number) })));
    let (_, filled) = tokio::join!(join_all(writers), changed(&ada, &field, json!({ "isIndexed": true })));
    assert!(filled["jobId"].is_string(), "{filled}");
    server.jobs_done().await;
    let different = format!(
        "SELECT count(*) AS value FROM (SELECT id, custom_fields ->> 'x' AS x FROM contacts \
          WHERE workspace_id = '{}' AND custom_fields ? 'x') c \
          FULL JOIN (SELECT record_id AS id, text_value AS x FROM custom_values WHERE field_id = '{}') v USING (id) \
         WHERE c.x IS DISTINCT FROM v.x",
        ada.workspace(),
        field.as_str().expect("an id")
    );
    assert_eq!(sql::number(&server.database.db, &different).await, 0);
    assert_eq!(rows(&server, &field).await, 20);
}

#[tokio::test]
async fn a_definition_is_made_once_for_a_key_that_is_sent_twice() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let sent = json!({ "input": input(json!({ "clientMutationId": "once" })) });
    let answers = join_all((0..3).map(|_| ada.graphql(DEFINE, sent.clone()))).await;
    let ids: Vec<&Value> =
        answers.iter().map(|answer| &answer["data"]["createCustomField"]["customField"]["id"]).collect();
    assert!(ids[0].is_string() && ids.iter().all(|id| *id == ids[0]), "{answers:?}");
}
