//! A merge is taken back as far as everything is still where it was put.

use chrono::TimeDelta;
use kontor::auth::Role;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use super::{ADD, MERGE, UNDO, dump, made, merge, text, undo};
use crate::support::{client::Client, server::TestServer, sql};

async fn list(client: &Client, contacts: &[&str]) -> String {
    let new =
        "mutation($ids: [ID!]) { createContactList(input: { name: \"L\", contactIds: $ids }) { contactList { id } } }";
    text(&client.data(new, json!({ "ids": contacts })).await["createContactList"]["contactList"]["id"])
}

async fn note(client: &Client, contact: &str) {
    let new =
        "mutation($id: ID!) { createNote(input: { recordKind: CONTACT, recordId: $id, body: \"N\" }) { note { id } } }";
    client.data(new, json!({ "id": contact })).await;
}

fn assert_same(before: &[String], after: &[String], what: &str) {
    let missing: Vec<_> = before.iter().filter(|row| !after.contains(row)).collect();
    let more: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
    assert!(missing.is_empty() && more.is_empty(), "{what}\nmissing {missing:#?}\ntoo many {more:#?}");
}

#[tokio::test]
async fn everything_is_as_before() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let field = "mutation { createCustomField(input: { kind: CONTACT, label: \"Number\", key: \"number\", type: TEXT, isUnique: true }) { customField { id } } }";
    ada.data(field, json!({})).await;
    let stays = made(&ada, "contact", json!({ "lastName": "S", "tags": ["a"], "phone": "030 1111111" })).await;
    let lead = made(&ada, "lead", json!({ "lastName": "G", "email": "g@a.test", "company": "Navy" })).await;
    let convert = "mutation($id: ID!) { convertLead(input: { id: $id, account: { name: \"Navy\" }, deal: {} }) { contact { id } } }";
    let goes = text(&ada.data(convert, json!({ "id": lead })).await["convertLead"]["contact"]["id"]);
    let update = "mutation($id: ID!) { updateContact(input: { id: $id, patch: { city: \"Rome\", tags: [\"b\"], mobile: \"0151 1234567\",
        customFields: { number: \"7\", free: [1] } } }) { contact { id } } }";
    ada.data(update, json!({ "id": goes })).await;
    ada.data(ADD, json!({ "contact": goes, "kind": "EMAIL", "address": "more@a.test" })).await;
    ada.data(ADD, json!({ "contact": goes, "kind": "PHONE", "address": "030 1111111" })).await;
    ada.data(ADD, json!({ "contact": stays, "kind": "EMAIL", "address": "s@a.test" })).await;
    made(&ada, "task", json!({ "title": "T", "contactId": goes })).await;
    let dead = made(&ada, "deal", json!({ "name": "Dead", "contactId": goes })).await;
    ada.data("mutation($id: ID!) { deleteDeal(input: { id: $id }) { deletedId } }", json!({ "id": dead })).await;
    note(&ada, &goes).await;
    list(&ada, &[&goes]).await;
    list(&ada, &[&goes, &stays]).await;
    list(&ada, &[&stays]).await;
    server.jobs_done().await;
    let field = "mutation { createCustomField(input: { kind: DEAL, label: \"By\", key: \"by\", type: RECORD, recordKind: CONTACT }) { customField { id } } }";
    ada.data(field, json!({})).await;
    let through = made(&ada, "deal", json!({ "name": "By", "customFields": { "by": goes } })).await;
    let before = dump(&server).await;
    let merged = merge(&ada, &stays, &[&goes]).await;
    let by = "query($id: ID!) { deal(id: $id) { customFields history { nodes { field after } } } }";
    let by = ada.data(by, json!({ "id": through })).await["deal"].clone();
    let told = json!([{ "field": "custom.by", "after": stays }]);
    assert_eq!((&by["customFields"]["by"], &by["history"]["nodes"]), (&json!(stays), &told));
    assert_eq!(merged["contact"]["customFields"], json!({ "number": "7", "free": [1] }));
    assert_eq!(merged["contact"]["email"], "g@a.test");
    server.jobs_done().await;
    assert_ne!(dump(&server).await, before);
    let undone = undo(&ada, &merged).await;
    assert_eq!(
        (&undone["restoredIds"], &undone["keptFields"], &undone["keptCount"]),
        (&json!([goes]), &json!([]), &json!(0))
    );
    assert!(undone["merge"]["undoneAt"].is_string());
    server.jobs_done().await;
    assert_same(&before, &dump(&server).await, "after undoing");
    // once, and it says so
    ada.refused(UNDO, json!({ "id": merged["merge"]["id"] }), "CONFLICT").await;
    let merges = "query($id: ID!) { merges(kind: CONTACT, recordId: $id) { id undoneAt undoableUntil } mergedInto(kind: CONTACT, id: $id) { id } }";
    let known = ada.data(merges, json!({ "id": goes })).await;
    assert_eq!(
        (&known["merges"][0]["id"], &known["merges"][0]["undoableUntil"]),
        (&merged["merge"]["id"], &Value::Null)
    );
    assert_eq!(known["mergedInto"], Value::Null);
}

