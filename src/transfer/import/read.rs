//! Reading rows, on a thread of its own, from bytes that arrive in chunks. The library below holds
//! no buffers but those it is given, so neither an endless cell nor an endless row fills the
//! memory: past the limits the rest of the row is read and dropped, and the row says what is wrong.

use bytes::{Buf, Bytes};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use tokio::sync::mpsc::Receiver;

use super::head::{Head, Place};
use crate::base::{Error, Limits, Result};

/// What the reader's thread is fed. An end that is not said is none: whoever fed it is gone.
pub enum Feed {
    Bytes(Bytes),
    Broken(Error),
    End,
}

/// A row may have this many bytes, or two cells of the largest size.
const ROW_BYTES: usize = 4 * 1024 * 1024;
const FIRST_BUFFER: usize = 64 * 1024;

/// The rows of a file from a place on.
pub struct Rows {
    source: Receiver<Feed>,
    chunk: Bytes,
    core: Reader,
    place: Place,
    end: End,
    cells: Cells,
    /// Takes what is dropped.
    scratch: (Vec<u8>, Vec<usize>),
    max: Max,
}

/// How far the end of the file is told to the library.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    NotYet,
    /// By a line break that ends any row but one with an open quote.
    Probed,
    Told,
}

struct Max {
    cell: usize,
    row: usize,
    cells: usize,
}

/// What is wrong with a row before anybody looks into its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// By the index of the cell.
    CellTooLong(usize),
    RowTooLong,
    /// More than any file may have.
    TooManyCells,
    UnclosedQuote,
}

/// A row as it stands in the file; of one that is too long, the beginning.
pub struct Row<'a> {
    /// From 1.
    pub number: i64,
    pub line: u64,
    pub cells: &'a Cells,
    pub fault: Option<Fault>,
}

/// Cells, one after the other.
#[derive(Default)]
pub struct Cells {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// How much of the two is used.
    written: usize,
    ended: usize,
}

impl Cells {
    pub fn of(bytes: Vec<u8>, ends: Vec<usize>) -> Self {
        let (written, ended) = (bytes.len(), ends.len());
        Self { bytes, ends, written, ended }
    }

    pub fn len(&self) -> usize {
        self.ended
    }

    pub fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ended).map(|index| self.get(index))
    }

    /// All cells together.
    pub fn bytes(&self) -> usize {
        self.written
    }

    /// Where the cell that is being read begins.
    fn open_from(&self) -> usize {
        if self.ended == 0 { 0 } else { self.ends[self.ended - 1] }
    }

    /// Ends the cell that is being read.
    fn cut(&mut self) {
        if self.ended == self.ends.len() {
            self.ends.push(0);
        }
        self.ends[self.ended] = self.written;
        self.ended += 1;
    }
}

impl Rows {
    /// Rows begin at `place`, and `source` brings the bytes from there on.
    pub fn new(source: Receiver<Feed>, head: &Head, place: Place, limits: &Limits) -> Self {
        let mut core = ReaderBuilder::new().delimiter(head.delimiter).build();
        // At its first bytes the library drops a byte order mark. In the middle of a file it is
        // part of a cell, and must be so after a restart too.
        core.read_record(b"\n", &mut [0], &mut [0]);
        let cells = Cells { bytes: vec![0; FIRST_BUFFER], ends: vec![0; head.columns.len() + 1], ..Cells::default() };
        let cell = limits.import_cell_bytes;
        let max = Max { cell, row: ROW_BYTES.max(cell.saturating_mul(2)), cells: limits.import_columns + 1 };
        let scratch = (vec![0; FIRST_BUFFER], vec![0; 64]);
        Self { source, chunk: Bytes::new(), core, place, end: End::NotYet, cells, scratch, max }
    }

