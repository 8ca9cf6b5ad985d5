//! The steps of this feature: other records that lead to a merged one by a field or a custom field,
//! notes about it, and what leads became.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    queries::{self, CustomLinks, Linked, Links},
    relink::{Moved, Relinked, Relinking, Returned, Returns, Step},
};
use crate::{
    base::{Error, Result},
    crm::{
        RecordKind,
        record::{
            custom::{self, CustomType},
            events::{ChangeAction, changed},
        },
    },
    events::NewEvent,
};

use RecordKind::{Account, Contact, Deal, Lead, Task};

/// Most records that one event names.
const IDS: usize = 1_000;

const fn step(
    name: &'static str,
    kinds: &'static [RecordKind],
    relink: for<'a, 'b> fn(&'a mut Relinking<'b>) -> BoxFuture<'a, Result<Relinked>>,
    back: for<'a, 'b> fn(&'a mut Relinking<'b>, Vec<Moved>) -> BoxFuture<'a, Result<Returned>>,
) -> Step {
    Step { name, kinds, relink, back, returns: Returns::Before }
}

/// A step for the records of a kind that lead to the merged ones by the field that is called after
/// these's kind.
macro_rules! of_records {
    ($name:literal $of:ident for $kinds:expr) => {
        step(
            $name,
            $kinds,
            |merge| Box::pin(relink_records(merge, $of)),
            |merge, moved| Box::pin(return_records(merge, $of, moved)),
        )
    };
}

pub const STEPS: &[Step] = &[
    of_records!("contacts" Contact for &[Account]),
    of_records!("deals" Deal for &[Contact, Account]),
    of_records!("tasks" Task for &[Lead, Contact, Account, Deal]),
    step(
        "custom",
        &[Lead, Contact, Account, Deal],
        |merge| Box::pin(relink_custom(merge)),
        |merge, moved| Box::pin(return_custom(merge, moved)),
    ),
    step(
        "notes",
        &[Lead, Contact, Account, Deal],
        |merge| Box::pin(relink_notes(merge)),
        |merge, moved| Box::pin(return_notes(merge, moved)),
    ),
    step(
        "conversions",
        &[Lead, Contact, Account, Deal],
        |merge| Box::pin(relink_conversions(merge)),
        |merge, moved| Box::pin(return_conversions(merge, moved)),
    ),
];

/// Whose change a changed link is, and the field's name in the API.
fn links(merge: &Relinking<'_>, of: RecordKind) -> (Links, &'static str) {
    let name = match merge.kind {
        Lead => "leadId",
        Contact => "contactId",
        Account => "accountId",
        Deal => "dealId",
        RecordKind::Product => "productId",
        Task => "taskId",
    };
    let links = Links {
        of,
        column: merge.kind.link(),
        at: merge.ctx.clock.now(),
        actor: merge.caller.actor(),
        origin: merge.caller.via,
    };
    (links, name)
}

/// The row that was moved, and from whom.
fn from(linked: &Linked) -> Moved {
    Moved { row: linked.id, data: json!({ "from": linked.former }) }
}

/// Whose the row was.
fn whose(moved: &Moved) -> Option<Uuid> {
    Uuid::try_parse(moved.data.get("from").and_then(Json::as_str)?).ok()
}

/// The rows with whose they were.
fn pairs(moved: &[Moved]) -> (Vec<Uuid>, Vec<Uuid>) {
    moved.iter().filter_map(|moved| Some((moved.row, whose(moved)?))).unzip()
}

async fn relink_records(merge: &mut Relinking<'_>, of: RecordKind) -> Result<Relinked> {
    let (links, name) = links(merge, of);
    let workspace = merge.caller.workspace;
    let linked = queries::relink(merge.tx.connection(), workspace, &links, merge.losers, merge.winner).await?;
    tell(merge, of, name, &linked).await?;
    Ok(Relinked { moved: linked.iter().map(from).collect(), part: None })
}

async fn return_records(merge: &mut Relinking<'_>, of: RecordKind, moved: Vec<Moved>) -> Result<Returned> {
    let (links, name) = links(merge, of);
    let (workspace, (rows, owners)) = (merge.caller.workspace, pairs(&moved));
    let linked = queries::link_back(merge.tx.connection(), workspace, &links, merge.winner, &rows, &owners).await?;
    tell(merge, of, name, &linked).await?;
    Ok(Returned { back: linked.len(), part: None })
}

