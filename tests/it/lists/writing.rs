//! Making, changing and deleting lists; members by id and by list; folders, favourites, snapshots.

use chrono::TimeDelta;
use kontor::{
    auth::Role,
    jobs::{Enqueued, enqueue},
    lists::jobs::FreezeLists,
};
use serde_json::{Value, json};

use super::{ADD, CREATE, REMOVE, add, contacts, held, list, remove, reversed, text};
use crate::support::{client::Client, server::TestServer, sql, statements};

const UPDATE: &str = "mutation($input: UpdateContactListInput!) { updateContactList(input: $input) { contactList {
    name description color icon tags folder { name } criteria freezeAt updatedAt } } }";
const DELETE: &str = "mutation($input: DeleteContactListInput!) { deleteContactList(input: $input) { deletedId } }";
const SNAPSHOT: &str =
    "mutation($input: SnapshotContactListInput!) { snapshotContactList(input: $input) { contactList {
    id name listType criteria freezeAt contactCount isShared } } }";
const FAVORITE: &str =
    "mutation($input: SetListFavoriteInput!) { setListFavorite(input: $input) { contactList { isFavorite } } }";

#[tokio::test]
async fn a_list_is_what_was_said_of_it() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let folder =
        ada.data("mutation { createListFolder(input: { name: \" Fairs \" }) { folder { id name } } }", json!({})).await;
    let folder = &folder["createListFolder"]["folder"];
    assert_eq!(folder["name"], "Fairs");
    let id = list(&ada, json!({ "name": "VIPs", "folderId": folder["id"] })).await;
    let change = async |input: Value| {
        let mut input = input;
        input["id"] = json!(id);
        ada.data(UPDATE, json!({ "input": input })).await["updateContactList"]["contactList"].take()
    };
    let before = change(json!({})).await;
    assert_eq!(
        [&before["color"], &before["folder"]["name"], &before["criteria"]],
        [&json!("#3B82F6"), &json!("Fairs"), &Value::Null]
    );
    let all = json!({ "name": " Best ", "description": "D", "color": "#a1B2c3", "icon": "star", "tags": ["x", "x", "y"], "folderId": null });
    let after = change(all).await;
    let shown =
        json!([after["name"], after["description"], after["color"], after["icon"], after["tags"], after["folder"]]);
    assert_eq!(shown, json!(["Best", "D", "#a1B2c3", "star", ["x", "y"], null]));
    // what changes nothing writes nothing
    let events = "SELECT count(*) AS value FROM events WHERE name = 'contact_list.updated'";
    server.events_logged().await;
    let told = sql::number(&server.database.db, events).await;
    assert_eq!(change(json!({ "name": "Best", "tags": ["x", "y"] })).await["updatedAt"], after["updatedAt"]);
    server.events_logged().await;
    assert_eq!(sql::number(&server.database.db, events).await, told);
    assert_eq!(change(json!({ "description": null, "color": null, "icon": null })).await["color"], "#3B82F6");
    for wrong in [
        json!({ "name": "" }),
        json!({ "color": "blue" }),
        json!({ "color": "#12345" }),
        json!({ "criteria": { "all": [] } }),
        json!({ "freezeAt": "2100-01-01T00:00:00Z" }),
        json!({ "folderId": ada.user() }),
        json!({ "tags": ["x".repeat(61)] }),
    ] {
        let mut input = wrong.clone();
        input["id"] = json!(id);
        ada.refused(UPDATE, json!({ "input": input }), "BAD_USER_INPUT").await;
    }
    ada.refused(CREATE, json!({ "input": { "name": "N", "listType": "DYNAMIC" } }), "BAD_USER_INPUT").await;
    ada.refused(
        CREATE,
        json!({ "input": { "name": "N", "listType": "STATIC", "criteria": { "all": [] } } }),
        "BAD_USER_INPUT",
    )
    .await;
}

