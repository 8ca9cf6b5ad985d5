//! The verbs of a list's members: add, remove, and read some.

use std::collections::HashSet;

use uuid::Uuid;

use super::{
    access, freeze,
    model::{ContactList, ListType, Member, Outcome, Source},
    queries::{lists, members},
    steps::{self, By},
};
use crate::{
    auth::{Caller, Grant, Permission},
    base::{Error, Result, ids::ContactListId},
    crm::{Contact, criteria::Node, matching},
    ctx::Ctx,
    team::repeat::{self, Once, Turn},
};

/// Members of another list, or contacts that criteria mean, that are moved by one statement.
const AT_ONCE: i64 = 10_000;

/// Which contacts.
#[derive(Debug, Clone)]
pub enum Chosen {
    /// At most `limits.list_ids`.
    Contacts(Vec<Uuid>),
    /// All that are in another list, as it is now.
    MembersOf(ContactListId),
    /// All that criteria mean, as they do now.
    Matching(Node),
}

/// What became of the contacts.
#[derive(Debug, Clone, Default)]
pub struct Moved {
    /// Of each that was named, in the order in which they were; else of the first `limits.list_ids`.
    pub outcomes: Vec<(Uuid, Outcome)>,
    /// Added or removed.
    pub moved: i64,
    pub already: i64,
    pub missing: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

/// Adds contacts to a static list.
pub async fn add(ctx: &Ctx, caller: &Caller, id: ContactListId, chosen: Chosen) -> Result<(ContactList, Moved)> {
    shift(ctx, caller, id, chosen, Way::In).await
}

/// Removes contacts from a static list.
pub async fn remove(ctx: &Ctx, caller: &Caller, id: ContactListId, chosen: Chosen) -> Result<(ContactList, Moved)> {
    shift(ctx, caller, id, chosen, Way::Out).await
}

async fn shift(
    ctx: &Ctx,
    caller: &Caller,
    id: ContactListId,
    chosen: Chosen,
    way: Way,
) -> Result<(ContactList, Moved)> {
    caller.require(Permission::ListsWrite)?;
    // the outcomes tell which contacts there are
    caller.require_all(Permission::ContactsRead)?;
    let most = ctx.limits.list_ids;
    if matches!(&chosen, Chosen::Contacts(ids) if ids.len() > most) {
        return Err(Error::invalid("contactIds", format!("must be at most {most} (limits.list_ids)")));
    }
    if let Some((kept, mut tx)) = repeat::earlier::<Kept>(ctx, caller).await? {
        return Ok((access::visible_in(&mut tx, caller, id).await?, kept.into()));
    }
    // before the transaction: looking for them takes one of another role, and nobody is to hold both
    let matching = match &chosen {
        Chosen::Matching(node) => matching::all_ids::<Contact>(ctx, caller, node, AT_ONCE).await?,
        _ => Vec::new(),
    };
    let mut tx = match repeat::begin::<Kept>(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(kept, mut tx) => return Ok((access::visible_in(&mut tx, caller, id).await?, kept.into())),
    };
    let present = access::lock_in(&mut tx, caller, id).await?;
    access::require_edit(caller, &present)?;
    if present.list_type == ListType::Dynamic {
        return Err(Error::invalid("id", "is of a dynamic list: its criteria choose the contacts"));
    }
    let by = By::caller(ctx, caller);
    let many = |source| Many { by: &by, list: id, way, source, told: most };
    let moved = match chosen {
        Chosen::Contacts(ids) => by_ids(&mut tx, &by, id, ids, way).await?,
        Chosen::MembersOf(other) => {
            let other = access::visible_in(&mut tx, caller, other).await;
            let other = other.map_err(|_| Error::invalid("fromListId", "is not a list that you see"))?;
            if !other.is_built() {
                return Err(freeze::unbuilt(other.broken.as_deref()));
            }
            many(Source::List).of_list(&mut tx, other.id).await?
        }
        Chosen::Matching(_) => many(Source::Criteria).of_criteria(&mut tx, &matching).await?,
    };
    if moved.moved > 0 {
        lists::touch(tx.connection(), caller.workspace, id, by.at).await?;
    }
    let list = access::visible_in(&mut tx, caller, id).await?;
    tx.commit(Kept::from(&moved)).await?;
    Ok((list, moved))
}

async fn by_ids(tx: &mut Once, by: &By, list: ContactListId, ids: Vec<Uuid>, way: Way) -> Result<Moved> {
    let mut known = HashSet::new();
    let ids: Vec<_> = ids.into_iter().filter(|id| known.insert(*id)).collect();
    let (moved, done) = match way {
        Way::In => (steps::add_in(tx, by, list, &ids, Source::Manual).await?, Outcome::Added),
        Way::Out => (steps::remove_in(tx, by, list, &ids, Source::Manual).await?, Outcome::Removed),
    };
    let live = members::live_contacts(tx.connection(), by.workspace, &ids).await?;
    let (moved, live): (HashSet<_>, HashSet<_>) = (moved.into_iter().collect(), live.into_iter().collect());
    let outcome = |id: &Uuid| match (moved.contains(id), live.contains(id)) {
        (true, _) => done,
        (false, true) => Outcome::Already,
        (false, false) => Outcome::Missing,
    };
    let outcomes: Vec<_> = ids.iter().map(|id| (*id, outcome(id))).collect();
    let count = |wanted| outcomes.iter().filter(|(_, outcome)| *outcome == wanted).count() as i64;
    let (moved, already, missing) = (count(done), count(Outcome::Already), count(Outcome::Missing));
    Ok(Moved { outcomes, moved, already, missing })
}

/// Many contacts that nobody named, some of them by one statement.
struct Many<'a> {
    by: &'a By,
    list: ContactListId,
    way: Way,
    source: Source,
    /// Of how many the outcome is told one by one.
    told: usize,
}

