//! No secret in any log, whatever may be asked of it: everything that is a secret goes through a
//! server that logs all it can, in every way in which it is used.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::importing;
use crate::{
    import::lab::UPDATE,
    support::{
        client::Client,
        eventually,
        live::Live,
        process::{Installation, Process},
        server::link_in,
        smtp::SmtpServer,
        sql,
    },
};

const INSTALLATION_SECRET: &str = "a-secret-of-the-installation-of-fifty-characters--";
const FIRST_PASSWORD: &str = "the-first-admins-password";
const WRONG_PASSWORD: &str = "a-mistyped-password-1";
const NEXT_PASSWORD: &str = "a-password-by-reset-link";
const LAST_PASSWORD: &str = "a-password-by-change";
const GUEST_PASSWORD: &str = "a-password-of-the-guest";
const DATABASE_PASSWORD: &str = "password-of-the-database";
const MAIL_PASSWORD: &str = "password-of-the-mail-server";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Every spelling in which a log line might hold it.
fn spellings(secret: &str) -> Vec<String> {
    let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let numbers = secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    // what is long is recognised by its middle, too
    let core = secret.get(secret.len() / 4..secret.len() * 3 / 4).filter(|core| core.len() >= 16).map(str::to_owned);
    let mut all = vec![secret.to_owned(), STANDARD.encode(secret), hex.to_uppercase(), hex, numbers];
    all.extend(core);
    all
}

/// Each secret by what it is.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn keep(&mut self, what: &'static str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(secret.len() >= 16, "{what} could stand in a log by chance");
        self.0.push((what, secret.clone()));
        secret
    }

    fn check(&self, log: &str) {
        let told: Vec<_> = self
            .0
            .iter()
            .filter_map(|(what, secret)| {
                let line = log.lines().find(|line| spellings(secret).iter().any(|spelling| line.contains(spelling)))?;
                Some(format!("{what}: {line}"))
            })
            .collect();
        assert!(told.is_empty(), "secrets are in the log:\n{}", told.join("\n"));
    }
}

/// The secret of the newest mail's link.
async fn link_of_mail(smtp: &SmtpServer, mails: usize, name: &str) -> String {
    eventually("the mail comes", async || smtp.deliveries().len() >= mails).await;
    let message = smtp.deliveries()[mails - 1].message.replace("=\r\n", "").replace("=3D", "=");
    link_in(&message, name)
}

async fn signed_in(stranger: &Client, secrets: &mut Secrets, password: &str) -> (Client, String) {
    let query = "mutation($input: SignInInput!) { signIn(input: $input) { token refreshToken } }";
    let input = json!({ "input": { "email": "ada@kontor.test", "password": password } });
    let answer = stranger.data(query, input).await["signIn"].take();
    let mut client = stranger.clone();
    client.token = Some(secrets.keep("an access token", text(&answer["token"])));
    let refresh = secrets.keep("a refresh token", text(&answer["refreshToken"]));
    (client, refresh)
}

