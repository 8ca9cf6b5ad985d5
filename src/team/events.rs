//! What the team's operations tell the world. The edge forgets its resolved callers at each.

use serde_json::json;

use crate::{
    base::ids::{TokenId, UserId},
    events::NewEvent,
};

/// Every name of this feature begins so; whoever caches rights listens for the prefix.
pub const PREFIX: &str = "team.";

pub fn user_created(user: UserId) -> NewEvent {
    about_user("team.user_created", user)
}

pub fn user_updated(user: UserId) -> NewEvent {
    about_user("team.user_updated", user)
}

pub fn user_deactivated(user: UserId) -> NewEvent {
    about_user("team.user_deactivated", user)
}

pub fn sessions_ended(user: UserId) -> NewEvent {
    about_user("team.sessions_ended", user)
}

pub fn token_revoked(token: TokenId) -> NewEvent {
    NewEvent { name: "team.token_revoked", kind: None, record_ids: vec![], payload: json!({ "token": token }) }
}

pub fn workspace_updated() -> NewEvent {
    NewEvent { name: "team.workspace_updated", kind: None, record_ids: vec![], payload: json!({}) }
}

fn about_user(name: &'static str, user: UserId) -> NewEvent {
    NewEvent { name, kind: Some("user"), record_ids: vec![user.0], payload: json!({}) }
}
