//! Teams of members: lists are shared with them, and records are found by who is in one's own. A
//! person may be in several. Everybody sees them; a team gives no rights by itself.

use std::collections::HashMap;

use serde_json::json;

use super::{
    audit, events,
    model::Team,
    queries,
    repeat::{self, Turn},
};
use crate::{
    auth::{Caller, Permission},
    base::{
        Error, FieldErrors, Result,
        ids::{TeamId, UserId},
        page::{PageArgs, Slice},
        text,
    },
    ctx::Ctx,
    db::Tx,
};

/// Teams of a workspace.
const MOST_TEAMS: i64 = 500;
/// People in one team, and in one call.
const MOST_MEMBERS: usize = 500;
/// Teams of one person.
const MOST_OF_ONE: i64 = 20;

#[derive(Debug, Clone, Default)]
pub struct NewTeam {
    pub name: String,
    pub members: Vec<UserId>,
}

/// Who comes in and who goes out; whoever is in or out already stays so.
#[derive(Debug, Clone, Default)]
pub struct MemberChanges {
    pub add: Vec<UserId>,
    pub remove: Vec<UserId>,
}

/// All teams of the workspace, the newest first.
pub async fn page(ctx: &Ctx, caller: &Caller, args: PageArgs) -> Result<Slice<Team>> {
    caller.require(Permission::UsersRead)?;
    let request = args.parse::<TeamId>()?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = queries::teams::team_page(tx.connection(), caller.workspace, &request).await?;
    Ok(request.slice(rows))
}

/// How many teams there are.
pub async fn count(ctx: &Ctx, caller: &Caller) -> Result<i64> {
    caller.require(Permission::UsersRead)?;
    let mut tx = ctx.db.read(caller).await?;
    queries::teams::count_teams(tx.connection(), caller.workspace).await
}

pub async fn get(ctx: &Ctx, caller: &Caller, id: TeamId) -> Result<Team> {
    caller.require(Permission::UsersRead)?;
    let mut tx = ctx.db.read(caller).await?;
    found(&mut tx, caller, id).await
}

/// Teams by id; those that do not exist are left out.
pub async fn by_ids(ctx: &Ctx, caller: &Caller, ids: &[TeamId]) -> Result<Vec<Team>> {
    caller.require(Permission::UsersRead)?;
    let mut tx = ctx.db.read(caller).await?;
    queries::teams::teams_by_ids(tx.connection(), caller.workspace, ids).await
}

/// Who is in these teams. One without anybody is left out.
pub async fn members_of(ctx: &Ctx, caller: &Caller, teams: &[TeamId]) -> Result<HashMap<TeamId, Vec<UserId>>> {
    caller.require(Permission::UsersRead)?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = queries::teams::members_of(tx.connection(), caller.workspace, teams).await?;
    let mut members = HashMap::<_, Vec<_>>::new();
    for (team, user) in rows {
        members.entry(team).or_default().push(user);
    }
    Ok(members)
}

/// The teams of these people, by name. Somebody in none is left out.
pub async fn of_users(ctx: &Ctx, caller: &Caller, users: &[UserId]) -> Result<HashMap<UserId, Vec<Team>>> {
    caller.require(Permission::UsersRead)?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = queries::teams::teams_of(tx.connection(), caller.workspace, users).await?;
    let mut teams = HashMap::<_, Vec<_>>::new();
    for (user, team) in rows {
        teams.entry(user).or_default().push(team);
    }
    Ok(teams)
}

/// Makes a team. Its name is unique in the workspace.
pub async fn create(ctx: &Ctx, caller: &Caller, new: NewTeam) -> Result<Team> {
    caller.require(Permission::TeamsManage)?;
    let mut fields = FieldErrors::new();
    let name = text::required(&mut fields, "name", &new.name);
    let members = distinct(&mut fields, "members", new.members);
    let (Some(name), true) = (name, fields.is_empty()) else { return Err(Error::Invalid(fields)) };
    let now = ctx.clock.now();
    let team = Team { id: TeamId::new(), name, created_at: now, updated_at: now };
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return found(&mut tx, caller, id).await,
    };
    if queries::teams::count_teams(tx.connection(), caller.workspace).await? >= MOST_TEAMS {
        return Err(Error::conflict(format!("The workspace has {MOST_TEAMS} teams; delete one first")));
    }
    queries::teams::insert_team(tx.connection(), caller.workspace, &team).await?;
    let added = add_in(&mut tx, caller, team.id, &members).await.map_err(|error| renamed(error, "add", "members"))?;
    let details = json!({ "name": team.name, "added": added });
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("team.created", "team", team.id).with(details)).await?;
    ctx.emit(&mut tx, caller, &[events::team_created(team.id, &added)]).await?;
    tx.commit(team.id).await?;
    Ok(team)
}

