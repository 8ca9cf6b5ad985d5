//! Several records become one: whose fields, what is led elsewhere, who may, and what is told.

use kontor::auth::Role;
use serde_json::{Value, json};

use super::{ADD, MERGE, made, merge, text};
use crate::support::{eventually, server::TestServer, sql};

#[tokio::test]
async fn the_one_that_stays_has_the_best_of_all() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let stays = json!({ "lastName": "Hopper", "email": "grace@one.test", "tags": ["a"], "customFields": { "k": 1 } });
    let stays = made(&ada, "contact", stays).await;
    let more = json!({ "firstName": "Grace", "lastName": "H.", "email": "grace@two.test", "city": "Rome", "phone": "030 1234567",
        "tags": ["b", "a"], "customFields": { "k": 2, "l": 3 } });
    let more = made(&ada, "contact", more).await;
    ada.data(ADD, json!({ "contact": more, "kind": "EMAIL", "address": "grace@three.test" })).await;
    let last = made(&ada, "contact", json!({ "lastName": "X", "city": "Oslo", "email": "grace@four.test" })).await;
    let input = json!({ "intoId": stays, "ids": [more, last], "fieldsFrom": [
        { "field": "email", "recordId": more }, { "field": "custom.k", "recordId": more } ] });
    let cursor = server.cursor().await;
    let merged = ada.data(MERGE, json!({ "input": input })).await["mergeContacts"].take();
    let contact = &merged["contact"];
    let named = ["id", "firstName", "lastName", "email", "city", "phone"].map(|name| contact[name].clone());
    assert_eq!(
        named,
        [json!(stays), json!("Grace"), json!("Hopper"), json!("grace@two.test"), json!("Rome"), json!("030 1234567")]
    );
    assert_eq!((&contact["tags"], &contact["customFields"]), (&json!(["a", "b"]), &json!({ "k": 2, "l": 3 })));
    let mut further: Vec<_> =
        contact["extraAddresses"].as_array().expect("a list").iter().map(|one| text(&one["address"])).collect();
    further.sort();
    assert_eq!(further, ["grace@four.test", "grace@one.test", "grace@three.test"]);
    assert_eq!(merged["merge"]["mergedIds"].as_array().expect("a list").len(), 2);
    assert_eq!(contact["version"], 2);

    // told once, and where they went
    let follow = "subscription($after: String) { recordChanged(kind: CONTACT, after: $after) { action recordId } }";
    let mut live = ada.subscribe(follow, json!({ "after": cursor })).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let change = live.next().await["recordChanged"].clone();
        told.push((text(&change["action"]), text(&change["recordId"])));
    }
    let expected = [("DELETED", &more), ("DELETED", &last), ("UPDATED", &stays)];
    assert_eq!(told, expected.map(|(action, id)| (action.to_owned(), id.clone())));
    server.events_logged().await;
    let into = "SELECT payload ->> 'mergedInto' AS value FROM events WHERE name = 'record.deleted'";
    assert_eq!(sql::texts(&server.database.db, into).await, std::slice::from_ref(&stays));
    let where_to = "query($id: ID!) { contact(id: $id) { id } mergedInto(kind: CONTACT, id: $id) { id } }";
    let gone = ada.data(where_to, json!({ "id": more })).await;
    assert_eq!(gone, json!({ "contact": null, "mergedInto": { "id": stays } }));
    let log = ada.data("{ auditLog(first: 5) { nodes { action subjectId } } }", json!({})).await;
    assert_eq!(log["auditLog"]["nodes"][0], json!({ "action": "record.merged", "subjectId": stays }));
}