#[tokio::test]
async fn accounts_leads_and_deals_are_as_before_as_well() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let note = "mutation($kind: RecordKind!, $id: ID!) { createNote(input: { recordKind: $kind, recordId: $id, body: \"N\" }) {
        note { id } } }";
    let (one, two) = (
        made(&ada, "account", json!({ "name": "A", "tags": ["a"] })).await,
        made(&ada, "account", json!({ "name": "B", "accountNumber": "2", "website": "b.test", "tags": ["b"] })).await,
    );
    let contact = made(&ada, "contact", json!({ "lastName": "C", "accountId": two })).await;
    let deals = [
        made(&ada, "deal", json!({ "name": "D", "accountId": two, "contactId": contact })).await,
        made(&ada, "deal", json!({ "name": "E", "nextStep": "call", "amount": "12.50" })).await,
    ];
    let leads = [
        made(&ada, "lead", json!({ "lastName": "L" })).await,
        made(&ada, "lead", json!({ "lastName": "M", "email": "m@a.test", "company": "Navy" })).await,
    ];
    ada.data("mutation($id: ID!) { convertLead(input: { id: $id }) { contact { id } } }", json!({ "id": leads[1] }))
        .await;
    made(&ada, "task", json!({ "title": "T", "dealId": deals[1] })).await;
    for (kind, id) in [("ACCOUNT", &two), ("DEAL", &deals[1]), ("LEAD", &leads[1])] {
        ada.data(note, json!({ "kind": kind, "id": id })).await;
    }
    server.jobs_done().await;
    let before = dump(&server).await;
    let run = "mutation($input: MergeRecordsInput!) { mergeRecords(input: $input) { merge { id } } }";
    for (kind, stays, goes) in [("ACCOUNT", &one, &two), ("DEAL", &deals[0], &deals[1]), ("LEAD", &leads[0], &leads[1])]
    {
        let input = json!({ "kind": kind, "intoId": stays, "ids": [goes] });
        let merged = ada.data(run, json!({ "input": input })).await["mergeRecords"].take();
        assert_ne!(dump(&server).await, before, "{kind}");
        let undone = undo(&ada, &merged).await;
        assert_eq!((&undone["restoredIds"], &undone["keptCount"]), (&json!([goes]), &json!(0)), "{kind}: {undone}");
        server.jobs_done().await;
        assert_same(&before, &dump(&server).await, kind);
    }
}

