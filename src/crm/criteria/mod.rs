//! The criteria language: which records are meant. Dynamic lists, filters of records, exports, bulk
//! changes and subscriptions all use it.
//!
//! What a client sends is a [`Node`], read from JSON or from REST's old form (`old`). [`Criteria::check`]
//! holds it against the fields there are (`fields`, `relations`) and types its values; what passes is
//! turned into SQL (`sql`), which looks for all records that match, or for those of some. Many trees are
//! asked at once about records that have changed by `together`. What a tree reads, whom a change can
//! concern, and whose answer moves with the clock, tell `reads` and `depends`; `explain` says why a record
//! matches.
//!
//! What the language means:
//! - Every comparison is true or false. Negations (`NE`, `NOT_IN`, ...) hold for an empty field unless
//!   `matchEmpty` is false; all else but `IS_EMPTY` does not. Text `''`, no tags and null are empty; what
//!   is reached through a link that leads nowhere is empty too.
//! - Text ignores case unless `caseSensitive`; tags do as well. Words of choices are exact.
//! - A date as a value is a day in the workspace's zone. Custom dates are days, whatever the zone.
//! - `IN_LAST` 7 `DAY` is 7 times 24 hours up to now; months and longer go by the calendar, on the
//!   clocks of the zone. Of dates, spans count days and today is one of them.
//! - `related` counts live records that each satisfy all of `where`; `ALL` holds where there is none.
//! - In the criteria of a dynamic list `LISTS` are static ones: of others it could be one itself.

mod check;
mod checked;
mod depends;
mod describe;
mod explain;
mod fields;
pub mod old;
mod phones;
mod queries;
mod reads;
pub mod relations;
mod sql;
mod together;
mod tree;
mod when;

pub use check::Criteria;
pub use checked::MOST_LINKS;
pub use depends::Concern;
pub use describe::{
    FieldDescription, Operand, OperatorUse, RelationDescription, ValueType, criteria_fields, criteria_relations,
    operator_use,
};
pub use explain::Explanation;
pub use fields::{Asked, CustomField, Entity, Known};
pub use reads::{Changed, Meets, Read, Reads, Step};
pub use sql::{Bind, LIST_SEEN, Sql, list_seen};
pub use together::Together;
pub use tree::{
    Comparison, DEEPEST, LARGEST, MOST_LEAVES, MOST_VALUES, Node, Operator, Quantifier, RelatedNode, Relation,
    TimeUnit, within,
};
pub use when::{Setting, Visible};
