//! The users of a workspace: who they are, their roles, and their deactivation.

use serde_json::{Value, json};

use super::{
    audit, events,
    jobs::TellProfile,
    model::{PeopleFilter, PersonPlace, User, UserStatus},
    queries,
    repeat::{self, Turn},
};
use crate::{
    auth::{Caller, Grant, Permission, Role, password::Password, session},
    base::{
        Error, FieldErrors, Result,
        ids::UserId,
        page::{PageArgs, Slice},
        text::{self, EmailAddress},
    },
    ctx::Ctx,
    jobs::{Enqueued, enqueue},
};

/// A user made by an admin, who tells them the password; inviting is the better way.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub email: String,
    pub full_name: String,
    pub password: Password,
    pub role: Role,
    pub phone: Option<String>,
    pub department: Option<String>,
}

/// Changes to a user; `None` leaves as it is, `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct UserPatch {
    pub full_name: Option<String>,
    pub phone: Option<Option<String>>,
    pub department: Option<Option<String>>,
    pub avatar_url: Option<Option<String>>,
    pub preferences: Option<Value>,
    /// Only admins.
    pub role: Option<Role>,
    /// Only admins.
    pub status: Option<UserStatus>,
}

/// Largest `preferences` object, in bytes of JSON.
const MAX_PREFERENCES: usize = 64 * 1024;

/// All users of the workspace for those who may see them; otherwise the caller alone.
pub async fn page(ctx: &Ctx, caller: &Caller, args: PageArgs) -> Result<Slice<User>> {
    let only = match caller.require(Permission::UsersRead)? {
        Grant::All => None,
        _ => Some(caller.user),
    };
    let request = args.parse::<UserId>()?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = queries::users::user_page(tx.connection(), caller.workspace, only, &request).await?;
    Ok(request.slice(rows))
}

/// How many users [`page`] would show in all.
pub async fn count(ctx: &Ctx, caller: &Caller) -> Result<i64> {
    if caller.require(Permission::UsersRead)? != Grant::All {
        return Ok(1);
    }
    let mut tx = ctx.db.read(caller).await?;
    queries::users::count_users(tx.connection(), caller.workspace).await
}

/// A page of the people of the workspace, by name: for choosing somebody. Everybody in a workspace may see
/// the names; a token needs the scope.
pub async fn people(ctx: &Ctx, caller: &Caller, filter: &PeopleFilter, args: PageArgs) -> Result<Slice<User>> {
    caller.require(Permission::UsersRead)?;
    let request = args.parse::<PersonPlace>()?;
    request.require_cursor(|place| !place.0.contains('\0'))?;
    let filter = checked(filter)?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = queries::users::people(tx.connection(), caller.workspace, &filter, &request).await?;
    Ok(request.slice(rows))
}

/// How many [`people`] shows in all.
pub async fn count_people(ctx: &Ctx, caller: &Caller, filter: &PeopleFilter) -> Result<i64> {
    caller.require(Permission::UsersRead)?;
    let filter = checked(filter)?;
    let mut tx = ctx.db.read(caller).await?;
    queries::users::count_people(tx.connection(), caller.workspace, &filter).await
}

/// The filter with its search as a pattern.
fn checked(filter: &PeopleFilter) -> Result<PeopleFilter> {
    let search = filter.search.as_deref().map(|search| text::clean(search, text::SHORT)).transpose();
    let search = search.map_err(|message| Error::invalid("search", message))?.flatten();
    Ok(PeopleFilter { search: search.map(|search| text::like_anywhere(&search)), ..filter.clone() })
}

/// One page by number, newest first, with the exact total: what REST's paging needs.
pub async fn numbered_page(ctx: &Ctx, caller: &Caller, offset: i64, limit: i64) -> Result<(Vec<User>, i64)> {
    if caller.require(Permission::UsersRead)? != Grant::All {
        return Err(Error::Forbidden("Your role does not allow you to list users".into()));
    }
    let mut tx = ctx.db.read(caller).await?;
    queries::users::numbered_users(tx.connection(), caller.workspace, offset, limit).await
}

/// One user, or `NotFound` where the caller may not see them.
pub async fn get(ctx: &Ctx, caller: &Caller, user: UserId) -> Result<User> {
    let visible = caller.require(Permission::UsersRead)? == Grant::All || user == caller.user;
    let mut tx = ctx.db.read(caller).await?;
    let found = match visible {
        true => queries::users::user(tx.connection(), caller.workspace, user).await?,
        false => None,
    };
    found.ok_or(Error::NotFound("User"))
}

