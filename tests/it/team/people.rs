//! Roles and status, and that a change of them holds at once, wherever somebody is connected.

use kontor::{auth::Role, jobs::topic};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{CHANGES, WHO, change_something, code, is_out, sign_in_from, signed_in, text};
use crate::support::{
    client::Client,
    live::Told,
    server::{PASSWORD, TestServer},
    sql,
};

const UPDATE: &str = "mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { id role status } } }";
const DEACTIVATE: &str = "mutation($id: ID!) { deactivateUser(input: { id: $id }) { done } }";
const SWITCH: &str = "mutation($id: ID!) { switchWorkspace(input: { id: $id }) { done } }";

async fn update(admin: &Client, input: Value) -> Value {
    admin.graphql(UPDATE, json!({ "input": input })).await
}

async fn email_of(server: &TestServer, client: &Client) -> String {
    let query = format!("SELECT email AS value FROM users WHERE id = '{}'", client.user());
    sql::texts(&server.database.db, &query).await.remove(0)
}

#[tokio::test]
async fn a_lesser_role_holds_at_once_in_requests_and_in_open_subscriptions() {
    let server = TestServer::start_idle().await;
    let (ada, manager) = (server.admin().await, server.admin().await.invite_role(Role::Manager).await);
    // a job of the admin's: nobody runs it here
    let invite = "mutation { inviteUser(input: { email: \"g@navy.test\", role: SUPPORT }) { invitation { id } } }";
    ada.data(invite, json!({})).await;
    let job = ada.data("{ jobs { nodes { id } } }", json!({})).await["jobs"]["nodes"][0]["id"].clone();
    let mut live =
        manager.subscribe("subscription($id: ID!) { jobProgress(id: $id) { status } }", json!({ "id": job })).await;
    assert_eq!(live.next().await["jobProgress"]["status"], "PENDING");
    manager.get("/users").await.expect(StatusCode::OK);

    let demoted = update(&ada, json!({ "id": manager.user(), "role": "SALES_REP" })).await;
    assert_eq!(demoted["data"]["updateUser"]["user"]["role"], "SALES_REP");
    manager.get("/users").await.refused(403);
    let seen =
        manager.data("query($id: ID!) { job(id: $id) { id } users { nodes { id } } }", json!({ "id": job })).await;
    assert_eq!(seen, json!({ "job": null, "users": { "nodes": [{ "id": manager.user() }] } }));
    let news = topic(text(&job).parse().expect("an id"));
    server.events.bus().publish_transient(news, &json!({})).expect("told");
    assert_eq!(live.refused().await, "NOT_FOUND");
}

#[tokio::test]
async fn who_is_deactivated_is_out_at_once_and_in_again_when_taken_back() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    for (leave, back) in [("INACTIVE", "deactivated"), ("SUSPENDED", "suspended"), ("", "deactivated by name")] {
        let rep = ada.invite_role(Role::SalesRep).await;
        let create = "mutation { createApiToken(input: { name: \"T\" }) { secret } }";
        let token = server.client(&text(&rep.data(create, json!({})).await["createApiToken"]["secret"]));
        let mut live = rep.subscribe(CHANGES, json!({ "after": server.cursor().await })).await;
        change_something(&server, &ada).await;
        live.next().await;
        match leave {
            "" => assert!(ada.graphql(DEACTIVATE, json!({ "id": rep.user() })).await.get("errors").is_none()),
            status => {
                assert!(update(&ada, json!({ "id": rep.user(), "status": status })).await.get("errors").is_none())
            }
        }
        assert!(is_out(&rep).await && is_out(&token).await, "{back}");
        change_something(&server, &ada).await;
        assert_eq!(live.hear().await, Told::Closed(4401, "Signed out".to_owned()), "{back}");
        let email = email_of(&server, &rep).await;
        let refused = sign_in_from(&server, "192.0.2.1", &email, PASSWORD).await;
        assert_eq!(code(&refused.body), "FORBIDDEN", "{back}");

        update(&ada, json!({ "id": rep.user(), "status": "ACTIVE" })).await;
        signed_in(&server, &email, PASSWORD).await;
        assert!(is_out(&rep).await, "the old session stays ended");
    }
}

