//! Dynamic lists follow: changes of contacts and of what is linked to them, other lists, the clock, and
//! what becomes of criteria that cannot be answered any more. (Any sequence of such: `random`.)

use chrono::TimeDelta;
use kontor::{auth::Role, crm::Contact};
use serde_json::{Value, json};

use super::{
    SHARE, add, contacts, held, list, remove, reversed,
    settled::{nothing_is_open, settled, wrong},
    text,
};
use crate::support::{client::Client, eventually, records::make_record, server::TestServer, sql};

const UPDATE: &str =
    "mutation($id: ID!, $p: ContactInput!) { updateContact(input: { id: $id, patch: $p }) { contact { id } } }";

fn equals(field: &str, value: &str) -> Value {
    json!({ "compare": { "field": field, "op": "EQ", "value": value } })
}

/// It is dynamic because it has criteria.
async fn dynamic(client: &Client, name: &str, criteria: Value) -> String {
    list(client, json!({ "name": name, "criteria": criteria })).await
}

async fn update(client: &Client, contact: &str, patch: Value) {
    client.data(UPDATE, json!({ "id": contact, "p": patch })).await;
}

/// The custom field `plan` of contacts.
async fn plan_field(client: &Client) -> Value {
    let field = "mutation { createCustomField(input: { kind: CONTACT, label: \"Plan\", key: \"plan\", type: TEXT }) {
        customField { id } } }";
    client.data(field, json!({})).await["createCustomField"]["customField"]["id"].take()
}

async fn delete_field(client: &Client, field: &Value) {
    let delete = "mutation($id: ID!) { deleteCustomField(input: { id: $id, force: true }) { jobId } }";
    client.data(delete, json!({ "id": field })).await;
}

async fn shown(client: &Client, list: &str) -> Value {
    let query = "query($id: ID!) { contactList(id: $id) { contactCount broken building { status }
        entriesAndExits { totalCount nodes { entered source } } } }";
    client.data(query, json!({ "id": list })).await["contactList"].take()
}

#[tokio::test]
async fn a_contact_enters_and_leaves_and_those_who_watch_are_told() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 2).await;
    let id = dynamic(&ada, "In Riga", equals("city", "Riga")).await;
    settled(&server).await;
    let after = server.cursor().await;
    let changes = "subscription($id: ID!, $after: String) { contactListChanged(id: $id, after: $after) { count entered left actor { kind } } }";
    let mut live = ada.subscribe(changes, json!({ "id": id, "after": after })).await;
    update(&ada, &ids[0], json!({ "city": "Riga" })).await;
    let told = live.next().await["contactListChanged"].take();
    assert_eq!((&told["count"], &told["entered"], &told["left"]), (&json!(1), &json!(ids[..1]), &json!([])));
    assert_eq!(held(&ada, &id).await, (1, ids[..1].to_vec()));
    // nothing that the list reads
    update(&ada, &ids[0], json!({ "title": "Captain" })).await;
    update(&ada, &ids[0], json!({ "city": "Oslo" })).await;
    let told = live.next().await["contactListChanged"].take();
    assert_eq!((&told["count"], &told["entered"], &told["left"]), (&json!(0), &json!([]), &json!(ids[..1])));
    settled(&server).await;
    let list = shown(&ada, &id).await;
    assert_eq!((&list["entriesAndExits"]["totalCount"], &list["building"]), (&json!(2), &Value::Null));
    assert_eq!(list["entriesAndExits"]["nodes"][0], json!({ "entered": false, "source": "CRITERIA_MATCH" }));
}

#[tokio::test]
async fn somebody_leaves_created_in_the_last_seven_days_on_time_with_nothing_written() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 1).await;
    let recent = json!({ "compare": { "field": "createdAt", "op": "IN_LAST", "value": 7, "unit": "DAY" } });
    let id = dynamic(&ada, "New", recent).await;
    settled(&server).await;
    server.advance(TimeDelta::days(4));
    let later = make_record::<Contact>(&server.ctx, &ada.caller(), json!({ "lastName": "Later" })).await.id.to_string();
    settled(&server).await;
    let ada = ada.again().await;
    assert_eq!(held(&ada, &id).await, (2, vec![later.clone(), ids[0].clone()]));
    server.advance(TimeDelta::days(3) + TimeDelta::seconds(5));
    let ada = ada.again().await;
    // by the schedule itself, not by the test
    eventually("the older one leaves", async || held(&ada, &id).await == (1, vec![later.clone()])).await;
    server.advance(TimeDelta::days(4));
    let ada = ada.again().await;
    eventually("the other one leaves", async || held(&ada, &id).await.0 == 0).await;
    nothing_is_open(&server.database.db).await;
    let changes = "SELECT count(*) AS value FROM record_changes";
    assert_eq!(sql::number(&server.database.db, changes).await, 0, "nobody changed anything");
}

