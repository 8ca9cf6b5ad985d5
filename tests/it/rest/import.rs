//! `/import`: the form, the job object, the list, and who may see what.

use std::time::Duration;

use kontor::{
    jobs::{Config, Registry, Runner, RunnerHandle},
    transfer::import::RunImport,
};
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{
    eventually,
    folder::Folder,
    server::{Answer, Client, TestServer},
    sql,
};

const BOUNDARY: &str = "--------------------------a1b2c3";

/// A part of a form: name, file name where it is a file, content.
pub type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"\r\nContent-Type: text/csv")).unwrap_or_default();
        body.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

async fn send(client: &Client, body: Vec<u8>) -> Answer {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    client.send(Method::POST, "/import", |request| request.header(CONTENT_TYPE, kind).body(body)).await
}

pub async fn post(client: &Client, parts: &[Part<'_>]) -> Answer {
    send(client, form(parts)).await
}

fn worker(server: &TestServer) -> RunnerHandle {
    let settings = Config { poll: Duration::from_millis(20), ..Config::default() };
    let registry = Registry::new().register::<RunImport>();
    Runner::new(server.ctx.db.clone(), server.ctx.clock.clone(), server.ctx.clone(), registry, settings)
        .start(&CancellationToken::new())
}

pub async fn ended(client: &Client, job: &Value) -> Value {
    let path = format!("/import/{}", job["id"].as_str().expect("an id"));
    let mut job = Value::Null;
    eventually("the import ends", async || {
        job = client.get(&path).await.expect(200.try_into().expect("a status"));
        !["pending", "processing"].contains(&job["status"].as_str().expect("a status"))
    })
    .await;
    job
}

fn status(code: u16) -> reqwest::StatusCode {
    code.try_into().expect("a status")
}

/// The message of a bare refusal.
#[track_caller]
fn refused(answer: Answer, code: u16) -> String {
    let body = answer.expect(status(code));
    // of a caller in every family alike; else the bare one has none
    assert_eq!(body.get("success"), (code == 403).then_some(&json!(false)), "{body}");
    body["message"].as_str().expect("a message").to_owned()
}

#[tokio::test]
async fn a_file_becomes_a_job_that_is_asked_about() {
    let server = TestServer::start_idle().await;
    let admin = server.sign_up("a@kontor.test").await;
    let text = b"E-Mail,Vorname,Town\na@x.de,Anna,Bonn\nwrong,B,\na@x.de,C,\n";
    let parts: [Part<'_>; 4] = [
        ("field_mapping", None, br#"{"E-Mail": "email", "Vorname": "first_name", "Town": ""}"#),
        ("import_options", None, br#"{"skip_duplicates": true, "other": 1}"#),
        ("file", Some("C:\\fakepath\\people.csv"), text),
        ("entity_type", None, b"contacts"),
    ];
    let job = post(&admin, &parts).await.expect(status(201));
    assert_eq!(
        (&job["status"], &job["file_name"], &job["file_size"]),
        (&json!("pending"), &json!("people.csv"), &json!(text.len()))
    );
    let _worker = worker(&server);
    let mut done = ended(&admin, &job).await;
    let taken = |done: &mut Value, name: &str| done.as_object_mut().and_then(|job| job.remove(name)).expect(name);
    for time in ["started_at", "completed_at", "created_at", "updated_at"] {
        let time = taken(&mut done, time);
        assert!(time.as_str().is_some_and(|time| time.len() == 24 && time.ends_with('Z')), "{time}");
    }
    assert!(taken(&mut done, "file_url").as_str().is_some_and(|url| url.starts_with("http://kontor.test/files/")));
    let me = admin.get("/auth/me").await.data();
    assert_eq!(taken(&mut done, "created_by"), me["id"]);
    assert_eq!(taken(&mut done, "id"), job["id"]);
    assert_eq!(
        done,
        json!({
            "entity_type": "contacts",
            "file_name": "people.csv",
            "file_size": text.len(),
            "status": "completed",
            "field_mapping": { "E-Mail": "email", "Vorname": "first_name" },
            "import_options": { "skip_duplicates": true, "update_existing": false },
            "total_rows": 3,
            "processed_rows": 3,
            "successful_rows": 1,
            "failed_rows": 1,
            "skipped_rows": 1,
            "errors": [{ "row": 2, "error": "E-Mail is not an e-mail address" }],
        })
    );
    let contacts = admin.get("/contacts").await.data();
    assert_eq!(contacts[0]["first_name"], "Anna");
}

#[tokio::test]
async fn a_wrong_form_is_refused_and_leaves_no_file() {
    let server = TestServer::start_idle().await;
    let admin = server.sign_up("a@kontor.test").await;
    let file: Part<'_> = ("file", Some("a.csv"), b"email\na@x.de\n");
    let contacts: Part<'_> = ("entity_type", None, b"contacts");
    let wrong: [(&[Part<'_>], &str); 10] = [
        (&[contacts], "file is needed"),
        (&[("file", Some(""), b""), contacts], "file is needed"),
        (&[file], "entity_type is needed"),
        (&[file, ("entity_type", None, b"people")], "entity_type must be one of leads"),
        (&[file, ("entity_type", None, b"tasks")], "entity_type cannot be imported yet"),
        (&[file, contacts, ("field_mapping", None, b"{")], "field_mapping is not valid JSON"),
        (&[file, contacts, ("field_mapping", None, b"[1]")], "field_mapping must be a JSON object"),
        (&[file, contacts, ("field_mapping", None, br#"{"email": "shoe"}"#)], "field_mapping names a field"),
        (&[file, contacts, ("import_options", None, br#"{"skip_duplicates": "often"}"#)], "import_options is not"),
        (&[file, file, contacts], "file is given more than once"),
    ];
    for (parts, message) in wrong {
        let told = refused(post(&admin, parts).await, 400);
        assert!(told.starts_with(message), "{told}");
    }
    let whole = form(&[file, contacts]);
    for cut in [60, 150, whole.len() - 10] {
        refused(send(&admin, whole[..cut].to_vec()).await, 400);
    }
    refused(admin.post("/import", json!({ "entity_type": "contacts" })).await, 400);
    let left =
        "SELECT (SELECT count(*) FROM files) + (SELECT count(*) FROM imports) + (SELECT count(*) FROM jobs) AS value";
    assert_eq!(sql::number(&server.ctx.db, left).await, 0);
}

#[tokio::test]
async fn a_file_over_the_limit_is_too_large() {
    let folder = Folder::new();
    let server = TestServer::start_with(|ctx| {
        ctx.auth.open_registration = true;
        let limits = kontor::base::Limits { upload_bytes: 100_000, ..kontor::base::Limits::default() };
        let store = kontor::files::Store::open(
            &kontor::files::Config { folder: Some(folder.path().to_owned()), s3: None },
            std::path::Path::new("."),
        );
        let signer = kontor::files::Signer::new(b"secret");
        let store = store.expect("the store opens");
        ctx.files = kontor::files::Files::new(ctx.db.clone(), store, signer, ctx.clock.clone(), &limits);
    })
    .await;
    let admin = server.sign_up("a@kontor.test").await;
    let large = vec![b'x'; 3_000_000];
    let parts: [Part<'_>; 2] = [("file", Some("a.csv"), &large), ("entity_type", None, b"contacts")];
    assert!(refused(post(&admin, &parts).await, 413).contains("upload_bytes"));
    assert_eq!(sql::number(&server.ctx.db, "SELECT count(*) AS value FROM files").await, 0);
}

/// Whoever is still sending reads the answer all the same.
#[tokio::test]
async fn what_is_refused_is_still_read() {
    let server = TestServer::start_idle().await;
    let admin = server.sign_up("a@kontor.test").await;
    let support = server.colleague(&admin, "support").await;
    let large = vec![b'x'; 40_000_000];
    let file: Part<'_> = ("file", Some("a.csv"), &large);
    let contacts: Part<'_> = ("entity_type", None, b"contacts");
    refused(post(&support, &[file, contacts]).await, 403);
    refused(post(&admin, &[("entity_type", None, &large), file]).await, 413);
    assert!(refused(post(&admin, &[("other", None, &large), contacts]).await, 413).contains("not known"));
    let many = vec![("other", None, &b""[..]); 65];
    assert!(refused(post(&admin, &many).await, 413).contains("64 parts"));
    assert_eq!(sql::number(&server.ctx.db, "SELECT count(*) AS value FROM files").await, 0);
}

/// Larger than any other body may be.
#[tokio::test]
async fn a_large_file_is_taken_whole() {
    let server = TestServer::start_idle().await;
    let admin = server.sign_up("a@kontor.test").await;
    let rows: String = (0..200_000).map(|row| format!("not an address {row},{row}\n")).collect();
    let text = format!("email,city\n{rows}");
    let parts: [Part<'_>; 2] = [("entity_type", None, b"contacts"), ("file", Some("a.csv"), text.as_bytes())];
    let job = post(&admin, &parts).await.expect(status(201));
    assert_eq!(job["file_size"], text.len());
}

#[tokio::test]
async fn the_list_holds_the_callers_own_newest_first() {
    let server = TestServer::start_idle().await;
    let admin = server.sign_up("a@kontor.test").await;
    let sales = server.colleague(&admin, "sales_rep").await;
    let contacts: [Part<'_>; 2] = [("file", Some("a.csv"), b"email\n"), ("entity_type", None, b"contacts")];
    let accounts: [Part<'_>; 2] = [("file", Some("b.csv"), b"Nothing\n1\n"), ("entity_type", None, b"accounts")];
    let first = post(&sales, &contacts).await.expect(status(201));
    let second = post(&sales, &accounts).await.expect(status(201));
    post(&admin, &contacts).await.expect(status(201));
    let ids = async |client: &Client, path: &str| {
        let list = client.get(path).await.expect(status(200));
        let ids = list.as_array().expect("a bare array").iter().map(|job| job["id"].clone());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(&sales, "/import").await, [second["id"].clone(), first["id"].clone()]);
    assert_eq!(ids(&admin, "/import").await.len(), 1, "an admin's list is their own too");
    assert_eq!(ids(&sales, "/import?entity_type=accounts").await, [second["id"].clone()]);
    assert_eq!(ids(&sales, "/import?status=pending&page=7").await.len(), 2);
    let _worker = worker(&server);
    let failed = ended(&sales, &second).await;
    assert_eq!((&failed["status"], &failed["errors"][0]["row"]), (&json!("failed"), &json!(0)));
    assert!(failed["errors"][0]["error"].as_str().is_some_and(|error| error.contains("Nothing")));
    ended(&sales, &first).await;
    assert_eq!(ids(&sales, "/import?status=failed").await, [second["id"].clone()]);
    assert_eq!(ids(&sales, "/import?status=completed").await, [first["id"].clone()]);
    refused(sales.get("/import?status=nonsense").await, 400);
    refused(sales.get("/import?entity_type=nonsense").await, 400);
}

#[tokio::test]
async fn others_see_nothing() {
    let server = TestServer::start_idle().await;
    let admin = server.sign_up("a@kontor.test").await;
    let sales = server.colleague(&admin, "sales_rep").await;
    let support = server.colleague(&admin, "support").await;
    let other = server.sign_up("b@kontor.test").await;
    let contacts: [Part<'_>; 2] = [("file", Some("a.csv"), b"email\n"), ("entity_type", None, b"contacts")];
    let job = post(&sales, &contacts).await.expect(status(201));
    let path = format!("/import/{}", job["id"].as_str().expect("an id"));
    admin.get(&path).await.expect(status(200));
    for stranger in [&support, &other] {
        refused(stranger.get(&path).await, 404);
    }
    refused(admin.get("/import/nonsense").await, 404);
    refused(admin.get("/import/no/such/route").await, 404);
    refused(admin.send(Method::PATCH, "/import", |request| request).await, 405);
    refused(post(&support, &contacts).await, 403);
    let nobody = server.stranger();
    for answer in [nobody.get("/import").await, nobody.get(&path).await, post(&nobody, &contacts).await] {
        answer.refused(401);
    }
}

#[tokio::test]
async fn a_manager_sees_an_import_but_gets_no_link_to_its_file() {
    let server = TestServer::start_idle().await;
    let admin = server.sign_up("a@kontor.test").await;
    let (sales, manager) = (server.colleague(&admin, "sales_rep").await, server.colleague(&admin, "manager").await);
    let parts: [Part<'_>; 2] = [("file", Some("people.csv"), b"email\n"), ("entity_type", None, b"contacts")];
    let job = post(&sales, &parts).await.expect(status(201));
    let path = format!("/import/{}", job["id"].as_str().expect("an id"));
    for (client, sees) in [(&sales, true), (&admin, true), (&manager, false)] {
        let seen = client.get(&path).await.expect(status(200));
        assert_eq!((&seen["id"], seen["file_url"].is_string()), (&job["id"], sees));
    }
}
