//! kill -9 of the server while dynamic lists follow an import and people: they end as a fresh look says.

use std::time::Duration;

use kontor::{base::ids::WorkspaceId, transfer::import::ImportOptions};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{importing::start, seed, times};
use crate::{
    lists::settled::{nothing_is_open, wrong},
    support::{
        eventually_within,
        process::{Installation, at},
        sql,
    },
};

/// For a build without optimisation, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const ROWS: usize = 6_000;

const CREATE: &str = "mutation($name: String!, $c: RecordCriteria!) { createContactList(input: { name: $name,
    listType: DYNAMIC, criteria: $c }) { contactList { id } } }";
const UPDATE: &str = "mutation($id: ID!, $city: String!) { updateContact(input: { id: $id, patch: { city: $city } }) { contact { id } } }";

fn compare(field: &str, op: &str, value: Value) -> Value {
    json!({ "compare": { "field": field, "op": op, "value": value } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_right_after_any_number_of_deaths() {
    let mut rng = StdRng::seed_from_u64(seed(5));
    let installation = Installation::external().await;
    let mut server = installation.serve().await;
    let ada = installation.admin(&server).await;
    let db = installation.db();
    let mut named = String::new();
    for (number, criteria) in [
        json!({ "all": [] }),
        compare("city", "EQ", json!("Riga")),
        json!({ "not": compare("city", "EQ", json!("Riga")) }),
        json!({ "compare": { "field": "createdAt", "op": "IN_LAST", "value": 1, "unit": "DAY" } }),
        compare("lastName", "ENDS_WITH", json!("7")),
        json!({ "inList": "the second" }),
    ]
    .into_iter()
    .enumerate()
    {
        let criteria = if criteria.get("inList").is_some() { json!({ "inList": named }) } else { criteria };
        let made = ada.data(CREATE, json!({ "name": format!("L{number}"), "c": criteria })).await;
        if number == 1 {
            named = made["createContactList"]["contactList"]["id"].as_str().expect("an id").to_owned();
        }
    }
    let rows: String = (0..ROWS)
        .map(|row| format!("p{row}@lists.test,N{row},{}\n", if row % 3 == 0 { "Riga" } else { "Oslo" }))
        .collect();
    let options = ImportOptions { skip_duplicates: true, ..ImportOptions::default() };
    let import = start(&ada, format!("email,last_name,city\n{rows}"), options).await;
    let mut moved = 0;
    for _ in 0..times(4, 25) {
        import.let_lease_run_out(&db).await;
        sql::run(
            &db,
            "UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s', crashes = 0 WHERE state = 'running'",
        )
        .await;
        let present = at(&server, &ada);
        let some = "SELECT id::text AS value FROM contacts ORDER BY random() LIMIT 5";
        for id in sql::texts(&db, some).await {
            moved += 1;
            let city = ["Riga", "Oslo"][moved % 2];
            present.data(UPDATE, json!({ "id": id, "city": city })).await;
        }
        sleep(Duration::from_millis(rng.random_range(0..400))).await;
        server.kill().await;
        server = installation.serve().await;
    }
    sql::run(
        &db,
        "UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s', crashes = 0 WHERE state = 'running'",
    )
    .await;
    eventually_within(PATIENCE, "the import ends", async || import.status(&db).await == "completed").await;
    nothing_is_open(&db).await;
    let workspace = sql::texts(&db, "SELECT id::text AS value FROM workspaces").await.remove(0);
    let workspace = WorkspaceId(workspace.parse().expect("an id"));
    let wrong = wrong(&installation.ctx(), &db, workspace).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    let filled = "SELECT count(*) AS value FROM contact_lists WHERE member_count > 100";
    assert_eq!(sql::number(&db, filled).await, 6);
    assert!(server.stop().await.status.success());
}
