//! Pipelines and their stages: making and changing them, what becomes of the deals on a stage that is
//! deleted, and how long a deal stood where.

use chrono::TimeDelta;
use kontor::auth::Role;
use serde_json::{Value, json};

use crate::support::{client::Client, eventually, server::TestServer, sql, statements};

const PIPELINES: &str = "{ pipelines { id name isDefault position stages { id name type probability position } } }";
const CREATE: &str = "mutation($input: CreatePipelineInput!) { createPipeline(input: $input) {
    pipeline { id name isDefault position stages { id name type probability position } } } }";
const UPDATE: &str = "mutation($input: UpdatePipelineInput!) { updatePipeline(input: $input) {
    pipeline { id name isDefault position } } }";
const DELETE: &str = "mutation($id: ID!) { deletePipeline(input: { id: $id }) { deletedId } }";
const CREATE_STAGE: &str = "mutation($input: CreateStageInput!) { createStage(input: $input) {
    stage { id name probability position } pipeline { id } } }";
const UPDATE_STAGE: &str = "mutation($input: UpdateStageInput!) { updateStage(input: $input) {
    stage { id name type probability } } }";
const DELETE_STAGE: &str = "mutation($id: ID!, $to: ID) { deleteStage(input: { id: $id, moveTo: $to }) {
    deletedId jobId pipeline { stages { name position } } } }";
const REORDER: &str = "mutation($id: ID!, $stages: [ID!]!) {
    reorderStages(input: { pipelineId: $id, stageIds: $stages }) { pipeline { stages { name position } } } }";
const DEAL: &str = "query($id: ID!) { deal(id: $id) { version probability closeDate stage { name }
    stageHistory { stage { name } enteredAt leftAt secondsInStage }
    history { nodes { field before after origin actor { kind } } } } }";
const MOVE: &str = "mutation($id: ID!, $stage: ID!) {
    updateDeal(input: { id: $id, patch: { stageId: $stage } }) { deal { version stage { name } } } }";

/// One with two open stages, one won and one lost: its id and those of its stages.
async fn pipeline(client: &Client, name: &str) -> (Value, [Value; 4]) {
    let stages = json!([
        { "name": "First", "type": "OPEN", "probability": 10 },
        { "name": "Second", "type": "OPEN", "probability": 60 },
        { "name": "Won", "type": "WON" },
        { "name": "Lost", "type": "LOST" }
    ]);
    let made = client.data(CREATE, json!({ "input": { "name": name, "stages": stages } })).await;
    let made = &made["createPipeline"]["pipeline"];
    (made["id"].clone(), [0, 1, 2, 3].map(|at: usize| made["stages"][at]["id"].clone()))
}

/// A new deal on this stage.
async fn deal(client: &Client, stage: &Value) -> Value {
    let create = "mutation($deal: DealInput!) { createDeal(input: { deal: $deal }) { deal { id } } }";
    let made = client.data(create, json!({ "deal": { "name": "Ship", "stageId": stage } })).await;
    made["createDeal"]["deal"]["id"].clone()
}

async fn delete_deal(client: &Client, id: &Value) {
    client.data("mutation($id: ID!) { deleteDeal(input: { id: $id }) { deletedId } }", json!({ "id": id })).await;
}

