//! What follows for lists from what happens to contacts. Events only say where to look: a job then
//! looks at the present, so that late and twice are never wrong.
//!
//! Who enters a list is looked at as well, and a list that begins as a copy: somebody may delete a contact
//! while another, who still sees it, adds it to a list, and commits after the deletion was followed up.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    events::{self, MembersChanged},
    jobs::{FollowContacts, FollowList},
    queries::members,
};
use crate::{
    base::{Clock, Result, ids::WorkspaceId},
    crm::{
        RecordKind,
        record::events::{ChangeAction, action_of},
    },
    ctx::Ctx,
    db::Tx,
    events::{LoggedEvent, Reactor},
    jobs::{Enqueued, enqueue},
};

/// Most contacts of one job.
const AT_ONCE: usize = 1_000;

/// Lets lists follow the deleting and restoring of contacts.
pub struct FollowRecords {
    pub clock: Clock,
}

impl Reactor for FollowRecords {
    const NAME: &'static str = "lists.records";

    fn wants(&self, event: &LoggedEvent) -> bool {
        event.name == events::MEMBERS || events::is_copy(event) || comes_or_goes(event)
    }

    async fn react(&self, tx: &mut Tx, logged: &[LoggedEvent]) -> Result<()> {
        let mut contacts: BTreeMap<WorkspaceId, Vec<Uuid>> = BTreeMap::new();
        for event in logged {
            if let Some(list) = events::list_of(event).filter(|_| events::is_copy(event)) {
                let about = Enqueued { workspace: Some(event.workspace), ..Enqueued::default() };
                enqueue::<Ctx, _>(tx, self.clock.now(), &FollowList { list }, about).await?;
                continue;
            }
            let touched = match MembersChanged::read(event) {
                Some(changed) => changed.entered,
                None => event.record_ids.clone(),
            };
            contacts.entry(event.workspace).or_default().extend(touched);
        }
        for (workspace, touched) in contacts.into_iter().filter(|(_, touched)| !touched.is_empty()) {
            let found = members::to_follow(tx.connection(), workspace, &touched).await?;
            self.enqueue(tx, workspace, &found).await?;
        }
        Ok(())
    }

    async fn rebuild(&self, tx: &mut Tx) -> Result<()> {
        let found = members::all_to_follow(tx.connection()).await?;
        for of_one in found.chunk_by(|one, other| one.0 == other.0) {
            let Some((workspace, _)) = of_one.first() else { continue };
            let contacts: Vec<_> = of_one.iter().map(|(_, contact)| *contact).collect();
            self.enqueue(tx, *workspace, &contacts).await?;
        }
        Ok(())
    }
}

impl FollowRecords {
    async fn enqueue(&self, tx: &mut Tx, workspace: WorkspaceId, contacts: &[Uuid]) -> Result<()> {
        for some in contacts.chunks(AT_ONCE) {
            let about = Enqueued { workspace: Some(workspace), ..Enqueued::default() };
            let job = FollowContacts { contacts: some.to_vec() };
            enqueue::<Ctx, _>(tx, self.clock.now(), &job, about).await?;
        }
        Ok(())
    }
}

/// Whether contacts were deleted or restored.
fn comes_or_goes(event: &LoggedEvent) -> bool {
    let is_one = matches!(action_of(&event.name), Some(ChangeAction::Deleted | ChangeAction::Restored));
    is_one && event.kind.as_deref() == Some(RecordKind::Contact.as_str())
}
