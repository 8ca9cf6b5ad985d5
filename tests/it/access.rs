//! Getting in and staying in, as an attacker looks at it: guessing, taking over, outliving.

use std::{net::IpAddr, sync::Arc};

use chrono::TimeDelta;
use futures_util::future::join_all;
use kontor::{
    auth::{Role, password::Password, session::SessionKind},
    base::{
        Error, Result, Secret,
        ids::{InvitationId, UserId},
    },
    ctx::Ctx,
    files::{Config, Files, Signer, Store},
    jobs::{Enqueued, enqueue},
    mail::{self, Mailer},
    team::{
        access::{self, SignedIn},
        installation, letters, registration,
    },
    upkeep::PurgeSecrets,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    client::Client,
    eventually,
    live::Told,
    server::{PASSWORD, TestServer, link_in, start_session},
    sql,
};

/// With open registration, and so many wrong passwords allowed.
async fn allowing(sign_in_attempts: u32) -> TestServer {
    TestServer::start_with(|ctx| {
        ctx.auth.open_registration = true;
        Arc::make_mut(&mut ctx.limits).sign_in_attempts = sign_in_attempts;
    })
    .await
}

async fn try_from(server: &TestServer, email: &str, password: &str, address: [u8; 4]) -> Result<SignedIn> {
    let from = access::Client { address: Some(IpAddr::from(address)), ..access::Client::default() };
    access::sign_in(&server.ctx, email, &Password::new(password), SessionKind::Tokens, &from).await
}

#[tokio::test]
async fn a_burst_of_guesses_is_counted_before_it_is_answered() {
    let server = allowing(3).await;
    server.sign_up("ada@example.com").await;
    let wrong = json!({ "email": "ada@example.com", "password": "wrong horse battery" });
    let guesses = (0..12).map(|_| {
        let (stranger, body) = (server.stranger(), wrong.clone());
        async move { stranger.post("/auth/login", body).await.status }
    });
    let answers = join_all(guesses).await;
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(StatusCode::UNAUTHORIZED), count(StatusCode::TOO_MANY_REQUESTS)), (3, 9));
}

#[tokio::test]
async fn many_right_passwords_at_once_are_no_guesses() {
    let server = allowing(3).await;
    server.sign_up("ada@example.com").await;
    let right = json!({ "email": "ada@example.com", "password": PASSWORD });
    let sign_ins = (0..10).map(|_| {
        let (stranger, body) = (server.stranger(), right.clone());
        async move { stranger.post("/auth/login", body).await.status }
    });
    assert_eq!(join_all(sign_ins).await, [StatusCode::OK; 10]);
    let open = "SELECT coalesce(sum(failures), 0)::bigint AS value FROM sign_in_failures";
    assert_eq!(sql::number(&server.database.db, open).await, 0);
}

#[tokio::test]
async fn a_stranger_who_guesses_does_not_keep_the_owner_out() {
    let server = allowing(2).await;
    server.sign_up("ada@example.com").await;
    for _ in 0..2 {
        let refused = try_from(&server, "ada@example.com", "wrong horse", [10, 0, 0, 1]).await;
        assert!(matches!(refused, Err(Error::Unauthenticated(_))), "{refused:?}");
    }
    for _ in 0..25 {
        let limited = try_from(&server, "ada@example.com", PASSWORD, [10, 0, 0, 1]).await;
        assert!(matches!(limited, Err(Error::Limited { .. })), "{limited:?}");
    }
    try_from(&server, "ada@example.com", PASSWORD, [10, 0, 0, 2]).await.expect("the owner is let in");
}

#[tokio::test]
async fn guesses_from_many_networks_lock_the_account_in_the_end() {
    let server = allowing(1).await;
    server.sign_up("ada@example.com").await;
    for network in 1..=10 {
        let refused = try_from(&server, "ada@example.com", "wrong horse", [10, 0, 0, network]).await;
        assert!(matches!(refused, Err(Error::Unauthenticated(_))), "{refused:?}");
    }
    let limited = try_from(&server, "ada@example.com", PASSWORD, [10, 0, 0, 11]).await;
    assert!(matches!(limited, Err(Error::Limited { .. })), "{limited:?}");
}

