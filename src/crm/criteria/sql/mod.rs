//! A checked tree as an SQL condition over an alias. Every value is bound; names come from our own
//! tables alone. SQL's third truth value goes nowhere: a condition is true exactly where the tree
//! holds, and what is denied is denied at the leaves, where null counts as false.
//!
//! Statements run under the system role and name the workspace, always `$1`, for each of their tables.
//!
//! A statement (`statement`) grows with its values; a [`Writer`] writes conditions into it, the tree and
//! its links (`writer`) down to each comparison (`conditions`) of a value (`operand`). A [`Form`] is a
//! condition apart from the values it is asked with.

mod conditions;
mod form;
mod operand;
mod statement;
mod writer;

pub use statement::{Bind, Sql};
pub(super) use {form::Form, operand::Operand, writer::Writer};

/// Whether the user `$2` of the workspace `$1` sees the list `l`: whose it is, with everybody whom it is
/// shared with. Here, because criteria name lists and count them.
pub const LIST_SEEN: &str = "(l.created_by = $2 OR l.sharing <> 'private' OR \
     EXISTS (SELECT FROM list_shares s WHERE s.workspace_id = l.workspace_id AND s.list_id = l.id \
     AND (s.user_id = $2 OR s.team_id IN (SELECT t.team_id FROM team_members t WHERE t.workspace_id = $1 \
     AND t.user_id = $2))))";

/// The same of a list of another alias, and a user of another placeholder.
pub fn list_seen(alias: &str, user: &str) -> String {
    LIST_SEEN.replace("$2", user).replace("(l.", &format!("({alias}.")).replace(" l.", &format!(" {alias}."))
}
