//! What comes by mail: invitations and links for a new password. And the ways to a first workspace.

use chrono::TimeDelta;
use kontor::team::registration;
use serde_json::{Value, json};

use super::{CHANGES, WHO, change_something, code, is_out, signed_in, text};
use crate::support::{
    client::Client,
    live::Told,
    server::{PASSWORD, TestServer, link_in},
    sql,
};

const INVITE: &str =
    "mutation($input: InviteUserInput!) { inviteUser(input: $input) { invitation { id email role expiresAt } } }";
const ACCEPT: &str = "mutation($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { token user { email fullName role } } }";
const OPEN: &str = "{ invitations { id email } }";
const ASK: &str = "mutation($email: String!) { requestPasswordReset(input: { email: $email }) { done } }";
const RESET: &str = "mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { done } }";
const REGISTER: &str = "mutation($input: RegisterInput!) { register(input: $input) { token user { role } } }";

const GRACE: &str = "grace@navy.test";

/// The link of the mail after those seen.
async fn invited(server: &TestServer, admin: &Client, seen: usize) -> String {
    admin.data(INVITE, json!({ "input": { "email": " Grace@NAVY.test", "role": "MANAGER" } })).await;
    link_in(&server.mails(GRACE, seen).await[seen], "invitation")
}

fn acceptance(link: &str, password: &str) -> Value {
    json!({ "input": { "token": link, "password": password, "fullName": "Grace Hopper" } })
}

#[tokio::test]
async fn an_invitation_comes_by_mail_and_is_accepted_once() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let link = invited(&server, &ada, 0).await;
    let mail = &server.mails(GRACE, 0).await[0];
    assert!(mail.contains("Ada of First invites you to First"), "{mail}");
    assert!(mail.contains(&format!("http://kontor.test/#invitation={link}")), "{mail}");
    // the secret is in the mail and nowhere else
    for table in ["jobs", "invitations", "outbox", "audit_log"] {
        let kept = format!("SELECT count(*) AS value FROM {table} AS row WHERE row::text LIKE '%{link}%'");
        assert_eq!(sql::number(&server.database.db, &kept).await, 0, "{table}");
    }
    assert_eq!(ada.data(OPEN, json!({})).await["invitations"][0]["email"], GRACE);
    let again = ada.refused(INVITE, json!({ "input": { "email": GRACE, "role": "SUPPORT" } }), "CONFLICT").await;
    assert!(again["extensions"]["fields"]["email"].is_string(), "{again}");

    let stranger = server.stranger();
    let short = stranger.refused(ACCEPT, acceptance(&link, "short"), "BAD_USER_INPUT").await;
    assert!(short["extensions"]["fields"]["password"].is_string(), "{short}");
    let joined = stranger.data(ACCEPT, acceptance(&link, PASSWORD)).await["acceptInvitation"].take();
    assert_eq!(joined["user"], json!({ "email": GRACE, "fullName": "Grace Hopper", "role": "MANAGER" }));
    let grace = server.client(&text(&joined["token"]));
    let who = grace.data(WHO, json!({})).await;
    assert_eq!(who["viewer"]["workspace"]["id"], json!(ada.workspace()));
    assert_eq!(ada.data(OPEN, json!({})).await, json!({ "invitations": [] }));
    stranger.refused(ACCEPT, acceptance(&link, PASSWORD), "BAD_USER_INPUT").await;
    signed_in(&server, GRACE, PASSWORD).await;
    let member = ada.refused(INVITE, json!({ "input": { "email": GRACE, "role": "SUPPORT" } }), "CONFLICT").await;
    assert!(text(&member["message"]).contains("already"), "{member}");
}

#[tokio::test]
async fn of_two_who_accept_at_once_one_joins() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let link = invited(&server, &ada, 0).await;
    let stranger = server.stranger();
    let (one, two) = tokio::join!(
        stranger.graphql(ACCEPT, acceptance(&link, PASSWORD)),
        stranger.graphql(ACCEPT, acceptance(&link, PASSWORD))
    );
    let refused: Vec<_> = [one, two].into_iter().filter(|answer| answer.get("errors").is_some()).collect();
    assert_eq!(refused.len(), 1);
    assert!(["BAD_USER_INPUT", "UNAUTHENTICATED"].contains(&code(&refused[0])), "{}", refused[0]);
}

