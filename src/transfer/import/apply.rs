//! One transaction per batch: what becomes of every row is decided by the statements that do it,
//! so a record that somebody else makes or changes at the same moment is met as it really is.
//! Errors, counts, history, events and the resume point go with it, or nothing does.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use uuid::Uuid;

use super::{
    batch::Batch,
    check::Checker,
    model::{Counts, ImportOptions},
    queries::{
        self, Advance,
        batch::{Change, Which},
    },
    report::{RowError, RowErrorCode},
    statements::Statements,
};
use crate::{
    auth::Caller,
    base::{Error, Result, ids::ImportId},
    crm::{
        RecordKind,
        contacts::addresses,
        record::events::{ChangeAction, changed},
    },
    ctx::Ctx,
    db::Tx,
    jobs::{JobError, Progress, Run},
};

/// A batch takes a fraction of a second; on a machine that is overwhelmed it may take this long.
const STATEMENT: Duration = Duration::from_secs(60);

/// A key that somebody takes and gives up again between two statements is met so many times.
const ROUNDS: usize = 5;

/// What the batches of one run have in common.
pub struct Applier<'a> {
    pub ctx: &'a Ctx,
    pub run: &'a Run,
    pub caller: &'a Caller,
    pub import: ImportId,
    pub options: ImportOptions,
    pub checker: &'a Checker,
}

/// What became of a batch's rows.
#[derive(Default)]
struct Tally {
    created: Vec<Uuid>,
    /// Each with its version after the change; twice where two rows of the file changed one record.
    updated: Vec<(Uuid, i32)>,
    /// By column.
    changed: BTreeSet<String>,
    unchanged: i64,
    duplicates: Vec<usize>,
    /// With the field to blame.
    errors: Vec<RowError>,
}