    /// Where the next row begins.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The next row; `None` at the end of the file. Blocks. Lines with nothing on them are no rows.
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        if !self.skip_line_breaks()? {
            return Ok(None);
        }
        let line = self.place.line;
        self.core.set_line(line);
        (self.cells.written, self.cells.ended) = (0, 0);
        let fault = self.read_row()?;
        self.place.row += 1;
        self.place.line = self.core.line();
        let fault = fault.or_else(|| {
            let long = (0..self.cells.ended).find(|index| self.cells.get(*index).len() > self.max.cell);
            long.map(Fault::CellTooLong)
        });
        Ok(Some(Row { number: self.place.row, line, cells: &self.cells, fault }))
    }

    /// Whether there is another row.
    fn skip_line_breaks(&mut self) -> Result<bool> {
        loop {
            let breaks = self.chunk.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
            let (bytes, lines) =
                breaks.fold((0, 0), |(bytes, lines), byte| (bytes + 1, lines + u64::from(*byte == b'\n')));
            self.take(bytes);
            self.place.line += lines;
            if !self.chunk.is_empty() {
                return Ok(true);
            }
            if !self.fetch()? {
                return Ok(false);
            }
        }
    }

    fn read_row(&mut self) -> Result<Option<Fault>> {
        let mut fault = None;
        loop {
            if self.chunk.is_empty() {
                self.fetch()?;
            }
            let input: &[u8] = match self.end {
                End::NotYet => &self.chunk,
                End::Probed => b"\n",
                End::Told => b"",
            };
            let cells = &mut self.cells;
            let (output, ends) = match fault {
                None => (&mut cells.bytes[cells.written..], &mut cells.ends[cells.ended..]),
                Some(_) => (&mut self.scratch.0[..], &mut self.scratch.1[..]),
            };
            let (result, took, wrote, ended) = self.core.read_record(input, output, ends);
            if fault.is_none() {
                cells.written += wrote;
                cells.ended += ended;
            }
            if self.end == End::NotYet {
                self.take(took);
            }
            match result {
                ReadRecordResult::Record if self.end == End::Told => return Ok(fault.or(Some(Fault::UnclosedQuote))),
                ReadRecordResult::Record | ReadRecordResult::End => return Ok(fault),
                ReadRecordResult::InputEmpty if self.end == End::Probed => self.end = End::Told,
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => fault = fault.or_else(|| self.grow()),
                ReadRecordResult::OutputEndsFull => fault = fault.or_else(|| self.grow_ends()),
            }
        }
    }

    /// Makes room for more of the row, unless it has too much already.
    fn grow(&mut self) -> Option<Fault> {
        let cells = &mut self.cells;
        let fault = if cells.written - cells.open_from() > self.max.cell {
            Fault::CellTooLong(cells.ended)
        } else if cells.written >= self.max.row {
            Fault::RowTooLong
        } else {
            let length = (cells.bytes.len() * 2).min(self.max.row + 1);
            cells.bytes.resize(length, 0);
            return None;
        };
        cells.cut();
        Some(fault)
    }

    fn grow_ends(&mut self) -> Option<Fault> {
        let ends = &mut self.cells.ends;
        if ends.len() >= self.max.cells {
            return Some(Fault::TooManyCells);
        }
        let length = (ends.len() * 2).min(self.max.cells);
        ends.resize(length, 0);
        None
    }

    fn take(&mut self, bytes: usize) {
        self.chunk.advance(bytes);
        self.place.byte += bytes as u64;
    }

    /// Whether more bytes came.
    fn fetch(&mut self) -> Result<bool> {
        while self.end == End::NotYet {
            match self.source.blocking_recv() {
                Some(Feed::Bytes(bytes)) if bytes.is_empty() => {}
                Some(Feed::Bytes(bytes)) => {
                    self.chunk = bytes;
                    return Ok(true);
                }
                Some(Feed::End) => self.end = End::Probed,
                Some(Feed::Broken(error)) => return Err(error),
                None => return Err(Error::internal("the file's bytes stopped without an end")),
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::sync::mpsc::channel;

    use super::*;

    type Read = (i64, u64, Vec<String>, Option<Fault>, Place);

    fn small() -> Limits {
        Limits { import_cell_bytes: 100_000, import_columns: 5, ..Limits::default() }
    }

    /// Reads a text from a place on, in chunks of this size.
    fn rows(text: &[u8], from: Place, chunk: usize) -> Vec<Read> {
        let head = Head { delimiter: b',', columns: vec![String::new(); 2], rows_at: Place::default() };
        let (feed, source) = channel(text.len() + 2);
        for part in text[usize::try_from(from.byte).expect("small")..].chunks(chunk) {
            assert!(feed.try_send(Feed::Bytes(Bytes::copy_from_slice(part))).is_ok());
        }
        assert!(feed.try_send(Feed::End).is_ok());
        let mut rows = Rows::new(source, &head, from, &small());
        let mut found = Vec::new();
        while let Some(row) = rows.next().expect("whole") {
            let cells = row.cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
            let (number, line, fault) = (row.number, row.line, row.fault);
            found.push((number, line, cells, fault, rows.place()));
        }
        found
    }

    const START: Place = Place { row: 0, byte: 0, line: 1 };

    fn cells(text: &str) -> Vec<(u64, Vec<String>)> {
        rows(text.as_bytes(), START, 3).into_iter().map(|row| (row.1, row.2)).collect()
    }

    #[test]
    fn rows_know_their_lines() {
        let strings = |cells: &[&str]| cells.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            cells("a,b\r\n\r\n\"c\r\nd\",e\r\nf\n\n\ng,\"h\"\"\""),
            [
                (1, strings(&["a", "b"])),
                (3, strings(&["c\r\nd", "e"])),
                (5, strings(&["f"])),
                (8, strings(&["g", "h\""])),
            ]
        );
    }

    #[test]
    fn what_is_too_long_is_cut_and_the_next_row_is_whole() {
        let long = "x".repeat(300_000);
        let text = format!("1,{long},3\n2,b\n{}\n3,c", ["y"; 9].join(","));
        let read = rows(text.as_bytes(), START, 7_000);
        let faults: Vec<_> = read.iter().map(|row| row.3).collect();
        assert_eq!(faults, [Some(Fault::CellTooLong(1)), None, Some(Fault::TooManyCells), None]);
        assert!(read[0].2[1].len() < 200_000);
        assert_eq!((read[1].2.join(""), read[3].2.join("")), ("2b".to_owned(), "3c".to_owned()));

        let row = vec!["z".repeat(90_000); 5].join(",");
        let read = rows(format!("{row}\n1,2").as_bytes(), START, 10_000);
        assert_eq!(read.iter().map(|row| row.3).collect::<Vec<_>>(), [None, None], "below the limit of a row");
    }

    #[test]
    fn a_quote_that_is_never_closed_is_told_from_a_missing_line_break() {
        let faults = |text: &str| rows(text.as_bytes(), START, 2).into_iter().map(|row| row.3).collect::<Vec<_>>();
        assert_eq!(faults("a,b\nc,\"d\ne,f\n"), [None, Some(Fault::UnclosedQuote)]);
        assert_eq!(faults("a,b\nc,\"d\""), [None, None]);
        assert_eq!(faults("a,5\" pipe"), [None]);
        assert_eq!(faults("a,"), [None]);
    }

    proptest! {
        /// Whatever is in it: reading on from any boundary gives what reading through gave, in
        /// chunks of any size.
        #[test]
        fn reading_can_go_on_from_every_boundary(
            text in "(\u{feff}|[a,\"\r\n ]){0,60}", chunk in 1_usize..9, at in any::<prop::sample::Index>(),
        ) {
            let whole = rows(text.as_bytes(), START, usize::MAX);
            prop_assert_eq!(&rows(text.as_bytes(), START, chunk), &whole);
            if !whole.is_empty() {
                let row = at.index(whole.len());
                prop_assert_eq!(&rows(text.as_bytes(), whole[row].4, chunk)[..], &whole[row + 1..]);
            }
        }

        #[test]
        fn what_was_written_is_read(table in prop::collection::vec(prop::collection::vec("[a-c,;\"\r\n\té ]{0,6}", 2), 1..8)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for row in &table {
                writer.write_record(row).expect("written");
            }
            let text = writer.into_inner().expect("flushed");
            let read: Vec<_> = rows(&text, START, 5).into_iter().map(|row| row.2).collect();
            prop_assert_eq!(read, table);
        }
    }
}
