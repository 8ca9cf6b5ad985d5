//! When nothing is on its way any more, and whether lists are then what a fresh look says.

use std::{collections::BTreeSet, time::Duration};

use kontor::{
    base::ids::{UserId, WorkspaceId},
    crm::{
        RecordKind,
        criteria::{Criteria, Known, Setting},
    },
    ctx::Ctx,
    db::Db,
    jobs::{Enqueued, enqueue},
    lists::live::clock::TellTime,
    team::Weekday,
};
use serde_json::Value;
use uuid::Uuid;

use crate::support::{eventually_within, server::TestServer, sql};

/// For a build without optimisation, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// One statement, so that nothing can slip from the one into the other meanwhile.
const OPEN: &str = "SELECT ((SELECT count(*) FROM outbox) \
    + (SELECT count(*) FROM reactors WHERE name LIKE 'lists.%' AND position < (SELECT coalesce(max(position), 0) FROM events)) \
    + (SELECT count(*) FROM list_changes) \
    + (SELECT count(*) FROM jobs WHERE state IN ('queued', 'running') AND (kind LIKE 'lists.%' OR kind LIKE 'crm.%') \
         AND kind <> 'lists.mend'))::bigint AS value";

/// Waits until lists have followed all that has happened.
pub async fn nothing_is_open(db: &Db) {
    eventually_within(PATIENCE, "lists have followed", async || sql::number(db, OPEN).await == 0).await;
}

/// The same, and the time as it is now.
pub async fn settled(server: &TestServer) {
    let mut tx = server.database.db.system().await.expect("a transaction");
    enqueue::<Ctx, _>(&mut tx, server.clock.now(), &TellTime {}, Enqueued::default()).await.expect("enqueued");
    tx.commit().await.expect("committed");
    nothing_is_open(&server.database.db).await;
}

/// What is wrong with the lists of a workspace, if anything: dynamic ones have whom a fresh look finds.
pub async fn wrong(ctx: &Ctx, db: &Db, workspace: WorkspaceId) -> Vec<String> {
    let mut tx = db.system().await.expect("a transaction");
    let known = Known::load(tx.connection(), workspace).await.expect("loaded");
    let days = format!("SELECT time_zone || ' ' || week_start AS value FROM workspaces WHERE id = '{workspace}'");
    let days = sql::texts(db, &days).await.remove(0);
    let (zone, week) = days.split_once(' ').expect("both");
    let setting = Setting::new(ctx.clock.now(), zone.parse().expect("a zone"), Weekday::parse(week).expect("a day"));
    let lists = format!(
        "SELECT concat_ws(' ', id, created_by, member_count, criteria) AS value FROM contact_lists \
          WHERE workspace_id = '{workspace}' AND list_type = 'dynamic' AND deleted_at IS NULL AND broken IS NULL"
    );
    let mut wrong = Vec::new();
    for row in sql::texts(db, &lists).await {
        let mut parts = row.splitn(4, ' ');
        let mut part = || parts.next().expect("a part");
        let (id, maker, count, criteria) = (part(), part(), part(), part());
        let node = Criteria::read(&serde_json::from_str::<Value>(criteria).expect("JSON")).expect("criteria");
        let asked = Criteria::check(RecordKind::Contact, &node, &known).expect("can be asked");
        let setting = setting.clone().kept_by(UserId(maker.parse().expect("an id")));
        let fresh = asked.ids(tx.connection(), workspace, &setting, None, 1_000_000).await.expect("answered");
        let fresh: BTreeSet<_> = fresh.into_iter().collect();
        let members = members_of(db, id).await;
        if fresh != members {
            let (more, less) = (members.difference(&fresh).count(), fresh.difference(&members).count());
            let one = members.symmetric_difference(&fresh).next();
            wrong.push(format!(
                "{id}: {more} too many, {less} too few, of {}, such as {one:?}: {criteria}",
                fresh.len()
            ));
        }
        wrong.extend(wrongly_kept(db, id, count, &members).await);
    }
    let chosen = format!(
        "SELECT concat_ws(' ', id, member_count) AS value FROM contact_lists \
          WHERE workspace_id = '{workspace}' AND list_type = 'static' AND deleted_at IS NULL"
    );
    for row in sql::texts(db, &chosen).await {
        let (id, count) = row.split_once(' ').expect("both");
        let members = members_of(db, id).await;
        wrong.extend(wrongly_kept(db, id, count, &members).await);
        // who was chosen and is deleted waits for being restored
        let waiting = format!(
            "SELECT count(*) AS value FROM list_members m LEFT JOIN contacts c USING (workspace_id) \
              WHERE m.list_id = '{id}' AND c.id = m.record_id AND m.is_suspended <> (c.deleted_at IS NOT NULL)"
        );
        let others = sql::number(db, &waiting).await;
        if others != 0 {
            wrong.push(format!(
                "{id}: {others} of a list of chosen contacts wait, or do not, and should not, or should"
            ));
        }
    }
    wrong
}

async fn members_of(db: &Db, list: &str) -> BTreeSet<Uuid> {
    let members =
        format!("SELECT record_id::text AS value FROM list_members WHERE list_id = '{list}' AND NOT is_suspended");
    sql::texts(db, &members).await.iter().map(|id| id.parse().expect("an id")).collect()
}

/// What is wrong with the count, the log and the sizes of a list that has these members.
async fn wrongly_kept(db: &Db, id: &str, count: &str, members: &BTreeSet<Uuid>) -> Vec<String> {
    let mut wrong = Vec::new();
    if count != members.len().to_string() {
        wrong.push(format!("{id}: counts {count} of {}", members.len()));
    }
    let log = format!(
        "SELECT record_id::text AS value FROM list_log WHERE list_id = '{id}' GROUP BY record_id \
         HAVING sum(CASE WHEN entered THEN 1 ELSE -1 END) <> 0"
    );
    let logged: BTreeSet<Uuid> = sql::texts(db, &log).await.iter().map(|id| id.parse().expect("an id")).collect();
    if logged != *members {
        wrong.push(format!("{id}: the log says {} of {}", logged.len(), members.len()));
    }
    let size = format!(
        "SELECT coalesce((SELECT size FROM list_sizes WHERE list_id = '{id}' ORDER BY hour DESC LIMIT 1), 0) AS value"
    );
    if sql::number(db, &size).await.to_string() != count {
        wrong.push(format!("{id}: the last size is not {count}"));
    }
    wrong
}