#[tokio::test]
async fn the_last_active_admin_stays_one() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    for input in [json!({ "role": "MANAGER" }), json!({ "status": "SUSPENDED" }), json!({ "status": "INACTIVE" })] {
        assert_eq!(code(&update(&ada, input.clone()).await), "CONFLICT", "{input}");
    }
    assert_eq!(code(&ada.graphql(DEACTIVATE, json!({ "id": ada.user() })).await), "CONFLICT");
    // an admin who may not sign in is none to rely on
    let other = ada.invite_role(Role::Admin).await;
    update(&ada, json!({ "id": other.user(), "status": "SUSPENDED" })).await;
    assert_eq!(code(&update(&ada, json!({ "role": "MANAGER" })).await), "CONFLICT");
    update(&ada, json!({ "id": other.user(), "status": "ACTIVE" })).await;
    let stepped_down = update(&ada, json!({ "role": "MANAGER" })).await;
    assert_eq!(stepped_down["data"]["updateUser"]["user"]["role"], "MANAGER", "{stepped_down}");
}

#[tokio::test]
async fn of_two_admins_who_demote_each_other_one_remains() {
    let server = TestServer::start().await;
    for _ in 0..5 {
        let ada = server.other_workspace().await;
        let bob = ada.invite_role(Role::Admin).await;
        tokio::join!(
            update(&ada, json!({ "id": bob.user(), "role": "SUPPORT" })),
            update(&bob, json!({ "id": ada.user(), "role": "SUPPORT" }))
        );
        let admins = format!(
            "SELECT count(*) AS value FROM members WHERE workspace_id = '{}' AND role = 'admin'",
            ada.workspace()
        );
        assert_eq!(sql::number(&server.database.db, &admins).await, 1);
    }
}

#[tokio::test]
async fn switching_the_workspace_takes_the_session_along() {
    let server = TestServer::start().await;
    let (ada, there) = (server.admin().await, server.other_workspace().await);
    server.join(&ada, &there).await;
    let other = ada.again().await;
    let mut live = ada.subscribe(CHANGES, json!({ "after": server.cursor().await })).await;
    change_something(&server, &ada).await;
    live.next().await;
    ada.data(SWITCH, json!({ "id": there.workspace() })).await;
    let viewer = ada.data(WHO, json!({})).await["viewer"].take();
    assert_eq!([&viewer["workspace"]["id"], &viewer["user"]["role"]], [&json!(there.workspace()), &json!("SUPPORT")]);
    ada.get("/users").await.refused(403);
    // what was followed was of the other workspace
    change_something(&server, &other).await;
    assert_eq!(live.hear().await, Told::Closed(4401, "Signed out".to_owned()));
    assert_eq!(
        other.data(WHO, json!({})).await["viewer"]["workspace"]["id"],
        json!(ada.workspace()),
        "this session alone"
    );

    // thrown out there, one may go on here
    there.data(DEACTIVATE, json!({ "id": ada.user() })).await;
    assert!(is_out(&ada).await && !is_out(&other).await);
    other.refused(SWITCH, json!({ "id": there.workspace() }), "NOT_FOUND").await;
}

#[tokio::test]
async fn the_private_affairs_of_people_are_for_them_and_those_who_see_all() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (manager, rep) = (ada.invite_role(Role::Manager).await, ada.invite_role(Role::SalesRep).await);
    let keep = "mutation { updateUser(input: { preferences: { theme: \"dark\" } }) { user { preferences } } }";
    rep.data(keep, json!({})).await;
    signed_in(&server, &email_of(&server, &rep).await, PASSWORD).await;
    let create = "mutation($owner: ID!) { createContact(input: { contact: { lastName: \"N\", ownerId: $owner } }) { contact { id } } }";
    let id = ada.data(create, json!({ "owner": rep.user() })).await["createContact"]["contact"]["id"].clone();
    let ask = "query($id: ID!) { contact(id: $id) { owner { fullName email preferences lastLoginAt } } }";
    for (client, sees) in
        [(&ada, true), (&manager, true), (&rep, false), (&ada.invite_role(Role::Support).await, false)]
    {
        let owner = client.data(ask, json!({ "id": id })).await["contact"]["owner"].take();
        assert!(owner["fullName"].is_string() && owner["email"].is_string());
        assert_eq!([owner["preferences"].is_object(), owner["lastLoginAt"].is_string()], [sees; 2], "{owner}");
    }
    let own =
        rep.data("{ viewer { user { preferences lastLoginAt } } users { nodes { preferences } } }", json!({})).await;
    assert_eq!(own["viewer"]["user"]["preferences"], json!({ "theme": "dark" }));
    assert_eq!(own["users"]["nodes"], json!([{ "preferences": { "theme": "dark" } }]));
}

