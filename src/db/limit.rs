//! A `LIMIT` that stands in the statement instead of being bound. With a bound one PostgreSQL takes
//! a page for a tenth of the table, finds that too dear, and plans the statement anew each time it
//! runs: ten times the work of a page of 50 (measured with version 15).

use diesel::{
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    result::QueryResult,
};

/// Each is a statement of its own, prepared once per connection; so there are few, and a page takes
/// the next larger one.
const STEPS: [i64; 6] = [11, 26, 51, 101, 201, 501];

/// A query with its limit.
pub struct Limited<Q> {
    query: Q,
    limit: i64,
}

/// At least so many rows, where there are; the caller cuts off what it did not ask for.
pub fn at_least<Q>(query: Q, limit: i64) -> Limited<Q> {
    Limited { query, limit: STEPS.into_iter().find(|step| *step >= limit).unwrap_or(limit) }
}

impl<Q: Query> Query for Limited<Q> {
    type SqlType = Q::SqlType;
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Limited<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(&format!(" LIMIT {}", self.limit));
        Ok(())
    }
}

/// Told apart by their texts.
impl<Q> QueryId for Limited<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