#[tokio::test]
async fn lists_that_take_long_to_be_told_the_time_are_told_it_later() {
    let server = TestServer::start().await;
    let (ada, db) = (server.admin().await, &server.database.db);
    let ids = contacts(&server, &ada, 1).await;
    let recent = json!({ "compare": { "field": "createdAt", "op": "IN_LAST", "value": 7, "unit": "DAY" } });
    let id = dynamic(&ada, "New", recent).await;
    settled(&server).await;
    server.advance(TimeDelta::days(7) - TimeDelta::seconds(10));
    settled(&server).await;
    // as if no index had served
    sql::run(db, "UPDATE list_clocks SET took_millis = 20000").await;
    let told = "SELECT count(*) AS value FROM jobs WHERE kind = 'lists.tell_time' AND state = 'completed'";
    let before = sql::number(db, told).await;
    server.advance(TimeDelta::seconds(30));
    let ada = ada.again().await;
    eventually("somebody looks at the clock", async || sql::number(db, told).await > before).await;
    settled(&server).await;
    assert_eq!(held(&ada, &id).await, (1, ids));
    server.advance(TimeDelta::minutes(3));
    eventually("it is told now", async || held(&ada, &id).await.0 == 0).await;
}

#[tokio::test]
async fn a_day_begins_where_the_workspace_is() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    // noon of a Wednesday in UTC: Thursday already in Auckland
    let now = server.clock.now();
    let noon = (now + TimeDelta::days(7)).date_naive().and_hms_opt(12, 30, 0).expect("a time").and_utc();
    server.advance(noon - now);
    let ada = ada.again().await;
    let ids = contacts(&server, &ada, 1).await;
    update(&ada, &ids[0], json!({ "lastContactDate": noon - TimeDelta::hours(2) })).await;
    let today = dynamic(&ada, "Today", json!({ "compare": { "field": "lastContactDate", "op": "TODAY" } })).await;
    settled(&server).await;
    assert_eq!(held(&ada, &today).await.0, 1);
    let set = "mutation($zone: String!) { updateWorkspace(input: { timeZone: $zone }) { workspace { id } } }";
    ada.data(set, json!({ "zone": "Pacific/Auckland" })).await;
    settled(&server).await;
    assert_eq!(held(&ada, &today).await.0, 0);
    ada.data(set, json!({ "zone": "UTC" })).await;
    settled(&server).await;
    assert_eq!(held(&ada, &today).await.0, 1);
}

#[tokio::test]
async fn lists_that_ask_alike_are_told_apart() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let field = "mutation { createCustomField(input: { kind: CONTACT, label: \"Plan\", key: \"plan\", type: TEXT,
        isIndexed: true }) { customField { id } } }";
    ada.data(field, json!({})).await;
    let ids = contacts(&server, &ada, 2).await;
    let mut lists = Vec::new();
    for plan in ["gold", "free", "none"] {
        lists.push(dynamic(&ada, plan, equals("custom.plan", plan)).await);
    }
    for tags in [json!(["vip"]), json!(["vip", "news"])] {
        let any = json!({ "compare": { "field": "tags", "op": "HAS_ANY", "values": tags } });
        lists.push(dynamic(&ada, "T", any).await);
    }
    settled(&server).await;
    update(&ada, &ids[0], json!({ "customFields": { "plan": "Gold" }, "tags": ["news"] })).await;
    update(&ada, &ids[1], json!({ "customFields": { "plan": "free" }, "tags": ["vip"] })).await;
    settled(&server).await;
    let (first, second) = (vec![ids[0].clone()], vec![ids[1].clone()]);
    for (list, expected) in lists.iter().zip([first, second.clone(), vec![], second, reversed(&ids)]) {
        assert_eq!(held(&ada, list).await, (expected.len() as i64, expected));
    }
}