impl Applier<'_> {
    /// Applies a batch on top of what earlier ones counted; returns the counts with it.
    pub async fn apply(
        &self,
        batch: Batch,
        statements: &Statements,
        before: Counts,
        total: Option<i64>,
    ) -> Result<Counts, JobError> {
        let mut tx = self.ctx.db.begin(self.caller).await?;
        self.run.hold_in(&mut tx).await?;
        tx.limit_statements(STATEMENT).await?;
        let mut tally = Tally::default();
        if !batch.staged.is_empty() {
            queries::batch::set_up(tx.connection()).await?;
            if self.checker.target.kind == RecordKind::Contact {
                addresses::share_in(&mut tx, self.caller.workspace).await?;
            }
            self.apply_rows(&mut tx, &batch, statements, &mut tally).await.map_err(overtaken)?;
        }
        let counts = before + self.settle(&batch, &mut tally);
        let room = self.ctx.limits.import_errors.saturating_sub(usize::try_from(before.failed).unwrap_or(usize::MAX));
        let errors = batch.errors.iter().chain(&tally.errors).take(room).cloned().collect::<Vec<_>>();
        queries::errors::insert(tx.connection(), self.caller.workspace, self.import, &errors).await?;
        let total = total.map(|total| total.max(counts.processed()));
        let now = self.ctx.clock.now();
        let advance = Advance { from: batch.from, to: batch.to, counts, total, now };
        if !queries::advance(tx.connection(), self.caller.workspace, self.import, advance).await? {
            // cancelled while we were at it, or not ours any more
            self.run.hold_in(&mut tx).await?;
            return Err(JobError::Lost);
        }
        self.tell(&mut tx, tally).await?;
        self.run.report_in(&mut tx, progress(counts, total)).await?;
        tx.commit().await?;
        Ok(counts)
    }

    async fn apply_rows(&self, tx: &mut Tx, batch: &Batch, statements: &Statements, tally: &mut Tally) -> Result<()> {
        let there = queries::batch::count(tx.connection(), &statements.count).await?;
        if usize::try_from(there) != Ok(batch.staged.len()) {
            return Err(Error::Unavailable("The staged rows were lost; they are read again".into()));
        }
        let mut left_out = self.refuse_dangling(tx, batch, statements, tally).await?;
        self.refuse_taken(tx, batch, statements, &mut left_out, tally).await?;
        if self.options.update_existing {
            for wave in 1..=batch.waves {
                self.apply_wave(tx, batch, statements, wave, &left_out, tally).await?;
            }
            return Ok(());
        }
        let which = Which { workspace: self.caller.workspace, wave: None, left_out: &left_out };
        let inserted = self.insert(tx, statements, which).await?;
        let rest = remaining(batch, None, &left_out, |staged| inserted.contains(&staged.id));
        tally.created.extend(inserted);
        let present = self.matching(tx, batch, statements, &rest).await?;
        for index in rest {
            let staged = &batch.staged[index];
            match &staged.missing {
                Some(message) if !present.contains(&staged.number) => {
                    tally.errors.push(self.missing(batch, index, message));
                }
                _ => tally.duplicates.push(index),
            }
        }
        Ok(())
    }

    /// Updates the records that a wave's rows match, and makes new ones of the others.
    async fn apply_wave(
        &self,
        tx: &mut Tx,
        batch: &Batch,
        statements: &Statements,
        wave: i32,
        left_out: &[i64],
        tally: &mut Tally,
    ) -> Result<()> {
        let which = Which { workspace: self.caller.workspace, wave: Some(wave), left_out };
        let mut open: HashSet<i64> = remaining(batch, Some(wave), left_out, |_| false)
            .into_iter()
            .map(|index| batch.staged[index].number)
            .collect();
        for _ in 0..ROUNDS {
            queries::batch::lock(tx.connection(), &statements.lock, which).await?;
            let actor = self.caller.actor();
            let matched =
                queries::batch::update(tx.connection(), &statements.update, which, self.change(&actor)).await?;
            for row in matched {
                // in a second round what the first one did is met again, and is as it should be
                if !open.remove(&row.number) {
                    continue;
                }
                if row.changed.is_empty() {
                    tally.unchanged += 1;
                } else {
                    tally.updated.push((row.id, row.version));
                    tally.changed.extend(row.changed);
                }
            }
            let inserted = if open.is_empty() { HashSet::new() } else { self.insert(tx, statements, which).await? };
            for index in remaining(batch, Some(wave), left_out, |_| false) {
                let staged = &batch.staged[index];
                if inserted.contains(&staged.id) {
                    open.remove(&staged.number);
                } else if let (Some(message), true) = (&staged.missing, open.contains(&staged.number)) {
                    open.remove(&staged.number);
                    tally.errors.push(self.missing(batch, index, message));
                }
            }
            tally.created.extend(inserted);
            if open.is_empty() {
                return Ok(());
            }
        }
        Err(Error::Unavailable("Another change was in the way; try again".into()))
    }

    /// Rows that refer to something that is not there fail; returns their numbers.
    async fn refuse_dangling(
        &self,
        tx: &mut Tx,
        batch: &Batch,
        statements: &Statements,
        tally: &mut Tally,
    ) -> Result<Vec<i64>> {
        let mut left_out = BTreeSet::new();
        for (field, statement) in &statements.dangling {
            let numbers = queries::batch::dangling(tx.connection(), statement, self.caller.workspace).await?;
            let numbers: HashSet<_> = numbers.into_iter().collect();
            for (index, staged) in batch.staged.iter().enumerate() {
                if numbers.contains(&staged.number) && left_out.insert(staged.number) {
                    let cells = batch.cells(index);
                    let code = RowErrorCode::UnknownReference;
                    let error = self.checker.late_error(staged.number, staged.line, &cells, code, Some(field));
                    tally.errors.push(error);
                }
            }
        }
        Ok(left_out.into_iter().collect())
    }

    /// Rows whose key is a further address of a contact are duplicates, whatever the options: nothing
    /// says that they tell of the contact's own.
    async fn refuse_taken(
        &self,
        tx: &mut Tx,
        batch: &Batch,
        statements: &Statements,
        left_out: &mut Vec<i64>,
        tally: &mut Tally,
    ) -> Result<()> {
        let Some(statement) = &statements.taken else { return Ok(()) };
        let taken = queries::batch::dangling(tx.connection(), statement, self.caller.workspace).await?;
        let taken: HashSet<_> = taken.into_iter().filter(|number| left_out.binary_search(number).is_err()).collect();
        let rows = batch.staged.iter().enumerate();
        tally.duplicates.extend(rows.filter(|(_, row)| taken.contains(&row.number)).map(|(index, _)| index));
        left_out.extend(taken);
        left_out.sort_unstable();
        Ok(())
    }

    async fn insert(&self, tx: &mut Tx, statements: &Statements, which: Which<'_>) -> Result<HashSet<Uuid>> {
        let actor = self.caller.actor();
        let inserted = queries::batch::insert(tx.connection(), &statements.insert, which, self.change(&actor)).await?;
        Ok(inserted.into_iter().collect())
    }

    /// Which of the rows that cannot become new records have one.
    async fn matching(
        &self,
        tx: &mut Tx,
        batch: &Batch,
        statements: &Statements,
        rows: &[usize],
    ) -> Result<HashSet<i64>> {
        let rows = rows.iter().map(|index| &batch.staged[*index]);
        let numbers: Vec<_> = rows.filter(|row| row.missing.is_some()).map(|row| row.number).collect();
        if numbers.is_empty() {
            return Ok(HashSet::new());
        }
        let workspace = self.caller.workspace;
        let present = queries::batch::matching(tx.connection(), &statements.matching, workspace, &numbers).await?;
        Ok(present.into_iter().collect())
    }

    /// Counts a batch, and writes the errors of its duplicates where they are errors.
    fn settle(&self, batch: &Batch, tally: &mut Tally) -> Counts {
        let mut skipped = batch.blank;
        if self.options.skip_duplicates {
            skipped += signed(tally.duplicates.len());
        } else {
            let mut field = self.checker.mapped.iter().map(|mapped| mapped.1);
            let key = field.rfind(|field| field.column == self.checker.target.key);
            for index in std::mem::take(&mut tally.duplicates) {
                let staged = &batch.staged[index];
                let (cells, code) = (batch.cells(index), RowErrorCode::Duplicate);
                tally.errors.push(self.checker.late_error(staged.number, staged.line, &cells, code, key));
            }
        }
        Counts {
            created: signed(tally.created.len()),
            updated: signed(tally.updated.len()),
            unchanged: tally.unchanged,
            skipped,
            failed: signed(batch.errors.len() + tally.errors.len()),
        }
    }

    /// One event for what is new, one for what has changed.
    async fn tell(&self, tx: &mut Tx, mut tally: Tally) -> Result<()> {
        let kind = self.checker.target.kind;
        let mut events = Vec::new();
        if !tally.created.is_empty() {
            // in the order of the file
            tally.created.sort_unstable();
            let created: Vec<_> = tally.created.into_iter().map(|id| (id, 1)).collect();
            events.push(changed(kind, ChangeAction::Created, &created, &[]));
        }
        if !tally.updated.is_empty() {
            let names: HashMap<_, _> = self.checker.target.fields().map(|field| (field.column, field.name)).collect();
            let names: Vec<_> = tally.changed.iter().filter_map(|column| names.get(column.as_str()).copied()).collect();
            tally.updated.sort_unstable();
            events.push(changed(kind, ChangeAction::Updated, &tally.updated, &names));
        }
        self.ctx.emit(tx, self.caller, &events).await
    }

    fn missing(&self, batch: &Batch, index: usize, message: &str) -> RowError {
        let staged = &batch.staged[index];
        self.checker.missing_error(staged.number, staged.line, &batch.cells(index), message.to_owned())
    }

    fn change<'a>(&self, actor: &'a crate::auth::Actor) -> Change<'a> {
        Change {
            kind: self.checker.target.kind,
            user: self.caller.user,
            job: self.run.job,
            actor,
            origin: self.caller.via,
            at: self.ctx.clock.now(),
        }
    }
}