#[tokio::test]
async fn an_undoing_is_not_shown_again_to_who_does_not_see_the_record_any_more() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let lead = |name: &str| json!({ "lastName": name, "ownerId": rep.user() });
    let (stays, goes) = (made(&rep, "lead", lead("S")).await, made(&rep, "lead", lead("G")).await);
    let run = "mutation($input: MergeRecordsInput!) { mergeRecords(input: $input) { merge { id } } }";
    let input = json!({ "kind": "LEAD", "intoId": stays, "ids": [goes] });
    let merged = rep.data(run, json!({ "input": input })).await["mergeRecords"]["merge"]["id"].take();
    let undo = "mutation($id: ID!) { undoMerge(input: { mergeId: $id, clientMutationId: \"k\" }) { restoredIds } }";
    let first = rep.data(undo, json!({ "id": merged })).await;
    assert_eq!(rep.data(undo, json!({ "id": merged })).await, first);
    let give =
        "mutation($id: ID!, $to: ID!) { updateLead(input: { id: $id, patch: { ownerId: $to } }) { lead { id } } }";
    ada.data(give, json!({ "id": stays, "to": ada.user() })).await;
    rep.refused(undo, json!({ "id": merged }), "NOT_FOUND").await;
}

#[tokio::test]
async fn what_was_changed_since_stays_and_is_told() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let stays = made(&ada, "contact", json!({ "lastName": "S" })).await;
    let goes = made(&ada, "contact", json!({ "lastName": "G", "firstName": "F", "city": "Rome", "tags": ["b"] })).await;
    let third = made(&ada, "contact", json!({ "lastName": "T" })).await;
    let (kept, moved) = (
        made(&ada, "deal", json!({ "name": "K", "contactId": goes })).await,
        made(&ada, "deal", json!({ "name": "M", "contactId": goes })).await,
    );
    let one = list(&ada, &[&goes]).await;
    let two = list(&ada, &[&goes]).await;
    let merged = merge(&ada, &stays, &[&goes]).await;
    let update =
        "mutation($id: ID!, $c: ContactInput!) { updateContact(input: { id: $id, patch: $c }) { contact { id } } }";
    ada.data(update, json!({ "id": stays, "c": { "city": "Oslo", "tags": ["b", "c"] } })).await;
    let move_deal =
        "mutation($id: ID!, $to: ID!) { updateDeal(input: { id: $id, patch: { contactId: $to } }) { deal { id } } }";
    ada.data(move_deal, json!({ "id": moved, "to": third })).await;
    // out and in again: somebody wants it there
    for verb in ["removeContactsFromList", "addContactsToList"] {
        let change = format!("mutation($input: ListMembersInput!) {{ {verb}(input: $input) {{ changedCount }} }}");
        ada.data(&change, json!({ "input": { "id": two, "contactIds": [stays] } })).await;
    }
    let undone = undo(&ada, &merged).await;
    let mut fields: Vec<_> = undone["keptFields"].as_array().expect("a list").iter().map(text).collect();
    fields.sort();
    assert_eq!(fields, ["city", "tags"]);
    assert_eq!((&undone["movedBackCount"], &undone["keptCount"]), (&json!(2), &json!(2)));
    let look = "query($id: ID!) { contact(id: $id) { firstName city tags deals { nodes { id } } lists { id } } }";
    let contact = ada.data(look, json!({ "id": stays })).await["contact"].clone();
    let named = json!({ "firstName": null, "city": "Oslo", "tags": ["b", "c"], "deals": { "nodes": [] }, "lists": [{ "id": two }] });
    assert_eq!(contact, named);
    let contact = ada.data(look, json!({ "id": goes })).await["contact"].clone();
    assert_eq!((&contact["city"], &contact["deals"]["nodes"]), (&json!("Rome"), &json!([{ "id": kept }])));
    let mut lists: Vec<_> = contact["lists"].as_array().expect("a list").iter().map(|one| text(&one["id"])).collect();
    lists.sort();
    let mut both = vec![one, two];
    both.sort();
    assert_eq!(lists, both);
    let contact = ada.data(look, json!({ "id": third })).await["contact"].clone();
    assert_eq!(contact["deals"]["nodes"], json!([{ "id": moved }]));
}

