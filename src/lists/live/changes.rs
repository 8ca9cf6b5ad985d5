//! What happens, in the words of criteria: which sort of things was changed, which of their fields, and
//! which they are. Kept for the workspaces whose dynamic lists read it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::follow::{FollowBulk, FollowChanges};
use crate::{
    base::{Clock, Result, ids::WorkspaceId},
    crm::{
        RecordKind,
        record::{
            custom::PREFIX,
            events::{ChangeAction, action_of},
        },
    },
    ctx::Ctx,
    db::Tx,
    events::{LoggedEvent, Reactor},
    jobs::enqueue_unless_waiting,
    lists::{
        events,
        kept::{self, CRITERIA, MEMBER},
        queries::kept::{self as queries, NewChange},
        segment,
    },
};

/// So many records in one event are no person's doing, and can wait for those.
const BULK: usize = 200;
/// Most records of one row.
const IDS: usize = 1_000;

/// A sort of things, which of their fields (all of them: none), and which they are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Changed {
    source: String,
    fields: Option<Vec<String>>,
    ids: Vec<Uuid>,
}

/// Writes down what dynamic lists have to look at.
pub struct FollowLists {
    pub clock: Clock,
}

impl Reactor for FollowLists {
    const NAME: &'static str = "lists.live";

    fn wants(&self, event: &LoggedEvent) -> bool {
        !changed(event).is_empty()
    }

    async fn react(&self, tx: &mut Tx, events: &[LoggedEvent]) -> Result<()> {
        let workspaces: BTreeSet<_> = events.iter().map(|event| event.workspace).collect();
        let workspaces: Vec<_> = workspaces.into_iter().collect();
        let reads = queries::reads(tx.connection(), &workspaces).await?;
        let reads: HashMap<_, _> = reads.into_iter().map(|reads| (reads.workspace_id, reads)).collect();
        let mut rows = Rows::default();
        for event in events {
            let Some(reads) = reads.get(&event.workspace) else { continue };
            for changed in changed(event).into_iter().filter(|changed| matters(changed, reads)) {
                rows.add(event.workspace, changed);
            }
        }
        let now = self.clock.now();
        let rows = rows.into_changes(now);
        queries::add_changes(tx.connection(), &rows).await?;
        let lanes: BTreeSet<_> = rows.iter().map(|row| (row.workspace_id, row.is_bulk)).collect();
        for (workspace, is_bulk) in lanes {
            match is_bulk {
                true => enqueue_unless_waiting::<Ctx, _>(tx, now, &FollowBulk {}, workspace).await?,
                false => enqueue_unless_waiting::<Ctx, _>(tx, now, &FollowChanges {}, workspace).await?,
            }
        }
        Ok(())
    }

    async fn rebuild(&self, tx: &mut Tx) -> Result<()> {
        for list in queries::all(tx.connection()).await? {
            segment::rebuild_in(tx, self.clock.now(), list.workspace_id, list.id, list.version).await?;
        }
        Ok(())
    }
}

/// Writes down a change of records that no event tells of: links that became empty because what they led
/// to was removed.
pub async fn note_in(
    tx: &mut Tx,
    now: DateTime<Utc>,
    workspace: WorkspaceId,
    of: RecordKind,
    field: &str,
    ids: Vec<Uuid>,
) -> Result<()> {
    let reads = queries::reads(tx.connection(), &[workspace]).await?;
    let changed = Changed { source: of.to_string(), fields: Some(vec![field.to_owned()]), ids };
    if !reads.iter().any(|reads| matters(&changed, reads)) {
        return Ok(());
    }
    let rows = Rows { bulk: vec![(workspace, changed)], ..Rows::default() }.into_changes(now);
    queries::add_changes(tx.connection(), &rows).await?;
    enqueue_unless_waiting::<Ctx, _>(tx, now, &FollowBulk {}, workspace).await
}