/// Passwords and sessions, right and wrong, by both faces.
async fn use_sessions(stranger: &Client, secrets: &mut Secrets) -> Client {
    for password in [WRONG_PASSWORD, FIRST_PASSWORD] {
        let body = json!({ "email": "ada@kontor.test", "password": password });
        let answer = stranger.post("/auth/login", body).await;
        if answer.status == StatusCode::OK {
            secrets.keep("REST's token", text(&answer.body["data"]["token"]));
        }
        let malformed = format!("{{\"email\": \"ada@kontor.test\", \"password\": \"{password}\", }}");
        let send =
            |request: reqwest::RequestBuilder| request.header("content-type", "application/json").body(malformed);
        stranger.send(Method::POST, "/auth/login", send).await.refused(400);
    }
    let (admin, refresh) = signed_in(stranger, secrets, FIRST_PASSWORD).await;
    let query = "mutation($token: String!) { refreshSession(input: { refreshToken: $token }) { token refreshToken } }";
    let fresh = stranger.data(query, json!({ "token": refresh })).await["refreshSession"].take();
    let mut admin = admin;
    admin.token = Some(secrets.keep("a refreshed token", text(&fresh["token"])));
    secrets.keep("the next refresh token", text(&fresh["refreshToken"]));

    let cookie = "mutation($input: SignInInput!) { signIn(input: $input) { user { id } } }";
    let input = json!({ "input": { "email": "ada@kontor.test", "password": FIRST_PASSWORD, "as": "COOKIE" } });
    let answer = stranger.graphql_with(cookie, input, |request| request).await;
    let set = answer.headers["set-cookie"].to_str().expect("text").to_owned();
    let pair = set.split(';').next().expect("a cookie").to_owned();
    secrets.keep("a cookie", pair.split_once('=').expect("a value").1);
    let mut browser = stranger.clone();
    browser.cookie = Some(pair);
    browser.data("{ viewer { user { id } } }", json!({})).await;
    // a token that is none, and one in a place where none belongs
    let mut wrong = stranger.clone();
    wrong.token = Some(secrets.keep("a wrong token", "kontor_a_wrong-wrong-wrong-wrong-wrong-wrong-wrong-wro"));
    wrong.get("/auth/me").await.refused(401);
    wrong.graphql("{ viewer { user { id } } }", json!({})).await;
    admin
}

async fn use_api_token(admin: &Client, secrets: &mut Secrets) {
    let made = "mutation { createApiToken(input: { name: \"robot\" }) { secret } }";
    let made = admin.data(made, json!({})).await["createApiToken"].take();
    let mut robot = admin.clone();
    robot.token = Some(secrets.keep("an API token", text(&made["secret"])));
    robot.data("{ viewer { user { id } } }", json!({})).await;
    robot.get("/contacts").await.data();
    let mut live = Live::begin(&robot, "subscription { recordChanged(kind: CONTACT) { cursor } }", json!({})).await;
    let query = "mutation { createContact(input: { contact: { email: \"a@x.de\" } }) { contact { id } } }";
    robot.data(query, json!({})).await;
    // the message of the first one may be missed, but not both
    let query = "mutation { createContact(input: { contact: { email: \"b@x.de\" } }) { contact { id } } }";
    robot.data(query, json!({})).await;
    live.next().await;
}

/// Links by mail: an invitation that is accepted, and a password that is set anew.
async fn use_mailed_links(admin: &Client, stranger: &Client, smtp: &SmtpServer, secrets: &mut Secrets) {
    let invite =
        "mutation { inviteUser(input: { email: \"guest@kontor.test\", role: SUPPORT }) { invitation { id } } }";
    admin.data(invite, json!({})).await;
    let link = secrets.keep("an invitation", link_of_mail(smtp, 1, "invitation").await);
    let accept = "mutation($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { token refreshToken } }";
    let input = json!({ "input": { "token": link, "password": GUEST_PASSWORD, "fullName": "Guest" } });
    let guest = stranger.data(accept, input.clone()).await["acceptInvitation"].take();
    secrets.keep("the guest's token", text(&guest["token"]));
    assert!(stranger.graphql(accept, input).await["errors"].is_array(), "once only");

    let forgot = "mutation { requestPasswordReset(input: { email: \"ada@kontor.test\" }) { done } }";
    stranger.data(forgot, json!({})).await;
    let link = secrets.keep("a reset link", link_of_mail(smtp, 2, "reset").await);
    let reset = "mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { done } }";
    stranger.data(reset, json!({ "input": { "token": link, "password": NEXT_PASSWORD } })).await;
    // the same by the path of the other face, where the link's secret is in the address
    let body = json!({ "password": NEXT_PASSWORD });
    stranger.post(&format!("/auth/reset-password/{link}"), body).await;

    let (admin, _) = signed_in(stranger, secrets, NEXT_PASSWORD).await;
    let change = "mutation($input: ChangePasswordInput!) { changePassword(input: $input) { done } }";
    let input = json!({ "currentPassword": NEXT_PASSWORD, "newPassword": LAST_PASSWORD });
    admin.data(change, json!({ "input": input })).await;
}

