//! The passing of time: who was created seven days ago leaves "created in the last 7 days" with nothing
//! written. Every few seconds the contacts are looked at whose answer the clock alone can have moved
//! since the last look; where days begin elsewhere from now on, the lists that know days are built anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    compare::move_in,
    concern::{AT_ONCE, Work},
};
use crate::{
    base::{Error, Result, ids::WorkspaceId},
    crm::criteria::{Bind, Setting, Sql},
    ctx::Ctx,
    db::Tx,
    jobs::{Job, JobError, Run, enqueue_unless_waiting},
    lists::{
        kept::{self, CLOCK, DAYS, KeptList, Present},
        queries::kept as queries,
        segment, slow,
        steps::By,
    },
};

/// How long the lists of one workspace are told while the others wait.
const LONGEST: Duration = Duration::from_secs(10);
/// Longest time to wait for others who move members.
const WAITING: Duration = Duration::from_secs(10);
/// Where telling the lists took longer than this, they are left alone so many times as long: lists whose
/// contacts no index finds are told later, rather than keeping the database busy.
const QUICK: TimeDelta = TimeDelta::seconds(1);
const REST: i32 = 9;
const LONGEST_REST: TimeDelta = TimeDelta::minutes(5);
/// With more contacts behind it, after a long standstill, a list is built anew.
const MOST: usize = 20_000;
/// Lists of one statement, and values, with which it ends behind a list: one has some 1,000 at most.
const LISTS: usize = 25;
const VALUES: usize = 10_000;

/// Tells the lists of every workspace that time has passed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TellTime {}

impl Job<Ctx> for TellTime {
    const NAME: &'static str = "lists.tell_time";
    const PRIORITY: i16 = 10;
    // more would only wait for one another; the second is for when the first one's worker dies
    const PER_WORKSPACE: i32 = 2;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let mut tx = ctx.db.system().await?;
        let workspaces = queries::workspaces_reading(tx.connection(), &[CLOCK, DAYS]).await?;
        tx.commit().await?;
        for workspace in workspaces {
            run.check_stop()?;
            // the others are not to suffer from what goes wrong with one
            if let Err(error) = tell(&ctx, &run, workspace).await {
                match error {
                    JobError::Retry(Error::Unavailable(why)) => {
                        tracing::info!(%workspace, %why, "lists are told the time later");
                    }
                    JobError::Retry(error) | JobError::Fail(error) => {
                        tracing::error!(?error, %workspace, "lists could not be told the time; it will be tried again");
                    }
                    other => return Err(other),
                }
            }
        }
        Ok(())
    }
}

/// Where it takes too long, [`TellSlowly`] does it: the other workspaces are not to wait.
async fn tell(ctx: &Ctx, run: &Run, workspace: WorkspaceId) -> Result<(), JobError> {
    let begun = Instant::now();
    match tell_all(ctx, run, workspace).await {
        Err(JobError::Retry(Error::TimedOut)) => {
            let mut tx = ctx.db.system_in(workspace).await?;
            run.hold_in(&mut tx).await?;
            let now = ctx.clock.now();
            kept::note_tried_in(&mut tx, workspace, now, begun.elapsed()).await?;
            enqueue_unless_waiting::<Ctx, _>(&mut tx, now, &TellSlowly {}, workspace).await?;
            Ok(tx.commit().await?)
        }
        done => done,
    }
}

/// Tells the lists of a workspace one after the other that time has passed. Those that take too long even so
/// are left behind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TellSlowly {}

