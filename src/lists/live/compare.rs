//! What the criteria of many lists say of many contacts, compared with who is in: only what differs comes
//! back from the database, and is moved.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::concern::Work;
use crate::{
    base::{
        Result,
        ids::{ContactListId, WorkspaceId},
    },
    crm::criteria::{Bind, Sql},
    db::Tx,
    lists::{
        kept::KeptList,
        queries::{
            builds,
            kept::{self, Difference},
        },
        steps::{self, By},
    },
};

/// Lists of one statement: its planning grows with them.
const LISTS: usize = 100;
/// And its values, of which PostgreSQL takes 65,535.
const VALUES: usize = 10_000;
/// Contacts of one statement.
const CONTACTS: usize = 1_000;

/// The memberships that are not what the criteria say.
pub async fn differences_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    lists: &[KeptList],
    work: &Work,
) -> Result<Vec<Difference>> {
    let mut found = BTreeMap::new();
    for (places, ids) in work {
        let ids: Vec<_> = ids.iter().copied().collect();
        let asked: Vec<_> = places.iter().filter_map(|place| lists.get(*place)).collect();
        for ids in ids.chunks(CONTACTS) {
            let mut rest = asked.as_slice();
            while !rest.is_empty() {
                let (sql, taken) = statement(workspace, rest, ids);
                rest = rest.get(taken..).unwrap_or_default();
                let some = kept::differences(tx.connection(), &sql).await?;
                found.extend(some.into_iter().map(|one| ((one.list_id, one.record_id), one)));
            }
        }
    }
    Ok(found.into_values().collect())
}

/// Asks the first of these lists about these contacts; how many of them.
fn statement(workspace: WorkspaceId, lists: &[&KeptList], ids: &[Uuid]) -> (Sql, usize) {
    let mut sql = Sql::new(workspace);
    let contacts = sql.hold(Bind::Uuids(ids.to_vec()));
    let mut verdicts = Vec::new();
    for list in lists.iter().take(LISTS) {
        let id = sql.hold(Bind::Uuid(list.id.0));
        let condition = sql.hold_condition(&list.criteria, "r", &list.setting);
        verdicts.push(format!("({id}::uuid, (r.id IS NOT NULL AND {condition}) IS TRUE)"));
        if sql.values() > VALUES {
            break;
        }
    }
    // who is in comes once for each contact, not once for each list
    sql.push(&format!(
        "SELECT v.list_id, x.id AS record_id, v.holds AS enters, r.id IS NOT NULL AS is_live \
           FROM unnest({contacts}) AS x (id) \
           LEFT JOIN contacts r ON r.workspace_id = $1 AND r.id = x.id AND r.deleted_at IS NULL \
           CROSS JOIN LATERAL (SELECT coalesce(array_agg(m.list_id), '{{}}') AS lists FROM list_members m \
                WHERE m.workspace_id = $1 AND m.record_id = x.id AND NOT m.is_suspended) AS kept \
           CROSS JOIN LATERAL (VALUES {}) AS v (list_id, holds) \
          WHERE v.holds <> (v.list_id = ANY(kept.lists))",
        verdicts.join(", ")
    ));
    (sql, verdicts.len())
}

/// Moves whoever is not where the criteria say; how many did, and in which lists something differed.
pub async fn move_in(
    tx: &mut Tx,
    by: &By,
    lists: &[KeptList],
    work: &Work,
) -> Result<(usize, BTreeSet<ContactListId>)> {
    let differences = differences_in(tx, by.workspace, lists, work).await?;
    // what a job found out about them that builds such a list is older
    for (places, ids) in work {
        let asked = places.iter().filter_map(|place| lists.get(*place));
        let rebuilding: Vec<_> = asked.filter(|list| list.is_rebuilding).map(|list| list.id).collect();
        if !rebuilding.is_empty() {
            let ids: Vec<_> = ids.iter().copied().collect();
            builds::forget(tx.connection(), by.workspace, &rebuilding, &ids).await?;
        }
    }
    let versions: BTreeMap<_, _> = lists.iter().map(|list| (list.id, list.version)).collect();
    let moved = steps::move_in(tx, by, &versions, &differences).await?;
    Ok((moved, differences.iter().map(|one| one.list_id).collect()))
}

/// All of these contacts against each of these lists.
pub fn all(lists: &[KeptList], contacts: impl IntoIterator<Item = Uuid>) -> Work {
    let places: Vec<_> = (0..lists.len()).collect();
    let contacts: BTreeSet<_> = contacts.into_iter().collect();
    if places.is_empty() || contacts.is_empty() { Work::new() } else { Work::from([(places, contacts)]) }
}