#[tokio::test]
async fn lists_of_lists_follow_down_the_chain() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 3).await;
    let chosen = list(&ada, json!({ "name": "S", "contactIds": ids[..1] })).await;
    let one = dynamic(&ada, "1", json!({ "inList": chosen })).await;
    let two = dynamic(&ada, "2", json!({ "inList": one })).await;
    let none = dynamic(&ada, "3", json!({ "not": { "inList": two } })).await;
    settled(&server).await;
    assert_eq!(held(&ada, &none).await, (2, reversed(&ids[1..])));
    add(&ada, &chosen, &ids[1..2]).await;
    settled(&server).await;
    assert_eq!(held(&ada, &two).await, (2, reversed(&ids[..2])));
    assert_eq!(held(&ada, &none).await, (1, ids[2..].to_vec()));
    remove(&ada, &chosen, &ids[..2]).await;
    settled(&server).await;
    assert_eq!(held(&ada, &none).await, (3, reversed(&ids)));
}

#[tokio::test]
async fn criteria_over_a_field_that_is_gone_are_broken_and_keep_their_members() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let plan = plan_field(&ada).await;
    let ids = contacts(&server, &ada, 2).await;
    update(&ada, &ids[0], json!({ "customFields": { "plan": "gold" } })).await;
    let id = dynamic(&ada, "Gold", equals("custom.plan", "gold")).await;
    let other = dynamic(&ada, "Riga", equals("city", "Riga")).await;
    settled(&server).await;
    assert_eq!(held(&ada, &id).await.0, 1);
    delete_field(&ada, &plan).await;
    settled(&server).await;
    let list = shown(&ada, &id).await;
    assert!(list["broken"].as_str().is_some_and(|why| why.contains("custom.plan") || why.contains("field")), "{list}");
    assert_eq!((&list["contactCount"], &list["building"]), (&json!(1), &Value::Null));
    // the others go on
    update(&ada, &ids[1], json!({ "city": "Riga" })).await;
    settled(&server).await;
    assert_eq!(held(&ada, &other).await, (1, ids[1..].to_vec()));
    plan_field(&ada).await;
    settled(&server).await;
    let list = shown(&ada, &id).await;
    assert_eq!((&list["broken"], &list["contactCount"]), (&Value::Null, &json!(0)));
}

#[tokio::test]
async fn a_broken_list_is_part_of_no_circle_and_its_deleted_members_are_not_copied() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let plan = plan_field(&ada).await;
    let ids = contacts(&server, &ada, 2).await;
    for id in &ids {
        update(&ada, id, json!({ "city": "Riga", "customFields": { "plan": "gold" } })).await;
    }
    let riga = dynamic(&ada, "Riga", equals("city", "Riga")).await;
    let gold = dynamic(&ada, "Gold", json!({ "all": [{ "inList": riga }, equals("custom.plan", "gold")] })).await;
    settled(&server).await;
    assert_eq!(held(&ada, &gold).await.0, 2);
    delete_field(&ada, &plan).await;
    settled(&server).await;
    assert!(shown(&ada, &gold).await["broken"].is_string());
    // it would be one as soon as the field is there again
    let edit = "mutation($id: ID!, $c: RecordCriteria!) { updateContactList(input: { id: $id, criteria: $c }) { contactList { id } } }";
    let refused = ada.refused(edit, json!({ "id": riga, "c": { "not": { "inList": gold } } }), "BAD_USER_INPUT").await;
    assert!(refused["extensions"]["fields"]["criteria"].is_string(), "{refused}");

    ada.data("mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }", json!({ "id": ids[0] })).await;
    settled(&server).await;
    let list = shown(&ada, &gold).await;
    let left = &list["entriesAndExits"]["nodes"][0];
    assert_eq!((&list["contactCount"], left), (&json!(1), &json!({ "entered": false, "source": "DELETED" })));
    assert!(list["broken"].is_string(), "it keeps the others");
    let copy = "mutation($id: ID!) { snapshotContactList(input: { id: $id, name: \"C\" }) { contactList { id } } }";
    let copy = text(&ada.data(copy, json!({ "id": gold })).await["snapshotContactList"]["contactList"]["id"]);
    assert_eq!(held(&ada, &copy).await, (1, ids[1..].to_vec()));
}