#[tokio::test]
async fn a_merge_that_something_stands_upon_or_that_is_too_old_is_not_undone() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let one = made(&ada, "contact", json!({ "lastName": "1", "email": "one@a.test" })).await;
    let two = made(&ada, "contact", json!({ "lastName": "2", "email": "two@a.test" })).await;
    let three = made(&ada, "contact", json!({ "lastName": "3" })).await;
    let first = merge(&ada, &one, &[&two]).await;
    let second = merge(&ada, &three, &[&one]).await;
    let into = "query($id: ID!) { mergedInto(kind: CONTACT, id: $id) { id } }";
    assert_eq!(ada.data(into, json!({ "id": two })).await["mergedInto"]["id"], json!(three));
    ada.refused(UNDO, json!({ "id": first["merge"]["id"] }), "CONFLICT").await;
    undo(&ada, &second).await;
    // somebody took the address that returns
    let known = "query($id: ID!) { contact(id: $id) { extraAddresses { id } } }";
    let known = ada.data(known, json!({ "id": one })).await["contact"]["extraAddresses"][0]["id"].clone();
    ada.data(
        "mutation($id: ID!) { removeExtraAddress(input: { id: $id }) { contact { id } } }",
        json!({ "id": known }),
    )
    .await;
    let thief = made(&ada, "contact", json!({ "lastName": "4", "email": "two@a.test" })).await;
    let refusal = ada.refused(UNDO, json!({ "id": first["merge"]["id"] }), "CONFLICT").await;
    assert_eq!(refusal["extensions"]["details"]["other"], json!(thief));
    ada.data("mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }", json!({ "id": thief })).await;
    server.advance(TimeDelta::days(31));
    let ada = ada.again().await;
    ada.refused(UNDO, json!({ "id": first["merge"]["id"] }), "CONFLICT").await;
}

#[tokio::test]
async fn what_was_merged_comes_back_with_the_merge_alone() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (one, two) =
        (made(&ada, "lead", json!({ "lastName": "1" })).await, made(&ada, "lead", json!({ "lastName": "2" })).await);
    made(&ada, "task", json!({ "title": "T", "leadId": two })).await;
    let run = "mutation($input: MergeRecordsInput!) { mergeRecords(input: $input) { merge { id } } }";
    let merged = ada.data(run, json!({ "input": { "kind": "LEAD", "intoId": one, "ids": [two] } })).await;
    let restore = "mutation($id: ID!) { restoreLead(input: { id: $id }) { lead { id } } }";
    let refused = ada.refused(restore, json!({ "id": two }), "CONFLICT").await;
    assert!(refused["message"].as_str().is_some_and(|why| why.contains("undoMerge")), "{refused}");
    let many = "mutation($id: ID!) { bulkRestore(input: { kind: LEAD, ids: [$id] }) { job { id } } }";
    ada.data(many, json!({ "id": two })).await;
    server.jobs_done().await;
    let there = "query($id: ID!) { lead(id: $id) { id } mergedInto(kind: LEAD, id: $id) { id } }";
    let there = ada.data(there, json!({ "id": two })).await;
    assert_eq!((&there["lead"], &there["mergedInto"]["id"]), (&Value::Null, &json!(one)));
    ada.data(UNDO, json!({ "id": merged["mergeRecords"]["merge"]["id"] })).await;
    let back = ada.data("query($id: ID!) { lead(id: $id) { tasks { totalCount } } }", json!({ "id": two })).await;
    assert_eq!(back["lead"]["tasks"]["totalCount"], 1);
}

#[tokio::test]
async fn a_value_that_its_field_does_not_take_any_more_does_not_return() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let field =
        "mutation($type: CustomFieldType!) { createCustomField(input: { kind: CONTACT, label: \"X\", key: \"x\",
        type: $type }) { customField { id } } }";
    let text_field = ada.data(field, json!({ "type": "TEXT" })).await["createCustomField"]["customField"]["id"].clone();
    let one = made(&ada, "contact", json!({ "lastName": "1", "customFields": { "x": "old" } })).await;
    let two = made(&ada, "contact", json!({ "lastName": "2" })).await;
    let chosen = json!([{ "field": "custom.x", "recordId": two }]);
    let merged = ada.data(MERGE, json!({ "input": { "intoId": one, "ids": [two], "fieldsFrom": chosen } })).await;
    let merged = merged["mergeContacts"].clone();
    assert_eq!(merged["contact"]["customFields"], json!({}));
    ada.data("mutation($id: ID!) { deleteCustomField(input: { id: $id }) { jobId } }", json!({ "id": text_field }))
        .await;
    server.jobs_done().await;
    ada.data(field, json!({ "type": "NUMBER" })).await;
    let undone = undo(&ada, &merged).await;
    assert_eq!(undone["keptFields"], json!(["custom.x"]));
    let of = ada.data("query($id: ID!) { contact(id: $id) { customFields } }", json!({ "id": one })).await;
    assert_eq!(of["contact"]["customFields"], json!({}));
}