#[tokio::test]
async fn members_come_and_go_with_an_outcome_each() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 3).await;
    let stranger = contacts(&server, &server.other_workspace().await, 1).await.remove(0);
    let id = list(&ada, json!({ "name": "L", "contactIds": [ids[0]] })).await;
    let moved = add(&ada, &id, &[ids[1].clone(), ids[0].clone(), stranger.clone(), ids[1].clone()]).await;
    let outcomes = json!([
        { "contactId": ids[1], "outcome": "ADDED" },
        { "contactId": ids[0], "outcome": "ALREADY" },
        { "contactId": stranger, "outcome": "MISSING" },
    ]);
    assert_eq!(moved["results"], outcomes);
    assert_eq!(json!([moved["changedCount"], moved["alreadyCount"], moved["missingCount"]]), json!([1, 1, 1]));
    assert_eq!(held(&ada, &id).await, (2, reversed(&ids[..2])));
    let moved = remove(&ada, &id, &[ids[0].clone(), ids[2].clone(), stranger]).await;
    let outcomes: Vec<_> =
        moved["results"].as_array().expect("results").iter().map(|one| text(&one["outcome"])).collect();
    assert_eq!(outcomes, ["REMOVED", "ALREADY", "MISSING"]);
    assert_eq!(moved["contactList"]["contactCount"], 1);

    // by another list
    let other = list(&ada, json!({ "name": "Other", "contactIds": ids })).await;
    let by_list = json!({ "input": { "id": id, "fromListId": other } });
    let moved = ada.data(ADD, by_list.clone()).await["addContactsToList"].take();
    assert_eq!(json!([moved["changedCount"], moved["alreadyCount"]]), json!([2, 1]));
    let outcomes = ["ADDED", "ALREADY", "ADDED"];
    let outcomes = ids.iter().zip(outcomes).map(|(id, outcome)| json!({ "contactId": id, "outcome": outcome }));
    assert_eq!(moved["results"], outcomes.collect::<Value>());
    assert_eq!(held(&ada, &id).await, (3, reversed(&ids)));
    let moved = ada.data(REMOVE, by_list).await["removeContactsFromList"].take();
    assert_eq!((&moved["changedCount"], held(&ada, &id).await), (&json!(3), (0, vec![])));

    // who came and went, the newest first, and how
    let query = "query($id: ID!, $after: String) { contactList(id: $id) { entriesAndExits(first: 4, after: $after) {
        totalCount pageInfo { endCursor hasNextPage } nodes { entered source contactId contact { lastName } } } } }";
    let mut log = ada.data(query, json!({ "id": id })).await["contactList"]["entriesAndExits"].take();
    assert_eq!((&log["totalCount"], &log["pageInfo"]["hasNextPage"]), (&json!(8), &json!(true)));
    let mut rows = log["nodes"].as_array().expect("rows").clone();
    let after = log["pageInfo"]["endCursor"].take();
    let rest = ada.data(query, json!({ "id": id, "after": after })).await["contactList"]["entriesAndExits"].take();
    rows.extend(rest["nodes"].as_array().expect("rows").clone());
    let told: Vec<_> = rows.iter().map(|row| (row["entered"] == true, text(&row["source"]))).collect();
    let expected = [(false, "LIST"); 3].into_iter().chain([(true, "LIST"); 2]);
    let expected = expected.chain([(false, "MANUAL"), (true, "MANUAL"), (true, "MANUAL")]);
    assert_eq!(told, expected.map(|(entered, source)| (entered, source.to_owned())).collect::<Vec<_>>());
    assert_eq!((text(&rows[7]["contactId"]), &rows[7]["contact"]["lastName"]), (ids[0].clone(), &json!("N0")));

    let both = json!({ "input": { "id": id, "contactIds": [], "fromListId": other } });
    ada.refused(ADD, both, "BAD_USER_INPUT").await;
    ada.refused(ADD, json!({ "input": { "id": id, "contactIds": ["x"] } }), "BAD_USER_INPUT").await;
    let many = vec![uuid::Uuid::now_v7().to_string(); 10_001];
    ada.refused(ADD, json!({ "input": { "id": id, "contactIds": many } }), "BAD_USER_INPUT").await;
    let dynamic = list(&ada, json!({ "name": "D", "listType": "DYNAMIC", "criteria": { "all": [] } })).await;
    ada.refused(ADD, json!({ "input": { "id": dynamic, "contactIds": ids } }), "BAD_USER_INPUT").await;
}

