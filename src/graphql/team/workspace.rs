//! Who am I, my workspace, and its audit log.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use crate::{
    auth::{Grant, Permission},
    base::page::{self, PageArgs},
    connection,
    graphql::{
        context::{Repeatable, both, caller, once},
        errors::{Nullable, nullable},
        objects::{
            user::UserObject,
            workspace::{AuditEntryObject, WorkspaceObject},
        },
    },
    jobs::{JobFilter, JobState},
    team::{Weekday, audit, users, work, workspace},
};

/// The signed-in person and what they may do.
pub struct Viewer;

#[Object(name = "Viewer")]
impl Viewer {
    async fn user(&self, context: &Context<'_>) -> async_graphql::Result<UserObject> {
        let (ctx, caller) = both(context)?;
        Ok(UserObject::whole(users::me(ctx, caller).await?))
    }

    async fn workspace(&self, context: &Context<'_>) -> async_graphql::Result<WorkspaceObject> {
        let (ctx, caller) = both(context)?;
        Ok(WorkspaceObject(workspace::get(ctx, caller).await?))
    }

    /// The workspaces you can switch to.
    async fn workspaces(&self, context: &Context<'_>) -> async_graphql::Result<Vec<WorkspaceObject>> {
        let (ctx, caller) = both(context)?;
        Ok(workspace::mine(ctx, caller).await?.into_iter().map(WorkspaceObject).collect())
    }

    /// How many jobs were given up, of yours or, where your role sees all, of everybody; `jobs` with
    /// the status `FAILED` lists them. Null for a token that may see no jobs.
    async fn failed_jobs(&self, context: &Context<'_>) -> Nullable<i64> {
        nullable(async {
            let (ctx, caller) = both(context)?;
            if caller.grant(Permission::JobsRead) == Grant::No {
                return Ok(None);
            }
            let filter = JobFilter { state: Some(JobState::Failed), ..JobFilter::default() };
            Ok(Some(work::count(ctx, caller, &filter).await?))
        })
        .await
    }

    /// What you may do, as `noun:verb`; `:own` behind it where only to what is your own.
    async fn permissions(&self, context: &Context<'_>) -> async_graphql::Result<Vec<String>> {
        let caller = caller(context)?;
        let granted = Permission::ALL.iter().filter_map(|permission| match caller.grant(*permission) {
            Grant::No => None,
            Grant::Own => Some(format!("{}:own", permission.scope())),
            Grant::All => Some(permission.scope().to_owned()),
        });
        Ok(granted.collect())
    }
}

impl crate::graphql::leaves::Leaves for AuditEntryObject {}

connection!(AuditConnection AuditEdge of AuditEntryObject, "AuditConnection" "AuditEdge", count(_all: (), context) {
    let (ctx, caller) = both(context)?;
    audit::count(ctx, caller).await?
});

#[derive(InputObject)]
#[graphql(name = "UpdateWorkspaceInput")]
pub struct UpdateWorkspaceInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    name: Option<String>,
    /// An IANA name such as `Europe/Berlin`.
    time_zone: Option<String>,
    week_start: Option<Weekday>,
}

#[derive(SimpleObject)]
#[graphql(name = "WorkspacePayload")]
pub struct WorkspacePayload {
    workspace: WorkspaceObject,
}

/// Queries about the workspace.
#[derive(Default)]
pub struct WorkspaceQuery;

#[Object(name = "WorkspaceQuery")]
impl WorkspaceQuery {
    /// Who am I: the signed-in person, their workspace, what they may do.
    async fn viewer(&self, context: &Context<'_>) -> async_graphql::Result<Viewer> {
        caller(context)?;
        Ok(Viewer)
    }

    /// Who did what, the newest first, for admins.
    async fn audit_log(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500.")] first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> async_graphql::Result<AuditConnection> {
        let (ctx, caller) = both(context)?;
        let slice = audit::page(ctx, caller, PageArgs { first, after, last, before }).await?;
        Ok(AuditConnection::new(slice, (), |entry| (page::encode(&entry.id), AuditEntryObject(entry))))
    }
}

/// Mutations of the workspace.
#[derive(Default)]
pub struct WorkspaceMutation;

#[Object(name = "WorkspaceMutation")]
impl WorkspaceMutation {
    /// Changes the workspace. Admins only.
    async fn update_workspace(
        &self,
        context: &Context<'_>,
        input: UpdateWorkspaceInput,
    ) -> async_graphql::Result<WorkspacePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let patch =
            workspace::WorkspacePatch { name: input.name, time_zone: input.time_zone, week_start: input.week_start };
        let workspace = workspace::update(ctx, &caller, patch).await.map(WorkspaceObject)?;
        Ok(WorkspacePayload { workspace })
    }
}
