//! One row against the rules of its fields: the same that every face applies.

use uuid::Uuid;

use super::{
    map::Mapped,
    read::{Cells, Fault, Row},
    report::{RowError, RowErrorCode, code_of, short_name, shortened, shown},
    target::Target,
};
use crate::crm::record::{Field, FieldType, Raw, Value};

/// Checks the rows of one file.
#[derive(Clone)]
pub struct Checker {
    pub target: Target,
    /// As the header calls them.
    pub columns: Vec<String>,
    pub mapped: Vec<Mapped>,
}

/// What a row is by itself.
pub enum Verdict {
    /// Every cell is empty.
    Blank,
    Bad(RowError),
    /// A value per mapped column.
    Good(Vec<Value>),
}

struct Wrong {
    /// The column's index, where one is to blame.
    column: Option<usize>,
    code: RowErrorCode,
    message: String,
}

impl Checker {
    pub fn check(&self, row: &Row<'_>) -> Verdict {
        let bad = |wrong| Verdict::Bad(self.error(row.number, row.line, row.cells, wrong));
        if let Some(fault) = row.fault {
            return bad(self.fault(fault));
        }
        if row.cells.iter().all(|cell| cell.trim_ascii().is_empty()) {
            return Verdict::Blank;
        }
        if row.cells.len() != self.columns.len() {
            let message = format!("The row has {} cells, and the header has {}", row.cells.len(), self.columns.len());
            return bad(Wrong { column: None, code: RowErrorCode::RowLength, message });
        }
        let mut values = Vec::with_capacity(self.mapped.len());
        let mut wrongs: Vec<Wrong> = Vec::new();
        for (index, field) in &self.mapped {
            match self.value(*index, field, row.cells.get(*index)) {
                Ok(value) => values.push(value),
                Err(wrong) => wrongs.push(wrong),
            }
        }
        let messages: Vec<_> = wrongs.iter().map(|wrong| wrong.message.clone()).collect();
        match wrongs.into_iter().next() {
            None => Verdict::Good(values),
            Some(first) => bad(Wrong { message: messages.join("; "), ..first }),
        }
    }

    /// What is missing for a new record, as an error of the row; `None` where nothing is.
    pub fn missing(&self, values: Vec<Value>) -> Option<String> {
        let fields = self.mapped.iter().map(|(_, field)| *field);
        let missing = self.target.check_new(fields.zip(values).collect());
        if missing.is_empty() {
            return None;
        }
        let sentences: Vec<_> =
            missing.iter().map(|(field, message)| format!("{} {message}", self.name_of(field))).collect();
        Some(sentences.join("; "))
    }

    /// An error found when the row met the database.
    pub fn late_error(
        &self,
        number: i64,
        line: u64,
        cells: &Cells,
        code: RowErrorCode,
        field: Option<&Field>,
    ) -> RowError {
        let column = field.and_then(|field| self.mapped.iter().find(|mapped| mapped.1.column == field.column));
        let column = column.map(|mapped| mapped.0);
        let name = column.map(|index| self.said_name(index)).unwrap_or_default();
        let message = match code {
            RowErrorCode::Duplicate => format!("{name} belongs to an existing record or to an earlier row"),
            _ if field.is_some_and(|field| matches!(field.field_type, FieldType::User)) => {
                format!("{name} is not the id of an active user")
            }
            _ => format!("{name} is not the id of anything that exists here"),
        };
        self.error(number, line, cells, Wrong { column, code, message })
    }

    pub fn missing_error(&self, number: i64, line: u64, cells: &Cells, message: String) -> RowError {
        self.error(number, line, cells, Wrong { column: None, code: RowErrorCode::MissingValue, message })
    }

    /// The key of a row that was good.
    pub fn key<'v>(&self, values: &'v [Value]) -> Option<&'v str> {
        let at = self.mapped.iter().position(|(_, field)| field.column == self.target.key)?;
        match &values[at] {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn value(&self, index: usize, field: &'static Field, cell: &[u8]) -> Result<Value, Wrong> {
        let wrong = |code, message: &str| Wrong {
            column: Some(index),
            code,
            message: format!("{} {message}", self.said_name(index)),
        };
        let text = std::str::from_utf8(cell).map_err(|_| wrong(RowErrorCode::InvalidEncoding, "is not in UTF-8"))?;
        if text.contains('\0') {
            return Err(wrong(RowErrorCode::InvalidCharacter, "contains a NUL character"));
        }
        field.parse(Raw::Text(text)).map_err(|message| wrong(code_of(field.field_type), &message))
    }

    fn fault(&self, fault: Fault) -> Wrong {
        let whole = |code, message: &str| Wrong { column: None, code, message: message.to_owned() };
        match fault {
            Fault::CellTooLong(index) => {
                let message =
                    format!("{} is longer than a cell may be (limits.import_cell_bytes)", self.said_name(index));
                Wrong { column: Some(index), code: RowErrorCode::CellTooLong, message }
            }
            Fault::RowTooLong => {
                whole(RowErrorCode::RowTooLong, "The row is too long; is a quotation mark never closed?")
            }
            Fault::TooManyCells => {
                whole(RowErrorCode::RowLength, "The row has more cells than a file may have columns")
            }
            Fault::UnclosedQuote => whole(RowErrorCode::UnclosedQuote, "A quotation mark in this row is never closed"),
        }
    }

    fn error(&self, number: i64, line: u64, cells: &Cells, wrong: Wrong) -> RowError {
        let is_cut = matches!(wrong.code, RowErrorCode::CellTooLong | RowErrorCode::RowTooLong);
        let value = wrong.column.filter(|index| *index < cells.len()).map(|index| shortened(cells.get(index)));
        RowError {
            row: number,
            line: i64::try_from(line).unwrap_or(i64::MAX),
            column: wrong.column.map(|index| self.column_name(index)),
            value,
            code: wrong.code,
            message: wrong.message,
            cells: cells.iter().map(if is_cut { shortened } else { shown }).collect(),
        }
    }

    fn column_name(&self, index: usize) -> String {
        let name = self.columns.get(index).filter(|name| !name.is_empty());
        name.cloned().unwrap_or_else(|| format!("Column {}", index + 1))
    }

    /// The same, in a message.
    fn said_name(&self, index: usize) -> String {
        short_name(&self.column_name(index))
    }

    /// What the file calls a field, if it has it.
    fn name_of(&self, field: &str) -> String {
        let mapped = self.mapped.iter().find(|mapped| mapped.1.name == field);
        mapped.map_or_else(|| field.to_owned(), |mapped| self.said_name(mapped.0))
    }
}

/// A good row on its way into the database.
#[derive(Debug, Clone)]
pub struct Staged {
    pub number: i64,
    pub line: u64,
    /// The id of the record, should it become a new one.
    pub id: Uuid,
    /// Counts from 1 among the rows of a batch that have one key.
    pub wave: i32,
    /// What a new record would lack; then it can only update one.
    pub missing: Option<String>,
}
