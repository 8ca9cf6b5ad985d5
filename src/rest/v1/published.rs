//! What the record routes and their description need to know of a kind of record.

use serde_json::{Map, Value as Json};

use super::envelope::{Names, Plain};
use crate::{
    auth::Caller,
    base::Result,
    crm::record::{Field, Record},
    ctx::Ctx,
};

/// A record as these routes read and print it.
pub type Object = Map<String, Json>;

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
    /// What stands here for other fields of the table, and together says one thing; see `understand`.
    const STANDING_FOR: &'static [Field] = &[];

    /// Puts the fields of the table in the place of those that stand for them, in a body or among
    /// filters that have all of these.
    fn understand(_: &mut Object) -> Result<()> {
        Ok(())
    }

    /// Completes what is printed with what is not in the record itself; with a constant number of
    /// queries.
    fn complete_printed(_: &Ctx, _: &Caller, _: &[Self], _: &mut [Object]) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

/// The kind's fields are called as its table says.
impl<R: Published> Names for R {
    fn name(field: &str) -> String {
        let known = R::FIELDS.iter().find(|known| known.name == field);
        known.map_or_else(|| Plain::name(field), |known| known.rest.to_owned())
    }
}