#[tokio::test]
async fn what_led_to_the_others_leads_to_the_one_that_stays() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let stays = made(&ada, "contact", json!({ "lastName": "S" })).await;
    let goes = made(&ada, "contact", json!({ "lastName": "G", "city": "Rome" })).await;
    let deal = made(&ada, "deal", json!({ "name": "D", "contactId": goes })).await;
    let task = made(&ada, "task", json!({ "title": "T", "contactId": goes })).await;
    let note =
        "mutation($id: ID!) { createNote(input: { recordKind: CONTACT, recordId: $id, body: \"N\" }) { note { id } } }";
    ada.data(note, json!({ "id": goes })).await;
    let list =
        "mutation($ids: [ID!]) { createContactList(input: { name: \"L\", contactIds: $ids }) { contactList { id } } }";
    let list = ada.data(list, json!({ "ids": [goes] })).await["createContactList"]["contactList"]["id"].clone();
    let rename =
        "mutation($id: ID!) { updateContact(input: { id: $id, patch: { city: \"Oslo\" } }) { contact { id } } }";
    ada.data(rename, json!({ "id": goes })).await;
    merge(&ada, &stays, &[&goes]).await;
    let look = "query($id: ID!) { contact(id: $id) { city deals(first: 5) { nodes { id version history(first: 5) { nodes { field before after } } } }
        tasks { nodes { id } } noteEntries { nodes { body } } lists { id contactCount }
        history { totalCount nodes { field before after } } timeline { totalCount nodes { what } } } }";
    let contact = ada.data(look, json!({ "id": stays })).await["contact"].clone();
    let of_deal = &contact["deals"]["nodes"][0];
    assert_eq!((&of_deal["id"], &of_deal["version"]), (&json!(deal), &json!(2)));
    assert_eq!(of_deal["history"]["nodes"], json!([{ "field": "contactId", "before": goes, "after": stays }]));
    assert_eq!(contact["tasks"]["nodes"], json!([{ "id": task }]));
    assert_eq!(contact["noteEntries"]["nodes"], json!([{ "body": "N" }]));
    assert_eq!(contact["lists"], json!([{ "id": list, "contactCount": 1 }]));
    // both histories
    let history = json!([{ "field": "city", "before": null, "after": "Oslo" }, { "field": "city", "before": "Rome", "after": "Oslo" }]);
    assert_eq!((&contact["history"]["nodes"], &contact["history"]["totalCount"]), (&history, &json!(2)));
    let page = "query($id: ID!, $after: String) { contact(id: $id) { history(first: 1, after: $after) { nodes { before } pageInfo { endCursor hasNextPage } } } }";
    let first = ada.data(page, json!({ "id": stays })).await["contact"]["history"].clone();
    let after = &first["pageInfo"]["endCursor"];
    let second = ada.data(page, json!({ "id": stays, "after": after })).await["contact"]["history"].clone();
    assert_eq!((&first["nodes"][0]["before"], &second["nodes"][0]["before"]), (&Value::Null, &json!("Rome")));
    assert_eq!(second["pageInfo"]["hasNextPage"], false);
    let whats: Vec<_> =
        contact["timeline"]["nodes"].as_array().expect("a list").iter().map(|one| text(&one["what"])).collect();
    assert_eq!(contact["timeline"]["totalCount"], whats.len());
    for (what, times) in [("created", 2), ("merged", 1), ("note", 1), ("task_created", 1)] {
        assert_eq!(whats.iter().filter(|one| *one == what).count(), times, "{what}: {whats:?}");
    }
}

#[tokio::test]
async fn accounts_leads_and_deals_become_one_as_well() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let run =
        "mutation($input: MergeRecordsInput!) { mergeRecords(input: $input) { record { id kind } merge { id } } }";
    let (one, two) = (
        made(&ada, "account", json!({ "name": "A", "accountNumber": "1" })).await,
        made(&ada, "account", json!({ "name": "B", "accountNumber": "2" })).await,
    );
    let contact = made(&ada, "contact", json!({ "lastName": "C", "accountId": two })).await;
    ada.data(run, json!({ "input": { "kind": "ACCOUNT", "intoId": one, "ids": [two] } })).await;
    let of =
        ada.data("query($id: ID!) { contact(id: $id) { account { id } version } }", json!({ "id": contact })).await;
    assert_eq!(of["contact"], json!({ "account": { "id": one }, "version": 2 }));

    let (first, second) =
        (made(&ada, "lead", json!({ "lastName": "L" })).await, made(&ada, "lead", json!({ "lastName": "M" })).await);
    let convert = "mutation($id: ID!) { convertLead(input: { id: $id }) { contact { id } } }";
    let became = ada.data(convert, json!({ "id": second })).await["convertLead"]["contact"]["id"].clone();
    ada.data(run, json!({ "input": { "kind": "LEAD", "intoId": first, "ids": [second] } })).await;
    let of = "query($id: ID!) { lead(id: $id) { status convertedDate convertedTo { contact { id } } } }";
    let lead = ada.data(of, json!({ "id": first })).await["lead"].clone();
    assert_eq!((&lead["status"], &lead["convertedTo"]["contact"]["id"]), (&json!("CONVERTED"), &became));
    assert!(lead["convertedDate"].is_string(), "{lead}");

    let (one, two) = (
        made(&ada, "deal", json!({ "name": "A" })).await,
        made(&ada, "deal", json!({ "name": "B", "nextStep": "call" })).await,
    );
    ada.data(run, json!({ "input": { "kind": "DEAL", "intoId": one, "ids": [two] } })).await;
    let of = ada.data("query($id: ID!) { deal(id: $id) { name nextStep } }", json!({ "id": one })).await;
    assert_eq!(of["deal"], json!({ "name": "A", "nextStep": "call" }));
    let stage = json!({ "kind": "DEAL", "intoId": one, "ids": [made(&ada, "deal", json!({ "name": "C" })).await],
        "fieldsFrom": [{ "field": "stageId", "recordId": one }] });
    let refusal = ada.refused(run, json!({ "input": stage }), "BAD_USER_INPUT").await;
    assert!(refusal["extensions"]["fields"]["fieldsFrom[0].field"].is_string(), "{refusal}");
    let task = json!({ "kind": "TASK", "intoId": one, "ids": [two] });
    ada.refused(run, json!({ "input": task }), "BAD_USER_INPUT").await;
}