/// What an event says that criteria can read.
fn changed(event: &LoggedEvent) -> Vec<Changed> {
    let ids = || event.record_ids.clone();
    let one = |source: &str, fields: Option<Vec<String>>| {
        vec![Changed { source: source.to_owned(), fields, ids: event.record_ids.clone() }]
    };
    let named = || texts(event.payload.get("changed")).filter(|fields| !fields.is_empty());
    if let (Some(action), Some(kind)) = (action_of(&event.name), event.kind.as_deref()) {
        let fields = if action == ChangeAction::Updated { named() } else { None };
        let mut all = one(kind, fields);
        // a line of a deal links both: products are told of it with their own ids
        let products = uuids(event.payload.get("products"));
        if !products.is_empty() {
            let (source, fields) = (RecordKind::Product.to_string(), Some(vec!["deals".to_owned()]));
            all.push(Changed { source, fields, ids: products });
        }
        return all;
    }
    match event.name.as_str() {
        events::MEMBERS => {
            let Some(moved) = events::MembersChanged::read(event) else { return Vec::new() };
            let ids = [moved.entered, moved.left].concat();
            let fields = Some(event.record_ids.iter().map(Uuid::to_string).collect());
            vec![Changed { source: MEMBER.to_owned(), fields, ids }]
        }
        // a copy, whose members are told nowhere else
        events::CREATED if events::is_copy(event) => one("list", None),
        // whoever sees a list no more, or again, knows another answer
        events::UPDATED => match named() {
            Some(fields) if fields.iter().any(|field| field == "sharing") => {
                [one(CRITERIA, None), one("list", None)].concat()
            }
            // the members of a dynamic list that became static count from now on
            Some(fields) if fields.iter().any(|field| field == "listType") => one("list", None),
            fields => one("list", fields),
        },
        events::DELETED => [one(CRITERIA, None), one("list", None)].concat(),
        // what there was under its key went without a word, and another field may have that key by the time
        // that this is looked at
        "custom_field.deleted" => {
            let word = |key| event.payload.get(key).and_then(Json::as_str).unwrap_or_default();
            one(CRITERIA, Some(vec![format!("{}.{PREFIX}{}", word("kind"), word("key"))]))
        }
        name if name.starts_with("custom_field.") => one(CRITERIA, None),
        name if name.starts_with("pipeline.") => {
            let stages = Changed { source: "stage".to_owned(), fields: None, ids: uuids(event.payload.get("stages")) };
            [one("pipeline", None), vec![stages]].concat()
        }
        "team.created" | "team.updated" | "team.deleted" => [one(CRITERIA, None), one("team", None)].concat(),
        // of a profile criteria ask the name, and nothing of the sessions and tokens that somebody has
        "team.user_updated"
            if texts(event.payload.get("changed"))
                .is_some_and(|changed| !changed.iter().any(|one| one == "fullName")) =>
        {
            Vec::new()
        }
        "team.user_created" | "team.user_updated" | "team.member_changed" | "team.user_deactivated" => {
            vec![Changed { source: "user".to_owned(), fields: None, ids: ids() }]
        }
        _ => Vec::new(),
    }
}

fn texts(json: Option<&Json>) -> Option<Vec<String>> {
    serde_json::from_value(json?.clone()).ok()
}

fn uuids(json: Option<&Json>) -> Vec<Uuid> {
    json.and_then(|json| serde_json::from_value(json.clone()).ok()).unwrap_or_default()
}

/// Whether any list reads it.
fn matters(changed: &Changed, reads: &queries::Reads) -> bool {
    let has = |word: &str| reads.reads.iter().any(|read| read == word);
    if reads.anything || changed.source == CRITERIA || has(&changed.source) {
        return true;
    }
    match changed.source.as_str() {
        MEMBER => changed.fields.iter().flatten().any(|list| has(&kept::member_of(list))),
        // who is in a team sees other lists
        "team" => has("list"),
        _ => false,
    }
}

/// What is to be written down. What many people do at once to one sort of thing is one row.
#[derive(Default)]
struct Rows {
    bulk: Vec<(WorkspaceId, Changed)>,
    single: BTreeMap<Sort, BTreeSet<Uuid>>,
}

/// Where, what, and which fields of it.
type Sort = (WorkspaceId, String, Option<Vec<String>>);

impl Rows {
    fn add(&mut self, workspace: WorkspaceId, changed: Changed) {
        if changed.ids.len() >= BULK {
            self.bulk.push((workspace, changed));
        } else {
            self.single.entry((workspace, changed.source, changed.fields)).or_default().extend(changed.ids);
        }
    }

    fn into_changes(self, at: DateTime<Utc>) -> Vec<NewChange> {
        let mut rows = Vec::new();
        let mut write = |workspace_id, source: &str, fields: &Option<Vec<String>>, ids: &[Uuid], is_bulk| {
            for some in ids.chunks(IDS) {
                let (source, fields, record_ids) = (source.to_owned(), fields.clone(), some.to_vec());
                rows.push(NewChange { workspace_id, source, fields, record_ids, list_ids: None, is_bulk, at });
            }
        };
        for ((workspace, source, fields), ids) in self.single {
            let ids: Vec<_> = ids.into_iter().collect();
            write(workspace, &source, &fields, &ids, false);
        }
        for (workspace, Changed { source, fields, ids }) in self.bulk {
            write(workspace, &source, &fields, &ids, true);
        }
        rows
    }
}