#[tokio::test]
async fn a_network_may_not_try_one_password_on_everybody() {
    let server = allowing(1).await;
    for account in 0..5 {
        let refused = try_from(&server, &format!("a{account}@example.com"), "wrong horse", [10, 0, 0, 1]).await;
        assert!(matches!(refused, Err(Error::Unauthenticated(_))), "{refused:?}");
    }
    let limited = try_from(&server, "another@example.com", "wrong horse", [10, 0, 0, 1]).await;
    assert!(matches!(limited, Err(Error::Limited { .. })), "{limited:?}");
}

#[tokio::test]
async fn requests_for_reset_links_do_not_stop_sign_ins() {
    let server = allowing(1).await;
    server.sign_up("ada@example.com").await;
    let ask = async |email: &str| server.stranger().post("/auth/forgot-password", json!({ "email": email })).await;
    ask("ada@example.com").await.expect(StatusCode::OK);
    ask("ada@example.com").await.refused(429);
    for account in 1..5 {
        ask(&format!("a{account}@example.com")).await.expect(StatusCode::OK);
    }
    ask("another@example.com").await.refused(429);
    server.sign_in("ada@example.com", PASSWORD).await;
}

#[tokio::test]
async fn the_present_password_cannot_be_guessed_by_whoever_has_a_session() {
    let server = allowing(2).await;
    let ada = server.sign_up("ada@example.com").await;
    let guess = async |password: &str| {
        let body = json!({ "currentPassword": password, "newPassword": "a whole new password" });
        ada.put("/auth/update-password", body).await
    };
    for _ in 0..2 {
        guess("wrong horse battery").await.refused(401);
    }
    guess(PASSWORD).await.refused(429);
}

fn newcomer(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD, "full_name": "Eve Early" })
}

async fn register_with(client: &Client, headers: &[(&str, &str)], body: Value) -> StatusCode {
    let add = |request: reqwest::RequestBuilder| {
        headers.iter().fold(request.json(&body), |request, (name, value)| request.header(*name, *value))
    };
    client.send(Method::POST, "/auth/register", add).await.status
}

#[tokio::test]
async fn whoever_comes_through_a_proxy_does_not_become_the_first_admin() {
    let server = TestServer::start_with(|_| {}).await;
    let stranger = server.stranger();
    let foreign: [&[(&str, &str)]; 7] = [
        &[("x-forwarded-for", "203.0.113.9")],
        &[("x-forwarded-for", "127.0.0.1")],
        &[("x-real-ip", "203.0.113.9")],
        &[("forwarded", "for=203.0.113.9")],
        &[("via", "1.1 proxy")],
        // a name of another site that was made to lead here
        &[("host", "evil.example:8080")],
        &[("origin", "https://evil.example")],
    ];
    for headers in foreign {
        assert_eq!(
            register_with(&stranger, headers, newcomer("eve@x.test")).await,
            StatusCode::FORBIDDEN,
            "{headers:?}"
        );
    }
    let query = "mutation($input: RegisterInput!) { register(input: $input) { token } }";
    let input = json!({ "input": { "email": "eve@x.test", "password": PASSWORD, "fullName": "Eve Early" } });
    let answer = stranger.graphql_with(query, input, |request| request.header("x-forwarded-for", "203.0.113.9")).await;
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], "FORBIDDEN", "{}", answer.body);

    let mut body = newcomer("ada@x.test");
    body["set_up_key"] = json!("kontor_l_made_up");
    assert_eq!(register_with(&stranger, foreign[0], body.clone()).await, StatusCode::FORBIDDEN);
    let key = registration::set_up_key(&server.ctx).await.expect("asked").expect("nobody is there yet");
    body["set_up_key"] = json!(key);
    assert_eq!(register_with(&stranger, foreign[0], body).await, StatusCode::CREATED);
    // the key was for the first
    let mut body = newcomer("eve@x.test");
    body["set_up_key"] = json!(key);
    assert_eq!(register_with(&stranger, &[], body).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn on_the_machine_itself_no_key_is_needed() {
    let server = TestServer::start_with(|_| {}).await;
    assert_eq!(register_with(&server.stranger(), &[], newcomer("ada@x.test")).await, StatusCode::CREATED);
}

#[tokio::test]
async fn a_reset_password_is_heard_of_on_every_node() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let node = server.second_node().await;
    let there = node.client(ada.token.as_deref().expect("a token"));
    there.get("/auth/me").await.expect(StatusCode::OK);
    let before = node.ctx.resolver.epoch();

    let mail = letters::prepare_reset(&server.ctx, ada.user()).await.expect("prepared").expect("known");
    let (password, from) = (Password::new("a whole new password"), access::Client::default());
    access::reset_password(&server.ctx, &mail.link.text, &password, &from).await.expect("reset");
    eventually("the other node hears", async || node.ctx.resolver.epoch() > before).await;
    there.get("/auth/me").await.refused(401);
}