/// The mutations of this document, which must succeed.
async fn done(client: &Client, mutation: &str) -> Value {
    client.data(&format!("mutation {{ {mutation} }}"), json!({})).await
}

#[tokio::test]
async fn the_audit_log_tells_who_did_what_and_from_where() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let ada = server.client(&text(&signed_in(&server, "ada@first.test", PASSWORD).await["token"]));
    let user = |email: &str| format!("email: \"{email}\", fullName: \"N\", password: \"{PASSWORD}\"");
    let bob =
        done(&ada, &format!("createUser(input: {{ {}, role: SUPPORT }}) {{ user {{ id }} }}", user("b@first.test")))
            .await;
    let bob = text(&bob["createUser"]["user"]["id"]);
    done(&ada, &format!("updateUser(input: {{ id: \"{bob}\", role: SALES_REP }}) {{ user {{ id }} }}")).await;
    done(&ada, "updateUser(input: { department: \"D\" }) { user { id } }").await;
    done(&ada, &format!("deactivateUser(input: {{ id: \"{bob}\" }}) {{ done }}")).await;
    let invitation =
        done(&ada, "inviteUser(input: { email: \"c@first.test\", role: SUPPORT }) { invitation { id } }").await;
    let invitation = text(&invitation["inviteUser"]["invitation"]["id"]);
    done(&ada, &format!("revokeInvitation(input: {{ id: \"{invitation}\" }}) {{ done }}")).await;
    let token =
        done(&ada, "createApiToken(input: { name: \"T\", scopes: [\"contacts:read\"] }) { apiToken { id } secret }")
            .await;
    let token = &token["createApiToken"];
    done(&ada, &format!("revokeApiToken(input: {{ id: {} }}) {{ done }}", token["apiToken"]["id"])).await;
    done(&ada, "updateWorkspace(input: { name: \"Second\", timeZone: \"Europe/Berlin\" }) { workspace { id } }").await;
    done(&ada, &format!("changePassword(input: {{ currentPassword: \"{PASSWORD}\", newPassword: \"a whole new password\" }}) {{ done }}")).await;
    let contact = done(&ada, "createContact(input: { contact: { lastName: \"N\" } }) { contact { id } }").await;
    let contact = text(&contact["createContact"]["contact"]["id"]);
    done(&ada, &format!("deleteContact(input: {{ id: \"{contact}\" }}) {{ deletedId }}")).await;
    done(&ada, "signOut { done }").await;
    // signing in failed for somebody: that is no deed of anybody's
    sign_in_from(&server, "192.0.2.1", "ada@first.test", "wrong horse battery").await;
    let again = sign_in_from(&server, "192.0.2.1", "ada@first.test", "a whole new password").await;
    let ada = server.client(&text(&again.body["data"]["signIn"]["token"]));

    let ask = "{ auditLog { totalCount nodes { action actor subjectKind subjectId address requestId details } } }";
    let log = ada.data(ask, json!({})).await["auditLog"].take();
    let entries = log["nodes"].as_array().expect("a list");
    let actions: Vec<_> = entries.iter().rev().map(|entry| entry["action"].as_str().expect("an action")).collect();
    assert_eq!(
        actions,
        [
            "workspace.created",
            "session.started",
            "user.created",
            "user.updated",
            "user.deactivated",
            "invitation.created",
            "invitation.revoked",
            "token.created",
            "token.revoked",
            "workspace.updated",
            "password.changed",
            "record.deleted",
            "session.ended",
            "session.started",
        ]
    );
    assert_eq!(log["totalCount"], 14);
    let entry = |action: &str| entries.iter().find(|entry| entry["action"] == action).expect("told");
    let updated = entry("user.updated");
    assert_eq!(updated["actor"], json!({ "kind": "user", "user": admin.user() }));
    assert_eq!([&updated["subjectKind"], &updated["subjectId"]], [&json!("user"), &json!(bob)]);
    assert_eq!(
        updated["details"],
        json!({ "before": ["support", "active"], "after": ["sales_rep", "active"], "changed": [] })
    );
    assert_eq!(updated["address"], "127.0.0.1");
    assert!(updated["requestId"].is_string());
    assert_eq!(entry("record.deleted")["subjectId"], json!(contact));
    assert_eq!(entry("session.started")["address"], "192.0.2.1");
    for secret in [PASSWORD, "a whole new password", token["secret"].as_str().expect("a secret")] {
        assert!(!log.to_string().contains(secret), "{log}");
    }
    // others do not read it
    let manager = admin.invite_role(Role::Manager).await;
    manager.refused(ask, json!({}), "FORBIDDEN").await;
}

