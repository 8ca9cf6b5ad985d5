//! Live changes of one list's members. Nobody shares an execution with others: who sees a list is a
//! matter of each person. That is looked at whenever the list or a team is changed, and else once a second.

use std::{sync::Arc, time::Duration};

use async_graphql::{Context, ID, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use futures_util::Stream;
use tokio::time::Instant;

use super::{
    context::both,
    errors::parse_id,
    objects::change::ActorObject,
    position::{Position, StreamPosition},
};
use crate::{
    auth::Caller,
    base::{Result, ids::ContactListId},
    ctx::Ctx,
    events::{Bus, Cursor, Subscription as EventReader},
    lists::{
        access,
        events::{MembersChanged, list_of},
        ops,
    },
};

/// That contacts entered and left a list; many come in several of these.
#[derive(Clone, SimpleObject)]
#[graphql(name = "ContactListChange")]
pub struct ContactListChange {
    pub cursor: String,
    pub occurred_at: DateTime<Utc>,
    pub actor: ActorObject,
    /// How many members there were behind this change.
    count: i64,
    /// The contacts that entered; with those that left at most 1,000.
    entered: Vec<ID>,
    /// The contacts that left.
    left: Vec<ID>,
}

/// Live changes of lists.
#[derive(Default)]
pub struct ListSubscription;

#[Subscription(name = "ListSubscription")]
impl ListSubscription {
    /// Who enters and leaves a list. With `after`, first what was missed since that cursor, then on
    /// live, without gap or repeat. Ends with `NOT_FOUND` when the list is deleted, or is not for you
    /// any more.
    async fn contact_list_changed(
        &self,
        context: &Context<'_>,
        id: ID,
        #[graphql(desc = "The cursor of the last event you have seen.")] after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<ContactListChange>> + use<>> {
        let (ctx, caller) = both(context)?;
        let list = parse_id::<ContactListId>("id", &id)?;
        seen(ctx, caller, list).await?;
        let after = after.map(|text| Cursor::parse("after", &text)).transpose()?;
        let mut events = context.data::<Bus>()?.subscribe(caller.workspace, after).await?;
        let position = context.data_opt::<Arc<StreamPosition>>().cloned().unwrap_or_default();
        position.passed(Position::from(after.unwrap_or_else(|| events.cursor())));
        let reader = Reader {
            ctx: ctx.clone(),
            caller: caller.clone(),
            list,
            events,
            position,
            seen_at: Instant::now(),
            over: false,
        };
        Ok(futures_util::stream::unfold(reader, |mut reader| async move {
            let change = reader.next().await?;
            Some((change, reader))
        }))
    }
}

/// One running subscription.
struct Reader {
    ctx: Ctx,
    caller: Arc<Caller>,
    list: ContactListId,
    events: EventReader,
    position: Arc<StreamPosition>,
    /// When it was last looked at whether the list is to be seen.
    seen_at: Instant,
    over: bool,
}

/// While members come and go, that is looked at so often: a list that is built has a thousand changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Reader {
    async fn next(&mut self) -> Option<async_graphql::Result<ContactListChange>> {
        if self.over {
            return None;
        }
        let change = self.change().await;
        self.over = change.is_err();
        Some(change.map_err(Into::into))
    }

    async fn change(&mut self) -> Result<ContactListChange> {
        loop {
            let event = match self.events.try_next()? {
                Some(event) => event,
                None => {
                    self.position.passed(Position::from(self.events.cursor()));
                    self.events.next().await?
                }
            };
            // whom a list is shared with depends on who is in a team
            let is_of_teams = event.name.starts_with("team.");
            if list_of(&event) != Some(self.list) && !is_of_teams {
                continue;
            }
            let changed = MembersChanged::read(&event);
            // at whatever else happens to it, so that one that is unshared ends at once
            if changed.is_none() || self.seen_at.elapsed() > LOOK_EVERY {
                seen(&self.ctx, &self.caller, self.list).await?;
                self.seen_at = Instant::now();
            }
            let Some(changed) = changed else { continue };
            let cursor = Cursor::after(event.position);
            self.position.at(Position::from(cursor));
            return Ok(ContactListChange {
                cursor: cursor.encode(),
                occurred_at: event.at,
                actor: ActorObject::from(&event.actor),
                count: changed.count,
                entered: changed.entered.into_iter().map(Into::into).collect(),
                left: changed.left.into_iter().map(Into::into).collect(),
            });
        }
    }
}

/// Refuses who does not see the list, or the contacts that come and go.
async fn seen(ctx: &Ctx, caller: &Caller, list: ContactListId) -> Result<()> {
    access::require_read(caller)?;
    ops::get(ctx, caller, list).await.map(drop)
}