#[tokio::test]
async fn a_stolen_refresh_token_is_heard_of_on_every_node() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let me = ada.me();
    let started = start_session(&server.ctx, me.workspace, me.user, SessionKind::Tokens).await;
    let spent = started.refresh.expect("a refresh token").text;
    let fresh = access::refresh(&server.ctx, &spent).await.expect("refreshed");
    let node = server.second_node().await;
    let there = node.client(&fresh.access.text);
    there.get("/auth/me").await.expect(StatusCode::OK);
    let before = node.ctx.resolver.epoch();

    server.advance(TimeDelta::minutes(2));
    let stolen = access::refresh(&server.ctx, &spent).await;
    assert!(matches!(stolen, Err(Error::Unauthenticated(_))), "{stolen:?}");
    eventually("the other node hears", async || node.ctx.resolver.epoch() > before).await;
    there.get("/auth/me").await.refused(401);
    // the person's other session goes on
    ada.get("/auth/me").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_profile_changes_nobodys_rights_and_no_change_tells_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let rep = admin.invite_role(Role::SalesRep).await;
    let before = server.ctx.resolver.epoch();
    rep.put("/auth/update-profile", json!({ "phone": "+49 30 1" })).await.expect(StatusCode::OK);
    rep.put("/auth/update-profile", json!({ "phone": "+49 30 1", "preferences": {} })).await.expect(StatusCode::OK);
    server.events_logged().await;
    let told = async |name: &str| {
        let count = format!("SELECT count(*) AS value FROM events WHERE name = '{name}'");
        sql::number(&server.database.db, &count).await
    };
    assert_eq!((told("team.user_updated").await, told("team.member_changed").await), (1, 0));

    admin.put(&format!("/users/{}", rep.user()), json!({ "role": "manager" })).await.expect(StatusCode::OK);
    server.events_logged().await;
    assert_eq!((told("team.user_updated").await, told("team.member_changed").await), (2, 1));
    // at once here, and once more by the event
    eventually("the event is heard", async || server.ctx.resolver.epoch() >= before + 2).await;
    assert_eq!(server.ctx.resolver.epoch(), before + 2);
}

const WATCH: &str = "subscription { recordChanged(kind: CONTACT) { recordId } }";

