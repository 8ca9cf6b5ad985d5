//! What a search looks for: patterns of LIKE over the search texts of records.
//!
//! A search text has three parts, of which a character that no query holds ends the first two (see the
//! migration `search`): what REST's search looks into, what else is text, and the digits of phone numbers.

use super::RecordKind;
use crate::base::{Error, Result, text};

/// Longest fragment that is searched for, in characters. One of fewer than three is not in the
/// trigram index: finding it walks all records.
const MOST: usize = 200;
/// Fewest digits that are taken for a part of a phone number.
const FEWEST_DIGITS: usize = 4;
/// Behind all text, before the digits of phone numbers.
pub const END_OF_TEXT: char = '\u{2}';

/// How far a search looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Into the few fields that REST's contract names.
    Contract,
    /// Also for phone numbers, the hosts of websites, and by a contact's company.
    All,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    reach: Reach,
    /// Over the search text; over it for the digits of a phone number; over the names of companies.
    patterns: Vec<Option<String>>,
}

impl Search {
    /// None where there is nothing to look for.
    pub fn new(kind: RecordKind, reach: Reach, search: Option<&str>) -> Result<Option<Self>> {
        let Some(search) = search else { return Ok(None) };
        let cleaned = text::clean(search, MOST).map_err(|message| Error::invalid("search", message))?;
        Ok(cleaned.map(|search| Self::of(kind, reach, &search)))
    }

    fn of(kind: RecordKind, reach: Reach, search: &str) -> Self {
        let anywhere = text::like_anywhere(search);
        let has_parts = matches!(kind, RecordKind::Lead | RecordKind::Contact | RecordKind::Account);
        if reach == Reach::Contract || !has_parts {
            return Self { reach: Reach::Contract, patterns: vec![Some(anywhere)] };
        }
        let company = (kind == RecordKind::Contact).then(|| anywhere.clone());
        let digits = phone_digits(search);
        let (text, phone) = match digits {
            // the one pattern finds it on both sides
            Some(digits) if digits == search => (anywhere, None),
            digits => {
                let phone = digits.map(|digits| format!("%{END_OF_TEXT}%{digits}%"));
                (format!("{anywhere}{END_OF_TEXT}%"), phone)
            }
        };
        Self { reach, patterns: vec![Some(text), phone, company] }
    }

    /// To be bound where [`Self::ids`] says.
    pub fn patterns(&self) -> &[Option<String>] {
        &self.patterns
    }

    pub fn text(&self) -> Option<&str> {
        self.pattern(0)
    }

    pub fn phone(&self) -> Option<&str> {
        self.pattern(1)
    }

    pub fn company(&self) -> Option<&str> {
        self.pattern(2)
    }

    fn pattern(&self, number: usize) -> Option<&str> {
        self.patterns.get(number)?.as_deref()
    }

    /// The function's call that returns the ids, its patterns being this placeholder.
    pub fn ids(&self, table: &str, patterns: &str, below: &str, above: &str, at_most: &str) -> String {
        match self.reach {
            Reach::Contract => {
                format!("search_record_ids('{table}', ({patterns}::text[])[1], {below}, {above}, {at_most})")
            }
            Reach::All => format!("find_record_ids('{table}', {patterns}::text[], {below}, {above}, {at_most})"),
        }
    }
}

/// The digits of what may be a part of a phone number, however it is written. Without the zeros that come
/// before an area or a country at home, which numbers from abroad do not have.
fn phone_digits(search: &str) -> Option<String> {
    if !search.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "+-()./\u{2011}\u{2013}".contains(c)) {
        return None;
    }
    let digits: String = search.replace("(0)", "").chars().filter(char::is_ascii_digit).collect();
    let bare = digits.trim_start_matches('0');
    let digits = if bare.len() >= FEWEST_DIGITS { bare.to_owned() } else { digits };
    (digits.len() >= FEWEST_DIGITS).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_is_known_by_its_digits() {
        for (search, digits) in [
            ("+49 (40) 123-45", Some("494012345")),
            ("+49 (0)40/123.45", Some("494012345")),
            ("0049 40 123\u{2013}45", Some("494012345")),
            ("040 123", Some("40123")),
            ("0123", Some("0123")),
            ("12 34", Some("1234")),
            ("123", None),
            ("(0)123", None),
            ("1234a", None),
            ("a", None),
            ("+", None),
        ] {
            assert_eq!(phone_digits(search).as_deref(), digits, "{search}");
        }
    }

    #[test]
    fn where_it_looks_depends_on_who_asks_and_what_for() {
        let patterns = |kind, reach, search: &str| Search::of(kind, reach, search).patterns;
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(patterns(RecordKind::Contact, Reach::Contract, "12345"), [some("%12345%")]);
        assert_eq!(patterns(RecordKind::Deal, Reach::All, "12345"), [some("%12345%")]);
        assert_eq!(patterns(RecordKind::Contact, Reach::All, "123"), [some("%123%\u{2}%"), None, some("%123%")]);
        assert_eq!(patterns(RecordKind::Contact, Reach::All, "12345"), [some("%12345%"), None, some("%12345%")]);
        let spaced = [some("%12 345%\u{2}%"), some("%\u{2}%12345%"), None];
        assert_eq!(patterns(RecordKind::Lead, Reach::All, "12 345"), spaced);
        assert_eq!(patterns(RecordKind::Account, Reach::All, "a_b"), [some("%a\\_b%\u{2}%"), None, None]);
    }
}