fn names(stages: &Value) -> Vec<&str> {
    stages.as_array().expect("a list").iter().map(|stage| stage["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn a_pipeline_is_made_changed_and_deleted() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let before = ada.data(PIPELINES, json!({})).await["pipelines"].clone();
    assert_eq!(before.as_array().map(Vec::len), Some(1));
    assert_eq!((&before[0]["isDefault"], &before[0]["stages"][8]["position"]), (&json!(true), &json!(9)));
    let sales = before[0]["id"].clone();

    let (partners, stages) = pipeline(&ada, " Partners ").await;
    let after = ada.data(PIPELINES, json!({})).await["pipelines"].clone();
    let made = &after[1];
    assert_eq!((&made["name"], &made["isDefault"], &made["position"]), (&json!("Partners"), &json!(false), &json!(2)));
    let probabilities = [0, 1, 2, 3].map(|at: usize| made["stages"][at]["probability"].clone());
    assert_eq!(probabilities, [json!(10), json!(60), json!(100), json!(0)]);

    // what is wrong is told
    let open = json!({ "name": "A", "type": "OPEN", "probability": 1 });
    let again = json!({ "input": { "name": "partners", "stages": [open] } });
    let refusal = ada.refused(CREATE, again, "CONFLICT").await;
    assert!(refusal["extensions"]["fields"]["name"].is_string(), "{refusal}");
    for (field, stages) in [
        ("stages", json!([])),
        ("stages", json!([{ "name": "A", "type": "WON" }])),
        ("stages[0].probability", json!([{ "name": "A", "type": "OPEN" }])),
        ("stages[0].probability", json!([{ "name": "A", "type": "OPEN", "probability": 101 }])),
        ("stages[1].name", json!([open, { "name": " ", "type": "WON" }])),
        ("stages[1].name", json!([open, { "name": "a", "type": "WON" }])),
    ] {
        let wrong = json!({ "input": { "name": "N", "stages": stages } });
        let refusal = ada.refused(CREATE, wrong, "BAD_USER_INPUT").await;
        assert!(refusal["extensions"]["fields"][field].is_string(), "{field}: {refusal}");
    }

    // the default is one; a deal that names none goes to its first open stage
    ada.refused(DELETE, json!({ "id": sales }), "CONFLICT").await;
    ada.refused(UPDATE, json!({ "input": { "id": sales, "isDefault": false } }), "BAD_USER_INPUT").await;
    let won_first = json!([stages[2]]);
    ada.data(REORDER, json!({ "id": partners, "stages": won_first })).await;
    let first = json!({ "input": { "id": partners, "isDefault": true, "position": 1, "name": "Allies" } });
    let updated = ada.data(UPDATE, first).await["updatePipeline"]["pipeline"].clone();
    assert_eq!(updated, json!({ "id": partners, "name": "Allies", "isDefault": true, "position": 1 }));
    let after = ada.data(PIPELINES, json!({})).await["pipelines"].clone();
    assert_eq!((&after[1]["id"], &after[1]["isDefault"], &after[1]["position"]), (&sales, &json!(false), &json!(2)));
    let create = "mutation { createDeal(input: { deal: { name: \"D\" } }) { deal { id stageId pipelineId } } }";
    let made = ada.data(create, json!({})).await["createDeal"]["deal"].clone();
    assert_eq!((&made["stageId"], &made["pipelineId"]), (&stages[0], &partners));

    // deals on it keep it, deleted ones too
    ada.data(UPDATE, json!({ "input": { "id": sales, "isDefault": true } })).await;
    ada.refused(DELETE, json!({ "id": partners }), "CONFLICT").await;
    delete_deal(&ada, &made["id"]).await;
    ada.refused(DELETE, json!({ "id": partners }), "CONFLICT").await;
    let (empty, _) = pipeline(&ada, "Empty").await;
    ada.data(DELETE, json!({ "id": empty })).await;
    let gone = ada.data("query($id: ID!) { pipeline(id: $id) { id } }", json!({ "id": empty })).await;
    assert_eq!(gone["pipeline"], Value::Null);
    ada.refused(DELETE, json!({ "id": empty }), "NOT_FOUND").await;

    server.events_logged().await;
    for (name, times) in [("pipeline.created", 2), ("pipeline.updated", 3), ("pipeline.deleted", 1)] {
        let count = format!("SELECT count(*) AS value FROM events WHERE name = '{name}' AND kind = 'pipeline'");
        assert_eq!(sql::number(&server.database.db, &count).await, times, "{name}");
        let count = format!("SELECT count(*) AS value FROM audit_log WHERE action = '{name}'");
        assert_eq!(sql::number(&server.database.db, &count).await, times, "{name} in the audit log");
    }
}

#[tokio::test]
async fn pipelines_and_stages_have_their_limits_and_are_their_workspaces_own() {
    let few = |ctx: &mut kontor::ctx::Ctx| {
        let limits = std::sync::Arc::make_mut(&mut ctx.limits);
        (limits.pipelines, limits.stages_per_pipeline) = (2, 4);
    };
    let server = TestServer::start_with(few).await;
    let ada = server.admin().await;
    let (id, stages) = pipeline(&ada, "Second").await;
    let open = json!({ "name": "A", "type": "OPEN", "probability": 1 });
    let refusal = ada.refused(CREATE, json!({ "input": { "name": "Third", "stages": [open] } }), "CONFLICT").await;
    assert!(refusal["message"].as_str().is_some_and(|told| told.contains("limits.pipelines")), "{refusal}");
    let fifth = json!({ "input": { "pipelineId": id, "name": "Fifth", "type": "LOST" } });
    ada.refused(CREATE_STAGE, fifth.clone(), "CONFLICT").await;

    let eve = server.other_workspace().await;
    eve.refused(CREATE_STAGE, fifth, "NOT_FOUND").await;
    eve.refused(UPDATE, json!({ "input": { "id": id, "name": "E" } }), "NOT_FOUND").await;
    eve.refused(UPDATE_STAGE, json!({ "input": { "id": stages[0], "name": "E" } }), "NOT_FOUND").await;
    eve.refused(DELETE_STAGE, json!({ "id": stages[0] }), "NOT_FOUND").await;
    eve.refused(REORDER, json!({ "id": id, "stages": [] }), "NOT_FOUND").await;
    eve.refused(DELETE, json!({ "id": id }), "NOT_FOUND").await;
    // a stage of theirs is no place for ours
    let theirs = eve.data(PIPELINES, json!({})).await["pipelines"][0]["stages"][0]["id"].clone();
    ada.refused(DELETE_STAGE, json!({ "id": stages[0], "to": theirs }), "BAD_USER_INPUT").await;
    let rep = ada.invite_role(Role::SalesRep).await;
    rep.refused(UPDATE_STAGE, json!({ "input": { "id": stages[0], "name": "E" } }), "FORBIDDEN").await;
    assert_eq!(rep.data(PIPELINES, json!({})).await["pipelines"][1]["id"], id);
}

#[tokio::test]
async fn stages_are_made_changed_and_ordered() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (id, stages) = pipeline(&ada, "P").await;
    let between = json!({ "pipelineId": id, "name": "Between", "type": "OPEN", "probability": 30, "position": 2 });
    let made = ada.data(CREATE_STAGE, json!({ "input": between })).await["createStage"]["stage"].clone();
    assert_eq!((&made["position"], &made["probability"]), (&json!(2), &json!(30)));
    let twice = json!({ "pipelineId": id, "name": "between", "type": "LOST" });
    ada.refused(CREATE_STAGE, json!({ "input": twice }), "CONFLICT").await;
    ada.refused(UPDATE_STAGE, json!({ "input": { "id": stages[0], "name": "WON" } }), "CONFLICT").await;
    ada.refused(UPDATE_STAGE, json!({ "input": { "id": stages[0], "probability": -1 } }), "BAD_USER_INPUT").await;

    let order = json!([stages[3], stages[1]]);
    let ordered = ada.data(REORDER, json!({ "id": id, "stages": order })).await["reorderStages"]["pipeline"].clone();
    assert_eq!(names(&ordered["stages"]), ["Lost", "Second", "First", "Between", "Won"]);
    assert_eq!(ordered["stages"][4]["position"], 5);
    for wrong in [json!([stages[3], stages[3]]), json!([uuid::Uuid::nil()])] {
        ada.refused(REORDER, json!({ "id": id, "stages": wrong }), "BAD_USER_INPUT").await;
    }

    // one open stage stays
    let closed = |id: &Value| json!({ "input": { "id": id, "type": "LOST", "probability": 0 } });
    ada.data(UPDATE_STAGE, closed(&stages[0])).await;
    ada.data(DELETE_STAGE, json!({ "id": made["id"] })).await;
    ada.refused(UPDATE_STAGE, closed(&stages[1]), "CONFLICT").await;
    ada.refused(DELETE_STAGE, json!({ "id": stages[1] }), "CONFLICT").await;
    let left = ada.data(DELETE_STAGE, json!({ "id": stages[3] })).await["deleteStage"]["pipeline"].clone();
    assert_eq!(names(&left["stages"]), ["Second", "First", "Won"]);
    assert_eq!(left["stages"][2]["position"], 3);
}

#[tokio::test]
async fn the_deals_of_a_deleted_stage_move_with_their_histories() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (_, stages) = pipeline(&ada, "P").await;
    let (_, others) = pipeline(&ada, "Q").await;
    let (one, deleted) = (deal(&ada, &stages[1]).await, deal(&ada, &stages[1]).await);
    let elsewhere = deal(&ada, &stages[0]).await;
    delete_deal(&ada, &deleted).await;
    server.advance(TimeDelta::hours(2));

    ada.refused(DELETE_STAGE, json!({ "id": stages[1] }), "CONFLICT").await;
    for wrong in [&others[0], &stages[1]] {
        let refusal = ada.refused(DELETE_STAGE, json!({ "id": stages[1], "to": wrong }), "BAD_USER_INPUT").await;
        assert!(refusal["extensions"]["fields"]["moveTo"].is_string(), "{refusal}");
    }
    let done = ada.data(DELETE_STAGE, json!({ "id": stages[1], "to": stages[2] })).await["deleteStage"].clone();
    assert_eq!((&done["jobId"], names(&done["pipeline"]["stages"])), (&Value::Null, vec!["First", "Won", "Lost"]));

    let moved = ada.data(DEAL, json!({ "id": one })).await["deal"].clone();
    assert_eq!(
        (&moved["version"], &moved["probability"], &moved["stage"]["name"]),
        (&json!(2), &json!(100), &json!("Won"))
    );
    assert!(moved["closeDate"].is_string(), "{moved}");
    let history = moved["history"]["nodes"].as_array().expect("a list");
    let told = |field: &str| history.iter().find(|change| change["field"] == field).expect("it is told");
    assert_eq!(history.len(), 3);
    assert_eq!((&told("stageId")["before"], &told("stageId")["after"]), (&stages[1], &stages[2]));
    assert_eq!((&told("probability")["before"], &told("probability")["after"]), (&json!(60), &json!(100)));
    assert_eq!(told("closeDate")["before"], Value::Null);
    let times = &moved["stageHistory"];
    assert_eq!(times.as_array().map(Vec::len), Some(2));
    assert_eq!(times[0]["stage"], Value::Null, "the stage is gone");
    let seconds = times[0]["secondsInStage"].as_i64().expect("a number");
    assert!((7_200..7_500).contains(&seconds), "{seconds}");
    assert_eq!((&times[1]["stage"]["name"], &times[1]["leftAt"]), (&json!("Won"), &Value::Null));
    assert_eq!(times[0]["leftAt"], times[1]["enteredAt"]);

    assert_eq!(ada.data(DEAL, json!({ "id": elsewhere })).await["deal"]["version"], 1);
    let restore = "mutation($id: ID!) { restoreDeal(input: { id: $id }) { deal { stage { name } } } }";
    let restored = ada.data(restore, json!({ "id": deleted })).await;
    assert_eq!(restored["restoreDeal"]["deal"]["stage"]["name"], "Won");
    server.events_logged().await;
    let told = "SELECT count(*) AS value FROM events WHERE name = 'record.updated' AND kind = 'deal'
                   AND payload -> 'changed' ? 'stageId' AND cardinality(record_ids) = 1";
    assert_eq!(sql::number(&server.database.db, told).await, 1, "of the live one");
}