async fn make_contact(client: &Client, number: u32) -> String {
    let query = "mutation($contact: ContactInput!) { createContact(input: { contact: $contact }) { contact { id } } }";
    let contact = json!({ "contact": { "email": format!("c{number}@contacts.test") } });
    client.data(query, contact).await["createContact"]["contact"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_socket_ends_with_what_it_was_opened_with() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let me = admin.me();
    let expires = (server.clock.now() + TimeDelta::days(2)).to_rfc3339();
    let query = "mutation($input: CreateApiTokenInput!) { createApiToken(input: $input) { secret } }";
    let made = admin.data(query, json!({ "input": { "name": "two days", "expiresAt": expires } })).await;
    let token = server.client(made["createApiToken"]["secret"].as_str().expect("a secret"));
    let started = start_session(&server.ctx, me.workspace, me.user, SessionKind::Tokens).await;
    let diligent = server.client(&started.access.text);

    let mut of_token = token.subscribe(WATCH, json!({})).await;
    let mut of_session = admin.subscribe(WATCH, json!({})).await;
    let mut of_diligent = diligent.subscribe(WATCH, json!({})).await;
    let mut of_browser = admin.in_browser().await.subscribe(WATCH, json!({})).await;
    let first = make_contact(&admin, 1).await;
    for live in [&mut of_token, &mut of_session, &mut of_diligent, &mut of_browser] {
        assert_eq!(live.next().await["recordChanged"]["recordId"], first);
    }

    server.advance(TimeDelta::days(5));
    access::refresh(&server.ctx, &started.refresh.expect("a refresh token").text).await.expect("refreshed in time");
    let second = make_contact(&admin, 2).await;
    assert_eq!(of_token.hear().await, Told::Closed(4401, "Signed out".into()));
    for live in [&mut of_session, &mut of_diligent, &mut of_browser] {
        assert_eq!(live.next().await["recordChanged"]["recordId"], second);
    }

    // the access token of the session is over after seven days, the refreshed one is not
    server.advance(TimeDelta::days(3));
    let third = make_contact(&admin.again().await, 3).await;
    assert_eq!(of_session.hear().await, Told::Closed(4401, "Signed out".into()));
    for live in [&mut of_diligent, &mut of_browser] {
        assert_eq!(live.next().await["recordChanged"]["recordId"], third);
    }
    server.advance(TimeDelta::days(7));
    make_contact(&admin.again().await, 4).await;
    assert_eq!(of_diligent.hear().await, Told::Closed(4401, "Signed out".into()));
    assert_eq!(of_browser.hear().await, Told::Closed(4401, "Signed out".into()));
}

#[tokio::test]
async fn sessions_that_nobody_can_use_are_neither_listed_nor_kept() {
    let server = TestServer::start_idle().await;
    let admin = server.admin().await;
    let list = async |client: &Client| {
        client.data("{ sessions { id } }", json!({})).await["sessions"].as_array().expect("a list").len()
    };
    admin.in_browser().await;
    assert_eq!(list(&admin).await, 2);
    // a refresh token lives for thirty days, a cookie for fourteen
    server.advance(TimeDelta::days(20));
    let later = admin.again().await;
    assert_eq!(list(&later).await, 2);
    server.advance(TimeDelta::days(15));
    let latest = admin.again().await;
    assert_eq!(list(&latest).await, 2);

    server.advance(TimeDelta::days(5));
    let kept = "SELECT count(*) AS value FROM sessions";
    assert_eq!(sql::number(&server.database.db, kept).await, 4);
    let mut tx = server.ctx.db.system().await.expect("a transaction");
    let now = server.clock.now();
    enqueue::<Ctx, _>(&mut tx, now, &PurgeSecrets {}, Enqueued::default()).await.expect("enqueued");
    tx.commit().await.expect("committed");
    let node = server.second_node().await;
    node.advance(TimeDelta::days(40));
    node.ctx.db.jobs_wake().notify_one();
    eventually("the dead ones are gone", async || sql::number(&server.database.db, kept).await == 2).await;
    latest.get("/auth/me").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn the_oldest_of_many_sessions_can_be_ended_and_nobody_elses() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let me = admin.me();
    let oldest = start_session(&server.ctx, me.workspace, me.user, SessionKind::Tokens).await;
    let count = format!(
        "INSERT INTO sessions SELECT gen_random_uuid(), workspace_id, user_id, kind, NULL, NULL, created_at, last_used_at \
         FROM sessions, generate_series(1, 205) WHERE id = '{}'",
        oldest.session
    );
    sql::run(&server.database.db, &count).await;
    let end = "mutation($id: ID!) { endSession(input: { id: $id }) { done } }";
    let id = json!({ "id": oldest.session.to_string() });
    admin.invite_role(Role::Admin).await.refused(end, id.clone(), "NOT_FOUND").await;
    server.other_workspace().await.refused(end, id.clone(), "NOT_FOUND").await;
    admin.data(end, id.clone()).await;
    admin.refused(end, id, "NOT_FOUND").await;
    server.client(&oldest.access.text).get("/auth/me").await.refused(401);
}

#[tokio::test]
async fn an_admin_changes_the_profile_only_of_whoever_is_in_no_other_workspace() {
    let server = TestServer::start().await;
    let (admin, other) = (server.admin().await, server.other_workspace().await);
    let (shared, ours) = (admin.invite_role(Role::SalesRep).await, admin.invite_role(Role::SalesRep).await);
    let join = format!(
        "INSERT INTO members VALUES ('{}', '{}', 'support', 'active', now())",
        other.workspace().0,
        shared.user().0
    );
    sql::run(&server.database.db, &join).await;
    let path = |user: UserId| format!("/users/{user}");

    for (field, value) in [
        ("full_name", json!("Renamed")),
        ("phone", json!("+49 30 1")),
        ("department", json!("Elsewhere")),
        ("avatar_url", json!("https://evil.example/x.png")),
        ("preferences", json!({ "theme": "dark" })),
    ] {
        for client in [&admin, &other] {
            client.put(&path(shared.user()), json!({ field: value })).await.refused(403);
        }
        let changed = admin.put(&path(ours.user()), json!({ field: value })).await.data();
        assert_eq!(changed[field], value);
    }
    // a whole profile sent back with another role changes the role
    let mut profile = admin.get(&path(shared.user())).await.data();
    profile["role"] = json!("manager");
    assert_eq!(admin.put(&path(shared.user()), profile).await.data()["role"], "manager");
    assert_eq!(other.get(&path(shared.user())).await.data()["role"], "support");
    let own = shared.put(&path(shared.user()), json!({ "phone": "+49 30 2" })).await.data();
    assert_eq!(own["phone"], "+49 30 2");
}

#[tokio::test]
async fn every_copy_of_an_invitation_has_the_link_that_works() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let query = "mutation($input: InviteUserInput!) { inviteUser(input: $input) { invitation { id } } }";
    let invite = async |email: &str| {
        let made = admin.data(query, json!({ "input": { "email": email, "role": "SUPPORT" } })).await;
        let id: InvitationId =
            made["inviteUser"]["invitation"]["id"].as_str().expect("an id").parse().expect("an id of ours");
        id
    };
    let id = invite("new@people.test").await;
    let mailed = link_in(&server.mails("new@people.test", 0).await[0], "invitation");
    // as a second attempt at the mail makes it
    let again = letters::prepare_invitation(&server.ctx, admin.workspace(), id).await.expect("prepared").expect("open");
    assert_eq!(again.link.text, mailed);
    let other = invite("other@people.test").await;
    let other = letters::prepare_invitation(&server.ctx, admin.workspace(), other).await.expect("prepared");
    assert_ne!(other.expect("open").link.text, mailed);
    let accept = "mutation($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { user { email } } }";
    let input = json!({ "input": { "token": mailed, "fullName": "New Here", "password": PASSWORD } });
    assert_eq!(server.stranger().data(accept, input).await["acceptInvitation"]["user"]["email"], "new@people.test");
}