#[tokio::test]
async fn members_are_paged_from_the_newest_contact_on() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 7).await;
    let id = list(&ada, json!({ "name": "L", "contactIds": ids })).await;
    let query = "query($id: ID!, $after: String) { contactList(id: $id) { contacts(first: 3, after: $after) {
        edges { cursor enteredAt source node { id } } pageInfo { hasNextPage endCursor } } } }";
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut page = ada.data(query, json!({ "id": id, "after": after })).await["contactList"]["contacts"].take();
        let edges = page["edges"].as_array().expect("edges");
        assert!(edges.iter().all(|edge| edge["enteredAt"].is_string() && edge["source"] == "MANUAL"));
        seen.extend(edges.iter().map(|edge| text(&edge["node"]["id"])));
        after = page["pageInfo"]["endCursor"].take();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen, reversed(&ids));
    ada.refused(query, json!({ "id": id, "after": "nonsense" }), "BAD_USER_INPUT").await;
}

#[tokio::test]
async fn a_page_of_lists_with_all_that_they_lead_to_takes_a_constant_number_of_statements() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 3).await;
    for number in 0..20 {
        list(&ada, json!({ "name": format!("L{number:02}"), "contactIds": ids })).await;
    }
    let query = "query($first: Int!) { contactLists(first: $first) { nodes { name isFavorite createdBy { fullName }
        sharing { shares { canEdit } } usedBy { name } contacts(first: 2) { nodes { lastName lists { name } } }
        entriesAndExits(first: 2) { nodes { contactId } }
        sizeHistory(range: { from: \"2026-01-01T00:00:00Z\", to: \"2026-12-01T00:00:00Z\" }) { size } } } }";
    let ask =
        async |first: usize| statements::caused_by(ada.workspace(), ada.data(query, json!({ "first": first }))).await;
    let (_, few) = ask(2).await;
    let (many, seen) = ask(20).await;
    let lists = many["contactLists"]["nodes"].as_array().expect("rows");
    assert_eq!(lists.len(), 20);
    let whole = |list: &Value| {
        let nodes = &list["contacts"]["nodes"];
        nodes.as_array().is_some_and(|nodes| nodes.len() == 2)
            && nodes[0]["lists"].as_array().is_some_and(|lists| lists.len() == 20)
    };
    assert!(lists.iter().all(whole));
    assert_eq!(seen.len(), few.len(), "{seen:#?}");
}

/// The names of the lists that this person sees, in order, page by page.
async fn names(client: &Client, filter: Value) -> Vec<String> {
    let query =
        "query($after: String, $type: ListType, $favorite: Boolean, $search: String, $folder: ID, $tag: String) {
        contactLists(first: 2, after: $after, type: $type, favorite: $favorite, search: $search, folderId: $folder,
            tag: $tag) { totalCount edges { cursor node { name } } pageInfo { hasNextPage } } }";
    let (mut names, mut variables) = (Vec::new(), filter);
    loop {
        let page = client.data(query, variables.clone()).await["contactLists"].take();
        let edges = page["edges"].as_array().expect("edges").clone();
        names.extend(edges.iter().map(|edge| text(&edge["node"]["name"])));
        if page["pageInfo"]["hasNextPage"] == false {
            assert_eq!(page["totalCount"], names.len());
            return names;
        }
        variables["after"] = edges.last().expect("a row")["cursor"].clone();
    }
}

