//! Which jobs run, when, and how many at once.

use std::{collections::HashSet, time::Duration};

use kontor::{
    base::ids::WorkspaceId,
    db::Db,
    jobs::{Enqueued, JobState, enqueue},
};

use super::{
    kinds::{Act, Chore, Context, Long, Pair, Plain, Single, Urgent, registry},
    lab::Lab,
};
use crate::support::{database::config, eventually};

#[tokio::test]
async fn a_job_of_a_transaction_that_is_rolled_back_never_runs() {
    let mut lab = Lab::new().await;
    let mut tx = lab.db.begin(&lab.a).await.expect("a transaction");
    let about = Enqueued { workspace: Some(lab.a), ..Enqueued::default() };
    let lost = Plain::new("lost", Act::Finish);
    enqueue::<Context, _>(&mut tx, lab.clock.now(), &lost, about).await.expect("enqueued").expect("new");
    drop(tx);
    let kept = lab.enqueue(lab.a, Plain::new("kept", Act::Finish)).await;

    let _worker = lab.worker(4);
    assert_eq!(lab.started().await.0, "kept");
    lab.until(kept, JobState::Completed).await;
    assert_eq!(lab.number("SELECT count(*)::int AS number FROM jobs").await, 1);
}

#[tokio::test]
async fn what_this_process_enqueues_starts_without_waiting_for_the_next_poll() {
    let mut lab = Lab::new().await;
    let worker = lab.polling_worker(lab.db.clone(), registry(), 4, Duration::from_secs(3600));
    for label in ["first", "second"] {
        lab.enqueue(lab.a, Plain::new(label, Act::Finish)).await;
        assert_eq!(lab.started().await.0, label);
    }
    assert_eq!(worker.stop(Duration::from_secs(10)).await, 0);
}

#[tokio::test]
async fn two_workers_run_two_hundred_jobs_once_each() {
    let mut lab = Lab::new().await;
    let _workers = [lab.worker(8), lab.worker(8)];
    for number in 0..200 {
        let workspace = if number % 3 == 0 { lab.b } else { lab.a };
        lab.enqueue(workspace, Plain::new(number, Act::Finish)).await;
    }
    let mut labels = HashSet::new();
    for _ in 0..200 {
        assert!(labels.insert(lab.started().await.0), "started twice");
    }
    lab.until_ended(200).await;
    let once = "SELECT count(*)::int AS number FROM jobs WHERE state = 'completed' AND attempt = 1";
    assert_eq!(lab.number(once).await, 200);
}

#[tokio::test]
async fn several_workers_together_keep_to_the_limit_of_a_workspace() {
    let mut lab = Lab::new().await;
    for number in 0..4 {
        lab.enqueue(lab.a, Pair::new(number, Act::Wait)).await;
    }
    let _workers = [lab.worker(4), lab.worker(4), lab.worker(4)];
    for _ in 0..2 {
        lab.started().await;
    }
    lab.context.gate.add_permits(4);
    lab.until_ended(4).await;
    // many short ones, so that the workers claim at the same moments
    for number in 0..150 {
        lab.enqueue(lab.a, Pair::new(number, Act::Look)).await;
    }
    lab.until_ended(150).await;
    assert_eq!(lab.most_at_once::<Pair>(lab.a), 2);
}

/// Two claims at the same moment, made to overlap: the first is held up in the middle, and before
/// the second another job comes to the head of the lane.
#[tokio::test]
async fn claims_that_overlap_keep_to_the_limit_too() {
    let mut lab = Lab::new().await;
    lab.sql(
        "CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END $$;
         CREATE TRIGGER hold_up BEFORE UPDATE ON jobs FOR EACH ROW WHEN (NEW.state = 'running')
             EXECUTE FUNCTION hold_up()",
    )
    .await;
    let waiting = "SELECT count(*)::int AS number FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let held_up = async |lab: &Lab, claims: i32| {
        eventually("the claims are held up", async || lab.number(waiting).await == claims).await;
    };
    let mut barrier = lab.db.system().await.expect("a transaction");
    lab.sql_in(&mut barrier, "SELECT pg_advisory_xact_lock(1)").await;

    lab.enqueue(lab.a, Single::new("a", Act::Wait)).await;
    let _first = lab.worker(1);
    held_up(&lab, 1).await;
    let earlier = lab.enqueue(lab.a, Single::new("earlier", Act::Wait)).await;
    lab.sql(&format!("UPDATE jobs SET run_at = run_at - interval '1 h' WHERE id = '{earlier}'")).await;
    let _second = lab.worker(1);
    held_up(&lab, 2).await;
    barrier.commit().await.expect("the way is free");

    lab.enqueue(lab.b, Single::new("b", Act::Wait)).await;
    let mut started = [lab.started().await.0, lab.started().await.0];
    started.sort();
    assert_eq!(started, ["a", "b"]);
}

