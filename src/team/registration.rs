//! The first person of a workspace: by registering, by the set-up link of an empty installation,
//! or from the command line.

use serde_json::json;

use super::{
    access::{self, SignedIn},
    audit, events,
    model::UserStatus,
    queries,
};
use crate::{
    auth::{Caller, Origin, Role, Via, password::Password, secret, session::SessionKind},
    base::{
        Error, FieldErrors, Result,
        ids::{UserId, WorkspaceId},
        text::{self, EmailAddress},
    },
    ctx::Ctx,
    db::{Tx, locks},
};

/// A person who wants a workspace of their own.
#[derive(Debug, Clone)]
pub struct Registration {
    pub email: String,
    pub password: Password,
    pub full_name: String,
    /// The workspace's name; the person's own when `None`.
    pub workspace_name: Option<String>,
    /// From the set-up link. Needed on an empty installation unless one comes from the machine
    /// itself.
    pub set_up_key: Option<String>,
}

/// What a valid registration holds.
struct Checked {
    email: EmailAddress,
    full_name: String,
    workspace_name: String,
}

/// Makes a workspace with its first admin and signs them in. Only on an installation without
/// users, or where open registration is switched on.
pub async fn register(
    ctx: &Ctx,
    registration: Registration,
    from: &access::Client,
    kind: SessionKind,
) -> Result<SignedIn> {
    let checked = check(&registration)?;
    let key = registration.set_up_key.as_deref().map(secret::Hash::of);
    // looked at twice: whoever is refused is not worth an Argon2
    let mut tx = ctx.db.system().await?;
    let empty = !queries::installation::any_user(tx.connection()).await?;
    let right_key = match &key {
        Some(key) if empty => queries::links::is_good_link(tx.connection(), "set_up", key, ctx.clock.now()).await?,
        _ => false,
    };
    admit(ctx, empty, right_key, from)?;
    tx.commit().await?;
    let hash = registration.password.hash().await?;
    let mut tx = ctx.db.system_in(WorkspaceId::new()).await?;
    locks::hold_in(&mut tx, locks::REGISTRATION).await?;
    let empty = !queries::installation::any_user(tx.connection()).await?;
    let right_key = match &key {
        Some(key) if empty => queries::links::use_set_up_link(tx.connection(), key, ctx.clock.now()).await?,
        _ => false,
    };
    admit(ctx, empty, right_key, from)?;
    let (user, workspace) = create(ctx, &mut tx, checked, Some(hash)).await?;
    let started = access::start_session(ctx, &mut tx, workspace, user, kind, from).await?;
    tx.commit().await?;
    Ok(SignedIn { user, workspace, role: Role::Admin, started })
}

/// Refuses whoever may not register.
fn admit(ctx: &Ctx, empty: bool, right_key: bool, from: &access::Client) -> Result<()> {
    match empty {
        true if right_key || from.local => Ok(()),
        true => Err(Error::Forbidden("Open the set-up link that the server printed when it started".into())),
        false if ctx.auth.open_registration => Ok(()),
        false => Err(Error::Forbidden("Registration is closed; ask an admin for an invitation".into())),
    }
}

/// The first workspace and admin of an empty installation, from the configuration or the command
/// line. `None` where there are users already.
pub async fn first_admin(ctx: &Ctx, registration: Registration) -> Result<Option<(UserId, WorkspaceId)>> {
    let mut tx = ctx.db.system().await?;
    if queries::installation::any_user(tx.connection()).await? {
        return Ok(None);
    }
    tx.commit().await?;
    let checked = check(&registration)?;
    let hash = registration.password.hash().await?;
    let mut tx = ctx.db.system_in(WorkspaceId::new()).await?;
    locks::hold_in(&mut tx, locks::REGISTRATION).await?;
    if queries::installation::any_user(tx.connection()).await? {
        return Ok(None);
    }
    let made = create(ctx, &mut tx, checked, Some(hash)).await?;
    tx.commit().await?;
    Ok(Some(made))
}

/// A workspace and an active admin of it, for the command line: the first there is.
pub async fn any_admin(ctx: &Ctx) -> Result<(WorkspaceId, UserId)> {
    let mut tx = ctx.db.system().await?;
    queries::installation::any_admin(tx.connection()).await?.ok_or(Error::NotFound("Admin"))
}

/// A fresh set-up link's key while the installation has no user; earlier ones stop working.
pub async fn set_up_key(ctx: &Ctx) -> Result<Option<String>> {
    let mut tx = ctx.db.system().await?;
    locks::hold_in(&mut tx, locks::REGISTRATION).await?;
    if queries::installation::any_user(tx.connection()).await? {
        return Ok(None);
    }
    let key = secret::Fresh::new(secret::Kind::Link);
    let now = ctx.clock.now();
    queries::links::replace_set_up_link(tx.connection(), &key.hash, now, now + chrono::TimeDelta::days(7)).await?;
    tx.commit().await?;
    Ok(Some(key.text))
}

fn check(registration: &Registration) -> Result<Checked> {
    let mut fields = FieldErrors::new();
    let email = fields.take("email", EmailAddress::parse(&registration.email));
    let full_name = text::required(&mut fields, "fullName", &registration.full_name);
    let workspace_name = registration.workspace_name.as_deref().unwrap_or(&registration.full_name);
    let workspace_name = fields.take("workspaceName", text::clean(workspace_name, text::SHORT)).flatten();
    fields.merge(registration.password.check_new("password"));
    match (email, full_name, workspace_name) {
        (Some(email), Some(full_name), Some(workspace_name)) if fields.is_empty() => {
            Ok(Checked { email, full_name, workspace_name })
        }
        _ => Err(Error::Invalid(fields)),
    }
}

async fn create(
    ctx: &Ctx,
    tx: &mut Tx,
    checked: Checked,
    password_hash: Option<String>,
) -> Result<(UserId, WorkspaceId)> {
    let (user, workspace, now) = (UserId::new(), tx.bound_workspace()?, ctx.clock.now());
    queries::workspaces::insert_workspace(tx.connection(), workspace, &checked.workspace_name, now).await?;
    let new = queries::users::NewUser {
        id: user,
        email: checked.email.into_inner(),
        full_name: checked.full_name,
        password_hash,
        phone: None,
        department: None,
        created_at: now,
        updated_at: now,
    };
    queries::users::insert_user(tx.connection(), &new).await?;
    queries::members::insert_member(tx.connection(), workspace, user, Role::Admin, UserStatus::Active, now).await?;
    let caller = Caller::new(workspace, user, Role::Admin, Origin::System, Via::System);
    ctx.emit(tx, &caller, &[events::user_created(user)]).await?;
    let entry =
        audit::Entry::new("workspace.created", "workspace", workspace).with(json!({ "name": checked.workspace_name }));
    audit::record_in(ctx, tx, &caller, entry).await?;
    Ok((user, workspace))
}