/// The signed-in person.
pub async fn me(ctx: &Ctx, caller: &Caller) -> Result<User> {
    let mut tx = ctx.db.read(caller).await?;
    queries::users::user(tx.connection(), caller.workspace, caller.user).await?.ok_or(Error::NotFound("User"))
}

/// Users by id, for the names beside records; everybody in a workspace may see those.
pub async fn by_ids(ctx: &Ctx, caller: &Caller, ids: &[UserId]) -> Result<Vec<User>> {
    let mut tx = ctx.db.read(caller).await?;
    queries::users::users_by_ids(tx.connection(), caller.workspace, ids).await
}

pub async fn create(ctx: &Ctx, caller: &Caller, new: NewUser) -> Result<User> {
    caller.require(Permission::UsersManage)?;
    let mut fields = FieldErrors::new();
    let email = fields.take("email", EmailAddress::parse(&new.email));
    let full_name = text::required(&mut fields, "fullName", &new.full_name);
    let phone = clean_optional(&mut fields, "phone", new.phone.as_deref());
    let department = clean_optional(&mut fields, "department", new.department.as_deref());
    fields.merge(new.password.check_new("password"));
    let (Some(email), Some(full_name), true) = (email, full_name, fields.is_empty()) else {
        return Err(Error::Invalid(fields));
    };
    let password_hash = Some(new.password.hash().await?);
    let now = ctx.clock.now();
    let id = UserId::new();
    let row = queries::users::NewUser {
        id,
        email: email.into_inner(),
        full_name,
        password_hash,
        phone,
        department,
        created_at: now,
        updated_at: now,
    };
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => {
            return queries::users::user(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound("User"));
        }
    };
    queries::users::insert_user(tx.connection(), &row).await?;
    queries::members::insert_member(tx.connection(), caller.workspace, id, new.role, UserStatus::Active, now).await?;
    let user = queries::users::user(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound("User"))?;
    let entry = audit::Entry::new("user.created", "user", id).with(json!({ "email": user.email, "role": user.role }));
    audit::record_in(ctx, &mut tx, caller, entry).await?;
    ctx.emit(&mut tx, caller, &[events::user_created(id)]).await?;
    tx.commit(id).await?;
    Ok(user)
}

/// Changes a user: oneself, or anybody for admins. Role and status only by admins, and never
/// those of the last active admin. The profile is the person's, the same in all their workspaces:
/// an admin changes it only where the person is in no other.
pub async fn update(ctx: &Ctx, caller: &Caller, id: UserId, patch: UserPatch) -> Result<User> {
    let reach = caller.require(Permission::UsersWrite)?;
    match id == caller.user {
        true => {}
        false if reach == Grant::All => drop(caller.require(Permission::UsersManage)?),
        false => return Err(Error::Forbidden("You may change only your own profile".into())),
    }
    let changes = check_patch(&patch)?;
    let now = ctx.clock.now();
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => {
            return queries::users::user(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound("User"));
        }
    };
    let before = queries::users::user(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound("User"))?;
    // clients send a whole profile back: what is as it was is no change
    let changes = unlike(changes, &before);
    let role = patch.role.filter(|role| *role != before.role);
    let status = patch.status.filter(|status| *status != before.status);
    let (editing, managing) = (changes != queries::users::UserChanges::default(), role.is_some() || status.is_some());
    if !editing && !managing {
        tx.commit(id).await?;
        return Ok(before);
    }
    if managing {
        caller.require(Permission::UsersManage)?;
    }
    if editing && id != caller.user {
        require_here_alone(&mut tx, caller, id).await?;
    }
    queries::users::update_user(tx.connection(), id, &changes, now).await?;
    if managing {
        queries::members::lock_admins(tx.connection(), caller.workspace).await?;
        queries::members::update_member(tx.connection(), caller.workspace, id, role, status).await?;
        require_an_admin(&mut tx, caller).await?;
    }
    if status.is_some_and(|status| status != UserStatus::Active) {
        session::end_all(&mut tx, now, id, Some(caller.workspace), None).await?;
    }
    let user = queries::users::user(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound("User"))?;
    let changed = changed_fields(&before, &user);
    let mut told = vec![events::user_updated(id, &changed)];
    if managing {
        told.push(events::member_changed(id));
    }
    if managing || id != caller.user {
        let standing = |user: &User| [user.role.as_str(), user.status.as_str()];
        let details = json!({ "before": standing(&before), "after": standing(&user), "changed": changed });
        audit::record_in(ctx, &mut tx, caller, audit::Entry::new("user.updated", "user", id).with(details)).await?;
    }
    ctx.emit(&mut tx, caller, &told).await?;
    if !changed.is_empty() && queries::members::is_member_elsewhere(tx.connection(), caller.workspace, id).await? {
        let about = Enqueued { workspace: Some(caller.workspace), ..Enqueued::default() };
        enqueue::<Ctx, _>(
            &mut tx,
            now,
            &TellProfile { user: id, changed: changed.iter().map(ToString::to_string).collect() },
            about,
        )
        .await?;
    }
    tx.commit(id).await?;
    if managing {
        ctx.resolver.forget(id);
    }
    Ok(user)
}