impl Job<Ctx> for TellSlowly {
    const NAME: &'static str = "lists.tell_slowly";
    const PRIORITY: i16 = 30;
    const PER_WORKSPACE: i32 = 1;
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))?;
        let begun = Instant::now();
        let mut tx = ctx.db.system_in(workspace).await?;
        let start = kept::look_in(&mut tx, &ctx.clock, workspace).await?;
        let lists = kept::load_in(&mut tx, workspace, &start, Some(&[CLOCK.to_owned()])).await?;
        tx.commit().await?;
        let Some(told) = start.told.clone().filter(|told| same_days(told, &start.setting)) else { return Ok(()) };
        let mut slow = Vec::new();
        for list in lists {
            run.check_stop()?;
            if !tell_one(&ctx, &run, workspace, &list, &told).await? {
                slow.push((list.id, list.version));
            }
        }
        if !slow.is_empty() {
            slow::note(&ctx, &run, workspace, &slow).await?;
        }
        let mut tx = ctx.db.system_in(workspace).await?;
        run.hold_in(&mut tx).await?;
        let present = kept::hold_in(&mut tx, &ctx.clock, workspace).await?;
        if present.told.is_some_and(|told| told.now < start.setting.now && same_days(&told, &start.setting)) {
            kept::note_told_in(&mut tx, workspace, &start, begun.elapsed()).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Whether it did not take too long.
async fn tell_one(
    ctx: &Ctx,
    run: &Run,
    workspace: WorkspaceId,
    list: &KeptList,
    told: &Setting,
) -> Result<bool, JobError> {
    let mut tx = ctx.db.system_in(workspace).await?;
    run.hold_in(&mut tx).await?;
    let present = kept::hold_in(&mut tx, &ctx.clock, workspace).await?;
    let Some(row) = queries::lock(tx.connection(), workspace, list.id, list.version).await? else { return Ok(true) };
    // what cannot be answered any more is told to whoever follows changes
    let Ok(list) = kept::ask_one_in(&mut tx, workspace, &present, row).await? else { return Ok(true) };
    let (by, lists) = (By::job(workspace, run.job, present.setting.now), [list]);
    tx.limit_statements(slow::limit_of_one(ctx)).await?;
    for some in together(&lists, workspace, told) {
        let (work, many) = match flipped_in(&mut tx, &some).await {
            Err(Error::TimedOut) => return Ok(false),
            flipped => flipped?,
        };
        move_in(&mut tx, &by, &lists, &work).await?;
        if !many.is_empty() {
            segment::rebuild_in(&mut tx, by.at, workspace, lists[0].id, lists[0].version).await?;
        }
    }
    tx.commit().await?;
    Ok(true)
}

async fn tell_all(ctx: &Ctx, run: &Run, workspace: WorkspaceId) -> Result<(), JobError> {
    let mut tx = ctx.db.system_in(workspace).await?;
    run.hold_in(&mut tx).await?;
    // the other workspaces are not to wait for whoever moves members here
    tx.limit_waiting(WAITING).await?;
    let present = kept::hold_in(&mut tx, &ctx.clock, workspace).await?;
    let begun = Instant::now();
    tx.limit_statements(slow::limit_of_one(ctx)).await?;
    // of whom nobody knows what they read, and whom nobody builds: lists from before they were followed
    for list in queries::unfollowed(tx.connection(), workspace).await? {
        segment::rebuild_in(&mut tx, present.setting.now, workspace, list.id, list.version).await?;
    }
    if rests(&present) {
        return Ok(tx.commit().await?);
    }
    let reading = [CLOCK.to_owned(), DAYS.to_owned()];
    let lists = kept::load_in(&mut tx, workspace, &present, Some(&reading)).await?;
    let by = By::job(workspace, run.job, present.setting.now);
    let mut rebuild = BTreeSet::new();
    if let Some(told) = present.told.as_ref() {
        if same_days(told, &present.setting) {
            for some in together(&lists, workspace, told) {
                if begun.elapsed() > LONGEST {
                    return Err(JobError::Retry(Error::TimedOut));
                }
                let (work, many) = flipped_in(&mut tx, &some).await?;
                move_in(&mut tx, &by, &lists, &work).await?;
                rebuild.extend(many);
            }
        } else {
            rebuild.extend(lists.iter().enumerate().filter(|(_, list)| list.criteria.is_of_days()).map(|(at, _)| at));
        }
    }
    for list in rebuild.into_iter().filter_map(|place| lists.get(place)) {
        segment::rebuild_in(&mut tx, by.at, workspace, list.id, list.version).await?;
    }
    kept::note_told_in(&mut tx, workspace, &present, begun.elapsed()).await?;
    Ok(tx.commit().await?)
}

/// Whether the lists were told too short a while ago, by how long that took, and nothing but time has passed.
fn rests(present: &Present) -> bool {
    let Present { setting, told: Some(told), took, tried: Some(tried) } = present else { return false };
    same_days(told, setting) && *took > QUICK && setting.now - *tried < (*took * REST).min(LONGEST_REST)
}

fn same_days(one: &Setting, other: &Setting) -> bool {
    (one.zone, one.week_start) == (other.zone, other.week_start)
}

/// The statements that find the contacts whose answer can have moved since then: some lists at a time, so that
/// what is found after a standstill is never held for all of them at once.
fn together(lists: &[KeptList], workspace: WorkspaceId, told: &Setting) -> Vec<Sql> {
    let relative = lists.iter().enumerate().filter(|(_, list)| list.criteria.is_relative());
    let (mut statements, mut left) = (Vec::new(), relative.peekable());
    while left.peek().is_some() {
        let (mut sql, mut asked) = (Sql::new(workspace), 0);
        while asked < LISTS
            && sql.values() < VALUES
            && let Some((place, list)) = left.next()
        {
            asked += usize::from(ask(&mut sql, asked > 0, place, list, told));
        }
        if asked > 0 {
            statements.push(sql);
        }
    }
    statements
}

/// The contacts that such a statement finds, by list; and the lists with very many of them.
async fn flipped_in(tx: &mut Tx, sql: &Sql) -> Result<(Work, BTreeSet<usize>)> {
    let mut found: BTreeMap<usize, BTreeSet<Uuid>> = BTreeMap::new();
    for (place, id) in queries::found_by_place(tx.connection(), sql).await? {
        found.entry(usize::try_from(place).unwrap_or_default()).or_default().insert(id);
    }
    let many = found.iter().filter(|(_, ids)| ids.len() > MOST).map(|(place, _)| *place).collect::<BTreeSet<_>>();
    let few: Vec<_> = found.into_iter().filter(|(place, _)| !many.contains(place)).collect();
    let all: BTreeSet<_> = few.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    let mut work = Work::new();
    if !all.is_empty() && all.len() <= AT_ONCE {
        // each list is asked of a few that are not its own, and all of them together
        work.insert(few.into_iter().map(|(place, _)| place).collect(), all);
    } else {
        work.extend(few.into_iter().map(|(place, ids)| (vec![place], ids)));
    }
    Ok((work, many))
}

/// Writes the run that finds a list's; nothing where no limit of it has moved.
fn ask(sql: &mut Sql, behind: bool, place: usize, list: &KeptList, told: &Setting) -> bool {
    let mut part = sql.clone();
    part.push(if behind { " UNION ALL (" } else { "(" });
    part.push("SELECT ");
    part.bind(Bind::Int(place as i64));
    part.push("::bigint AS place, r.id FROM contacts r WHERE r.workspace_id = $1 AND ");
    let from = list.setting.at(told.now);
    if !list.criteria.flips(&mut part, "r", &from, &list.setting) {
        return false;
    }
    part.push(&format!(" LIMIT {})", MOST + 1));
    *sql = part;
    true
}