#[tokio::test]
async fn invitations_that_were_taken_back_or_lapsed_open_nothing() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let stranger = server.stranger();
    let withdrawn = invited(&server, &ada, 0).await;
    let id = ada.data(OPEN, json!({})).await["invitations"][0]["id"].clone();
    let revoke = "mutation($id: ID!) { revokeInvitation(input: { id: $id }) { done } }";
    ada.data(revoke, json!({ "id": id })).await;
    stranger.refused(ACCEPT, acceptance(&withdrawn, PASSWORD), "BAD_USER_INPUT").await;
    ada.refused(revoke, json!({ "id": id }), "NOT_FOUND").await;

    let old = invited(&server, &ada, 1).await;
    server.advance(TimeDelta::days(7));
    stranger.refused(ACCEPT, acceptance(&old, PASSWORD), "BAD_USER_INPUT").await;
    let ada = ada.again().await;
    assert_eq!(ada.data(OPEN, json!({})).await, json!({ "invitations": [] }));
    // a lapsed one does not stand in the way of a new one
    let new = invited(&server, &ada, 2).await;
    stranger.data(ACCEPT, acceptance(&new, PASSWORD)).await;
}

#[tokio::test]
async fn nobodys_mailbox_is_flooded_with_invitations() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let invite = json!({ "input": { "email": GRACE, "role": "SUPPORT" } });
    let mut answers = Vec::new();
    for _ in 0..11 {
        answers.push(ada.graphql(INVITE, invite.clone()).await);
        let open = ada.data(OPEN, json!({})).await["invitations"][0]["id"].clone();
        let revoke = "mutation($id: ID!) { revokeInvitation(input: { id: $id }) { done } }";
        ada.graphql(revoke, json!({ "id": open })).await;
    }
    assert!(answers[..10].iter().all(|answer| answer.get("errors").is_none()), "{answers:?}");
    assert_eq!(code(&answers[10]), "RATE_LIMITED");
    let other = json!({ "input": { "email": "other@navy.test", "role": "SUPPORT" } });
    ada.data(INVITE, other).await;
}

#[tokio::test]
async fn who_has_an_account_joins_with_the_password_it_has() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let register = json!({ "input": { "email": GRACE, "password": "a password of hers", "fullName": "G", "workspaceName": "Navy" } });
    let token = server.stranger().data(REGISTER, register).await["register"]["token"].clone();
    let grace = server.client(&text(&token));
    let link = invited(&server, &ada, 0).await;
    server.stranger().refused(ACCEPT, acceptance(&link, PASSWORD), "UNAUTHENTICATED").await;
    server.stranger().data(ACCEPT, acceptance(&link, "a password of hers")).await;
    let workspaces = grace.data("{ viewer { workspaces { name } user { fullName } } }", json!({})).await;
    assert_eq!(workspaces["viewer"]["workspaces"], json!([{ "name": "First" }, { "name": "Navy" }]));
    assert_eq!(workspaces["viewer"]["user"]["fullName"], "G", "an invitation renames nobody");
}

#[tokio::test]
async fn whoever_became_a_member_meanwhile_is_told_so() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let link = invited(&server, &ada, 0).await;
    let create = "mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } } }";
    let input = json!({ "input": { "email": GRACE, "password": PASSWORD, "fullName": "G", "role": "SUPPORT" } });
    ada.data(create, input).await;
    server.stranger().refused(ACCEPT, acceptance(&link, PASSWORD), "CONFLICT").await;
}

#[tokio::test]
async fn a_reset_link_comes_by_mail_and_ends_every_session() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (boss, browser) = (ada.invite_role(kontor::auth::Role::Admin).await, ada.in_browser().await);
    let mut live = browser.subscribe(CHANGES, json!({ "after": server.cursor().await })).await;
    for _ in 0..2 {
        server.stranger().data(ASK, json!({ "email": "ada@first.test" })).await;
    }
    server.stranger().data(ASK, json!({ "email": "nobody@first.test" })).await;
    let mails = server.mails("ada@first.test", 1).await;
    let (first, second) = (link_in(&mails[0], "reset"), link_in(&mails[1], "reset"));
    assert!(mails[0].contains("Hello Ada of First"), "{}", mails[0]);
    server.jobs_done().await;
    assert_eq!(std::fs::read_dir(server.folder.path().join("mail")).expect("a folder").count(), 2);

    let reset = |link: &str, password: &str| json!({ "input": { "token": link, "password": password } });
    let stranger = server.stranger();
    stranger.refused(RESET, reset(&first, "short"), "BAD_USER_INPUT").await;
    assert!(!is_out(&ada).await);
    stranger.data(RESET, reset(&first, "a whole new password")).await;
    assert!(is_out(&ada).await && is_out(&browser).await);
    change_something(&server, &boss).await;
    assert_eq!(live.hear().await, Told::Closed(4401, "Signed out".to_owned()));
    // each works once, and the others of the person go with it
    for link in [&first, &second] {
        stranger.refused(RESET, reset(link, "another new password"), "BAD_USER_INPUT").await;
    }
    signed_in(&server, "ada@first.test", "a whole new password").await;
    let log = boss.data("{ auditLog(first: 2) { nodes { action subjectId } } }", json!({})).await;
    assert_eq!(log["auditLog"]["nodes"][1], json!({ "action": "password.reset", "subjectId": ada.user() }));
}

