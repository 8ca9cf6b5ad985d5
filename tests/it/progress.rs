//! Watching a job: its progress as it happens, to the end, for those who may see it.

use kontor::{
    auth::Role,
    config::Config,
    crm::RecordKind,
    files::{
        FileName,
        write::{NewFile, write_new},
    },
    transfer::import::{self, ImportOptions, NewImport},
    worker::Worker,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{
    client::Client,
    live::{Live, Told},
    server::TestServer,
};

const WATCH: &str = "subscription($id: ID!) {
    jobProgress(id: $id) { status processed total succeeded failed message }
}";

/// An import of contacts that waits for a worker.
async fn waiting_import(server: &TestServer, client: &Client, rows: usize) -> import::Import {
    let (ctx, caller) = (&server.ctx, client.caller());
    let new = NewFile {
        name: FileName::parse("people.csv").expect("a name"),
        media_type: "text/csv",
        created_by: caller.user,
        expires_at: ctx.clock.now() + chrono::TimeDelta::days(1),
    };
    let mut writer = write_new(&ctx.files, caller.workspace, new).await.expect("a file");
    let text: String =
        std::iter::once("email\n".to_owned()).chain((0..rows).map(|row| format!("u{row}@x.test\n"))).collect();
    writer.write(text.as_bytes()).await.expect("written");
    let file = writer.finish().await.expect("finished").id;
    let options = ImportOptions::default();
    let new = NewImport { kind: RecordKind::Contact, file, mapping: Default::default(), options };
    import::create(ctx, &caller, new).await.expect("created")
}

/// All states that are told until the subscription ends.
async fn until_complete(mut live: Live) -> Vec<Value> {
    let mut told = Vec::new();
    loop {
        match live.hear().await {
            Told::Data(mut data) => told.push(data["jobProgress"].take()),
            Told::Complete => return told,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn everybody_who_watches_hears_of_a_job_until_it_ends() {
    const ROWS: usize = 12_000;
    let server = TestServer::start_idle().await;
    let admin = server.admin().await;
    let import = waiting_import(&server, &admin, ROWS).await;
    let mut watchers = Vec::new();
    for _ in 0..3 {
        let mut live = Live::begin(&admin, WATCH, json!({ "id": import.job })).await;
        let first = live.next().await;
        assert_eq!(
            (&first["jobProgress"]["status"], &first["jobProgress"]["processed"]),
            (&json!("PENDING"), &json!(0))
        );
        watchers.push(live);
    }
    let stop = CancellationToken::new();
    let worker = Worker::start(&Config::default(), &server.ctx, &server.events, &stop);
    for live in watchers {
        let told = until_complete(live).await;
        let processed: Vec<_> = told.iter().map(|told| told["processed"].as_i64().expect("a number")).collect();
        assert!(processed.is_sorted(), "{processed:?}");
        let last = told.last().expect("something was told");
        assert_eq!((&last["status"], &last["processed"]), (&json!("COMPLETED"), &json!(ROWS)));
        assert_eq!((&last["succeeded"], &last["total"]), (&json!(ROWS), &json!(ROWS)));
        assert!(told[..told.len() - 1].iter().all(|told| told["status"] != "COMPLETED"));
    }
    worker.stop(std::time::Duration::from_secs(10)).await;
}

#[tokio::test]
async fn why_a_job_failed_comes_with_its_end() {
    let server = TestServer::start_idle().await;
    let admin = server.admin().await;
    let import = waiting_import(&server, &admin, 1).await;
    let mut live = Live::begin(&admin, WATCH, json!({ "id": import.job })).await;
    live.next().await;
    kontor::files::remove(&server.ctx.files, admin.workspace(), import.file.expect("a file")).await.expect("removed");
    let stop = CancellationToken::new();
    let _worker = Worker::start(&Config::default(), &server.ctx, &server.events, &stop);
    let told = until_complete(live).await;
    let last = told.last().expect("something was told");
    assert_eq!(last["status"], "FAILED");
    assert!(last["message"].as_str().is_some_and(|message| message.contains("expired")), "{last}");
}

#[tokio::test]
async fn a_job_of_somebody_else_cannot_be_watched() {
    let server = TestServer::start_idle().await;
    let admin = server.admin().await;
    let import = waiting_import(&server, &admin, 1).await;
    for stranger in [admin.invite_role(Role::Support).await, server.other_workspace().await] {
        let mut live = Live::begin(&stranger, WATCH, json!({ "id": import.job })).await;
        assert_eq!(live.refused().await, "NOT_FOUND");
    }
}
