//! What the criteria of many lists say of many contacts, compared with who is in: what differs is moved.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::concern::Work;
use crate::{
    base::{
        Result,
        ids::{ContactListId, WorkspaceId},
    },
    crm::{RecordKind, criteria::Together},
    db::Tx,
    lists::{
        kept::KeptList,
        queries::builds,
        steps::{self, By, Difference},
    },
};

/// Contacts that are asked about at once.
const CONTACTS: usize = 1_000;
/// And answers about them.
const ANSWERS: usize = 500_000;

/// The memberships that are not what the criteria say.
pub async fn differences_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    lists: &[KeptList],
    work: &Work,
) -> Result<Vec<Difference>> {
    let mut found = BTreeMap::new();
    for (places, ids) in work {
        let asked: Vec<_> = places.iter().filter_map(|place| lists.get(*place)).collect();
        let mut together = Together::new(workspace, RecordKind::Contact);
        for list in &asked {
            together.add(&list.criteria, &list.setting);
        }
        let list_ids: Vec<_> = asked.iter().map(|list| list.id.0).collect();
        let ids: Vec<_> = ids.iter().copied().collect();
        for ids in ids.chunks((ANSWERS / together.questions().max(1)).clamp(1, CONTACTS)) {
            let answers = together.ask(tx.connection(), &list_ids, ids).await?;
            for (list, matching) in asked.iter().zip(&answers.matching) {
                for (record, enters) in answers.differing(list.id.0, matching) {
                    let Some(record_id) = ids.get(record).copied() else { continue };
                    let is_live = answers.live.contains(record);
                    let difference = Difference { list_id: list.id, record_id, enters, is_live };
                    found.insert((list.id, record_id), difference);
                }
            }
        }
    }
    Ok(found.into_values().collect())
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