#[tokio::test]
async fn a_reset_link_works_for_an_hour() {
    let server = TestServer::start().await;
    server.admin().await;
    server.stranger().data(ASK, json!({ "email": "ada@first.test" })).await;
    let link = link_in(&server.mails("ada@first.test", 0).await[0], "reset");
    server.advance(TimeDelta::minutes(61));
    let late = json!({ "input": { "token": link, "password": "a whole new password" } });
    server.stranger().refused(RESET, late, "BAD_USER_INPUT").await;
    signed_in(&server, "ada@first.test", PASSWORD).await;
}

fn registration(email: &str, key: Option<&str>) -> Value {
    json!({ "input": { "email": email, "password": PASSWORD, "fullName": "N", "setUpKey": key } })
}

/// The code of a registration from elsewhere, or `GOOD`.
async fn register_from_afar(server: &TestServer, key: Option<&str>) -> String {
    let from = |request: reqwest::RequestBuilder| request.header("x-forwarded-for", "192.0.2.7");
    let answer = server.stranger().graphql_with(REGISTER, registration("n@first.test", key), from).await;
    answer.body["errors"][0]["extensions"]["code"].as_str().unwrap_or("GOOD").to_owned()
}

#[tokio::test]
async fn an_empty_installation_is_set_up_by_its_link_or_on_the_spot() {
    let server = TestServer::start_with(|_| {}).await;
    let key = async || registration::set_up_key(&server.ctx).await.expect("asked").expect("nobody is there yet");
    let replaced = key().await;
    let key = key().await;
    for wrong in [None, Some("kontor_l_made_up"), Some(replaced.as_str())] {
        assert_eq!(register_from_afar(&server, wrong).await, "FORBIDDEN", "{wrong:?}");
    }
    assert_eq!(register_from_afar(&server, Some(&key)).await, "GOOD");
    assert_eq!(registration::set_up_key(&server.ctx).await.expect("asked"), None);
    // then it is closed, for those on the spot, too
    let closed = server.stranger().refused(REGISTER, registration("m@first.test", Some(&key)), "FORBIDDEN").await;
    assert!(text(&closed["message"]).contains("invitation"), "{closed}");

    let here = TestServer::start_with(|_| {}).await;
    let made = here.stranger().data(REGISTER, registration("n@first.test", None)).await;
    assert_eq!(made["register"]["user"]["role"], "ADMIN");
}

#[tokio::test]
async fn a_set_up_link_works_for_a_week() {
    let server = TestServer::start_with(|_| {}).await;
    let key = registration::set_up_key(&server.ctx).await.expect("asked").expect("nobody is there yet");
    server.advance(TimeDelta::days(7));
    assert_eq!(register_from_afar(&server, Some(&key)).await, "FORBIDDEN");
}

#[tokio::test]
async fn of_two_who_register_first_at_once_one_does() {
    let server = TestServer::start_with(|_| {}).await;
    let stranger = server.stranger();
    let (one, two) = tokio::join!(
        stranger.graphql(REGISTER, registration("one@first.test", None)),
        stranger.graphql(REGISTER, registration("two@first.test", None))
    );
    let refused: Vec<_> = [one, two].into_iter().filter(|answer| answer.get("errors").is_some()).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(code(&refused[0]), "FORBIDDEN");
}

#[tokio::test]
async fn open_registration_makes_a_workspace_for_everybody() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    assert_eq!(register_from_afar(&server, None).await, "GOOD");
    let token = signed_in(&server, "n@first.test", PASSWORD).await["token"].clone();
    let newcomer = server.client(&text(&token)).data(WHO, json!({})).await;
    assert_eq!([&newcomer["viewer"]["user"]["role"], &newcomer["viewer"]["workspace"]["name"]], ["ADMIN", "N"]);
    assert_ne!(newcomer["viewer"]["workspace"]["id"], json!(ada.workspace()));
    let taken = server.stranger().refused(REGISTER, registration("N@first.test", None), "CONFLICT").await;
    assert!(taken["extensions"]["fields"]["email"].is_string(), "{taken}");
}