#[tokio::test]
async fn favourites_are_each_persons_own_and_come_first() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let folder = ada.data("mutation { createListFolder(input: { name: \"F\" }) { folder { id } } }", json!({})).await;
    let folder = folder["createListFolder"]["folder"]["id"].clone();
    let mut ids = Vec::new();
    for (name, more) in [
        ("One", json!({ "tags": ["Fair", "vip"] })),
        ("Two", json!({ "folderId": folder, "tags": ["fairs"] })),
        ("Three", json!({ "listType": "DYNAMIC", "criteria": { "all": [] }, "description": "about 100%" })),
    ] {
        let mut input = more;
        input["name"] = json!(name);
        input["sharing"] = json!("VIEW");
        ids.push(list(&ada, input).await);
    }
    let favorite = async |client: &Client, list: &str, favorite: bool| {
        let input = json!({ "input": { "id": list, "favorite": favorite } });
        client.data(FAVORITE, input).await["setListFavorite"]["contactList"]["isFavorite"] == favorite
    };
    assert_eq!(names(&ada, json!({})).await, ["Three", "Two", "One"]);
    assert!(favorite(&ada, &ids[0], true).await && favorite(&ada, &ids[0], true).await);
    assert!(favorite(&rep, &ids[1], true).await);
    assert_eq!(names(&ada, json!({})).await, ["One", "Three", "Two"]);
    assert_eq!(names(&rep, json!({})).await, ["Two", "Three", "One"]);
    assert_eq!(names(&ada, json!({ "favorite": true })).await, ["One"]);
    assert_eq!(names(&ada, json!({ "favorite": false })).await, ["Three", "Two"]);
    assert!(favorite(&ada, &ids[0], false).await);
    assert_eq!(names(&ada, json!({ "favorite": true })).await, Vec::<String>::new());
    assert_eq!(names(&ada, json!({ "type": "DYNAMIC" })).await, ["Three"]);
    assert_eq!(names(&ada, json!({ "search": "tWo" })).await, ["Two"]);
    assert_eq!(names(&ada, json!({ "search": "0%" })).await, ["Three"]);
    assert_eq!(names(&ada, json!({ "search": "_" })).await, Vec::<String>::new());
    assert_eq!(names(&ada, json!({ "folder": folder })).await, ["Two"]);
    assert_eq!(names(&ada, json!({ "tag": "fAIR" })).await, ["One"]);
    assert_eq!(names(&ada, json!({ "tag": "f%" })).await, Vec::<String>::new());

    // a change brings it to the front
    add(&ada, &ids[0], &contacts(&server, &ada, 1).await).await;
    assert_eq!(names(&ada, json!({})).await, ["One", "Three", "Two"]);
}

#[tokio::test]
async fn a_workspace_has_as_many_lists_as_its_limits_say() {
    let server = TestServer::start_with(|ctx| {
        let limits = std::sync::Arc::make_mut(&mut ctx.limits);
        (limits.static_lists, limits.dynamic_lists) = (2, 1);
    })
    .await;
    let ada = server.admin().await;
    let dynamic = json!({ "name": "D", "listType": "DYNAMIC", "criteria": { "all": [] } });
    let kept = list(&ada, dynamic.clone()).await;
    let refused = ada.refused(CREATE, json!({ "input": dynamic }), "CONFLICT").await;
    assert!(refused["message"].as_str().is_some_and(|told| told.contains("limits.dynamic_lists")), "{refused}");
    let first = list(&ada, json!({ "name": "1" })).await;
    list(&ada, json!({ "name": "2" })).await;
    let refused = ada.refused(CREATE, json!({ "input": { "name": "3" } }), "CONFLICT").await;
    assert!(refused["message"].as_str().is_some_and(|told| told.contains("limits.static_lists")), "{refused}");
    // nor by a copy; one that was deleted makes room, and others have lists of their own
    server.jobs_done().await;
    let copy = "mutation($id: ID!) { snapshotContactList(input: { id: $id, name: \"C\" }) { contactList { id } } }";
    ada.refused(copy, json!({ "id": kept }), "CONFLICT").await;
    ada.data("mutation($id: ID!) { deleteContactList(input: { id: $id }) { deletedId } }", json!({ "id": first }))
        .await;
    ada.data(copy, json!({ "id": kept })).await;
    list(&server.other_workspace().await, json!({ "name": "1" })).await;
}