#[tokio::test]
async fn an_invitation_waits_for_a_mail_server_that_is_away() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let server = TestServer::start_with(|ctx| {
        let url = Some(Secret::new(format!("smtp://{unused}")));
        let config = mail::Config { url, ..mail::Config::default() };
        ctx.mail = Mailer::new(&config, std::path::Path::new("."), ctx.clock.clone()).expect("a mailer");
    })
    .await;
    let admin = server.admin().await;
    let query = "mutation { inviteUser(input: { email: \"new@people.test\", role: SUPPORT }) { invitation { id } } }";
    admin.data(query, json!({})).await;
    let job = "FROM jobs WHERE kind = 'team.send_invitation'";
    let waits = format!("SELECT count(*) AS value {job} AND state = 'queued' AND attempt = ");
    // more often than another job would be tried
    for attempt in 1..=12 {
        eventually("the mail was tried and waits", async || {
            sql::number(&server.database.db, &format!("{waits}{attempt}")).await == 1
        })
        .await;
        server.advance(TimeDelta::minutes(10));
        server.ctx.db.jobs_wake().notify_one();
    }
    let says = sql::texts(&server.database.db, &format!("SELECT last_error AS value {job}")).await;
    assert_eq!(says, ["The mail server does not answer"]);
    // when the invitation has lapsed there is nothing to send
    server.advance(TimeDelta::days(7));
    server.ctx.db.jobs_wake().notify_one();
    server.jobs_done().await;
}

#[tokio::test]
async fn a_node_with_another_secret_is_refused() {
    let server = TestServer::start_idle().await;
    installation::check_secret(&server.ctx).await.expect("the first is kept");
    installation::check_secret(&server.ctx).await.expect("and good again");
    let store = Store::open(&Config::default(), server.folder.path()).expect("the store opens");
    let (db, signer, clock) = (server.ctx.db.clone(), Signer::new(b"another"), server.clock.clone());
    let other = Ctx { files: Files::new(db, store, signer, clock, &server.ctx.limits), ..server.ctx.clone() };
    let refused = installation::check_secret(&other).await.expect_err("another");
    assert!(matches!(refused, Error::Invalid(_)) && refused.to_string().contains("KONTOR_SECRET"), "{refused}");
}
