//! A batch: the rows that one transaction takes. Which rows those are follows from the file, the
//! place where it begins and the limits alone, so that a run after a crash cuts as the first did.

use std::collections::HashMap;

use bytes::Bytes;
use uuid::Uuid;

use super::{
    check::{Checker, Staged, Verdict},
    head::Place,
    read::{Cells, Row, Rows},
    report::RowError,
    stage::Encoder,
};
use crate::base::Result;

/// Most bytes of a batch's rows and of what is said about the bad ones, give or take one row.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Rows with one key are applied one after the other, each in statements of its own: so many of
/// one batch.
const MOST_WAVES: i32 = 50;

/// Checked rows, ready for the database.
pub struct Batch {
    pub from: Place,
    pub to: Place,
    /// In the order of the file.
    pub staged: Vec<Staged>,
    /// The cells of the staged rows, for those that fail yet.
    raw: Raw,
    /// The staged rows, encoded for COPY.
    pub copy: Bytes,
    pub errors: Vec<RowError>,
    /// Rows with nothing in them.
    pub blank: i64,
    pub waves: i32,
}

/// What a batch is cut by.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    pub rows: usize,
    /// Whether the second row of a key goes on from the first, and so has to come after it.
    pub in_waves: bool,
}

impl Batch {
    /// Reads the next batch; `None` at the end of the file. Blocks.
    pub fn read(rows: &mut Rows, checker: &Checker, cut: Cut) -> Result<Option<Self>> {
        let from = rows.place();
        let mut filling = Filling::new(checker, cut);
        while filling.has_room() {
            let Some(row) = rows.next()? else { break };
            filling.take(&row)?;
        }
        let to = rows.place();
        Ok((to.row > from.row).then(|| filling.finish(from, to)))
    }

    /// The cells of a staged row, by its index in `staged`.
    pub fn cells(&self, index: usize) -> Cells {
        self.raw.row(index)
    }
}

struct Filling<'a> {
    checker: &'a Checker,
    cut: Cut,
    rows: usize,
    bytes: usize,
    staged: Vec<Staged>,
    raw: Raw,
    encoder: Encoder,
    errors: Vec<RowError>,
    blank: i64,
    seen: HashMap<String, i32>,
    waves: i32,
}

impl<'a> Filling<'a> {
    fn new(checker: &'a Checker, cut: Cut) -> Self {
        Self {
            checker,
            cut,
            rows: 0,
            bytes: 0,
            staged: Vec::new(),
            raw: Raw::default(),
            encoder: Encoder::new(&checker.mapped),
            errors: Vec::new(),
            blank: 0,
            seen: HashMap::new(),
            waves: 1,
        }
    }

    fn has_room(&self) -> bool {
        self.rows < self.cut.rows && self.bytes < MOST_BYTES && self.waves < MOST_WAVES
    }

    fn take(&mut self, row: &Row<'_>) -> Result<()> {
        self.rows += 1;
        self.bytes += row.cells.bytes();
        match self.checker.check(row) {
            Verdict::Blank => self.blank += 1,
            Verdict::Bad(error) => self.refuse(error),
            Verdict::Good(values) => {
                let key = self.checker.key(&values);
                let wave = match key {
                    Some(key) if self.cut.in_waves => {
                        let wave = self.seen.entry(key.to_owned()).or_insert(0);
                        *wave += 1;
                        *wave
                    }
                    _ => 1,
                };
                let is_new = key.is_none();
                let mut staged = Staged { number: row.number, line: row.line, id: Uuid::now_v7(), wave, missing: None };
                let mark = self.encoder.mark();
                self.encoder.row(&staged, &values)?;
                staged.missing = self.checker.missing(values);
                if let Some(message) = &staged.missing {
                    if is_new {
                        self.encoder.forget(mark);
                        let error = self.checker.missing_error(row.number, row.line, row.cells, message.clone());
                        self.refuse(error);
                        return Ok(());
                    }
                    self.bytes += message.len();
                    self.encoder.note_missing(mark);
                }
                self.waves = self.waves.max(wave);
                self.staged.push(staged);
                self.raw.push(row.cells);
            }
        }
        Ok(())
    }

    fn refuse(&mut self, error: RowError) {
        self.bytes += error.bytes();
        self.errors.push(error);
    }

    fn finish(self, from: Place, to: Place) -> Batch {
        Batch {
            from,
            to,
            staged: self.staged,
            raw: self.raw,
            copy: self.encoder.finish(),
            errors: self.errors,
            blank: self.blank,
            waves: self.waves,
        }
    }
}

/// The cells of many rows in two allocations.
#[derive(Default)]
struct Raw {
    bytes: Vec<u8>,
    /// Where each cell ends, counted from its row's first byte.
    ends: Vec<usize>,
    /// Where each row begins, in both.
    rows: Vec<(usize, usize)>,
}

impl Raw {
    fn push(&mut self, cells: &Cells) {
        self.rows.push((self.bytes.len(), self.ends.len()));
        for cell in cells.iter() {
            self.bytes.extend_from_slice(cell);
            self.ends.push(self.bytes.len() - self.rows[self.rows.len() - 1].0);
        }
    }

    fn row(&self, index: usize) -> Cells {
        let (bytes, ends) = self.rows[index];
        let (to_bytes, to_ends) = self.rows.get(index + 1).copied().unwrap_or((self.bytes.len(), self.ends.len()));
        Cells::of(self.bytes[bytes..to_bytes].to_vec(), self.ends[ends..to_ends].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::channel;

    use super::*;
    use crate::{
        base::Limits,
        crm::RecordKind,
        transfer::import::{head::Head, read::Feed, target::Target},
    };

    /// Short rows under long names: what is said about them is many times what stands in them.
    #[test]
    fn a_batch_is_cut_by_what_is_said_about_its_rows() {
        let target = Target::of(RecordKind::Contact).expect("contacts");
        let names = ["email", "phone", "status", "source", "lastContactDate", "ownerId", "accountId"];
        let mapped: Vec<_> = names.iter().filter_map(|name| target.field(name)).enumerate().collect();
        let columns: Vec<_> = names.iter().map(|name| format!("{name}{}", "-".repeat(200))).collect();
        let head = Head { delimiter: b',', columns: columns.clone(), rows_at: Place::default() };
        let checker = Checker { target, columns, mapped };
        let (feed, source) = channel(2);
        assert!(feed.try_send(Feed::Bytes("x,x,x,x,x,x,x\n".repeat(20_000).into())).is_ok());
        assert!(feed.try_send(Feed::End).is_ok());
        let mut rows = Rows::new(source, &head, Place::default(), &Limits::default());
        let (mut found, cut) = (0, Cut { rows: usize::MAX, in_waves: false });
        while let Some(batch) = Batch::read(&mut rows, &checker, cut).expect("whole") {
            found += batch.errors.len();
            let said: usize = batch.errors.iter().map(RowError::bytes).sum();
            assert!(said < MOST_BYTES + 10_000, "{said} bytes in {} errors", batch.errors.len());
        }
        assert_eq!(found, 20_000);
    }
}
