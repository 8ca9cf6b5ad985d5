//! A list is its maker's until it is shared, and then for whom it is shared with, and as far.

use kontor::auth::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{ADD, SHARE, add, contacts, held, list};
use crate::support::{client::Client, server::TestServer, sql};

const RENAME: &str =
    "mutation($id: ID!) { updateContactList(input: { id: $id, name: \"Renamed\" }) { contactList { id } } }";
const DESCRIBE: &str =
    "mutation($id: ID!) { updateContactList(input: { id: $id, description: \"D\" }) { contactList { id } } }";

/// Whether this person finds the list anywhere.
async fn finds(client: &Client, list: &str, contact: &str) -> bool {
    let one = client.data("query($id: ID!) { contactList(id: $id) { id } }", json!({ "id": list })).await;
    let found = !one["contactList"].is_null();
    let all = client.data("{ contactLists(first: 500) { nodes { id } } }", json!({})).await;
    let of_contact =
        client.data("query($id: ID!) { contact(id: $id) { lists { id } } }", json!({ "id": contact })).await;
    let by_rest = client.get("/contact-lists").await.expect(StatusCode::OK);
    for answer in [all, of_contact, by_rest] {
        assert_eq!(answer.to_string().contains(list), found, "{answer}");
    }
    for path in ["", "/contacts"] {
        let status = client.get(&format!("/contact-lists/{list}{path}")).await.status;
        assert_eq!(status, if found { StatusCode::OK } else { StatusCode::NOT_FOUND });
    }
    found
}

#[tokio::test]
async fn a_private_list_does_not_exist_for_others() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (maker, rep) = (ada.invite_role(Role::SalesRep).await, ada.invite_role(Role::SalesRep).await);
    let ids = contacts(&server, &maker, 1).await;
    let id = list(&maker, json!({ "name": "Mine", "contactIds": ids })).await;
    assert!(finds(&maker, &id, &ids[0]).await);
    for other in [&ada, &rep] {
        assert!(!finds(other, &id, &ids[0]).await);
        other.refused(RENAME, json!({ "id": id }), "NOT_FOUND").await;
        other.refused(ADD, json!({ "input": { "id": id, "contactIds": ids } }), "NOT_FOUND").await;
        let theirs = list(other, json!({ "name": "Theirs" })).await;
        other.refused(ADD, json!({ "input": { "id": theirs, "fromListId": id } }), "BAD_USER_INPUT").await;
        for (query, name) in [
            (
                "mutation($id: ID!) { setListFavorite(input: { id: $id, favorite: true }) { contactList { id } } }",
                "setListFavorite",
            ),
            ("mutation($id: ID!) { deleteContactList(input: { id: $id }) { deletedId } }", "deleteContactList"),
            (
                "mutation($id: ID!) { snapshotContactList(input: { id: $id, name: \"C\" }) { contactList { id } } }",
                "snapshotContactList",
            ),
            (
                "mutation($id: ID!) { shareContactList(input: { id: $id, level: EDIT }) { contactList { id } } }",
                "shareContactList",
            ),
        ] {
            let refused = other.refused(query, json!({ "id": id }), "NOT_FOUND").await;
            assert_eq!(refused["path"][0], name);
        }
        let mut live = other
            .subscribe("subscription($id: ID!) { contactListChanged(id: $id) { count } }", json!({ "id": id }))
            .await;
        assert_eq!(live.refused().await, "NOT_FOUND");
    }
}

#[tokio::test]
async fn who_edits_a_list_names_no_list_that_its_maker_does_not_see() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let other = ada.invite_role(Role::Manager).await;
    let secret = list(&other, json!({ "name": "Secret" })).await;
    let id = list(&ada, json!({ "name": "Ours", "sharing": "EDIT", "criteria": { "all": [] } })).await;
    let edit = "mutation($id: ID!, $c: RecordCriteria!) { updateContactList(input: { id: $id, criteria: $c }) { contactList { id } } }";
    let refused = other.refused(edit, json!({ "id": id, "c": { "inList": secret } }), "BAD_USER_INPUT").await;
    assert!(refused["extensions"]["fields"]["criteria"].is_string(), "{refused}");
    ada.refused(edit, json!({ "id": id, "c": { "inList": secret } }), "BAD_USER_INPUT").await;
    other.data(SHARE, json!({ "input": { "id": secret, "level": "VIEW" } })).await;
    other.data(edit, json!({ "id": id, "c": { "inList": secret } })).await;
}