#[tokio::test]
async fn who_is_deleted_right_before_a_list_breaks_does_not_stay_in_it() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let plan = plan_field(&ada).await;
    let ids = contacts(&server, &ada, 2).await;
    for id in &ids {
        update(&ada, id, json!({ "customFields": { "plan": "gold" } })).await;
    }
    let gold = dynamic(&ada, "Gold", equals("custom.plan", "gold")).await;
    settled(&server).await;
    ada.data("mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }", json!({ "id": ids[0] })).await;
    delete_field(&ada, &plan).await;
    settled(&server).await;
    let list = shown(&ada, &gold).await;
    assert!(list["broken"].is_string(), "{list}");
    assert_eq!(list["contactCount"], 1);
}

#[tokio::test]
async fn sessions_and_tokens_are_no_change_of_a_person() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let contact = contacts(&server, &ada, 1).await.remove(0);
    update(&ada, &contact, json!({ "ownerId": rep.user() })).await;
    let id = dynamic(&ada, "Reps", equals("owner.role", "sales_rep")).await;
    settled(&server).await;
    assert_eq!(held(&ada, &id).await.0, 1);
    let followed = "SELECT count(*) AS value FROM jobs WHERE kind = 'lists.follow_changes'";
    let before = sql::number(&server.database.db, followed).await;
    let other = rep.again().await;
    other.post("/auth/logout", json!({})).await.expect(reqwest::StatusCode::OK);
    rep.data("mutation { updateUser(input: { preferences: { theme: \"dark\" } }) { user { id } } }", json!({})).await;
    settled(&server).await;
    assert_eq!(sql::number(&server.database.db, followed).await, before);
    let promote = "mutation($id: ID!) { updateUser(input: { id: $id, role: MANAGER }) { user { id } } }";
    ada.data(promote, json!({ "id": rep.user() })).await;
    settled(&server).await;
    assert_eq!(held(&ada, &id).await.0, 0);
}

#[tokio::test]
async fn a_name_that_was_changed_elsewhere_counts_here_too() {
    let server = TestServer::start().await;
    let (ada, there) = (server.admin().await, server.other_workspace().await);
    server.join(&ada, &there).await;
    let contact =
        make_record::<Contact>(&server.ctx, &there.caller(), json!({ "lastName": "N", "ownerId": ada.user() })).await;
    let id = dynamic(&there, "Countess", equals("owner.fullName", "Ada King")).await;
    settled(&server).await;
    assert_eq!(held(&there, &id).await.0, 0);
    ada.data("mutation { updateUser(input: { fullName: \"Ada King\" }) { user { id } } }", json!({})).await;
    settled(&server).await;
    assert_eq!(held(&there, &id).await, (1, vec![contact.id.to_string()]));
}

#[tokio::test]
async fn a_list_tells_nothing_of_one_that_its_maker_does_not_see_any_more() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let ids = contacts(&server, &ada, 2).await;
    let chosen = list(&ada, json!({ "name": "S", "contactIds": ids[..1], "sharing": "VIEW" })).await;
    let theirs = dynamic(&rep, "Theirs", json!({ "inList": chosen })).await;
    settled(&server).await;
    assert_eq!(held(&rep, &theirs).await, (1, ids[..1].to_vec()));
    let explain =
        "query($l: ID!, $r: ID!) { explainMembership(listId: $l, recordId: $r) { isMember broken nodes { passed } } }";
    let of = |contact: &str| json!({ "l": theirs, "r": contact });
    ada.data(SHARE, json!({ "input": { "id": chosen, "level": "PRIVATE" } })).await;
    // at once, whether the list has been told or not
    let told = rep.data(explain, of(&ids[0])).await["explainMembership"].take();
    assert_eq!((&told["isMember"], &told["nodes"], told["broken"].is_string()), (&json!(true), &json!([]), true));
    add(&ada, &chosen, &ids[1..]).await;
    settled(&server).await;
    let told = rep.data(explain, of(&ids[1])).await["explainMembership"].take();
    assert_eq!((&told["isMember"], &told["nodes"], told["broken"].is_string()), (&json!(false), &json!([]), true));
    let now = shown(&rep, &theirs).await;
    assert!(now["broken"].is_string(), "{now}");
    assert_eq!(now["contactCount"], 1, "what it was when it was to be seen");
    ada.data(SHARE, json!({ "input": { "id": chosen, "level": "VIEW" } })).await;
    settled(&server).await;
    let now = shown(&rep, &theirs).await;
    assert_eq!((&now["broken"], &now["contactCount"]), (&Value::Null, &json!(2)));
    assert_eq!(rep.data(explain, of(&ids[1])).await["explainMembership"]["nodes"], json!([{ "passed": true }]));
    // whoever sees the list, but not the one that it names, is not told of that one
    let hidden = list(&ada, json!({ "name": "H", "contactIds": ids[..1] })).await;
    let visible = list(
        &ada,
        json!({ "name": "V", "listType": "DYNAMIC", "sharing": "VIEW", "criteria": { "not": { "inList": hidden } } }),
    )
    .await;
    settled(&server).await;
    assert_eq!(held(&rep, &visible).await, (1, ids[1..].to_vec()));
    rep.refused(explain, json!({ "l": visible, "r": ids[0] }), "FORBIDDEN").await;
    ada.data(explain, json!({ "l": visible, "r": ids[0] })).await;
    // not by its name either, when it goes
    let delete = "mutation($id: ID!) { deleteContactList(input: { id: $id, force: true }) { deletedId } }";
    ada.data(delete, json!({ "id": hidden })).await;
    let broken = "query($id: ID!) { contactList(id: $id) { broken } }";
    let why = text(&rep.data(broken, json!({ "id": visible })).await["contactList"]["broken"]);
    assert!(!why.contains('H'), "{why}");
}