#[tokio::test]
async fn a_waiting_workspace_goes_before_a_second_job_of_a_busy_one() {
    let mut lab = Lab::new().await;
    for number in 0..50 {
        lab.enqueue(lab.a, Plain::new(format!("a{number}"), Act::Wait)).await;
    }
    lab.enqueue(lab.b, Plain::new("b", Act::Wait)).await;
    let _worker = lab.worker(3);
    let mut first = Vec::new();
    for _ in 0..3 {
        first.push(lab.started().await.0);
    }
    first.sort();
    assert_eq!(first, ["a0", "a1", "b"]);

    // A is busy now: what comes for B takes the next place, before 47 that wait longer
    lab.enqueue(lab.b, Plain::new("b again", Act::Wait)).await;
    lab.context.gate.add_permits(3);
    let mut next = Vec::new();
    for _ in 0..3 {
        next.push(lab.started().await.0);
    }
    assert!(next.contains(&"b again".to_owned()), "{next:?}");
}

#[tokio::test]
async fn with_a_single_slot_the_workspaces_take_turns() {
    let mut lab = Lab::new().await;
    for number in 0..20 {
        lab.enqueue(lab.a, Plain::new(format!("a{number}"), Act::Finish)).await;
    }
    for number in 0..3 {
        lab.enqueue(lab.b, Plain::new(format!("b{number}"), Act::Finish)).await;
    }
    let _worker = lab.worker(1);
    let mut order = Vec::new();
    for _ in 0..6 {
        order.push(lab.started().await.0);
    }
    assert_eq!(order, ["a0", "b0", "a1", "b1", "a2", "b2"]);
}

#[tokio::test]
async fn what_a_person_waits_for_goes_before_chores() {
    let mut lab = Lab::new().await;
    lab.enqueue(lab.a, Chore::new("chore", Act::Finish)).await;
    lab.enqueue(lab.a, Plain::new("plain", Act::Finish)).await;
    lab.enqueue(lab.b, Urgent::new("urgent", Act::Finish)).await;
    let _worker = lab.worker(1);
    for expected in ["urgent", "plain", "chore"] {
        assert_eq!(lab.started().await.0, expected);
    }
}

#[tokio::test]
async fn a_job_for_later_waits_for_its_time() {
    let mut lab = Lab::new().await;
    let mut tx = lab.db.begin(&lab.a).await.expect("a transaction");
    let run_at = Some(lab.clock.now() + chrono::TimeDelta::hours(1));
    let about = Enqueued { workspace: Some(lab.a), run_at, ..Enqueued::default() };
    let later = Plain::new("later", Act::Finish);
    enqueue::<Context, _>(&mut tx, lab.clock.now(), &later, about).await.expect("enqueued").expect("new");
    tx.commit().await.expect("committed");
    let _worker = lab.worker(4);
    lab.enqueue(lab.a, Plain::new("now", Act::Finish)).await;
    assert_eq!(lab.started().await.0, "now");
    lab.clock.advance(chrono::TimeDelta::hours(1));
    assert_eq!(lab.started().await.0, "later");
}

#[tokio::test]
async fn a_unique_key_admits_one_job_of_its_kind() {
    let lab = Lab::new().await;
    let mut tx = lab.db.begin(&lab.a).await.expect("a transaction");
    let about = Enqueued { workspace: Some(lab.a), unique_key: Some("k".into()), ..Enqueued::default() };
    let now = lab.clock.now();
    let plain = Plain::new("p", Act::Finish);
    let chore = Chore::new("c", Act::Finish);
    assert!(enqueue::<Context, _>(&mut tx, now, &plain, about.clone()).await.expect("asked").is_some());
    assert!(enqueue::<Context, _>(&mut tx, now, &plain, about.clone()).await.expect("asked").is_none());
    assert!(enqueue::<Context, _>(&mut tx, now, &chore, about).await.expect("asked").is_some());
    tx.commit().await.expect("committed");
    assert_eq!(lab.number("SELECT count(*)::int AS number FROM jobs").await, 2);
}

#[tokio::test]
async fn a_kind_that_this_server_does_not_know_is_left_for_a_newer_one() {
    let mut lab = Lab::new().await;
    let newer = lab.enqueue(lab.a, Plain::new("newer", Act::Finish)).await;
    let abandoned = lab.enqueue(lab.a, Plain::new("abandoned", Act::Finish)).await;
    lab.sql(&format!(
        "UPDATE jobs SET kind = 'test.newer';
         UPDATE jobs SET state = 'running', attempt = 1, lease_until = now() - interval '1 h' WHERE id = '{abandoned}'"
    ))
    .await;
    let _worker = lab.worker(1);
    for number in 0..5 {
        let known = lab.enqueue(lab.a, Plain::new(number, Act::Finish)).await;
        lab.until(known, JobState::Completed).await;
    }
    assert_eq!(lab.job(newer).await.state, JobState::Queued);
    assert_eq!(lab.job(abandoned).await.state, JobState::Running);
}