impl Many<'_> {
    async fn of_list(&self, tx: &mut Once, other: ContactListId) -> Result<Moved> {
        let (mut moved, mut after) = (Moved::default(), Uuid::nil());
        loop {
            let some = members::after(tx.connection(), self.by.workspace, other, after, AT_ONCE).await?;
            let Some(last) = some.last() else { return Ok(moved) };
            after = *last;
            self.shift(tx, &some, &mut moved).await?;
        }
    }

    async fn of_criteria(&self, tx: &mut Once, matching: &[Uuid]) -> Result<Moved> {
        let mut moved = Moved::default();
        for some in matching.chunks(AT_ONCE as usize) {
            self.shift(tx, some, &mut moved).await?;
        }
        Ok(moved)
    }

    async fn shift(&self, tx: &mut Once, some: &[Uuid], moved: &mut Moved) -> Result<()> {
        let (done, outcome) = match self.way {
            Way::In => (steps::add_in(tx, self.by, self.list, some, self.source).await?, Outcome::Added),
            Way::Out => (steps::remove_in(tx, self.by, self.list, some, self.source).await?, Outcome::Removed),
        };
        moved.moved += done.len() as i64;
        moved.already += (some.len() - done.len()) as i64;
        let room = self.told.saturating_sub(moved.outcomes.len());
        let done: HashSet<_> = done.into_iter().filter(|_| room > 0).collect();
        let told = |id: &Uuid| (*id, if done.contains(id) { outcome } else { Outcome::Already });
        moved.outcomes.extend(some.iter().take(room).map(told));
        Ok(())
    }
}

/// What a repetition is answered with. The outcomes of single contacts are told only once: kept, they
/// would be most of what is kept of anything.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Kept(i64, i64, i64);

impl From<&Moved> for Kept {
    fn from(moved: &Moved) -> Self {
        Self(moved.moved, moved.already, moved.missing)
    }
}

impl From<Kept> for Moved {
    fn from(Kept(moved, already, missing): Kept) -> Self {
        Self { outcomes: Vec::new(), moved, already, missing }
    }
}

/// The first members of these lists, in the order of their ids: at most so many of each.
pub async fn first(ctx: &Ctx, caller: &Caller, lists: &[ContactListId], most: i64) -> Result<Vec<Member>> {
    // also for whoever has just changed them, and is shown what has become of them
    if caller.grant(Permission::ListsWrite) == Grant::No {
        caller.require(Permission::ListsRead)?;
    }
    if lists.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = ctx.db.read(caller).await?;
    members::first(tx.connection(), caller.workspace, caller.user, lists, most).await
}

/// A page of a list's members by its number, the newest contact first, with how many there are.
pub async fn numbered(
    ctx: &Ctx,
    caller: &Caller,
    id: ContactListId,
    offset: i64,
    limit: i64,
) -> Result<(Vec<Uuid>, i64)> {
    access::require_read(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let list = access::visible_in(&mut tx, caller, id).await?;
    if offset >= list.member_count {
        return Ok((Vec::new(), list.member_count));
    }
    let ids = members::numbered(tx.connection(), caller.workspace, id, offset, limit).await?;
    Ok((ids, list.member_count))
}