#[tokio::test]
async fn a_copy_of_a_list_counts_for_lists_about_lists() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 3).await;
    let source = list(&ada, json!({ "name": "S", "contactIds": ids[..2] })).await;
    let twice = json!({ "related": { "relation": "LISTS", "quantifier": "AT_LEAST", "count": 2 } });
    let twice = dynamic(&ada, "Twice", twice).await;
    settled(&server).await;
    assert_eq!(held(&ada, &twice).await.0, 0);
    let copy = "mutation($id: ID!) { snapshotContactList(input: { id: $id, name: \"C\" }) { contactList { id
        entriesAndExits { totalCount } } } }";
    let copy = ada.data(copy, json!({ "id": source })).await["snapshotContactList"]["contactList"].take();
    assert_eq!(copy["entriesAndExits"]["totalCount"], 2);
    settled(&server).await;
    assert_eq!(held(&ada, &twice).await, (2, reversed(&ids[..2])));
}

#[tokio::test]
async fn a_list_of_those_in_no_list_comes_to_rest() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 3).await;
    let chosen = list(&ada, json!({ "name": "S", "contactIds": ids[..1], "sharing": "EDIT" })).await;
    let nowhere = json!({ "related": { "relation": "LISTS", "quantifier": "NONE" } });
    let nowhere = dynamic(&ada, "Nowhere", nowhere).await;
    let all = dynamic(&ada, "All", json!({ "all": [] })).await;
    settled(&server).await;
    assert_eq!(held(&ada, &nowhere).await, (2, reversed(&ids[1..])));
    let log = "query($id: ID!) { contactList(id: $id) { entriesAndExits { totalCount } } }";
    let moves =
        async || ada.data(log, json!({ "id": nowhere })).await["contactList"]["entriesAndExits"]["totalCount"].take();
    assert_eq!(moves().await, 2);
    add(&ada, &chosen, &ids[1..2]).await;
    settled(&server).await;
    assert_eq!(held(&ada, &nowhere).await, (1, reversed(&ids[2..])));
    assert_eq!(moves().await, 3);
    // a dynamic list counts from when it is a static one
    let freeze = "mutation($id: ID!) { snapshotContactList(input: { id: $id }) { contactList { listType } } }";
    ada.data(freeze, json!({ "id": all })).await;
    settled(&server).await;
    assert_eq!(held(&ada, &nowhere).await.0, 0);

    // who sees the list is told why, but not in how many of its maker's lists a contact is
    let support = ada.invite_role(Role::Support).await;
    let share = json!({ "id": nowhere, "level": "VIEW" });
    ada.data(SHARE, json!({ "input": share })).await;
    let explain = "query($l: ID!, $r: ID!) { explainMembership(listId: $l, recordId: $r) { nodes { passed value } } }";
    for (client, seen) in [(&ada, json!(2)), (&support, Value::Null)] {
        let told = client.data(explain, json!({ "l": nowhere, "r": ids[0] })).await;
        assert_eq!(told["explainMembership"]["nodes"], json!([{ "passed": false, "value": seen }]));
    }

    // who may edit a list finds out nothing of what its maker keeps to themself
    let rep = ada.invite_role(Role::SalesRep).await;
    let shared =
        list(&ada, json!({ "name": "D", "listType": "DYNAMIC", "sharing": "EDIT", "criteria": { "all": [] } })).await;
    let edit = "mutation($id: ID!, $c: RecordCriteria!) { updateContactList(input: { id: $id, criteria: $c }) { contactList { id } } }";
    let name = json!({ "compare": { "field": "name", "op": "STARTS_WITH", "value": "S" } });
    let asking = json!({ "related": { "relation": "LISTS", "where": name } });
    rep.refused(edit, json!({ "id": shared, "c": { "any": [asking] } }), "BAD_USER_INPUT").await;
    ada.data(edit, json!({ "id": shared, "c": { "any": [asking] } })).await;
}