#[tokio::test]
async fn a_deal_that_is_open_again_has_no_close_date() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (_, stages) = pipeline(&ada, "P").await;
    let id = deal(&ada, &stages[0]).await;
    let to = async |stage: &Value| {
        server.advance(TimeDelta::hours(1));
        ada.data(MOVE, json!({ "id": id, "stage": stage })).await;
        ada.data(DEAL, json!({ "id": id })).await["deal"]["closeDate"].clone()
    };
    let first = to(&stages[2]).await;
    assert_eq!(to(&stages[3]).await, first, "lost or won, that is when it was closed");
    assert_eq!(to(&stages[1]).await, Value::Null);
    let second = to(&stages[2]).await;
    assert!(second.as_str() > first.as_str(), "{second} is behind {first}");
    // the same by the deletion of its stage
    let to = json!({ "id": stages[2], "to": stages[0] });
    ada.data(DELETE_STAGE, to).await;
    let deal = ada.data(DEAL, json!({ "id": id })).await["deal"].clone();
    assert_eq!((&deal["closeDate"], &deal["stage"]["name"]), (&Value::Null, &json!("First")));
    let history = deal["history"]["nodes"].as_array().expect("a list");
    let told = history.iter().find(|change| change["field"] == "closeDate").expect("it is told");
    let second = second.as_str().expect("a time").replace("+00:00", "Z");
    assert_eq!((&told["before"], &told["after"]), (&json!(second), &Value::Null));
}