/// Deactivates a user and ends their sessions. Their records stay theirs.
pub async fn deactivate(ctx: &Ctx, caller: &Caller, id: UserId) -> Result<()> {
    caller.require(Permission::UsersManage)?;
    if id == caller.user {
        return Err(Error::conflict("You cannot deactivate yourself; another admin can"));
    }
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((), _) => return Ok(()),
    };
    queries::users::user(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound("User"))?;
    queries::members::lock_admins(tx.connection(), caller.workspace).await?;
    queries::members::update_member(tx.connection(), caller.workspace, id, None, Some(UserStatus::Inactive)).await?;
    require_an_admin(&mut tx, caller).await?;
    session::end_all(&mut tx, ctx.clock.now(), id, Some(caller.workspace), None).await?;
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("user.deactivated", "user", id)).await?;
    ctx.emit(&mut tx, caller, &[events::user_deactivated(id)]).await?;
    tx.commit(()).await?;
    ctx.resolver.forget(id);
    Ok(())
}

/// The profile's fields that differ.
fn changed_fields(before: &User, after: &User) -> Vec<&'static str> {
    let fields = [
        ("fullName", before.full_name != after.full_name),
        ("phone", before.phone != after.phone),
        ("department", before.department != after.department),
        ("avatarUrl", before.avatar_url != after.avatar_url),
        ("preferences", before.preferences != after.preferences),
    ];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// The profile of somebody who is in other workspaces too is no admin's to change.
async fn require_here_alone(tx: &mut crate::db::Tx, caller: &Caller, user: UserId) -> Result<()> {
    match queries::members::is_member_elsewhere(tx.connection(), caller.workspace, user).await? {
        false => Ok(()),
        true => Err(Error::Forbidden("This person is in other workspaces too; only they change their profile".into())),
    }
}

async fn require_an_admin(tx: &mut crate::db::Tx, caller: &Caller) -> Result<()> {
    match queries::members::active_admins(tx.connection(), caller.workspace).await? {
        0 => Err(Error::conflict("A workspace needs an active admin; make somebody else one first")),
        _ => Ok(()),
    }
}

fn check_patch(patch: &UserPatch) -> Result<queries::users::UserChanges> {
    let mut fields = FieldErrors::new();
    let full_name = patch.full_name.as_deref().and_then(|name| text::required(&mut fields, "fullName", name));
    let mut optional = |field, value: &Option<Option<String>>| {
        value.as_ref().map(|value| clean_optional(&mut fields, field, value.as_deref()))
    };
    let phone = optional("phone", &patch.phone);
    let department = optional("department", &patch.department);
    let avatar_url = optional("avatarUrl", &patch.avatar_url);
    if avatar_url.as_ref().and_then(Option::as_deref).is_some_and(|url| !url.starts_with("https://")) {
        fields.add("avatarUrl", "must begin with https://");
    }
    if let Some(preferences) = &patch.preferences {
        if !preferences.is_object() || preferences.to_string().len() > MAX_PREFERENCES {
            fields.add("preferences", "must be a JSON object of at most 64 KiB");
        } else if text::has_nul(preferences) {
            fields.add("preferences", "must not contain NUL characters");
        }
    }
    fields.into_result()?;
    Ok(queries::users::UserChanges { full_name, phone, department, avatar_url, preferences: patch.preferences.clone() })
}

/// What of the changes differs from how the user is.
fn unlike(changes: queries::users::UserChanges, user: &User) -> queries::users::UserChanges {
    queries::users::UserChanges {
        full_name: changes.full_name.filter(|name| *name != user.full_name),
        phone: changes.phone.filter(|phone| *phone != user.phone),
        department: changes.department.filter(|department| *department != user.department),
        avatar_url: changes.avatar_url.filter(|url| *url != user.avatar_url),
        preferences: changes.preferences.filter(|preferences| *preferences != user.preferences),
    }
}

fn clean_optional(fields: &mut FieldErrors, field: &'static str, value: Option<&str>) -> Option<String> {
    fields.take(field, text::clean(value?, text::SHORT)).flatten()
}