#[tokio::test]
async fn what_very_many_have_in_common_is_followed_too() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let account = "mutation($i: String!) { createAccount(input: { account: { name: \"Hansa\", industry: $i } }) { account { id } } }";
    let account = text(&ada.data(account, json!({ "i": "Grain" })).await["createAccount"]["account"]["id"]);
    let many = format!(
        "INSERT INTO contacts (workspace_id, id, last_name, account_id, created_by, created_at, updated_at) \
         SELECT '{}', gen_random_uuid(), 'N' || n, '{account}', '{}', now(), now() FROM generate_series(1, 2500) n",
        ada.workspace(),
        ada.user()
    );
    sql::run(&server.database.db, &many).await;
    let id = dynamic(&ada, "Grain", equals("account.industry", "Grain")).await;
    settled(&server).await;
    assert_eq!(shown(&ada, &id).await["contactCount"], 2_500);
    let change =
        "mutation($id: ID!) { updateAccount(input: { id: $id, patch: { industry: \"Salt\" } }) { account { id } } }";
    ada.data(change, json!({ "id": account })).await;
    settled(&server).await;
    assert_eq!(shown(&ada, &id).await["contactCount"], 0);
    let wrong = wrong(&server.ctx, &server.database.db, ada.workspace()).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_frozen_list_keeps_no_contact_that_was_deleted_just_before() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 2).await;
    let node = server.second_node().await;
    let id = dynamic(&ada, "All", json!({ "all": [] })).await;
    settled(&server).await;
    assert_eq!(held(&ada, &id).await.0, 2);
    drop(node);
    // nobody follows now
    ada.data("mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }", json!({ "id": ids[0] })).await;
    let freeze =
        "mutation($id: ID!) { snapshotContactList(input: { id: $id }) { contactList { listType contactCount } } }";
    let frozen = ada.data(freeze, json!({ "id": id })).await["snapshotContactList"]["contactList"].take();
    assert_eq!(frozen, json!({ "listType": "STATIC", "contactCount": 1 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_move_each_member_once() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let node = server.second_node().await;
    let there = node.client(ada.token.as_deref().expect("signed in"));
    let ids = contacts(&server, &ada, 10).await;
    let mut lists = Vec::new();
    for city in ["Riga", "Oslo"] {
        lists.push(dynamic(&ada, city, equals("city", city)).await);
    }
    lists.push(dynamic(&ada, "Both", json!({ "any": [{ "inList": lists[0] }, { "inList": lists[1] }] })).await);
    for round in 0..6 {
        let city = ["Riga", "Oslo", "Bergen"][round % 3];
        let (one, two) = ids.split_at(5);
        let here = async {
            for id in one {
                update(&ada, id, json!({ "city": city })).await;
            }
        };
        let there = async {
            for id in two {
                update(&there, id, json!({ "city": city })).await;
            }
        };
        tokio::join!(here, there);
    }
    settled(&server).await;
    let wrong = wrong(&server.ctx, &server.database.db, ada.workspace()).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    // nobody entered twice in a row
    let twice = "SELECT count(*) AS value FROM (SELECT entered, lag(entered) OVER (PARTITION BY list_id, record_id ORDER BY id) \
                   AS before FROM list_log) AS log WHERE entered = before";
    assert_eq!(sql::number(&server.database.db, twice).await, 0);
}