#[tokio::test]
async fn what_is_wrong_or_stale_is_refused_and_changes_nothing() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let support = ada.invite_role(Role::Support).await;
    let (one, two) = (
        made(&ada, "contact", json!({ "lastName": "1" })).await,
        made(&ada, "contact", json!({ "lastName": "2", "city": "A" })).await,
    );
    for (input, field) in [
        (json!({ "intoId": one, "ids": [] }), "ids"),
        (json!({ "intoId": one, "ids": [one] }), "ids"),
        (json!({ "intoId": one, "ids": [two, two] }), "ids"),
        (
            json!({ "intoId": one, "ids": [two], "fieldsFrom": [{ "field": "nothing", "recordId": one }] }),
            "fieldsFrom[0].field",
        ),
        (json!({ "intoId": one, "ids": [two], "expectedVersions": [{ "id": one, "version": 9 }] }), "expectedVersions"),
    ] {
        let refusal = ada.refused(MERGE, json!({ "input": input }), "BAD_USER_INPUT").await;
        assert!(refusal["extensions"]["fields"][field].is_string(), "{field}: {refusal}");
    }
    let none = uuid::Uuid::now_v7();
    ada.refused(MERGE, json!({ "input": { "intoId": one, "ids": [none] } }), "NOT_FOUND").await;
    let update = "mutation($id: ID!) { updateContact(input: { id: $id, patch: { city: \"B\" } }) { contact { id } } }";
    ada.data(update, json!({ "id": two })).await;
    let stale = json!({ "intoId": one, "ids": [two], "expectedVersions": [{ "id": two, "version": 1 }] });
    let refusal = ada.refused(MERGE, json!({ "input": stale }), "CONFLICT").await;
    let details = json!({ "id": two, "version": 2, "present": { "city": "B" } });
    assert_eq!(refusal["extensions"]["details"], details);
    let both = json!({ "input": { "intoId": one, "ids": [two] } });
    rep.refused(MERGE, both.clone(), "FORBIDDEN").await;
    support.refused(MERGE, both, "FORBIDDEN").await;
    let own = made(&rep, "contact", json!({ "lastName": "3", "ownerId": rep.user() })).await;
    merge(&rep, &one, &[&own]).await;
    let merges = "SELECT count(*) AS value FROM record_merges";
    assert_eq!(sql::number(&server.database.db, merges).await, 1);
}

#[tokio::test]
async fn a_merge_takes_no_record_from_anybody_without_the_right_to_assign() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (rep, manager) = (ada.invite_role(Role::SalesRep).await, ada.invite_role(Role::Manager).await);
    let run = "mutation($input: MergeRecordsInput!) { mergeRecords(input: $input) { merge { id } } }";
    for (kind, name) in [("contact", "lastName"), ("account", "name"), ("deal", "name")] {
        let theirs = made(&ada, kind, json!({ name: "1", "ownerId": ada.user() })).await;
        let nobodys = made(&ada, kind, json!({ name: "2" })).await;
        let mut own = Vec::new();
        for _ in 0..2 {
            own.push(made(&rep, kind, json!({ name: "3", "ownerId": rep.user() })).await);
        }
        let input = |into: &str, from: &str| {
            json!({ "input": { "kind": kind.to_uppercase(), "intoId": into, "ids": [from],
                "fieldsFrom": [{ "field": "ownerId", "recordId": from }] } })
        };
        rep.refused(run, input(&theirs, &own[0]), "FORBIDDEN").await;
        rep.data(run, input(&nobodys, &own[0])).await;
        manager.data(run, input(&theirs, &own[1])).await;
        let owner = format!("query($id: ID!) {{ {kind}(id: $id) {{ ownerId }} }}");
        for id in [&nobodys, &theirs] {
            assert_eq!(ada.data(&owner, json!({ "id": id })).await[kind]["ownerId"], json!(rep.user()));
        }
    }
}

