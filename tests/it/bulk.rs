//! Many records changed by one request: what becomes of each, what is told of them, who may ask for it,
//! taking it back, and that a run which dies anywhere ends as if it had not.

pub mod crashing;
mod deleting;
mod rights;
mod undoing;
mod updating;

use std::time::Duration;

use kontor::{
    ctx::Ctx,
    db::Db,
    jobs::{Config, Runner, RunnerHandle},
    worker,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{client::Client, database::config, server::TestServer, sql};

const UPDATE: &str = "mutation($input: BulkUpdateInput!) { bulkUpdate(input: $input) { job { id kind } matched } }";
const DELETE: &str = "mutation($input: BulkDeleteInput!) { bulkDelete(input: $input) { job { id } matched } }";
const RESTORE: &str = "mutation($input: BulkRestoreInput!) { bulkRestore(input: $input) { job { id } matched } }";
const REASSIGN: &str = "mutation($input: BulkReassignInput!) { bulkReassign(input: $input) { job { id } matched } }";
const UNDO: &str = "mutation($input: UndoBulkInput!) { undoBulk(input: $input) { job { id } matched } }";
const BULK: &str = "query($id: ID!) { bulkJob(id: $id) { action kinds matched undoes
    job { status lastError progress { processed total succeeded failed skipped } }
    failures(first: 500) { totalCount nodes { recordKind recordId code field message } } } }";

/// Asks for a bulk change: the id of its job, and how many records it is about.
async fn ask(client: &Client, mutation: &str, input: Value) -> (String, i64) {
    let answer = client.data(mutation, json!({ "input": input })).await;
    let payload = answer.as_object().and_then(|answer| answer.values().next()).expect("a payload");
    let id = payload["job"]["id"].as_str().expect("an id").to_owned();
    (id, payload["matched"].as_i64().expect("a number"))
}

/// The same, and waits until it is done: its job's id, and what there is to say about it.
async fn done(server: &TestServer, client: &Client, mutation: &str, input: Value) -> (String, Value) {
    let (id, _) = ask(client, mutation, input).await;
    server.jobs_done().await;
    let shown = shown(client, &id).await;
    assert_eq!(shown["job"]["status"], "COMPLETED", "{shown}");
    (id, shown)
}

async fn shown(client: &Client, id: &str) -> Value {
    client.data(BULK, json!({ "id": id })).await["bulkJob"].take()
}

/// Succeeded, failed, skipped; all that there were are dealt with.
#[track_caller]
fn counts(shown: &Value) -> [i64; 3] {
    let progress = &shown["job"]["progress"];
    assert_eq!(progress["processed"], progress["total"], "{shown}");
    ["succeeded", "failed", "skipped"].map(|name| progress[name].as_i64().expect("a number"))
}

/// Record, code and field of what failed.
fn failures(shown: &Value) -> Vec<(String, String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let nodes = shown["failures"]["nodes"].as_array().expect("rows").iter();
    let failure = |node: &Value| {
        (text(&node["recordId"]).expect("an id"), text(&node["code"]).expect("a code"), text(&node["field"]))
    };
    nodes.map(failure).collect()
}

async fn number(server: &TestServer, query: &str) -> i64 {
    sql::number(&server.database.db, &format!("SELECT count(*) AS value FROM {query}")).await
}

/// Contacts by the thousand, with these columns besides; of the only workspace that there is.
async fn many(db: &Db, count: usize, columns: &str, values: &str) {
    let insert = format!(
        "INSERT INTO contacts (workspace_id, id, last_name, created_by, created_at, updated_at, {columns}) \
         SELECT m.workspace_id, gen_random_uuid(), 'N' || n, m.user_id, now(), now(), {values} \
           FROM (SELECT workspace_id, user_id FROM members ORDER BY created_at, user_id LIMIT 1) AS m \
          CROSS JOIN generate_series(1, {count}) AS n"
    );
    sql::run(db, &insert).await;
}

/// A worker with a pool of its own, as another process would have.
pub fn worker(server: &TestServer) -> RunnerHandle {
    let db = Db::open(&config(&server.database.url)).expect("valid");
    let ctx = Ctx { db: db.clone(), ..server.ctx.clone() };
    let settings = Config { poll: Duration::from_millis(20), ..Config::default() };
    Runner::new(db, server.clock.clone(), ctx, worker::registry(), settings).start(&CancellationToken::new())
}

fn equals(field: &str, value: impl Into<Value>) -> Value {
    json!({ "compare": { "field": field, "op": "EQ", "value": value.into() } })
}
