//! Teams and who is in them.

use chrono::{DateTime, Utc};
use diesel::{dsl::count_star, prelude::*};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::super::model::Team;
use crate::{
    base::{
        Result,
        ids::{TeamId, UserId, WorkspaceId},
        page::PageRequest,
    },
    db::schema::{team_members, teams},
    newest_first,
};

pub async fn team_page(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    page: &PageRequest<TeamId>,
) -> Result<Vec<Team>> {
    let query = teams::table
        .filter(teams::workspace_id.eq(workspace))
        .select(Team::as_select())
        .limit(page.fetch())
        .into_boxed();
    Ok(newest_first!(query, page, teams::id).load(connection).await?)
}

pub async fn count_teams(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<i64> {
    Ok(teams::table.filter(teams::workspace_id.eq(workspace)).count().get_result(connection).await?)
}

pub async fn team(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: TeamId) -> Result<Option<Team>> {
    Ok(teams::table.find((workspace, id)).select(Team::as_select()).first(connection).await.optional()?)
}

pub async fn teams_by_ids(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    ids: &[TeamId],
) -> Result<Vec<Team>> {
    Ok(teams::table
        .filter(teams::workspace_id.eq(workspace))
        .filter(teams::id.eq_any(ids))
        .select(Team::as_select())
        .load(connection)
        .await?)
}

/// Locked, so that two changes of one team come one after the other, and so do their events.
pub async fn lock_team(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: TeamId) -> Result<Option<Team>> {
    Ok(teams::table
        .find((workspace, id))
        .select(Team::as_select())
        .for_no_key_update()
        .first(connection)
        .await
        .optional()?)
}

pub async fn insert_team(connection: &mut AsyncPgConnection, workspace: WorkspaceId, team: &Team) -> Result<()> {
    diesel::insert_into(teams::table)
        .values((
            teams::workspace_id.eq(workspace),
            teams::id.eq(team.id),
            teams::name.eq(&team.name),
            teams::created_at.eq(team.created_at),
            teams::updated_at.eq(team.updated_at),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// Without a name, that it was changed.
pub async fn update_team(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: TeamId,
    name: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(teams::table.find((workspace, id)))
        .set((name.map(|name| teams::name.eq(name)), teams::updated_at.eq(now)))
        .execute(connection)
        .await?;
    Ok(())
}

/// With its memberships, and what is shared with it.
pub async fn delete_team(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: TeamId) -> Result<()> {
    diesel::delete(teams::table.find((workspace, id))).execute(connection).await?;
    Ok(())
}

/// Says who was not in the team before.
pub async fn add_members(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    team: TeamId,
    users: &[UserId],
) -> Result<Vec<UserId>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let row = |user: &UserId| {
        (team_members::workspace_id.eq(workspace), team_members::team_id.eq(team), team_members::user_id.eq(*user))
    };
    Ok(diesel::insert_into(team_members::table)
        .values(users.iter().map(row).collect::<Vec<_>>())
        .on_conflict_do_nothing()
        .returning(team_members::user_id)
        .get_results(connection)
        .await?)
}

/// Says who was in the team.
pub async fn remove_members(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    team: TeamId,
    users: &[UserId],
) -> Result<Vec<UserId>> {
    let gone = team_members::table
        .filter(team_members::workspace_id.eq(workspace))
        .filter(team_members::team_id.eq(team))
        .filter(team_members::user_id.eq_any(users));
    Ok(diesel::delete(gone).returning(team_members::user_id).get_results(connection).await?)
}

/// Who is in these teams.
pub async fn members_of(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    teams: &[TeamId],
) -> Result<Vec<(TeamId, UserId)>> {
    Ok(team_members::table
        .filter(team_members::workspace_id.eq(workspace))
        .filter(team_members::team_id.eq_any(teams))
        .select((team_members::team_id, team_members::user_id))
        .load(connection)
        .await?)
}

/// The teams of these people, by name.
pub async fn teams_of(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    users: &[UserId],
) -> Result<Vec<(UserId, Team)>> {
    let same = teams::workspace_id.eq(team_members::workspace_id).and(teams::id.eq(team_members::team_id));
    Ok(team_members::table
        .inner_join(teams::table.on(same))
        .filter(team_members::workspace_id.eq(workspace))
        .filter(team_members::user_id.eq_any(users))
        .order((teams::name, teams::id))
        .select((team_members::user_id, Team::as_select()))
        .load(connection)
        .await?)
}

pub async fn count_members(connection: &mut AsyncPgConnection, workspace: WorkspaceId, team: TeamId) -> Result<i64> {
    Ok(team_members::table
        .filter(team_members::workspace_id.eq(workspace))
        .filter(team_members::team_id.eq(team))
        .count()
        .get_result(connection)
        .await?)
}

/// Somebody of these who is in more teams than that.
pub async fn in_more_than(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    users: &[UserId],
    most: i64,
) -> Result<Option<UserId>> {
    Ok(team_members::table
        .filter(team_members::workspace_id.eq(workspace))
        .filter(team_members::user_id.eq_any(users))
        .group_by(team_members::user_id)
        .having(count_star().gt(most))
        .select(team_members::user_id)
        .first(connection)
        .await
        .optional()?)
}