/// A link by which a file is downloaded without signing in.
async fn use_file_link(installation: &Installation, admin: &Client, secrets: &mut Secrets) {
    let import = importing::start(admin, "email\nc@x.de\n", UPDATE).await;
    let db = installation.db();
    eventually("the import ends", async || import.status(&db).await == "completed").await;
    let job = admin.get(&format!("/import/{}", import.id)).await.expect(StatusCode::OK);
    let link = text(&job["file_url"]);
    secrets.keep("a file's link", link.rsplit('/').next().expect("a token"));
    for link in [link.clone(), link.replace("/files/", "/files/x")] {
        let _ = admin.http.get(link).send().await.expect("answered").bytes().await.expect("read");
    }
}

async fn set_up(installation: &Installation, secrets: &mut Secrets) -> Process {
    let server = installation.serve().await;
    let link = server.said.iter().find_map(|line| line.split_once("#set-up=")).expect("a link").1;
    let key = secrets.keep("a set-up key", link.trim());
    let client = Client::new(&server.url, &installation.ctx());
    let query = "mutation($input: RegisterInput!) { register(input: $input) { token refreshToken } }";
    let input = json!({ "email": "ada@kontor.test", "password": FIRST_PASSWORD, "fullName": "Ada", "setUpKey": key });
    let made = client.data(query, json!({ "input": input })).await["register"].take();
    secrets.keep("the first token", text(&made["token"]));
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_a_log_that_tells_all() {
    let smtp = SmtpServer::start(&[]).await;
    let installation = Installation::external().await;
    // the tests' own PostgreSQL asks for none, and is told it all the same
    let url = installation.url();
    let with_password = url.replacen("@/", &format!(":{DATABASE_PASSWORD}@/"), 1);
    let installation = installation
        .set("DATABASE_URL", if std::env::var_os("KONTOR_TEST_DATABASE_URL").is_some() { url } else { with_password })
        .set("KONTOR_MAIL__URL", format!("smtp://mailer:{MAIL_PASSWORD}@127.0.0.1:{}?tls=none", smtp.port))
        .set("KONTOR_SECRET", INSTALLATION_SECRET)
        .set("KONTOR_LOG", "trace,hyper=trace,h2=trace,tokio_postgres=trace,tungstenite=trace");
    let mut secrets = Secrets::default();
    for (what, secret) in [
        ("the installation's secret", INSTALLATION_SECRET),
        ("the first password", FIRST_PASSWORD),
        ("a mistyped password", WRONG_PASSWORD),
        ("the password by reset link", NEXT_PASSWORD),
        ("the changed password", LAST_PASSWORD),
        ("the guest's password", GUEST_PASSWORD),
        ("the database's password", DATABASE_PASSWORD),
        ("the mail server's password", MAIL_PASSWORD),
    ] {
        secrets.keep(what, secret);
    }
    let server = set_up(&installation, &mut secrets).await;
    let stranger = Client::new(&server.url, &installation.ctx());
    let admin = use_sessions(&stranger, &mut secrets).await;
    use_api_token(&admin, &mut secrets).await;
    use_file_link(&installation, &admin, &mut secrets).await;
    use_mailed_links(&admin, &stranger, &smtp, &mut secrets).await;
    let hashes = "SELECT password_hash AS value FROM users";
    for hash in sql::texts(&installation.db(), hashes).await {
        secrets.keep("a password's hash", hash);
    }
    let ended = server.stop().await;
    assert!(ended.log.contains("TRACE") && ended.log.contains("request{"), "it tells all");
    secrets.check(&ended.log);
    let audit = "SELECT details::text AS value FROM audit_log";
    secrets.check(&sql::texts(&installation.db(), audit).await.join("\n"));
}
