//! Inviting people by mail. The invited set their own password by the link; somebody who is a
//! user of another workspace already joins with the password they have.

use serde_json::json;

use super::{
    access::{self, SignedIn},
    audit, events,
    jobs::SendInvitation,
    letters::OPEN_FOR,
    model::{Invitation, UserStatus},
    queries,
    repeat::{self, Turn},
};
use crate::{
    auth::{Caller, Permission, Role, password::Password, secret, session::SessionKind, throttle::Attempt},
    base::{
        Error, FieldErrors, Result,
        ids::{InvitationId, UserId},
        text::{self, EmailAddress},
    },
    ctx::Ctx,
    jobs::{Enqueued, enqueue},
};

#[derive(Debug, Clone)]
pub struct NewInvitation {
    pub email: String,
    pub full_name: Option<String>,
    pub role: Role,
}

/// Invites somebody; the mail goes out by a job.
pub async fn invite(ctx: &Ctx, caller: &Caller, new: NewInvitation) -> Result<Invitation> {
    caller.require(Permission::UsersManage)?;
    let mut fields = FieldErrors::new();
    let email = fields.take("email", EmailAddress::parse(&new.email));
    let full_name = fields.take("fullName", text::clean(new.full_name.as_deref().unwrap_or(""), text::SHORT)).flatten();
    let (Some(email), true) = (email, fields.is_empty()) else { return Err(Error::Invalid(fields)) };
    let now = ctx.clock.now();
    let invitation = Invitation {
        id: InvitationId::new(),
        email: email.into_inner(),
        full_name,
        role: new.role,
        invited_by: caller.user,
        created_at: now,
        expires_at: now + OPEN_FOR,
    };
    let mut counting = ctx.db.system().await?;
    Attempt::invitation(caller.workspace, &invitation.email).count(&mut counting, now, &ctx.limits).await?;
    counting.commit().await?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => {
            let found = queries::invitations::invitation(tx.connection(), caller.workspace, id).await?;
            return found.ok_or(Error::NotFound("Invitation"));
        }
    };
    if queries::members::is_member(tx.connection(), caller.workspace, &invitation.email).await? {
        return Err(Error::taken("email", "belongs to a user of this workspace already", None));
    }
    queries::invitations::close_lapsed_invitations(tx.connection(), caller.workspace, &invitation.email, now).await?;
    queries::invitations::insert_invitation(tx.connection(), caller.workspace, &invitation).await?;
    let job = SendInvitation { workspace: caller.workspace, invitation: invitation.id };
    let about = Enqueued { workspace: Some(caller.workspace), created_by: Some(caller.user), ..Enqueued::default() };
    enqueue::<Ctx, _>(&mut tx, now, &job, about).await?;
    let details = json!({ "email": invitation.email, "role": invitation.role });
    let entry = audit::Entry::new("invitation.created", "invitation", invitation.id).with(details);
    audit::record_in(ctx, &mut tx, caller, entry).await?;
    tx.commit(invitation.id).await?;
    Ok(invitation)
}

/// The open invitations, newest first.
pub async fn list(ctx: &Ctx, caller: &Caller) -> Result<Vec<Invitation>> {
    caller.require(Permission::UsersManage)?;
    let mut tx = ctx.db.read(caller).await?;
    queries::invitations::open_invitations(tx.connection(), caller.workspace, ctx.clock.now()).await
}

/// Takes an open invitation back; its link stops working.
pub async fn revoke(ctx: &Ctx, caller: &Caller, id: InvitationId) -> Result<()> {
    caller.require(Permission::UsersManage)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((), _) => return Ok(()),
    };
    if !queries::invitations::revoke_invitation(tx.connection(), caller.workspace, id, ctx.clock.now()).await? {
        return Err(Error::NotFound("Invitation"));
    }
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("invitation.revoked", "invitation", id)).await?;
    tx.commit(()).await
}

/// What an invited person fills in.
#[derive(Debug, Clone)]
pub struct Acceptance {
    pub link: String,
    /// The person's own name; the invitation's when `None`.
    pub full_name: Option<String>,
    /// New for a new person, the present one for somebody who is a user already.
    pub password: Password,
}

/// Joins the workspace and signs in.
pub async fn accept(ctx: &Ctx, acceptance: Acceptance, kind: SessionKind, from: &access::Client) -> Result<SignedIn> {
    let now = ctx.clock.now();
    let hash = secret::Hash::of(&acceptance.link);
    let wrong_link = || Error::invalid("token", "is not a valid invitation, or it has lapsed; ask for a new one");
    let mut tx = ctx.db.system().await?;
    let (workspace, invitation) =
        queries::invitations::invitation_by_hash(tx.connection(), &hash, now).await?.ok_or_else(wrong_link)?;
    let known = queries::passwords::credentials(tx.connection(), &invitation.email).await?;
    tx.commit().await?;

    let mut fields = FieldErrors::new();
    let name = acceptance.full_name.as_deref().or(invitation.full_name.as_deref()).unwrap_or("");
    let (name, password_hash) = match &known {
        Some(known) => {
            let proved = access::prove(ctx, &invitation.email, &acceptance.password, from.address).await?;
            if proved != Some(known.id) {
                return Err(Error::Unauthenticated("This address has an account already; use its password".into()));
            }
            (None, None)
        }
        None => {
            acceptance.password.check_new("password")?;
            (text::required(&mut fields, "fullName", name), Some(acceptance.password.hash().await?))
        }
    };
    fields.into_result()?;

    let mut tx = ctx.db.system_in(workspace).await?;
    if !queries::invitations::accept_invitation(tx.connection(), workspace, invitation.id, now).await? {
        return Err(wrong_link());
    }
    let user = match (known, name) {
        (Some(known), _) => known.id,
        (None, name) => {
            let id = UserId::new();
            let new = queries::users::NewUser {
                id,
                email: invitation.email.clone(),
                full_name: name.unwrap_or_default(),
                password_hash,
                phone: None,
                department: None,
                created_at: now,
                updated_at: now,
            };
            queries::users::insert_user(tx.connection(), &new).await?;
            id
        }
    };
    queries::members::insert_member(tx.connection(), workspace, user, invitation.role, UserStatus::Active, now).await?;
    let started = access::start_session(ctx, &mut tx, workspace, user, kind, from).await?;
    let signed_in = SignedIn { user, workspace, role: invitation.role, started };
    let caller = signed_in.caller().with_request(from.address, from.request_id.clone());
    let entry = audit::Entry::new("invitation.accepted", "invitation", invitation.id);
    audit::record_in(ctx, &mut tx, &caller, entry).await?;
    ctx.emit(&mut tx, &caller, &[events::user_created(user)]).await?;
    tx.commit().await?;
    Ok(signed_in)
}
