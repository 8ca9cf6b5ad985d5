//! What the record routes and their description need to know of a kind of record.

use super::envelope::{Names, Plain};
use crate::crm::record::Record;

/// What these routes promise about a kind of record.
pub trait Published: Record {
    const PATH: &'static str;
    /// A heading of the document.
    const PLURAL: &'static str;
    /// Names of the fields that must not be empty in a creation here. (Imports, mail and other
    /// APIs may know less of a record.)
    const REQUIRED: &'static [&'static str];
    /// Records on a page unless the client says.
    const LIMIT: i64;
    /// What `search` looks into, for the document.
    const SEARCHED: &'static str;
}

/// The kind's fields are called as its table says.
impl<R: Published> Names for R {
    fn name(field: &str) -> String {
        let known = R::FIELDS.iter().find(|known| known.name == field);
        known.map_or_else(|| Plain::name(field), |known| known.rest.to_owned())
    }
}