/// What stands around five contacts, and which become one, one merge after the other.
#[derive(Debug, Clone)]
struct Plan {
    deals: Vec<usize>,
    tasks: Vec<usize>,
    notes: Vec<usize>,
    /// The contacts of three lists.
    lists: Vec<Vec<usize>>,
    addresses: Vec<usize>,
    /// Places among those that are left: one that stays, one that goes.
    merges: Vec<(usize, usize)>,
}

fn plans() -> impl Strategy<Value = Plan> {
    let some = || prop::collection::vec(0..5_usize, 0..5);
    let merges = prop::collection::vec((0..5_usize, 1..5_usize), 1..4);
    (some(), some(), some(), prop::collection::vec(some(), 3), some(), merges).prop_map(
        |(deals, tasks, notes, lists, addresses, merges)| Plan { deals, tasks, notes, lists, addresses, merges },
    )
}

#[tokio::test]
async fn whatever_was_merged_is_as_before_once_all_is_undone_backwards() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(Default::default()),
    );
    for round in 0..6 {
        let plan = plans().new_tree(&mut runner).expect("a plan").current();
        let mut contacts = Vec::new();
        for number in 0..5 {
            let fields = json!({ "lastName": format!("N{number}"), "email": format!("n{round}-{number}@a.test"),
                "phone": if number % 2 == 0 { json!(format!("030 55555{number}")) } else { Value::Null }, "tags": [format!("t{number}")] });
            contacts.push(made(&ada, "contact", fields).await);
        }
        for (at, of) in plan.deals.iter().enumerate() {
            made(&ada, "deal", json!({ "name": format!("D{at}"), "contactId": contacts[*of] })).await;
        }
        for (at, of) in plan.tasks.iter().enumerate() {
            made(&ada, "task", json!({ "title": format!("T{at}"), "contactId": contacts[*of] })).await;
        }
        for of in &plan.notes {
            note(&ada, &contacts[*of]).await;
        }
        for of in &plan.lists {
            let of: Vec<_> = of.iter().map(|at| contacts[*at].as_str()).collect();
            list(&ada, &of).await;
        }
        for (at, of) in plan.addresses.iter().enumerate() {
            let address = format!("x{round}-{at}@a.test");
            ada.data(ADD, json!({ "contact": contacts[*of], "kind": "EMAIL", "address": address })).await;
        }
        server.jobs_done().await;
        let mut left = contacts.clone();
        let mut done = Vec::new();
        for (stays, other) in &plan.merges {
            if left.len() < 2 {
                break;
            }
            let stays = stays % left.len();
            let goes = (stays + other % (left.len() - 1).max(1) + 1) % left.len();
            if goes == stays {
                continue;
            }
            let before = dump(&server).await;
            let input = json!({ "input": { "intoId": left[stays], "ids": [left[goes]] } });
            done.push((before, ada.data(MERGE, input).await["mergeContacts"].take()));
            left.remove(goes);
        }
        while let Some((before, merged)) = done.pop() {
            undo(&ada, &merged).await;
            assert_same(&before, &dump(&server).await, &format!("{plan:?}"));
        }
    }
    let orphans = "SELECT count(*) AS value FROM record_merge_moves";
    assert_eq!(sql::number(&server.database.db, orphans).await, 0);
}
