//! Teams of members: who sees them, who is in them, and what of their changes is told.

use kontor::auth::Role;
use serde_json::{Value, json};

use super::text;
use crate::support::{
    client::Client,
    server::{TestServer, make_user},
    sql, statements,
};

const CREATE: &str =
    "mutation($input: CreateTeamInput!) { createTeam(input: $input) { team { id name updatedAt members { id } } } }";
const UPDATE: &str = "mutation($input: UpdateTeamInput!) { updateTeam(input: $input) { team { id name } } }";
const SET: &str =
    "mutation($input: SetTeamMembersInput!) { setTeamMembers(input: $input) { team { updatedAt members { id } } } }";
const DELETE: &str = "mutation($id: ID!) { deleteTeam(input: { id: $id }) { done } }";

/// A new team: its id.
async fn team(client: &Client, name: &str, members: &[&Client]) -> String {
    let members: Vec<_> = members.iter().map(|member| member.user()).collect();
    let made = client.data(CREATE, json!({ "input": { "name": name, "members": members } })).await;
    text(&made["createTeam"]["team"]["id"])
}

/// The ids of a team's members, in order.
fn members(team: &Value) -> Vec<String> {
    let mut ids: Vec<_> = team["members"].as_array().expect("members").iter().map(|one| text(&one["id"])).collect();
    ids.sort();
    ids
}

fn sorted(clients: &[&Client]) -> Vec<String> {
    let mut ids: Vec<_> = clients.iter().map(|client| client.user().to_string()).collect();
    ids.sort();
    ids
}

/// The payloads of the events of this name, the oldest first.
async fn told(server: &TestServer, name: &str) -> Vec<Value> {
    server.events_logged().await;
    let query = format!("SELECT payload::text AS value FROM events WHERE name = '{name}' ORDER BY position");
    let payloads = sql::texts(&server.database.db, &query).await;
    payloads.iter().map(|payload| serde_json::from_str(payload).expect("JSON")).collect()
}

#[tokio::test]
async fn everybody_sees_the_teams_and_who_is_in_them() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let (manager, rep) = (ada.invite_role(Role::Manager).await, ada.invite_role(Role::SalesRep).await);
    let support = ada.invite_role(Role::Support).await;
    let north = team(&manager, "  North ", &[&rep, &ada, &rep]).await;
    let east = team(&ada, "East", &[&rep]).await;

    for client in [&ada, &manager, &rep, &support] {
        let query = "query($id: ID!) { team(id: $id) { name members { id fullName } }
            teams { totalCount nodes { id } } viewer { user { teams { id name } } } }";
        let seen = client.data(query, json!({ "id": north })).await;
        assert_eq!(seen["team"]["name"], "North");
        assert_eq!(members(&seen["team"]), sorted(&[&ada, &rep]));
        assert_eq!(seen["team"]["members"][0]["fullName"], "Ada of First", "by name");
        assert_eq!(seen["teams"], json!({ "totalCount": 2, "nodes": [{ "id": east }, { "id": north }] }));
        let own = if client.user() == rep.user() {
            json!([{ "id": east, "name": "East" }, { "id": north, "name": "North" }])
        } else if client.user() == ada.user() {
            json!([{ "id": north, "name": "North" }])
        } else {
            json!([])
        };
        assert_eq!(seen["viewer"]["user"]["teams"], own);
    }
    // of a person shown beside others nothing of their own affairs is seen
    let query = "query($id: ID!) { team(id: $id) { members { lastLoginAt preferences } } }";
    let seen = rep.data(query, json!({ "id": north })).await;
    assert_eq!(seen["team"]["members"], json!(vec![json!({ "lastLoginAt": null, "preferences": null }); 2]));
}

#[tokio::test]
async fn people_come_into_a_team_and_go_out_of_it() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let (one, two) = (ada.invite_role(Role::SalesRep).await, ada.invite_role(Role::Support).await);
    let id = team(&ada, "North", &[&one]).await;
    let set = async |add: Value, remove: Value| {
        let input = json!({ "input": { "id": id, "add": add, "remove": remove } });
        ada.data(SET, input).await["setTeamMembers"]["team"].take()
    };
    server.advance(chrono::TimeDelta::minutes(1));
    let changed = set(json!([two.user(), one.user()]), json!([ada.user()])).await;
    assert_eq!(members(&changed), sorted(&[&one, &two]));
    server.advance(chrono::TimeDelta::minutes(1));
    assert_eq!(set(json!([one.user()]), json!([ada.user()])).await["updatedAt"], changed["updatedAt"], "no change");
    let after = set(json!([ada.user()]), json!([one.user(), two.user()])).await;
    assert_eq!(members(&after), sorted(&[&ada]));
    assert_ne!(after["updatedAt"], changed["updatedAt"]);

    assert_eq!(told(&server, "team.created").await, [json!({ "added": [one.user()] })]);
    let told = told(&server, "team.updated").await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0], json!({ "added": [two.user()], "removed": [] }));
    let removed = |told: &Value| {
        let mut ids: Vec<_> = told["removed"].as_array().expect("a list").iter().map(text).collect();
        ids.sort();
        ids
    };
    assert_eq!((&told[1]["added"], removed(&told[1])), (&json!([ada.user()]), sorted(&[&one, &two])));
}