#[tokio::test]
async fn folders_have_names_of_their_own_and_leave_their_lists_behind() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let make = "mutation($name: String!) { createListFolder(input: { name: $name }) { folder { id } } }";
    let rename =
        "mutation($id: ID!, $name: String!) { renameListFolder(input: { id: $id, name: $name }) { folder { name } } }";
    let one = ada.data(make, json!({ "name": "One" })).await["createListFolder"]["folder"]["id"].take();
    ada.data(make, json!({ "name": "Two" })).await;
    ada.refused(make, json!({ "name": "Two" }), "CONFLICT").await;
    ada.refused(rename, json!({ "id": one, "name": "Two" }), "CONFLICT").await;
    ada.refused(rename, json!({ "id": one, "name": " " }), "BAD_USER_INPUT").await;
    assert_eq!(
        ada.data(rename, json!({ "id": one, "name": "Zed" })).await["renameListFolder"]["folder"]["name"],
        "Zed"
    );
    let folders = ada.data("{ listFolders { name } }", json!({})).await;
    assert_eq!(folders["listFolders"], json!([{ "name": "Two" }, { "name": "Zed" }]));
    let id = list(&ada, json!({ "name": "L", "folderId": one })).await;
    ada.data("mutation($id: ID!) { deleteListFolder(input: { id: $id }) { deletedId } }", json!({ "id": one })).await;
    let left = ada.data("query($id: ID!) { contactList(id: $id) { name folder { name } } }", json!({ "id": id })).await;
    assert_eq!(left["contactList"], json!({ "name": "L", "folder": null }));
}

#[tokio::test]
async fn a_snapshot_keeps_the_members_here_or_in_a_new_list() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 4).await;
    let id = list(&ada, json!({ "name": "Source", "contactIds": ids, "sharing": "EDIT", "tags": ["t"] })).await;
    let snapshot = async |input: Value| {
        ada.data(SNAPSHOT, json!({ "input": input })).await["snapshotContactList"]["contactList"].take()
    };
    let copy = snapshot(json!({ "id": id, "name": "Copy" })).await;
    assert_eq!((&copy["contactCount"], &copy["isShared"], &copy["name"]), (&json!(4), &json!(false), &json!("Copy")));
    let copy = text(&copy["id"]);
    remove(&ada, &id, &ids).await;
    assert_eq!(held(&ada, &copy).await, (4, reversed(&ids)));
    ada.refused(SNAPSHOT, json!({ "input": { "id": copy } }), "BAD_USER_INPUT").await;

    let dynamic = list(&ada, json!({ "name": "D", "listType": "DYNAMIC", "criteria": { "all": [] } })).await;
    let at = server.ctx.clock.now() + TimeDelta::days(1);
    let later = snapshot(json!({ "id": dynamic, "at": at })).await;
    assert_eq!((&later["listType"], later["freezeAt"].is_string()), (&json!("DYNAMIC"), true));
    let freeze = async || {
        let mut tx = server.database.db.system().await.expect("a transaction");
        enqueue(&mut tx, server.ctx.clock.now(), &FreezeLists {}, Enqueued::default()).await.expect("enqueued");
        tx.commit().await.expect("committed");
        server.jobs_done().await;
        let query = "query($id: ID!) { contactList(id: $id) { listType criteria freezeAt } }";
        ada.data(query, json!({ "id": dynamic })).await["contactList"].take()
    };
    assert_eq!(freeze().await["listType"], "DYNAMIC", "its time has not come");
    server.advance(TimeDelta::days(2));
    assert_eq!(freeze().await, json!({ "listType": "STATIC", "criteria": null, "freezeAt": null }));

    let at_once = list(&ada, json!({ "name": "E", "listType": "DYNAMIC", "criteria": { "all": [] } })).await;
    server.jobs_done().await;
    assert_eq!(snapshot(json!({ "id": at_once })).await["listType"], "STATIC");
    add(&ada, &at_once, &ids).await;
    assert_eq!(held(&ada, &at_once).await.0, 4);
}

