//! The beginning of a file: which delimiter it uses, what its columns are called, where its rows
//! begin. Decided by a fixed number of bytes, so that every attempt decides the same.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::report::shown;

/// The header has to end within this many bytes.
pub const SAMPLE: usize = 1024 * 1024;

/// Most characters of a column's name: every error of a row repeats it.
const LONGEST_NAME: usize = 255;

/// The delimiter is judged by this many bytes and rows.
const JUDGED_BYTES: usize = 64 * 1024;
const JUDGED_ROWS: usize = 50;

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// What the beginning of a file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub delimiter: u8,
    /// As the header calls them, trimmed.
    pub columns: Vec<String>,
    /// Where the rows begin.
    pub rows_at: Place,
}

/// A boundary between rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Rows before it.
    pub row: i64,
    /// Bytes before it.
    pub byte: u64,
    /// The number of the line that begins there, from 1.
    pub line: u64,
}

impl Head {
    /// Reads the first bytes of a file: [`SAMPLE`] of them, or all there are. The error is a
    /// sentence for the person who uploaded it.
    pub fn read(sample: &[u8], most_columns: usize) -> Result<Self, String> {
        refuse_other_formats(sample)?;
        let mark = if sample.starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 };
        let blank = sample[mark..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let start = mark + blank;
        let text = &sample[start..];
        if text.iter().all(u8::is_ascii_whitespace) {
            return Err("The file is empty: it has no header and no rows".to_owned());
        }
        let delimiter = delimiter(text);
        let is_whole = sample.len() < SAMPLE;
        let Some((cells, length)) = Records::new(text, delimiter, is_whole).next() else {
            return Err(format!("The first line does not end within {SAMPLE} bytes; it should name the columns"));
        };
        if cells.len() > most_columns {
            return Err(format!(
                "The file has {} columns; at most {most_columns} are allowed (limits.import_columns)",
                cells.len()
            ));
        }
        let columns: Vec<_> = cells.iter().map(|cell| shown(cell).trim().to_owned()).collect();
        if let Some(index) = columns.iter().position(|name| name.chars().count() > LONGEST_NAME) {
            return Err(format!(
                "The name of column {} is longer than {LONGEST_NAME} characters; is the first line the header?",
                index + 1
            ));
        }
        let byte = (start + length) as u64;
        let lines = sample[..start + length].iter().filter(|byte| **byte == b'\n').count() as u64;
        // a header that ends in \r\n was read up to its \r: the \n is still to come
        Ok(Self { delimiter, columns, rows_at: Place { row: 0, byte, line: lines + 1 } })
    }
}

/// Files that are no text at all say so, rather than fail row by row.
fn refuse_other_formats(sample: &[u8]) -> Result<(), String> {
    let begins = |with: &[u8]| sample.starts_with(with);
    if begins(b"PK\x03\x04") || begins(b"\xd0\xcf\x11\xe0") {
        return Err("This is a spreadsheet or an archive, not a CSV file; save it as CSV (UTF-8) first".to_owned());
    }
    if begins(b"\xff\xfe") || begins(b"\xfe\xff") {
        return Err("The file is in UTF-16; save it as CSV in UTF-8".to_owned());
    }
    if begins(b"%PDF-") || begins(b"\x1f\x8b") {
        return Err("This is not a CSV file".to_owned());
    }
    Ok(())
}

/// The one that cuts the first rows into the same number of cells, more than one; of several the
/// one that cuts more.
fn delimiter(text: &[u8]) -> u8 {
    let judged = &text[..text.len().min(JUDGED_BYTES)];
    let score = |delimiter: u8| {
        let widths: Vec<_> =
            Records::new(judged, delimiter, true).take(JUDGED_ROWS).map(|(cells, _)| cells.len()).collect();
        let width = widths.first().copied().unwrap_or(0);
        let alike = widths.iter().filter(|other| **other == width).count();
        if width < 2 { (0, 0) } else { (alike * 100 / widths.len(), width) }
    };
    let best = DELIMITERS.into_iter().rev().max_by_key(|delimiter| score(*delimiter));
    best.filter(|delimiter| score(*delimiter).1 > 0).unwrap_or(b',')
}

/// The records of a short text, and where each ends.
struct Records<'a> {
    rest: &'a [u8],
    read: usize,
    core: Reader,
    /// Whether the text ends where its file ends.
    is_whole: bool,
}

impl<'a> Records<'a> {
    fn new(text: &'a [u8], delimiter: u8, is_whole: bool) -> Self {
        Self { rest: text, read: 0, core: ReaderBuilder::new().delimiter(delimiter).build(), is_whole }
    }
}

impl Iterator for Records<'_> {
    type Item = (Vec<Vec<u8>>, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = vec![0; self.rest.len() + 1];
        let mut ends = vec![0; self.rest.len() + 1];
        let (mut written, mut cells) = (0, 0);
        loop {
            let (result, took, wrote, ended) =
                self.core.read_record(self.rest, &mut bytes[written..], &mut ends[cells..]);
            self.rest = &self.rest[took..];
            self.read += took;
            written += wrote;
            cells += ended;
            match result {
                ReadRecordResult::Record => {
                    let starts = std::iter::once(0).chain(ends.iter().copied());
                    let cells = starts.zip(&ends[..cells]).map(|(start, end)| bytes[start..*end].to_vec()).collect();
                    return Some((cells, self.read));
                }
                // an empty input tells the reader that this is the end
                ReadRecordResult::InputEmpty if self.is_whole => {}
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Head, String> {
        Head::read(text, 10)
    }

    #[test]
    fn the_delimiter_is_found() {
        let delimiter = |text: &str| read(text.as_bytes()).expect("a header").delimiter;
        assert_eq!(delimiter("a,b\n1,2\n"), b',');
        assert_eq!(delimiter("a;b;c\n1,5;2;3\n"), b';');
        assert_eq!(delimiter("a\tb\n1,2\t3\n"), b'\t');
        assert_eq!(delimiter("a|b|c\nx, y|2|3\n"), b'|');
        assert_eq!(delimiter("\"a;b\",c\n\"1;2\",3\n"), b',');
        assert_eq!(delimiter("email\na@b.de\n"), b',');
        // a header alone
        assert_eq!(delimiter("a;b,c;d"), b';');
    }

    #[test]
    fn rows_begin_after_the_header_whatever_stands_before_it() {
        let place = |text: &[u8]| read(text).expect("a header").rows_at;
        assert_eq!(place(b"a,b\n1,2"), Place { row: 0, byte: 4, line: 2 });
        assert_eq!(place(b"\xef\xbb\xbf\n\"a\nb\",c\n1,2"), Place { row: 0, byte: 12, line: 4 });
        assert_eq!(read(b"\xef\xbb\xbfemail").expect("a header").columns, ["email"]);
        assert_eq!(read(b" email , b").expect("a header").columns, ["email", "b"]);
    }

    #[test]
    fn what_is_no_csv_file_is_refused_in_words() {
        for wrong in [&b""[..], b"\n \r\n", b"\xef\xbb\xbf", b"PK\x03\x04...", b"\xff\xfee\0", b"a,b,c,d,e,f,g,h,i,j,k"]
        {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        let long = |length: usize| read(format!("a,{}\n", "\u{e9}".repeat(length)).as_bytes());
        assert!(long(LONGEST_NAME).is_ok());
        assert!(long(LONGEST_NAME + 1).expect_err("too long").contains("column 2"));
        let endless = vec![b'a'; SAMPLE];
        assert!(read(&endless).is_err());
    }
}
