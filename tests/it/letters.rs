//! The links in mails.

use kontor::auth::Role;
use serde_json::json;

use crate::support::server::{PASSWORD, TestServer, link_in};

/// Behind the `#`: what a browser sends to no server, no proxy logs and no page is told as the referrer.
#[tokio::test]
async fn a_links_secret_stands_where_no_server_sees_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let invite = "mutation I($input: InviteUserInput!) { inviteUser(input: $input) { invitation { id } } }";
    admin
        .data(invite, json!({ "input": { "email": "new@first.test", "role": Role::Support.as_str().to_uppercase() } }))
        .await;
    let mail = server.mails("new@first.test", 0).await.remove(0);
    let token = link_in(&mail, "invitation");
    let accept = "mutation A($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { user { email } } }";
    let input = json!({ "token": token, "fullName": "Nora New", "password": PASSWORD });
    let joined = server.stranger().data(accept, json!({ "input": input })).await;
    assert_eq!(joined["acceptInvitation"]["user"]["email"], "new@first.test");

    server
        .stranger()
        .post("/auth/forgot-password", json!({ "email": "new@first.test" }))
        .await
        .expect(200.try_into().expect("a status"));
    let mail = server.mails("new@first.test", 1).await.remove(1);
    let token = link_in(&mail, "reset");
    let reset = "mutation R($input: ResetPasswordInput!) { resetPassword(input: $input) { done } }";
    server.stranger().data(reset, json!({ "input": { "token": token, "password": "another good one" } })).await;
    server.sign_in("new@first.test", "another good one").await;
}