#[tokio::test]
async fn who_is_no_user_of_the_workspace_comes_into_no_team() {
    let server = TestServer::start_idle().await;
    let (ada, other) = (server.admin().await, server.other_workspace().await);
    let rep = ada.invite_role(Role::SalesRep).await;
    let id = team(&ada, "North", &[]).await;
    let refused = async |query: &str, input: Value, field: &str| {
        let refusal = ada.refused(query, json!({ "input": input }), "BAD_USER_INPUT").await;
        assert!(refusal["extensions"]["fields"][field].is_string(), "{refusal}");
    };
    refused(SET, json!({ "id": id, "add": [rep.user(), other.user()] }), "add").await;
    refused(SET, json!({ "id": id, "add": ["nobody"] }), "add").await;
    refused(SET, json!({ "id": id, "add": [rep.user()], "remove": [rep.user()] }), "remove").await;
    refused(CREATE, json!({ "name": "South", "members": [other.user()] }), "members").await;
    refused(CREATE, json!({ "name": " " }), "name").await;
    let crowd: Vec<_> = (0..501).map(|_| uuid::Uuid::now_v7()).collect();
    refused(SET, json!({ "id": id, "remove": crowd }), "remove").await;
    let left = ada.data("{ teams { nodes { name members { id } } } }", json!({})).await;
    assert_eq!(left["teams"]["nodes"], json!([{ "name": "North", "members": [] }]), "nothing of it was done");
}

#[tokio::test]
async fn a_name_is_one_teams_and_can_be_changed() {
    let server = TestServer::start_idle().await;
    let (ada, other) = (server.admin().await, server.other_workspace().await);
    let north = team(&ada, "North", &[]).await;
    team(&other, "North", &[]).await;
    let taken = ada.refused(CREATE, json!({ "input": { "name": "North" } }), "CONFLICT").await;
    assert!(taken["extensions"]["fields"]["name"].is_string(), "{taken}");
    let south = team(&ada, "South", &[]).await;
    ada.refused(UPDATE, json!({ "input": { "id": south, "name": "North" } }), "CONFLICT").await;
    for _ in 0..2 {
        let renamed = ada.data(UPDATE, json!({ "input": { "id": south, "name": "West" } })).await;
        assert_eq!(renamed["updateTeam"]["team"], json!({ "id": south, "name": "West" }));
    }
    assert_eq!(told(&server, "team.updated").await, [json!({ "added": [], "removed": [] })], "once");
    ada.refused(UPDATE, json!({ "input": { "id": north, "name": "" } }), "BAD_USER_INPUT").await;
}

#[tokio::test]
async fn a_deleted_team_leaves_its_people_and_a_trace() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let id = team(&ada, "North", &[&rep]).await;
    ada.data(DELETE, json!({ "id": id })).await;
    ada.refused(DELETE, json!({ "id": id }), "NOT_FOUND").await;
    let seen =
        rep.data("query($id: ID!) { team(id: $id) { id } viewer { user { teams { id } } } }", json!({ "id": id }));
    assert_eq!(seen.await, json!({ "team": null, "viewer": { "user": { "teams": [] } } }));
    assert_eq!(told(&server, "team.deleted").await, [json!({ "removed": [rep.user()] })]);
    let log = ada.data("{ auditLog(first: 2) { nodes { action subjectId details } } }", json!({})).await;
    let expected =
        json!({ "action": "team.deleted", "subjectId": id, "details": { "name": "North", "removed": [rep.user()] } });
    assert_eq!(log["auditLog"]["nodes"][0], expected);
    assert_eq!(log["auditLog"]["nodes"][1]["action"], "team.created");
}

#[tokio::test]
async fn a_team_that_is_made_again_with_its_key_is_made_once() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let input = json!({ "input": { "clientMutationId": "k", "name": "North", "members": [ada.user()] } });
    let (first, again) = (ada.data(CREATE, input.clone()).await, ada.data(CREATE, input).await);
    assert_eq!(first, again);
    let id = &first["createTeam"]["team"]["id"];
    let out = json!({ "input": { "clientMutationId": "out", "id": id, "remove": [ada.user()] } });
    ada.data(SET, out.clone()).await;
    ada.data(SET, json!({ "input": { "id": id, "add": [ada.user()] } })).await;
    let again = ada.data(SET, out).await;
    assert_eq!(members(&again["setTeamMembers"]["team"]), sorted(&[&ada]), "as it is now");
}

#[tokio::test]
async fn nobody_is_in_more_than_twenty_teams() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    for number in 0..20 {
        team(&ada, &format!("T{number}"), &[&ada]).await;
    }
    ada.refused(CREATE, json!({ "input": { "name": "T20", "members": [ada.user()] } }), "CONFLICT").await;
    team(&ada, "T20", &[]).await;
}

#[tokio::test]
async fn teams_with_their_people_and_their_teams_take_a_constant_number_of_statements() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let users = [
        make_user(&server.ctx, &ada.caller(), Role::Support).await,
        make_user(&server.ctx, &ada.caller(), Role::SalesRep).await,
    ];
    for number in 0..12_usize {
        let members = if number % 3 == 0 { json!(users) } else { json!([users[number % 2], ada.user()]) };
        ada.data(CREATE, json!({ "input": { "name": format!("T{number}"), "members": members } })).await;
    }
    let query = "query($first: Int!) { teams(first: $first) { nodes { name members { fullName teams { name } } } } }";
    let ask =
        async |first: usize| statements::caused_by(ada.workspace(), ada.data(query, json!({ "first": first }))).await;
    let (few, at_first) = ask(1).await;
    let (many, seen) = ask(12).await;
    let rows = |page: &Value| page["teams"]["nodes"].as_array().expect("rows").clone();
    assert_eq!((rows(&few).len(), rows(&many).len()), (1, 12));
    let whole = |row: &Value| {
        row["members"].as_array().is_some_and(|members| {
            members.len() == 2
                && members.iter().all(|member| member["teams"].as_array().is_some_and(|teams| !teams.is_empty()))
        })
    };
    assert!(rows(&many).iter().all(whole), "{many}");
    assert_eq!(seen.len(), at_first.len(), "{seen:#?}");
}
