//! `/auth`

use chrono::TimeDelta;
use kontor::{base::ids::UserId, team::letters};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    server::{Client, PASSWORD, TestServer},
    sql,
};

const USER_FIELDS: [&str; 12] = [
    "avatar_url",
    "created_at",
    "department",
    "email",
    "full_name",
    "id",
    "last_login",
    "phone",
    "preferences",
    "role",
    "status",
    "updated_at",
];

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

async fn log_in(server: &TestServer, email: &str) -> Value {
    server.stranger().post("/auth/login", json!({ "email": email, "password": PASSWORD })).await.data()
}

#[tokio::test]
async fn registering_makes_a_workspace_whose_admin_one_is_whatever_role_was_sent() {
    let server = TestServer::start().await;
    let body =
        json!({ "email": " Ada@Example.COM ", "password": PASSWORD, "full_name": "Ada Byron", "role": "support" });
    let answer = server.stranger().post("/auth/register", body.clone()).await.expect(StatusCode::CREATED);
    assert_eq!(answer["success"], true);
    let data = &answer["data"];
    assert_eq!(keys(data), ["refreshToken", "token", "user"]);
    assert_eq!(keys(&data["user"]), USER_FIELDS);
    assert_eq!(
        [&data["user"]["email"], &data["user"]["role"], &data["user"]["status"]],
        ["ada@example.com", "admin", "active"]
    );
    assert_eq!(data["user"]["preferences"], json!({}));
    assert_eq!(data["user"]["phone"], Value::Null);
    assert!(!answer.to_string().contains(PASSWORD));
    let me = server.client(&text(&data["token"])).get("/auth/me").await.data();
    assert_eq!(me["id"], data["user"]["id"]);

    let used = server.stranger().post("/auth/register", body).await.refused(400);
    assert_eq!(used["fields"]["email"], "is already used by another user");
}

#[tokio::test]
async fn registering_is_closed_once_there_is_a_user() {
    let server = TestServer::start_with(|_| {}).await;
    server.sign_up("first@example.com").await;
    let second = json!({ "email": "second@example.com", "password": PASSWORD, "full_name": "Second" });
    server.stranger().post("/auth/register", second).await.refused(403);
}

#[tokio::test]
async fn wrong_registrations_are_told_field_by_field() {
    let server = TestServer::start().await;
    let good = json!({ "email": "a@example.com", "password": PASSWORD, "full_name": "A" });
    let cases = [
        ("email", json!(null)),
        ("email", json!("no address")),
        ("email", json!(5)),
        ("email", json!("a\0@example.com")),
        ("password", json!("short")),
        ("password", json!(" ")),
        ("full_name", json!("  ")),
        ("full_name", json!("x".repeat(300))),
        ("full_name", json!({ "first": "A" })),
    ];
    for (field, value) in cases {
        let mut body = good.clone();
        body[field] = value;
        let refusal = server.stranger().post("/auth/register", body.clone()).await.refused(400);
        assert!(refusal["fields"][field].is_string(), "{body}: {refusal}");
        assert!(refusal["message"].as_str().is_some_and(|message| message.contains(field)), "{refusal}");
    }
    let all = server.stranger().post("/auth/register", json!({})).await.refused(400);
    assert_eq!(keys(&all["fields"]), ["email", "full_name", "password"]);
}

#[tokio::test]
async fn signing_in_takes_the_right_password_alone() {
    let server = TestServer::start().await;
    server.sign_up("ada@example.com").await;
    let data = log_in(&server, "ADA@example.com").await;
    assert_eq!(keys(&data), ["refreshToken", "token", "user"]);
    assert!(text(&data["user"]["last_login"]).ends_with('Z'));
    let attempt = |email: &str, password: &str| {
        let (stranger, body) = (server.stranger(), json!({ "email": email, "password": password }));
        async move { stranger.post("/auth/login", body).await.refused(401) }
    };
    for (email, password) in [
        ("ada@example.com", "wrong horse battery"),
        ("nobody@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("nul\0@example.com", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
    ] {
        assert_eq!(attempt(email, password).await["message"], "Invalid credentials", "{email:?}");
    }
    for body in [
        json!({}),
        json!({ "email": "ada@example.com" }),
        json!({ "password": PASSWORD }),
        json!({ "email": null, "password": 1 }),
    ] {
        server.stranger().post("/auth/login", body).await.refused(400);
    }
}

#[tokio::test]
async fn too_many_wrong_passwords_have_to_wait() {
    let server = TestServer::start().await;
    server.sign_up("ada@example.com").await;
    let wrong = json!({ "email": "ada@example.com", "password": "wrong horse battery" });
    for _ in 0..server.ctx.limits.sign_in_attempts {
        server.stranger().post("/auth/login", wrong.clone()).await.refused(401);
    }
    let answer = server.stranger().post("/auth/login", wrong).await;
    let wait: u64 = answer.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=15 * 60).contains(&wait), "{wait}");
    assert_eq!(answer.refused(429)["code"], "RATE_LIMITED");
}