/// The staged rows of a wave, or of all, that were neither left out nor are done; by index.
fn remaining(
    batch: &Batch,
    wave: Option<i32>,
    left_out: &[i64],
    is_done: impl Fn(&super::check::Staged) -> bool,
) -> Vec<usize> {
    let rows = batch.staged.iter().enumerate();
    let rows = rows.filter(|(_, row)| wave.is_none_or(|wave| row.wave == wave));
    let rows = rows.filter(|(_, row)| left_out.binary_search(&row.number).is_err() && !is_done(row));
    rows.map(|(index, _)| index).collect()
}

/// A refusal of the database in the middle of a batch means that somebody was faster: an account
/// was deleted after it was looked up, a value taken. The next attempt sees it in time.
fn overtaken(error: Error) -> JobError {
    match error {
        Error::Invalid(_) | Error::Conflict(_) | Error::NotFound(_) => {
            tracing::info!(%error, "a batch was overtaken by another change");
            JobError::Retry(error)
        }
        error => JobError::from(error),
    }
}

/// How far the import is, as its job tells it.
pub fn progress(counts: Counts, total: Option<i64>) -> Progress {
    Progress {
        processed: counts.processed(),
        total,
        succeeded: counts.succeeded(),
        failed: counts.failed,
        skipped: counts.skipped,
        message: None,
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