#[tokio::test]
async fn values_that_are_too_many_together_are_not_merged() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let large = |key: &str| json!({ "lastName": "N", "customFields": { key: "x".repeat(40_000) } });
    let (one, two) = (made(&ada, "contact", large("a")).await, made(&ada, "contact", large("b")).await);
    let refusal = ada.refused(MERGE, json!({ "input": { "intoId": one, "ids": [two] } }), "BAD_USER_INPUT").await;
    assert!(refusal["extensions"]["fields"]["customFields"].is_string(), "{refusal}");
    let chosen = json!([{ "field": "customFields", "recordId": one }]);
    let merged = ada.data(MERGE, json!({ "input": { "intoId": one, "ids": [two], "fieldsFrom": chosen } })).await;
    assert_eq!(merged["mergeContacts"]["contact"]["customFields"].as_object().map(|values| values.len()), Some(1));
}

#[tokio::test]
async fn what_comes_to_lead_to_a_record_while_it_is_merged_follows_it_or_is_refused() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (one, two) = (
        made(&ada, "contact", json!({ "lastName": "1" })).await,
        made(&ada, "contact", json!({ "lastName": "2" })).await,
    );
    let db = &server.database.db;
    // somebody who has just looked whether it is there, as who writes what leads to it does
    let mut writing = db.system_in(ada.workspace()).await.expect("a transaction");
    sql::run_in(&mut writing, &format!("SELECT FROM contacts WHERE id = '{two}' FOR KEY SHARE")).await;
    let waits = "SELECT count(*) AS value FROM pg_locks JOIN pg_stat_activity USING (pid) \
                  WHERE NOT granted AND datname = current_database()";
    let losers = [two.as_str()];
    let (merged, ()) = tokio::join!(merge(&ada, &one, &losers), async {
        eventually("the merge waits", async || sql::number(db, waits).await == 1).await;
        let note = format!(
            "INSERT INTO notes (workspace_id, id, contact_id, body, created_by, created_at, updated_at) \
             VALUES ('{}', gen_random_uuid(), '{two}', 'N', '{}', now(), now())",
            ada.workspace(),
            ada.user()
        );
        sql::run_in(&mut writing, &note).await;
        writing.commit().await.expect("written");
    });
    assert!(merged["merge"]["id"].is_string());
    let of = format!("SELECT count(*) AS value FROM notes WHERE contact_id = '{one}'");
    assert_eq!(sql::number(db, &of).await, 1);
    let late =
        "mutation($id: ID!) { createNote(input: { recordKind: CONTACT, recordId: $id, body: \"N\" }) { note { id } } }";
    ada.refused(late, json!({ "id": two }), "NOT_FOUND").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_merges_that_cross_one_is_refused() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    for _ in 0..10 {
        let (one, two) = (
            made(&ada, "contact", json!({ "lastName": "1" })).await,
            made(&ada, "contact", json!({ "lastName": "2" })).await,
        );
        let run = async |into: &str, other: &str| {
            ada.graphql(MERGE, json!({ "input": { "intoId": into, "ids": [other] } })).await
        };
        let (left, right) = tokio::join!(run(&one, &two), run(&two, &one));
        let refused: Vec<_> = [&left, &right].into_iter().filter(|answer| answer.get("errors").is_some()).collect();
        assert_eq!(refused.len(), 1, "{left} {right}");
        assert_eq!(refused[0]["errors"][0]["extensions"]["code"], "NOT_FOUND");
    }
    let live = "SELECT count(*) AS value FROM contacts WHERE deleted_at IS NULL";
    assert_eq!(sql::number(&server.database.db, live).await, 10);
}