#[tokio::test]
async fn signing_out_ends_this_session_only() {
    let server = TestServer::start().await;
    let first = server.sign_up("ada@example.com").await;
    let data = log_in(&server, "ada@example.com").await;
    let second = server.client(&text(&data["token"]));
    let done = second.post("/auth/logout", json!({})).await.expect(StatusCode::OK);
    assert_eq!((done["success"].as_bool(), done["message"].is_string()), (Some(true), true));
    second.get("/auth/me").await.refused(401);
    let spent = json!({ "refreshToken": data["refreshToken"] });
    server.stranger().post("/auth/refresh-token", spent).await.refused(401);
    first.get("/auth/me").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_token_works_once() {
    let server = TestServer::start().await;
    server.sign_up("ada@example.com").await;
    let old = log_in(&server, "ada@example.com").await;
    let refresh = |token: &Value| {
        let (stranger, body) = (server.stranger(), json!({ "refreshToken": token }));
        async move { stranger.post("/auth/refresh-token", body).await }
    };
    let fresh = refresh(&old["refreshToken"]).await.data();
    assert_eq!(keys(&fresh), ["refreshToken", "token"]);
    server.client(&text(&fresh["token"])).get("/auth/me").await.expect(StatusCode::OK);
    refresh(&old["refreshToken"]).await.refused(401);
    refresh(&json!("kontor_r_made_up")).await.refused(401);
    refresh(&json!("nul\0")).await.refused(401);
    refresh(&Value::Null).await.refused(400);

    // much later it can only be a stolen one: the session ends
    server.ctx.clock.advance(TimeDelta::minutes(5));
    refresh(&old["refreshToken"]).await.refused(401);
    refresh(&fresh["refreshToken"]).await.refused(401);
}

#[tokio::test]
async fn asking_for_a_reset_link_tells_nobody_who_exists() {
    let server = TestServer::start().await;
    server.sign_up("ada@example.com").await;
    let mut messages = Vec::new();
    for email in ["ada@example.com", "nobody@example.com", "no address", "nul\0@example.com"] {
        let answer = server.stranger().post("/auth/forgot-password", json!({ "email": email })).await;
        messages.push(answer.expect(StatusCode::OK));
    }
    assert!(messages.windows(2).all(|pair| pair[0] == pair[1]), "{messages:?}");
    let mails = "SELECT count(*) AS value FROM jobs WHERE kind = 'team.send_password_reset'";
    // nobody's takes as long to answer, for it has a job too; that one has nothing to do
    assert_eq!(sql::number(&server.database.db, mails).await, 2);
    assert_eq!(server.mails("ada@example.com", 0).await.len(), 1);
    server.jobs_done().await;
    let done = format!("{mails} AND state = 'completed'");
    assert_eq!(sql::number(&server.database.db, &done).await, 2);
    server.stranger().post("/auth/forgot-password", json!({})).await.refused(400);
}

#[tokio::test]
async fn a_reset_link_sets_a_password_once_and_within_the_hour() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let id: UserId = text(&ada.get("/auth/me").await.data()["id"]).parse().expect("an id");
    let link = async || {
        let mail = letters::prepare_reset(&server.ctx, id).await.expect("prepared");
        mail.expect("of a known user").link.text
    };
    let reset = |link: &str, password: &str| {
        let (stranger, path) = (server.stranger(), format!("/auth/reset-password/{link}"));
        let body = json!({ "password": password });
        async move { stranger.post(&path, body).await }
    };
    let good = link().await;
    reset(&good, "short").await.refused(400);
    let done = reset(&good, "a whole new password").await.expect(StatusCode::OK);
    assert_eq!(done["success"], true);
    ada.get("/auth/me").await.refused(401);
    server.sign_in("ada@example.com", "a whole new password").await;
    reset(&good, "another new password").await.refused(400);
    reset("made-up", "another new password").await.refused(400);
    reset("%ff%00", "another new password").await.refused(400);

    let late = link().await;
    server.ctx.clock.advance(TimeDelta::minutes(61));
    reset(&late, "another new password").await.refused(400);
}