/// Gives a team another name.
pub async fn rename(ctx: &Ctx, caller: &Caller, id: TeamId, name: &str) -> Result<Team> {
    caller.require(Permission::TeamsManage)?;
    let mut fields = FieldErrors::new();
    let Some(name) = text::required(&mut fields, "name", name) else { return Err(Error::Invalid(fields)) };
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return found(&mut tx, caller, id).await,
    };
    let before = locked(&mut tx, caller, id).await?;
    if name == before.name {
        tx.commit(id).await?;
        return Ok(before);
    }
    let now = ctx.clock.now();
    queries::teams::update_team(tx.connection(), caller.workspace, id, Some(&name), now).await?;
    let details = json!({ "before": before.name, "after": name });
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("team.updated", "team", id).with(details)).await?;
    ctx.emit(&mut tx, caller, &[events::team_updated(id, &[], &[])]).await?;
    tx.commit(id).await?;
    Ok(Team { name, updated_at: now, ..before })
}

/// Lets people into a team and out of it.
pub async fn set_members(ctx: &Ctx, caller: &Caller, id: TeamId, changes: MemberChanges) -> Result<Team> {
    caller.require(Permission::TeamsManage)?;
    let mut fields = FieldErrors::new();
    let add = distinct(&mut fields, "add", changes.add);
    let remove = distinct(&mut fields, "remove", changes.remove);
    if remove.iter().any(|user| add.binary_search(user).is_ok()) {
        fields.add("remove", "names somebody who is to be added, too");
    }
    fields.into_result()?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return found(&mut tx, caller, id).await,
    };
    let before = locked(&mut tx, caller, id).await?;
    let removed = queries::teams::remove_members(tx.connection(), caller.workspace, id, &remove).await?;
    let added = add_in(&mut tx, caller, id, &add).await?;
    if added.is_empty() && removed.is_empty() {
        tx.commit(id).await?;
        return Ok(before);
    }
    let now = ctx.clock.now();
    queries::teams::update_team(tx.connection(), caller.workspace, id, None, now).await?;
    let details = json!({ "name": before.name, "added": added, "removed": removed });
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("team.updated", "team", id).with(details)).await?;
    ctx.emit(&mut tx, caller, &[events::team_updated(id, &added, &removed)]).await?;
    tx.commit(id).await?;
    Ok(Team { updated_at: now, ..before })
}

/// Deletes a team, and ends what was shared with it. Its members stay users.
pub async fn delete(ctx: &Ctx, caller: &Caller, id: TeamId) -> Result<()> {
    caller.require(Permission::TeamsManage)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((), _) => return Ok(()),
    };
    let team = locked(&mut tx, caller, id).await?;
    let members = queries::teams::members_of(tx.connection(), caller.workspace, &[id]).await?;
    let removed: Vec<UserId> = members.into_iter().map(|(_, user)| user).collect();
    queries::teams::delete_team(tx.connection(), caller.workspace, id).await?;
    let details = json!({ "name": team.name, "removed": removed });
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("team.deleted", "team", id).with(details)).await?;
    ctx.emit(&mut tx, caller, &[events::team_deleted(id, &removed)]).await?;
    tx.commit(()).await
}

async fn found(tx: &mut Tx, caller: &Caller, id: TeamId) -> Result<Team> {
    queries::teams::team(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound("Team"))
}

async fn locked(tx: &mut Tx, caller: &Caller, id: TeamId) -> Result<Team> {
    queries::teams::lock_team(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound("Team"))
}

/// Who came in. The team is locked; a person's own limit is one of cost, and two changes at once may
/// pass it by one team.
async fn add_in(tx: &mut Tx, caller: &Caller, team: TeamId, users: &[UserId]) -> Result<Vec<UserId>> {
    let added = queries::teams::add_members(tx.connection(), caller.workspace, team, users).await?;
    if added.is_empty() {
        return Ok(added);
    }
    let members = queries::teams::count_members(tx.connection(), caller.workspace, team).await?;
    if usize::try_from(members).is_ok_and(|members| members > MOST_MEMBERS) {
        return Err(Error::conflict(format!("A team has at most {MOST_MEMBERS} members")));
    }
    match queries::teams::in_more_than(tx.connection(), caller.workspace, &added, MOST_OF_ONE).await? {
        None => Ok(added),
        Some(_) => Err(Error::conflict(format!("Somebody would be in more than {MOST_OF_ONE} teams"))),
    }
}

/// Sorted, each once.
fn distinct(fields: &mut FieldErrors, field: &'static str, mut users: Vec<UserId>) -> Vec<UserId> {
    if users.len() > MOST_MEMBERS {
        fields.add(field, format!("has more than {MOST_MEMBERS} people"));
    }
    users.sort_unstable();
    users.dedup();
    users
}

/// A refusal of the database names one field, whatever the input calls it.
fn renamed(error: Error, from: &str, to: &'static str) -> Error {
    match error {
        Error::Invalid(wrong) => {
            let mut fields = FieldErrors::new();
            for (field, message) in wrong.iter() {
                let field = if field == from { to.to_owned() } else { field.to_owned() };
                fields.add(field, message.to_owned());
            }
            Error::Invalid(fields)
        }
        other => other,
    }
}
