//! What happens to lists, as events: a list's making, changing and deleting, and who entered and
//! left it.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{
    base::ids::ContactListId,
    events::{LoggedEvent, NewEvent},
};

/// The kind that these events are about.
pub const KIND: &str = "contact_list";
pub const MEMBERS: &str = "contact_list.members";
pub const CREATED: &str = "contact_list.created";
pub const UPDATED: &str = "contact_list.updated";
pub const DELETED: &str = "contact_list.deleted";

/// Most contacts that one event names.
const IDS: usize = 1_000;

/// Who entered and left, and how many members there are behind that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersChanged {
    pub count: i64,
    pub entered: Vec<Uuid>,
    pub left: Vec<Uuid>,
}

impl MembersChanged {
    /// From a logged event, where it is one of these.
    pub fn read(event: &LoggedEvent) -> Option<Self> {
        (event.name == MEMBERS).then(|| serde_json::from_value(event.payload.clone()).ok()).flatten()
    }
}

/// The list that the event is about, where it is about one.
pub fn list_of(event: &LoggedEvent) -> Option<ContactListId> {
    let id = event.record_ids.first().filter(|_| event.kind.as_deref() == Some(KIND));
    id.copied().map(ContactListId)
}

/// Whether a list was made that has members from the start.
pub fn is_copy(event: &LoggedEvent) -> bool {
    event.name == CREATED && event.payload.get("members").is_some_and(|members| *members != 0)
}

/// With as many members as it begins with, who are not told one by one.
pub fn created(list: ContactListId, members: i64) -> NewEvent {
    about(CREATED, list, json!({ "members": members }))
}

/// `changed` holds the API names of what changed.
pub fn updated(list: ContactListId, changed: &[&str]) -> NewEvent {
    about(UPDATED, list, json!({ "changed": changed }))
}

pub fn deleted(list: ContactListId) -> NewEvent {
    about(DELETED, list, json!({}))
}

/// Who left and who entered, in as many events as it takes; each has the count as of itself.
pub fn members_changed(list: ContactListId, before: i64, entered: &[Uuid], left: &[Uuid]) -> Vec<NewEvent> {
    let mut count = before;
    let (mut entered, mut left) = (entered, left);
    let mut events = Vec::new();
    while !(entered.is_empty() && left.is_empty()) {
        let (gone, rest) = left.split_at(left.len().min(IDS));
        left = rest;
        let (come, rest) = entered.split_at(entered.len().min(IDS - gone.len()));
        entered = rest;
        count += come.len() as i64 - gone.len() as i64;
        let payload = json!({ "count": count, "entered": come, "left": gone });
        events.push(about(MEMBERS, list, payload));
    }
    events
}

fn about(name: &'static str, list: ContactListId, payload: serde_json::Value) -> NewEvent {
    NewEvent { name, kind: Some(KIND), record_ids: vec![list.0], payload }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_come_in_chunks_each_with_its_own_count() {
        let ids: Vec<_> = (0..2_300).map(|_| Uuid::now_v7()).collect();
        let (entered, left) = ids.split_at(1_100);
        let told = members_changed(ContactListId::new(), 1_500, entered, left);
        let read = |event: &NewEvent| serde_json::from_value::<MembersChanged>(event.payload.clone()).expect("ours");
        let told: Vec<_> = told.iter().map(read).collect();
        assert_eq!(told.iter().map(|one| one.count).collect::<Vec<_>>(), [500, 1_100, 1_400]);
        assert!(told.iter().all(|one| one.entered.len() + one.left.len() <= IDS));
        assert_eq!(told.iter().flat_map(|one| one.entered.clone()).collect::<Vec<_>>(), entered);
        assert_eq!(told.iter().flat_map(|one| one.left.clone()).collect::<Vec<_>>(), left);
    }
}
