//! What the team's operations tell the world, and which of it changes somebody's rights.

use serde_json::{Value, json};

use crate::{
    base::ids::{TeamId, TokenId, UserId},
    events::{LoggedEvent, NewEvent},
};

const MEMBER_CHANGED: &str = "team.member_changed";
const USER_DEACTIVATED: &str = "team.user_deactivated";
const SESSIONS_ENDED: &str = "team.sessions_ended";
const TOKEN_REVOKED: &str = "team.token_revoked";

pub fn user_created(user: UserId) -> NewEvent {
    about_user("team.user_created", user)
}

/// `changed` names the fields of the profile that others see.
pub fn user_updated(user: UserId, changed: &[&str]) -> NewEvent {
    NewEvent { payload: json!({ "changed": changed }), ..about_user("team.user_updated", user) }
}

/// Role or status.
pub fn member_changed(user: UserId) -> NewEvent {
    about_user(MEMBER_CHANGED, user)
}

pub fn user_deactivated(user: UserId) -> NewEvent {
    about_user(USER_DEACTIVATED, user)
}

/// Sessions ended or went to another workspace.
pub fn sessions_ended(user: UserId) -> NewEvent {
    about_user(SESSIONS_ENDED, user)
}

pub fn token_revoked(user: UserId, token: TokenId) -> NewEvent {
    NewEvent { payload: json!({ "token": token }), ..about_user(TOKEN_REVOKED, user) }
}

pub fn workspace_updated() -> NewEvent {
    NewEvent { name: "team.workspace_updated", kind: None, record_ids: vec![], payload: json!({}) }
}

/// `added` has the members that it begins with.
pub fn team_created(team: TeamId, added: &[UserId]) -> NewEvent {
    about_team("team.created", team, json!({ "added": added }))
}

/// Its name, or who is in it: whose "my team" is another one now stands in `added` and `removed`.
pub fn team_updated(team: TeamId, added: &[UserId], removed: &[UserId]) -> NewEvent {
    about_team("team.updated", team, json!({ "added": added, "removed": removed }))
}

/// `removed` has those who were in it.
pub fn team_deleted(team: TeamId, removed: &[UserId]) -> NewEvent {
    about_team("team.deleted", team, json!({ "removed": removed }))
}

/// Whose rights are not what they were, whatever workspace the event is of: whoever caches rights
/// forgets theirs.
pub fn changes_rights_of(event: &LoggedEvent) -> Option<UserId> {
    let changes = [MEMBER_CHANGED, USER_DEACTIVATED, SESSIONS_ENDED, TOKEN_REVOKED].contains(&event.name.as_str());
    event.record_ids.first().filter(|_| changes).copied().map(UserId)
}

fn about_team(name: &'static str, team: TeamId, payload: Value) -> NewEvent {
    NewEvent { name, kind: Some("team"), record_ids: vec![team.0], payload }
}

fn about_user(name: &'static str, user: UserId) -> NewEvent {
    NewEvent { name, kind: Some("user"), record_ids: vec![user.0], payload: Value::Object(serde_json::Map::new()) }
}
