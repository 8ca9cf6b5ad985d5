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
    crm::criteria::{Bind, Form, Sql},
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

/// Lists of one statement.
const LISTS: usize = 200;
/// And values, of which PostgreSQL takes 65,535.
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
        for alike in alike(workspace, &asked) {
            for ids in ids.chunks(CONTACTS) {
                let some = kept::differences(tx.connection(), &statement(workspace, &alike, ids)).await?;
                found.extend(some.into_iter().map(|one| ((one.list_id, one.record_id), one)));
            }
        }
    }
    Ok(found.into_values().collect())
}

/// Lists whose criteria differ in their values only, as many as go into one statement.
type Alike = Vec<(ContactListId, Form)>;

/// These lists by what they ask. PostgreSQL plans each question once, however many lists ask it: planning
/// is what asking costs where contacts are few.
fn alike(workspace: WorkspaceId, lists: &[&KeptList]) -> Vec<Alike> {
    let mut found: Vec<Alike> = Vec::new();
    for list in lists {
        let form = Sql::form(&list.criteria, "r", workspace, &list.setting);
        let values = form.values.len() + 1;
        let fits = |alike: &&mut Alike| {
            alike.first().is_some_and(|(_, first)| first.key() == form.key())
                && alike.len() < LISTS
                && (alike.len() + 1) * values < VALUES
        };
        match found.iter_mut().rev().find(fits) {
            Some(alike) => alike.push((list.id, form)),
            None => found.push(vec![(list.id, form)]),
        }
    }
    found
}

/// Asks these lists about these contacts.
fn statement(workspace: WorkspaceId, lists: &Alike, ids: &[Uuid]) -> Sql {
    let mut sql = Sql::new(workspace);
    let contacts = sql.hold(Bind::Uuids(ids.to_vec()));
    let mut rows = Vec::new();
    for (id, form) in lists {
        let id = sql.hold(Bind::Uuid(id.0));
        let values = form.values.iter().map(|value| format!(", {}", sql.hold(value.clone())));
        rows.push(format!("({id}{})", values.collect::<String>()));
    }
    let (condition, columns) = match lists.first() {
        Some((_, form)) => {
            let columns = (0..form.values.len()).map(|place| format!(", p{}", place + 2));
            (form.over("v"), columns.collect::<String>())
        }
        None => ("false".to_owned(), String::new()),
    };
    // who is in comes once for each contact, not once for each list; OFFSET keeps it so
    sql.push(&format!(
        "SELECT v.list_id, r.asked_id AS record_id, v.list_id <> ALL(r.held_lists) AS enters, r.id IS NOT NULL AS is_live \
           FROM (SELECT x.id AS asked_id, kept.held_lists, c.* FROM unnest({contacts}) AS x (id) \
                   LEFT JOIN contacts c ON c.workspace_id = $1 AND c.id = x.id AND c.deleted_at IS NULL \
                  CROSS JOIN LATERAL (SELECT coalesce(array_agg(m.list_id), '{{}}') AS held_lists FROM list_members m \
                        WHERE m.workspace_id = $1 AND m.record_id = x.id AND NOT m.is_suspended) AS kept \
                 OFFSET 0) AS r \
          CROSS JOIN (VALUES {}) AS v (list_id{columns}) \
          WHERE ((r.id IS NOT NULL AND ({condition})) IS TRUE) = (v.list_id <> ALL(r.held_lists))",
        rows.join(", ")
    ));
    sql
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