#[tokio::test]
async fn me_has_its_fields_at_the_top_too() {
    let server = TestServer::start().await;
    let me = server.sign_up("ada@example.com").await.get("/auth/me").await.expect(StatusCode::OK);
    assert_eq!(keys(&me["data"]), USER_FIELDS);
    for field in USER_FIELDS {
        assert_eq!(me[field], me["data"][field], "{field}");
    }
    assert_eq!(me["success"], true);
}

#[tokio::test]
async fn changing_the_password_needs_the_present_one_and_ends_other_sessions() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let other = server.sign_in("ada@example.com", PASSWORD).await;
    let change = |client: &Client, current: Value, new: Value| {
        let (client, body) = (client.clone(), json!({ "currentPassword": current, "newPassword": new }));
        async move { client.put("/auth/update-password", body).await }
    };
    change(&ada, json!("wrong horse battery"), json!("a whole new password")).await.refused(401);
    let short = change(&ada, json!(PASSWORD), json!("short")).await.refused(400);
    assert!(short["fields"]["newPassword"].is_string(), "{short}");
    let missing = change(&ada, Value::Null, Value::Null).await.refused(400);
    assert_eq!(keys(&missing["fields"]), ["currentPassword", "newPassword"]);
    change(&ada, json!(PASSWORD), json!("a whole new password")).await.expect(StatusCode::OK);
    ada.get("/auth/me").await.expect(StatusCode::OK);
    other.get("/auth/me").await.refused(401);
    server.sign_in("ada@example.com", "a whole new password").await;
}

#[tokio::test]
async fn a_profile_changes_field_by_field() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let change = async |body: Value| ada.put("/auth/update-profile", body).await;
    let full = json!({ "full_name": "Ada Byron", "phone": "+49 30 1", "department": "R&D", "preferences": { "theme": "dark" } });
    let changed = change(full.clone()).await.data();
    for field in ["full_name", "phone", "department", "preferences"] {
        assert_eq!(changed[field], full[field], "{field}");
    }
    let kept = change(json!({ "phone": null, "role": "support", "id": "x", "nonsense": [] })).await.data();
    assert_eq!([&kept["phone"], &kept["department"], &kept["role"]], [&Value::Null, &json!("R&D"), &json!("admin")]);
    assert_eq!(change(json!({ "preferences": null })).await.data()["preferences"], json!({}));
    for wrong in [
        json!({ "full_name": null }),
        json!({ "full_name": " " }),
        json!({ "phone": 5 }),
        json!({ "preferences": [] }),
        json!({ "preferences": { "nul": "\0" } }),
        json!({ "preferences": { "long": "x".repeat(70_000) } }),
    ] {
        change(wrong).await.refused(400);
    }
}

#[tokio::test]
async fn all_but_five_routes_need_a_token() {
    let server = TestServer::start().await;
    server.sign_up("ada@example.com").await;
    let signed_out = [server.stranger(), server.client("kontor_a_made_up"), server.client("x")];
    for client in signed_out {
        for path in ["/auth/me", "/users", "/contacts", "/accounts", "/contacts/no-id", "/accounts?limit=x"] {
            client.get(path).await.refused(401);
        }
        for path in ["/auth/logout", "/contacts", "/accounts", "/users"] {
            client.post(path, json!({})).await.refused(401);
        }
        for path in ["/auth/update-profile", "/auth/update-password", "/users/x", "/contacts/x", "/accounts/x"] {
            client.put(path, json!([])).await.refused(401);
        }
        for path in ["/users/x", "/contacts/x", "/accounts/x"] {
            client.delete(path).await.refused(401);
        }
    }
    for path in
        ["/auth/register", "/auth/login", "/auth/refresh-token", "/auth/forgot-password", "/auth/reset-password/x"]
    {
        server.stranger().post(path, json!({})).await.refused(400);
    }
}
