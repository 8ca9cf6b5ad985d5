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
        let mut left = asked.into_iter().peekable();
        while left.peek().is_some() {
            let (mut together, mut asked) = (Together::new(workspace, RecordKind::Contact), Vec::new());
            while let Some(list) = left.next_if(|_| together.has_room()) {
                together.add(&list.criteria, &list.setting);
                asked.push(list.id);
            }
            ask_in(tx, &together, &asked, &ids, &mut found).await?;
        }
    }
    Ok(found.into_values().collect())
}

/// The differences between these lists, whose trees were added in this order, and these contacts.
async fn ask_in(
    tx: &mut Tx,
    together: &Together,
    asked: &[ContactListId],
    ids: &[Uuid],
    found: &mut BTreeMap<(ContactListId, Uuid), Difference>,
) -> Result<()> {
    let list_ids: Vec<_> = asked.iter().map(|list| list.0).collect();
    for ids in ids.chunks(together.records()) {
        let answers = together.ask(tx.connection(), &list_ids, ids).await?;
        for (tree, list_id) in asked.iter().copied().enumerate() {
            for (record, enters) in answers.differing(tree, list_id.0) {
                let Some(record_id) = ids.get(record).copied() else { continue };
                let difference = Difference { list_id, record_id, enters, is_live: answers.is_live(record) };
                found.insert((list_id, record_id), difference);
            }
        }
    }
    Ok(())
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