#[tokio::test]
async fn many_deals_are_moved_by_a_job() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (id, stages) = pipeline(&ada, "P").await;
    let text = |id: &Value| id.as_str().expect("an id").to_owned();
    let many = format!(
        "INSERT INTO deals (workspace_id, id, name, pipeline_id, stage_id, stage_entered_at, probability, created_by, \
                created_at, updated_at) \
         SELECT '{}', gen_random_uuid(), 'D' || n, '{}', '{}', now(), 60, '{}', now(), now() \
           FROM generate_series(1, 2100) AS n",
        ada.workspace(),
        text(&id),
        text(&stages[1]),
        ada.user()
    );
    sql::run(&server.database.db, &many).await;
    let done = ada.data(DELETE_STAGE, json!({ "id": stages[1], "to": stages[0] })).await["deleteStage"].clone();
    assert!(done["jobId"].is_string(), "{done}");
    server.jobs_done().await;
    let job = "query($id: ID!) { job(id: $id) { status progress { processed total } } }";
    let job = ada.data(job, json!({ "id": done["jobId"] })).await["job"].clone();
    assert_eq!(job, json!({ "status": "COMPLETED", "progress": { "processed": 2100, "total": 2100 } }));
    for (what, count, expected) in [
        ("stages", format!("pipeline_stages WHERE id = '{}'", text(&stages[1])), 0),
        ("deals", format!("deals WHERE stage_id = '{}' AND probability = 10 AND version = 2", text(&stages[0])), 2100),
        ("changes", "record_changes WHERE kind = 'deal' AND version = 2".to_owned(), 2100),
    ] {
        let count = format!("SELECT count(*) AS value FROM {count}");
        assert_eq!(sql::number(&server.database.db, &count).await, expected, "{what}");
    }
    server.events_logged().await;
    let told = "SELECT sum(cardinality(record_ids))::bigint AS value FROM events WHERE name = 'record.updated'";
    assert_eq!(sql::number(&server.database.db, told).await, 2100);
}