#[tokio::test]
async fn sharing_gives_as_much_as_it_says_to_whom_it_names() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let maker = ada.invite_role(Role::SalesRep).await;
    let (viewer, editor, member, nobody) = (
        ada.invite_role(Role::Support).await,
        ada.invite_role(Role::Support).await,
        ada.invite_role(Role::Manager).await,
        ada.invite_role(Role::Manager).await,
    );
    let team = uuid::Uuid::now_v7();
    let workspace = ada.workspace();
    for statement in [
        format!("INSERT INTO teams VALUES ('{workspace}', '{team}', 'T', now(), now())"),
        format!("INSERT INTO team_members VALUES ('{workspace}', '{team}', '{}')", member.user()),
    ] {
        sql::run(&server.database.db, &statement).await;
    }
    let ids = contacts(&server, &maker, 2).await;
    let id = list(&maker, json!({ "name": "L", "contactIds": ids[..1] })).await;
    let share = async |client: &Client, input: Value| {
        let mut input = input;
        input["id"] = json!(id);
        client.graphql(SHARE, json!({ "input": input })).await
    };
    let shares = json!([
        { "userId": viewer.user() },
        { "userId": editor.user(), "canEdit": true },
        { "teamId": team, "canEdit": true },
    ]);
    let shared = share(&maker, json!({ "shares": shares })).await;
    let sharing = &shared["data"]["shareContactList"]["contactList"]["sharing"];
    assert_eq!(
        (&sharing["level"], sharing["shares"].as_array().map(Vec::len)),
        (&json!("PRIVATE"), Some(3)),
        "{shared}"
    );
    assert!(sharing["shares"][1]["user"]["fullName"].is_string());
    let rights = "query($id: ID!) { contactList(id: $id) { canEdit canManage } }";
    for (client, may) in
        [(&maker, (true, true)), (&viewer, (false, false)), (&editor, (true, false)), (&member, (true, false))]
    {
        let told = client.data(rights, json!({ "id": id })).await["contactList"].take();
        assert_eq!((&told["canEdit"], &told["canManage"]), (&json!(may.0), &json!(may.1)));
    }
    for (who, sees) in [(&viewer, true), (&editor, true), (&member, true), (&nobody, false), (&ada, false)] {
        assert_eq!(finds(who, &id, &ids[0]).await, sees);
    }
    viewer.refused(RENAME, json!({ "id": id }), "FORBIDDEN").await;
    viewer.refused(ADD, json!({ "input": { "id": id, "contactIds": ids } }), "FORBIDDEN").await;
    for editing in [&editor, &member] {
        editing.data(RENAME, json!({ "id": id })).await;
        add(editing, &id, &ids).await;
        // but it is not theirs
        editing
            .refused(
                "mutation($id: ID!) { deleteContactList(input: { id: $id }) { deletedId } }",
                json!({ "id": id }),
                "FORBIDDEN",
            )
            .await;
        assert_eq!(share(editing, json!({ "level": "EDIT" })).await["errors"][0]["extensions"]["code"], "FORBIDDEN");
    }
    assert_eq!(held(&viewer, &id).await.0, 2);

    // who leaves the team, or is named no more, sees it no more
    sql::run(&server.database.db, "DELETE FROM team_members").await;
    assert!(!finds(&member, &id, &ids[0]).await);
    share(&maker, json!({ "shares": [] })).await;
    assert!(!finds(&viewer, &id, &ids[0]).await);

    // for all to be seen; an admin may do with it what its maker may
    share(&maker, json!({ "level": "VIEW" })).await;
    assert!(finds(&nobody, &id, &ids[0]).await && finds(&ada, &id, &ids[0]).await);
    // what changes nothing is no change
    nobody.data(RENAME, json!({ "id": id })).await;
    nobody.refused(DESCRIBE, json!({ "id": id }), "FORBIDDEN").await;
    ada.data(
        "mutation($id: ID!) { updateContactList(input: { id: $id, icon: \"star\" }) { contactList { id } } }",
        json!({ "id": id }),
    )
    .await;
    share(&ada, json!({ "level": "EDIT" })).await;
    nobody.data(DESCRIBE, json!({ "id": id })).await;
    ada.data("mutation($id: ID!) { deleteContactList(input: { id: $id }) { deletedId } }", json!({ "id": id })).await;
    assert!(!finds(&maker, &id, &ids[0]).await);

    let mine = list(&maker, json!({ "name": "M" })).await;
    let stranger = server.other_workspace().await.user();
    for wrong in [
        json!([{ "userId": stranger }]),
        json!([{ "teamId": uuid::Uuid::now_v7() }]),
        json!([{ "userId": viewer.user(), "teamId": team }]),
        json!([{}]),
    ] {
        maker.refused(SHARE, json!({ "input": { "id": mine, "shares": wrong } }), "BAD_USER_INPUT").await;
    }
    let twice = json!([{ "userId": viewer.user() }, { "userId": viewer.user(), "canEdit": true }]);
    maker.refused(SHARE, json!({ "input": { "id": mine, "shares": twice } }), "CONFLICT").await;
}