#[tokio::test]
async fn a_list_that_others_need_is_deleted_only_by_force() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let ids = contacts(&server, &ada, 2).await;
    let id = list(&ada, json!({ "name": "Base", "contactIds": ids, "sharing": "VIEW" })).await;
    let user =
        list(&ada, json!({ "name": "User", "listType": "DYNAMIC", "criteria": { "inList": id }, "sharing": "VIEW" }))
            .await;
    list(&rep, json!({ "name": "Secret", "listType": "DYNAMIC", "criteria": { "not": { "inList": id } } })).await;
    let uses =
        ada.data("query($id: ID!) { contactList(id: $id) { usedBy { listId name } } }", json!({ "id": id })).await;
    let mut uses = uses["contactList"]["usedBy"].as_array().expect("uses").clone();
    uses.sort_by_key(|one| one["name"].is_null());
    assert_eq!(uses, [json!({ "listId": user, "name": "User" }), json!({ "listId": null, "name": null })]);
    let refused = ada.refused(DELETE, json!({ "input": { "id": id } }), "CONFLICT").await;
    assert!(!refused.to_string().contains("Secret"), "{refused}");
    assert_eq!(
        refused["extensions"]["details"],
        json!({ "usedBy": [{ "type": "contact_list", "id": user, "name": "User" }], "uses": 2 })
    );

    // however its id is written
    let other = list(&ada, json!({ "name": "Other" })).await;
    let plain = other.replace('-', "").to_uppercase();
    let named = json!({ "related": { "relation": "LISTS", "where": { "compare": { "field": "id", "op": "EQ", "value": plain } } } });
    list(&ada, json!({ "name": "Of lists", "criteria": named })).await;
    ada.refused(DELETE, json!({ "input": { "id": other } }), "CONFLICT").await;

    ada.data(DELETE, json!({ "input": { "id": id, "force": true } })).await;
    let broken = ada.data("query($id: ID!) { contactList(id: $id) { broken } }", json!({ "id": user })).await;
    assert!(text(&broken["contactList"]["broken"]).contains("was deleted"));
    assert_eq!(
        ada.data("query($id: ID!) { contactList(id: $id) { id } }", json!({ "id": id })).await["contactList"],
        Value::Null
    );
    assert!(ada.get(&format!("/contacts/{}", ids[0])).await.status.is_success(), "its contacts stay");
    server.jobs_done().await;
    for table in ["list_members", "list_log", "list_sizes"] {
        let left = format!("SELECT count(*) AS value FROM {table} WHERE list_id = '{id}'");
        assert_eq!(sql::number(&server.database.db, &left).await, 0, "{table}");
    }
    let left = format!("SELECT count(*) AS value FROM contact_lists WHERE id = '{id}'");
    assert_eq!(sql::number(&server.database.db, &left).await, 0);
}

#[tokio::test]
async fn what_is_sent_again_is_done_once() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = contacts(&server, &ada, 2).await;
    let input = json!({ "input": { "name": "Once", "clientMutationId": "a" } });
    let (one, again) = (ada.data(CREATE, input.clone()).await, ada.data(CREATE, input).await);
    assert_eq!(one, again);
    let id = &one["createContactList"]["contactList"]["id"];
    let adding = json!({ "input": { "id": id, "contactIds": ids, "clientMutationId": "b" } });
    ada.data(ADD, adding.clone()).await;
    remove(&ada, id.as_str().expect("an id"), &ids).await;
    let again = ada.data(ADD, adding).await["addContactsToList"].take();
    assert_eq!((&again["changedCount"], &again["contactList"]["contactCount"]), (&json!(2), &json!(0)));
    // also where it could not be asked for any more
    let soon = server.ctx.clock.now() + TimeDelta::minutes(1);
    let input =
        json!({ "input": { "name": "Soon", "criteria": { "all": [] }, "freezeAt": soon, "clientMutationId": "c" } });
    let one = ada.data(CREATE, input.clone()).await;
    let named = list(&ada, json!({ "name": "Named", "contactIds": ids })).await;
    let adding = json!({ "input": { "id": id, "where": { "inList": named }, "clientMutationId": "d" } });
    ada.data(ADD, adding.clone()).await;
    let marking =
        "mutation($where: RecordCriteria!) { bulkUpdate(input: { kind: CONTACT, where: $where, addTags: [\"a\"],
        clientMutationId: \"e\" }) { job { id } } }";
    let marked = ada.data(marking, json!({ "where": { "inList": named } })).await;
    server.jobs_done().await;
    ada.data(DELETE, json!({ "input": { "id": named } })).await;
    server.advance(TimeDelta::hours(1));
    let again = ada.data(CREATE, input).await;
    assert_eq!(again["createContactList"]["contactList"]["id"], one["createContactList"]["contactList"]["id"]);
    assert_eq!(ada.data(ADD, adding).await["addContactsToList"]["changedCount"], 2);
    assert_eq!(ada.data(marking, json!({ "where": { "inList": named } })).await, marked);
}