#[tokio::test]
async fn a_job_moves_deals_with_no_more_than_the_token_had() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let (id, stages) = pipeline(&ada, "P").await;
    let text = |id: &Value| id.as_str().expect("an id").to_owned();
    let many = format!(
        "INSERT INTO deals (workspace_id, id, name, pipeline_id, stage_id, stage_entered_at, probability, created_by, \
                created_at, updated_at) \
         SELECT '{}', gen_random_uuid(), 'D' || n, '{}', '{}', now(), 60, '{}', now(), now() \
           FROM generate_series(1, 1001) AS n",
        ada.workspace(),
        text(&id),
        text(&stages[1]),
        ada.user()
    );
    sql::run(&server.database.db, &many).await;
    let create = "mutation { createApiToken(input: { name: \"T\", scopes: [\"pipelines:manage\"] }) { secret } }";
    let secret = ada.data(create, json!({})).await["createApiToken"]["secret"].clone();
    let token = server.client(secret.as_str().expect("a secret"));
    let done = token.data(DELETE_STAGE, json!({ "id": stages[1], "to": stages[0] })).await["deleteStage"].clone();
    let job = text(&done["jobId"]);
    let held = format!(
        "SELECT count(*) AS value FROM jobs WHERE id = '{job}' AND payload -> 'scopes' = '[\"pipelines:manage\"]'"
    );
    assert_eq!(sql::number(&server.database.db, &held).await, 1);
    // as if the token had been another one
    let narrow = format!("UPDATE jobs SET payload = jsonb_set(payload, '{{scopes}}', '[]') WHERE id = '{job}'");
    sql::run(&server.database.db, &narrow).await;
    let _worker = crate::bulk::worker(&server);
    server.jobs_done().await;
    let failed = format!(
        "SELECT count(*) AS value FROM jobs WHERE id = '{job}' AND state = 'failed' AND last_error LIKE '%pipelines:manage%'"
    );
    assert_eq!(sql::number(&server.database.db, &failed).await, 1);
    assert_eq!(sql::number(&server.database.db, "SELECT count(*) AS value FROM deals WHERE version > 1").await, 0);
}

