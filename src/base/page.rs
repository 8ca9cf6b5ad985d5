//! Keyset pages: what a caller may ask for, and the opaque cursors between two pages.
//! A cursor holds the sort key of one row and its id, never an offset, so that page 5,000 costs
//! what page 1 costs and rows that come or go shift nothing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use super::{Error, Result};

/// Largest page of any list. Clients that ask for more are told so.
pub const MAX_PAGE: usize = 500;
pub const DEFAULT_PAGE: usize = 50;

/// Which way a page reads from its cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `first` / `after`
    Forward,
    /// `last` / `before`
    Backward,
}

/// A bounded page request. `C` is the decoded cursor: sort values and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest<C> {
    pub size: usize,
    pub direction: Direction,
    /// Rows strictly beyond this one.
    pub from: Option<C>,
}

/// The four Relay arguments as a client sends them.
#[derive(Debug, Clone, Default)]
pub struct PageArgs {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

/// One page of rows in display order, and whether there is more on either side.
#[derive(Debug, Clone)]
pub struct Slice<T> {
    pub rows: Vec<T>,
    pub has_next: bool,
    pub has_previous: bool,
}

impl<C> PageRequest<C> {
    /// How many rows to ask the database for: one more than shown tells whether there is more.
    pub fn fetch(&self) -> i64 {
        i64::try_from(self.size + 1).unwrap_or(i64::MAX)
    }

    /// Refuses a cursor that is none of this list.
    pub fn require_cursor(&self, is_ours: impl FnOnce(&C) -> bool) -> Result<()> {
        let field = if self.is_backward() { "before" } else { "after" };
        if self.from.as_ref().is_none_or(is_ours) { Ok(()) } else { Err(not_a_cursor(field)) }
    }

    pub fn is_backward(&self) -> bool {
        self.direction == Direction::Backward
    }

    /// Cuts the probe row off and puts rows that were read backwards into display order.
    pub fn slice<T>(&self, mut rows: Vec<T>) -> Slice<T> {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        match self.direction {
            Direction::Forward => Slice { rows, has_next: more, has_previous: self.from.is_some() },
            Direction::Backward => {
                rows.reverse();
                Slice { rows, has_next: self.from.is_some(), has_previous: more }
            }
        }
    }
}

impl PageArgs {
    /// Checks the arguments; errors name the argument and what would be right.
    pub fn parse<C: DeserializeOwned>(self) -> Result<PageRequest<C>> {
        if self.first.is_some() && self.last.is_some() {
            return Err(Error::invalid("last", "cannot be combined with first"));
        }
        if self.after.is_some() && self.before.is_some() {
            return Err(Error::invalid("before", "cannot be combined with after"));
        }
        let backward = self.last.is_some() || self.before.is_some();
        if backward && self.first.is_some() || !backward && self.last.is_some() {
            return Err(Error::invalid("before", "goes with last, after goes with first"));
        }
        if self.last.is_some() && self.after.is_some() {
            return Err(Error::invalid("after", "goes with first, before goes with last"));
        }
        let (size, size_name) = if backward { (self.last, "last") } else { (self.first, "first") };
        let (cursor, cursor_name) = if backward { (self.before, "before") } else { (self.after, "after") };
        let size = match size {
            None => DEFAULT_PAGE,
            Some(size) => usize::try_from(size)
                .ok()
                .filter(|size| *size <= MAX_PAGE)
                .ok_or_else(|| Error::invalid(size_name, format!("must be between 0 and {MAX_PAGE}")))?,
        };
        let from = cursor.map(|text| decode(cursor_name, &text)).transpose()?;
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        Ok(PageRequest { size, direction, from })
    }
}

/// Makes the opaque text of a cursor.
pub fn encode<C: Serialize>(cursor: &C) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(cursor).unwrap_or_default())
}

/// Reads a cursor back; `field` names the argument it came in.
pub fn decode<C: DeserializeOwned>(field: &'static str, text: &str) -> Result<C> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| not_a_cursor(field))
}

fn not_a_cursor(field: &'static str) -> Error {
    Error::invalid(field, "is not a cursor of this list; pass one that an earlier page returned")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_one_row_too_many_to_know_whether_there_is_more() {
        let request = PageRequest { size: 2, direction: Direction::Forward, from: None::<i32> };
        assert_eq!(request.fetch(), 3);
        let slice = request.slice(vec![1, 2, 3]);
        assert_eq!((slice.rows, slice.has_next, slice.has_previous), (vec![1, 2], true, false));
    }

    #[test]
    fn a_backward_page_comes_in_display_order() {
        let args = PageArgs { last: Some(2), before: Some(encode(&7)), ..PageArgs::default() };
        let request = args.parse::<i32>().expect("valid");
        let slice = request.slice(vec![6, 5, 4]);
        assert_eq!((slice.rows, slice.has_next, slice.has_previous), (vec![5, 6], true, true));
    }

    #[test]
    fn senseless_arguments_are_refused_by_name() {
        let refuse = |args: PageArgs| args.parse::<i32>().expect_err("refused").fields().map(ToString::to_string);
        assert!(refuse(PageArgs { first: Some(501), ..Default::default() }).is_some_and(|text| text.contains("first")));
        assert!(refuse(PageArgs { first: Some(-1), ..Default::default() }).is_some());
        assert!(refuse(PageArgs { first: Some(1), last: Some(1), ..Default::default() }).is_some());
        assert!(refuse(PageArgs { after: Some("%%".into()), ..Default::default() }).is_some());
    }
}
