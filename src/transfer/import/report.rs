//! What is wrong with a row, for the person who has to mend it.

use crate::{crm::record::FieldType, text_enum};

text_enum! {
    /// Why a row was not taken. Stable: programs and documentation name them.
    pub enum RowErrorCode {
        /// More or fewer cells than the header has.
        RowLength = "ROW_LENGTH",
        RowTooLong = "ROW_TOO_LONG",
        CellTooLong = "CELL_TOO_LONG",
        /// The file ends inside a quoted cell.
        UnclosedQuote = "UNCLOSED_QUOTE",
        /// Not UTF-8.
        InvalidEncoding = "INVALID_ENCODING",
        /// A character that no text may have, such as NUL.
        InvalidCharacter = "INVALID_CHARACTER",
        InvalidText = "INVALID_TEXT",
        InvalidEmail = "INVALID_EMAIL",
        InvalidPhone = "INVALID_PHONE",
        InvalidUrl = "INVALID_URL",
        InvalidChoice = "INVALID_CHOICE",
        InvalidNumber = "INVALID_NUMBER",
        InvalidDate = "INVALID_DATE",
        InvalidId = "INVALID_ID",
        InvalidTags = "INVALID_TAGS",
        /// A new record would lack something that it must have.
        MissingValue = "MISSING_VALUE",
        /// The id is of nothing that exists here.
        UnknownReference = "UNKNOWN_REFERENCE",
        /// The key belongs to an existing record, or to an earlier row.
        Duplicate = "DUPLICATE",
    }
}

/// One row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// Data rows count from 1; the header is not one.
    pub row: i64,
    /// The line of the file on which the row begins, from 1.
    pub line: i64,
    /// The column as the header calls it, where one is to blame.
    pub column: Option<String>,
    /// What stands in that column, cut to [`SHOWN`] characters.
    pub value: Option<String>,
    pub code: RowErrorCode,
    /// One sentence about everything that is wrong with the row.
    pub message: String,
    /// The row as it stands in the file. Of cells past the limit, the beginning.
    pub cells: Vec<String>,
}

/// Most characters of a value in a message or error.
pub const SHOWN: usize = 200;

impl RowError {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        let texts = [&self.column, &self.value].into_iter().flatten().chain([&self.message]).chain(&self.cells);
        size_of::<Self>() + texts.map(|text| size_of::<String>() + text.len()).sum::<usize>()
    }
}

/// The code of a cell that a field refused.
pub fn code_of(field_type: FieldType) -> RowErrorCode {
    match field_type {
        FieldType::Text | FieldType::LongText => RowErrorCode::InvalidText,
        FieldType::Email => RowErrorCode::InvalidEmail,
        FieldType::Phone => RowErrorCode::InvalidPhone,
        FieldType::Url => RowErrorCode::InvalidUrl,
        FieldType::Choice(_) | FieldType::OptionalChoice(_) | FieldType::Currency => RowErrorCode::InvalidChoice,
        FieldType::Count | FieldType::Percent | FieldType::Decimal => RowErrorCode::InvalidNumber,
        FieldType::Instant => RowErrorCode::InvalidDate,
        FieldType::User | FieldType::Link(_) | FieldType::Pipeline | FieldType::Stage | FieldType::Id => {
            RowErrorCode::InvalidId
        }
        FieldType::Tags | FieldType::Json => RowErrorCode::InvalidTags,
    }
}

/// A cell as text that PostgreSQL takes: broken UTF-8 and NULs become U+FFFD.
pub fn shown(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).replace('\0', "\u{fffd}")
}

/// A column's name, for a message: it may stand there once for each field of a row.
pub fn short_name(name: &str) -> String {
    const MOST: usize = 60;
    match name.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}\u{2026}", &name[..at]),
        None => name.to_owned(),
    }
}

/// The beginning of a cell, for a message.
pub fn shortened(cell: &[u8]) -> String {
    // four bytes are the longest character
    let begin = &cell[..cell.len().min(SHOWN * 4)];
    shown(begin).chars().take(SHOWN).collect()
}