/// Deleted ones follow, too, and nobody is told of those: nobody sees them.
async fn tell(merge: &mut Relinking<'_>, of: RecordKind, name: &str, linked: &[Linked]) -> Result<()> {
    let live: Vec<_> = linked.iter().filter(|linked| linked.live).map(|linked| (linked.id, linked.version)).collect();
    let events: Vec<NewEvent> =
        live.chunks(IDS).map(|some| changed(of, ChangeAction::Updated, some, &[name])).collect();
    merge.ctx.emit(merge.tx, merge.caller, &events).await
}

/// What led there by a custom field, to tell it from others by its kind and key.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct CustomMoved {
    from: Uuid,
    kind: RecordKind,
    key: String,
}

fn custom_links<'a>(merge: &Relinking<'_>, of: RecordKind, key: &'a str) -> CustomLinks<'a> {
    CustomLinks { of, key, at: merge.ctx.clock.now(), actor: merge.caller.actor(), origin: merge.caller.via }
}

async fn relink_custom(merge: &mut Relinking<'_>) -> Result<Relinked> {
    let workspace = merge.caller.workspace;
    let mut moved = Vec::new();
    for of in RecordKind::ALL {
        for field in custom::definitions_now(merge.tx, workspace, *of).await? {
            if field.field_type != CustomType::Record || field.record_kind != Some(merge.kind) {
                continue;
            }
            let links = custom_links(merge, *of, &field.key);
            let (connection, losers) = (merge.tx.connection(), merge.losers);
            let linked = queries::relink_custom(connection, workspace, &links, losers, merge.winner).await?;
            tell(merge, *of, &format!("{}{}", custom::PREFIX, field.key), &linked).await?;
            for one in linked {
                let data = CustomMoved { from: one.former, kind: *of, key: field.key.clone() };
                moved.push(Moved { row: one.id, data: serde_json::to_value(data).map_err(Error::internal)? });
            }
        }
    }
    Ok(Relinked { moved, part: None })
}

async fn return_custom(merge: &mut Relinking<'_>, moved: Vec<Moved>) -> Result<Returned> {
    let mut alike: BTreeMap<(RecordKind, String), (Vec<Uuid>, Vec<Uuid>)> = BTreeMap::new();
    for Moved { row, data } in moved {
        let CustomMoved { from, kind, key } = serde_json::from_value(data).map_err(Error::internal)?;
        let (rows, owners) = alike.entry((kind, key)).or_default();
        rows.push(row);
        owners.push(from);
    }
    let mut back = 0;
    for ((of, key), (rows, owners)) in alike {
        let (links, workspace) = (custom_links(merge, of, &key), merge.caller.workspace);
        let connection = merge.tx.connection();
        let linked = queries::link_custom_back(connection, workspace, &links, merge.winner, &rows, &owners).await?;
        tell(merge, of, &format!("{}{key}", custom::PREFIX), &linked).await?;
        back += linked.len();
    }
    Ok(Returned { back, part: None })
}

async fn relink_notes(merge: &mut Relinking<'_>) -> Result<Relinked> {
    let (workspace, column) = (merge.caller.workspace, merge.kind.link());
    let linked =
        queries::relink_rows(merge.tx.connection(), workspace, ("notes", column), merge.losers, merge.winner).await?;
    Ok(Relinked { moved: linked.iter().map(from).collect(), part: None })
}

async fn return_notes(merge: &mut Relinking<'_>, moved: Vec<Moved>) -> Result<Returned> {
    let (workspace, column, (rows, owners)) = (merge.caller.workspace, merge.kind.link(), pairs(&moved));
    let back =
        queries::link_rows_back(merge.tx.connection(), workspace, ("notes", column), merge.winner, &rows, &owners);
    Ok(Returned { back: back.await?, part: None })
}

/// Of leads, the first conversion becomes that of the lead that stays, unless it has one: a lead is
/// converted once. Of what leads became, all follow.
async fn relink_conversions(merge: &mut Relinking<'_>) -> Result<Relinked> {
    let (workspace, column) = (merge.caller.workspace, merge.kind.link());
    let connection = merge.tx.connection();
    let linked = match merge.kind {
        Lead => queries::take_conversion(connection, workspace, merge.losers, merge.winner).await?,
        _ => {
            let table = ("lead_conversions", column);
            queries::relink_rows(connection, workspace, table, merge.losers, merge.winner).await?
        }
    };
    Ok(Relinked { moved: linked.iter().map(from).collect(), part: None })
}

async fn return_conversions(merge: &mut Relinking<'_>, moved: Vec<Moved>) -> Result<Returned> {
    let (workspace, column, (rows, owners)) = (merge.caller.workspace, merge.kind.link(), pairs(&moved));
    let table = ("lead_conversions", column);
    let back = queries::link_rows_back(merge.tx.connection(), workspace, table, merge.winner, &rows, &owners).await?;
    Ok(Returned { back, part: None })
}