#[tokio::test]
async fn more_lanes_than_one_look_sees_are_all_served() {
    let mut lab = Lab::new().await;
    // 450 workspaces with one job each; the first 250 of them are at their limit and stay there
    lab.sql(
        "INSERT INTO workspaces (id, name)
         SELECT lpad(to_hex(n), 32, '0')::uuid, 'w' FROM generate_series(1, 450) AS n;
         INSERT INTO jobs (id, workspace_id, kind, payload, priority, run_at, due, max_attempts, created_at,
                           state, attempt, lease_until)
         SELECT gen_random_uuid(), lpad(to_hex(n), 32, '0')::uuid, 'test.brief', '{}', 50, now(), true, 3, now(),
                'running', 1, now() + interval '1 h' FROM generate_series(1, 250) AS n;
         INSERT INTO jobs (id, workspace_id, kind, payload, priority, run_at, due, max_attempts, created_at)
         SELECT gen_random_uuid(), lpad(to_hex(n), 32, '0')::uuid, 'test.brief',
                jsonb_build_object('label', n::text, 'act', 'Finish'), 50, now(), true, 3, now()
           FROM generate_series(1, 450) AS n",
    )
    .await;
    let _worker = lab.worker(4);
    lab.until_ended(200).await;
    let waiting = "SELECT count(*)::int AS number FROM jobs WHERE state = 'queued'";
    assert_eq!(lab.number(waiting).await, 250);
}

const CONNECTIONS: &str = "SELECT count(*)::int AS number FROM pg_stat_activity WHERE datname = current_database()";

#[tokio::test]
async fn claiming_from_a_hundred_thousand_waiting_jobs_reads_few_of_them() {
    claims_read_few_rows("SELECT 'before the planner knows about them'").await;
    claims_read_few_rows("ANALYZE jobs").await;
}

/// What counts is what the statements read, not how a plan looks on paper.
async fn claims_read_few_rows(prepare: &str) {
    let mut lab = Lab::new().await;
    fill(&lab, lab.a).await;
    lab.sql(prepare).await;
    lab.enqueue(lab.b, Plain::new("b", Act::Finish)).await;
    let before = rows_read(&lab).await;
    let connected = lab.number(CONNECTIONS).await;
    // a pool of its own, closed at the end: only then are its statistics complete
    let db = Db::open(&config(&lab.database.url)).expect("valid");
    let worker = lab.worker_with(db.clone(), registry(), 4);
    lab.until_ended(40).await;
    worker.stop(Duration::from_secs(10)).await;
    db.close();
    drop(db);
    let gone = async || lab.number(CONNECTIONS).await <= connected;
    eventually("the worker's connections are gone", gone).await;
    let after = rows_read(&lab).await;
    let done = lab.number("SELECT count(*)::int AS number FROM jobs WHERE state = 'completed'").await;
    let (sequential, by_index) = (after.0 - before.0, after.1 - before.1);
    assert!(done >= 40);
    assert_eq!(sequential, 0, "rows read by sequential scans");
    assert!(by_index > done && by_index < 100 * done, "{by_index} index entries read for {done} jobs");
}

async fn fill(lab: &Lab, workspace: WorkspaceId) {
    lab.sql(&format!(
        "INSERT INTO jobs (id, workspace_id, kind, payload, priority, run_at, due, max_attempts, created_at)
         SELECT gen_random_uuid(), '{workspace}', 'test.plain', '{{\"label\": \"a\", \"act\": \"Finish\"}}', 50,
                now() - interval '1 h' + n * interval '1 ms', true, 3, now()
           FROM generate_series(1, 100000) AS n"
    ))
    .await;
}

/// Rows of the table read by sequential scans, and index entries read, so far.
async fn rows_read(lab: &Lab) -> (i32, i32) {
    lab.number("SELECT 1 AS number FROM pg_stat_force_next_flush()").await;
    let sequential = "SELECT seq_tup_read::int AS number FROM pg_stat_user_tables WHERE relname = 'jobs'";
    let by_index = "SELECT sum(idx_tup_read)::int AS number FROM pg_stat_user_indexes WHERE relname = 'jobs'";
    (lab.number(sequential).await, lab.number(by_index).await)
}

#[tokio::test]
async fn long_jobs_leave_one_slot_to_the_others() {
    let mut lab = Lab::new().await;
    for number in 0..6 {
        let workspace = if number % 2 == 0 { lab.a } else { lab.b };
        lab.enqueue(workspace, Long::new(format!("long {number}"), Act::Wait)).await;
    }
    let _worker = lab.worker(3);
    for _ in 0..2 {
        assert!(lab.started().await.0.starts_with("long"));
    }
    for number in 0..5 {
        let short = lab.enqueue(lab.a, Plain::new(number, Act::Look)).await;
        assert_eq!(lab.started().await.0, number.to_string());
        lab.until(short, JobState::Completed).await;
    }
    // and the short ones leave the long ones theirs
    lab.context.gate.add_permits(6);
    lab.until_ended(6).await;
    assert!(lab.most_at_once::<Long>(lab.a) + lab.most_at_once::<Long>(lab.b) <= 3);
}

#[tokio::test]
async fn a_worker_with_one_slot_runs_long_jobs_too() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(1);
    let long = lab.enqueue(lab.a, Long::new("long", Act::Look)).await;
    lab.until(long, JobState::Completed).await;
}