#[tokio::test]
async fn everybody_finds_the_people_by_name() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let gone = ada.invite_role(Role::Support).await;
    ada.data(DEACTIVATE, json!({ "id": gone.user() })).await;
    let create = "mutation($email: String!, $name: String!) { createUser(input: { email: $email, fullName: $name,
        password: \"correct horse battery\", role: SUPPORT }) { user { id } } }";
    for (email, name) in [("zed@first.test", "Bea 100%"), ("b@first.test", "Bea"), ("c@first.test", "bob")] {
        ada.data(create, json!({ "email": email, "name": name })).await;
    }
    let query = "query($search: String, $active: Boolean = true, $first: Int, $after: String, $last: Int, $before: String) {
        people(search: $search, active: $active, first: $first, after: $after, last: $last, before: $before) { totalCount
            nodes { fullName role preferences } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } }";
    let names = async |client: &Client, filter: Value| {
        let found = client.data(query, filter).await["people"].take();
        let names = found["nodes"].as_array().expect("people").iter().map(|node| text(&node["fullName"]));
        let names: Vec<_> = names.collect();
        assert_eq!(found["totalCount"], names.len());
        names
    };
    let mut all = vec!["Ada of First", "Bea", "Bea 100%", "bob", "Cora the sales_rep"];
    for client in [&ada, &rep] {
        let mut found = names(client, json!({})).await;
        // the order of upper and lower case is the database's
        assert_eq!(found[..3], all[..3]);
        found.sort();
        all.sort_unstable();
        assert_eq!(found, all);
        all.sort_by_key(|name| name.to_lowercase());
        assert_eq!(names(client, json!({ "search": "BEA" })).await, ["Bea", "Bea 100%"]);
        assert_eq!(names(client, json!({ "search": "100%" })).await, ["Bea 100%"]);
        assert_eq!(names(client, json!({ "search": "zed@" })).await, ["Bea 100%"]);
        assert_eq!(names(client, json!({ "active": false })).await, ["Cora the support"]);
        assert_eq!(names(client, json!({ "active": null })).await.len(), 6);
    }
    // page by page, both ways; and nothing that is a person's own
    let page = rep.data(query, json!({ "search": "bea", "first": 1 })).await["people"].take();
    assert_eq!((&page["nodes"][0]["fullName"], &page["nodes"][0]["preferences"]), (&json!("Bea"), &Value::Null));
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let after = page["pageInfo"]["endCursor"].clone();
    let next = rep.data(query, json!({ "search": "bea", "first": 1, "after": after })).await["people"].take();
    assert_eq!((&next["nodes"][0]["fullName"], &next["pageInfo"]["hasNextPage"]), (&json!("Bea 100%"), &json!(false)));
    let before = next["pageInfo"]["startCursor"].clone();
    let back = rep.data(query, json!({ "search": "bea", "last": 1, "before": before })).await["people"].take();
    assert_eq!(back["nodes"][0]["fullName"], "Bea");
    rep.refused(query, json!({ "search": "x".repeat(300) }), "BAD_USER_INPUT").await;
    assert_eq!(names(&server.other_workspace().await, json!({ "search": "bea 100" })).await, Vec::<String>::new());
}