/// Waits until somebody's statement waits for another's lock.
async fn somebody_waits(server: &TestServer) {
    let waiting = "SELECT count(*) AS value FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                    WHERE NOT l.granted AND a.datname = current_database()";
    eventually("somebody waits for a lock", async || sql::number(&server.database.db, waiting).await > 0).await;
}

#[tokio::test]
async fn a_deal_and_the_deletion_of_its_stage_do_not_miss_each_other() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let (_, stages) = pipeline(&ada, "P").await;
    let moving = deal(&ada, &stages[0]).await;
    let (deal, second) = (moving.as_str().expect("an id"), stages[1].as_str().expect("an id"));

    // the deal comes to the stage first, and is not committed yet
    let mut tx = server.database.db.system().await.expect("a transaction");
    sql::run_in(&mut tx, &format!("UPDATE deals SET stage_id = '{second}' WHERE id = '{deal}'")).await;
    let delete = ada.graphql(DELETE_STAGE, json!({ "id": stages[1] }));
    let commit = async {
        somebody_waits(&server).await;
        tx.commit().await.expect("committed");
    };
    let (answer, ()) = tokio::join!(delete, commit);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "CONFLICT", "{answer}");

    // the stage goes first
    ada.data(MOVE, json!({ "id": moving, "stage": stages[0] })).await;
    let mut tx = server.database.db.system().await.expect("a transaction");
    sql::run_in(&mut tx, &format!("DELETE FROM pipeline_stages WHERE id = '{second}'")).await;
    let update = ada.graphql(MOVE, json!({ "id": moving, "stage": stages[1] }));
    let commit = async {
        somebody_waits(&server).await;
        tx.commit().await.expect("committed");
    };
    let (answer, ()) = tokio::join!(update, commit);
    let refusal = &answer["errors"][0]["extensions"];
    assert_eq!(refusal["code"], "CONFLICT", "{answer}");
    assert!(refusal["fields"]["stageId"].is_string(), "{answer}");
    assert_eq!(ada.data(DEAL, json!({ "id": moving })).await["deal"]["stage"]["name"], "First");
}

#[tokio::test]
async fn what_stands_on_stages_is_told_by_currency_in_one_statement() {
    statements::listen();
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let (_, stages) = pipeline(&ada, "P").await;
    let create = "mutation($deal: DealInput!) { createDeal(input: { deal: $deal }) { deal { id } } }";
    for (amount, currency) in [("1.5", "USD"), ("2.25", "USD"), ("7", "EUR")] {
        let deal = json!({ "name": "D", "stageId": stages[0], "amount": amount, "currency": currency });
        ada.data(create, json!({ "deal": deal })).await;
    }
    let gone = deal(&ada, &stages[0]).await;
    delete_deal(&ada, &gone).await;
    let query = "{ pipelines { name stages { name dealCount amounts { currency amount dealCount } } } }";
    let (data, seen) = statements::caused_by(ada.workspace(), ada.data(query, json!({}))).await;
    let first = &data["pipelines"][1]["stages"][0];
    assert_eq!(first["dealCount"], 3);
    assert_eq!(
        first["amounts"],
        json!([
            { "currency": "EUR", "amount": "7", "dealCount": 1 },
            { "currency": "USD", "amount": "3.75", "dealCount": 2 }
        ])
    );
    assert_eq!(data["pipelines"][1]["stages"][1]["amounts"], json!([]));
    // the pipelines, their stages and what stands on them, each in a transaction
    assert!(seen.len() <= 9, "{seen:#?}");
}
