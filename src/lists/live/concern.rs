//! From what was changed to the lists and contacts whose membership may not be what it was.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::{
    base::{Result, ids::WorkspaceId},
    crm::criteria::{Changed, Concern, Sql},
    db::Tx,
    lists::{
        kept::KeptList,
        queries::kept::{self, Change, NewChange},
    },
};

/// Contacts behind a linked thing that are looked at together with what a person did; more of them wait
/// in line with all that is many.
pub const AT_ONCE: usize = 1_000;
/// With more, the list is built anew.
const MOST: usize = 100_000;

/// Some lists, by their places, and the contacts that are to be compared with them.
pub type Work = BTreeMap<Vec<usize>, BTreeSet<Uuid>>;

/// What is to be done about some changes.
#[derive(Debug, Default)]
pub struct Concerned {
    pub work: Work,
    /// Contacts that are to wait, and the lists.
    pub later: Vec<(Vec<Uuid>, Vec<Uuid>)>,
    /// Lists that are to be built anew.
    pub rebuild: BTreeSet<usize>,
}

/// A statement that finds linked contacts, and the lists that ask it: most ask the same.
type Reach = Vec<(Sql, Vec<usize>)>;

/// Looks for the lists and contacts that the changes concern.
pub async fn concerned_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    lists: &[KeptList],
    changes: &[Change],
) -> Result<Concerned> {
    let mut found = Concerned::default();
    for ((source, fields, list_ids), ids) in together(changes) {
        if let Some(list_ids) = list_ids {
            let places = lists.iter().enumerate().filter(|(_, list)| list_ids.contains(&list.id.0));
            let places = places.map(|(place, _)| place).collect();
            found.work.entry(places).or_default().extend(ids);
            continue;
        }
        let changed = Changed { source, fields: fields.map(Vec::as_slice) };
        let ids: Vec<_> = ids.into_iter().collect();
        let (mut themselves, mut reach) = (Vec::new(), Reach::new());
        for (place, list) in lists.iter().enumerate() {
            match list.criteria.concern(&changed) {
                Concern::Nobody => {}
                Concern::Themselves => themselves.push(place),
                Concern::Linked => note(&mut reach, place, list, workspace, &changed, &ids),
                Concern::Everybody => {
                    found.rebuild.insert(place);
                }
            }
        }
        // what its maker sees of lists may be another thing now: which members that moves nobody can tell
        if source == "team" || (source == "list" && fields.is_none()) {
            let counting = lists.iter().enumerate().filter(|(_, list)| reads_lists(list));
            found.rebuild.extend(counting.map(|(place, _)| place));
        }
        if !themselves.is_empty() {
            found.work.entry(themselves).or_default().extend(ids);
        }
        for (sql, places) in reach {
            let contacts = kept::found(tx.connection(), &sql).await?;
            found.spread(lists, places, contacts);
        }
    }
    for places in found.work.keys().cloned().collect::<Vec<_>>() {
        // those are built anew anyway
        let left: Vec<_> = places.iter().copied().filter(|place| !found.rebuild.contains(place)).collect();
        if left.len() < places.len()
            && let Some(ids) = found.work.remove(&places)
        {
            found.work.entry(left).or_default().extend(ids);
        }
    }
    found.work.retain(|places, ids| !places.is_empty() && !ids.is_empty());
    Ok(found)
}

impl Concerned {
    fn spread(&mut self, lists: &[KeptList], places: Vec<usize>, contacts: Vec<Uuid>) {
        if contacts.len() > MOST {
            self.rebuild.extend(places);
        } else if contacts.len() > AT_ONCE {
            let ids: Vec<_> = places.iter().filter_map(|place| lists.get(*place)).map(|list| list.id.0).collect();
            self.later.extend(contacts.chunks(AT_ONCE).map(|some| (some.to_vec(), ids.clone())));
        } else {
            self.work.entry(places).or_default().extend(contacts);
        }
    }

    /// What waits, as it is written down.
    pub fn take_later(&mut self, workspace: WorkspaceId, at: chrono::DateTime<chrono::Utc>) -> Vec<NewChange> {
        let row = |(record_ids, list_ids)| NewChange {
            workspace_id: workspace,
            source: crate::crm::RecordKind::Contact.to_string(),
            fields: None,
            record_ids,
            list_ids: Some(list_ids),
            is_bulk: true,
            at,
        };
        std::mem::take(&mut self.later).into_iter().map(row).collect()
    }
}

/// Changes of the same sort are one.
type Key<'a> = (&'a str, Option<&'a Vec<String>>, Option<&'a Vec<Uuid>>);

fn together(changes: &[Change]) -> BTreeMap<Key<'_>, BTreeSet<Uuid>> {
    let mut together: BTreeMap<Key<'_>, BTreeSet<Uuid>> = BTreeMap::new();
    for change in changes {
        let key = (change.source.as_str(), change.fields.as_ref(), change.list_ids.as_ref());
        together.entry(key).or_default().extend(change.record_ids.iter().copied());
    }
    together
}

fn reads_lists(list: &KeptList) -> bool {
    list.criteria.reads().reads.iter().any(|read| read.source == "list")
}

fn note(reach: &mut Reach, place: usize, list: &KeptList, workspace: WorkspaceId, changed: &Changed<'_>, ids: &[Uuid]) {
    let mut sql = Sql::new(workspace);
    sql.push("SELECT r.id FROM contacts r WHERE r.workspace_id = $1 AND ");
    if !list.criteria.reached(&mut sql, "r", changed, ids) {
        return;
    }
    sql.push(&format!(" LIMIT {}", MOST + 1));
    match reach.iter_mut().find(|(known, _)| *known == sql) {
        Some((_, places)) => places.push(place),
        None => reach.push((sql, vec![place])),
    }
}
