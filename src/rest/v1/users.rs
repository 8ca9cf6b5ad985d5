//! `/users`: the people of the workspace, for those who may see or manage them.

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    describe::words,
    envelope::{Done, Many, One, Refusal, RefusalReply, millis},
    request::{Body, Parameters, PathId, Signed, nullable, or_empty_object},
};
use crate::{
    auth::{Role, password::Password},
    base::{Error, FieldErrors, ids::UserId},
    ctx::Ctx,
    team::{
        User, UserStatus,
        users::{self, NewUser, UserPatch},
    },
};

const TAG: &str = "Users";
const NOUN: &str = "User";
const LIMIT: i64 = 1000;

pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, update, deactivate))
}

words!(RoleWord "Role" of Role);
words!(StatusWord "UserStatus" of UserStatus);

/// A person of the workspace.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserReply {
    #[schema(value_type = uuid::Uuid)]
    id: String,
    email: String,
    full_name: String,
    #[schema(value_type = RoleWord)]
    role: &'static str,
    #[schema(required)]
    department: Option<String>,
    #[schema(required)]
    phone: Option<String>,
    #[schema(required)]
    avatar_url: Option<String>,
    #[schema(value_type = StatusWord)]
    status: &'static str,
    #[schema(required, format = DateTime)]
    last_login: Option<String>,
    /// The person's own settings.
    #[schema(value_type = Object)]
    preferences: Value,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<User> for UserReply {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email,
            full_name: user.full_name,
            role: user.role.as_str(),
            department: user.department,
            phone: user.phone,
            avatar_url: user.avatar_url,
            status: user.status.as_str(),
            last_login: user.last_login_at.map(millis),
            preferences: user.preferences,
            created_at: millis(user.created_at),
            updated_at: millis(user.updated_at),
        }
    }
}

#[derive(Deserialize, ToSchema)]
struct NewUserBody {
    #[schema(value_type = String, format = Email)]
    email: Option<String>,
    /// At least 8 characters.
    #[schema(value_type = String, format = Password)]
    password: Option<String>,
    #[schema(value_type = String)]
    full_name: Option<String>,
    /// `sales_rep` unless given.
    #[schema(value_type = Option<RoleWord>)]
    role: Option<String>,
    phone: Option<String>,
    department: Option<String>,
}

/// What is absent stays as it is; null clears.
#[derive(Deserialize, ToSchema)]
struct UserBody {
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    full_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    phone: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    department: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    avatar_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    preferences: Option<Option<Value>>,
    /// Only an admin may change it.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<RoleWord>)]
    role: Option<Option<String>>,
    /// Only an admin may change it.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<StatusWord>)]
    status: Option<Option<String>>,
}

/// The people of the workspace, the newest first
///
/// For admins and managers.
#[utoipa::path(
    get, path = "/users", tag = TAG,
    params(
        ("page" = Option<i64>, Query, description = "Counts from 1", minimum = 1),
        ("limit" = Option<i64>, Query, description = "1000 unless given, and at most", minimum = 1),
    ),
    responses((status = 200, description = "A page of users", body = Many<UserReply>),
        (status = 403, description = "For admins and managers", body = RefusalReply))
)]
async fn list(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    query: Parameters,
) -> Result<Many<UserReply>, Refusal> {
    let numbers = query.numbers(LIMIT)?;
    let (rows, total) = users::numbered_page(&ctx, &caller, numbers.offset(), numbers.limit).await?;
    Ok(Many::new(rows.into_iter().map(UserReply::from).collect(), numbers.of(total)))
}

/// Make a user
///
/// For admins, who tell the person the password. Inviting is the better way.
#[utoipa::path(
    post, path = "/users", tag = TAG, request_body = NewUserBody,
    responses((status = 201, description = "The new user", body = One<UserReply>),
        (status = 403, description = "For admins", body = RefusalReply),
        (status = 409, description = "The e-mail address is somebody else's", body = RefusalReply))
)]
async fn create(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    Body { content, .. }: Body<NewUserBody>,
) -> Result<(StatusCode, One<UserReply>), Refusal> {
    let role = content.role.as_deref().map_or(Ok(Role::SalesRep), Role::parse);
    let new = NewUser {
        email: content.email.unwrap_or_default(),
        full_name: content.full_name.unwrap_or_default(),
        password: Password::new(content.password.unwrap_or_default()),
        role: role.map_err(|message| Error::invalid("role", message))?,
        phone: content.phone,
        department: content.department,
    };
    let user = users::create(&ctx, &caller, new).await?;
    Ok(One::created(user.into()))
}

/// One user
#[utoipa::path(
    get, path = "/users/{id}", tag = TAG,
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The user", body = One<UserReply>))
)]
async fn get(State(ctx): State<Ctx>, Signed { caller, .. }: Signed, id: PathId) -> Result<One<UserReply>, Refusal> {
    let user = users::get(&ctx, &caller, id.of(NOUN)?).await?;
    Ok(One::new(user.into()))
}

/// Change a user
///
/// Yourself, or anybody for an admin. The last active admin cannot be demoted.
#[utoipa::path(
    put, path = "/users/{id}", tag = TAG, request_body = UserBody,
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The changed user", body = One<UserReply>),
        (status = 403, description = "Not yourself, and you are no admin", body = RefusalReply),
        (status = 409, description = "This is the last active admin", body = RefusalReply))
)]
async fn update(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
    Body { content, .. }: Body<UserBody>,
) -> Result<One<UserReply>, Refusal> {
    let id: UserId = id.of(NOUN)?;
    let mut fields = FieldErrors::new();
    // neither can be cleared: null is as wrong as any other word that is none
    let role = content.role.map(|word| fields.take("role", Role::parse(word.as_deref().unwrap_or_default())));
    let status =
        content.status.map(|word| fields.take("status", UserStatus::parse(word.as_deref().unwrap_or_default())));
    fields.into_result()?;
    let patch = UserPatch {
        full_name: content.full_name.map(Option::unwrap_or_default),
        phone: content.phone,
        department: content.department,
        avatar_url: content.avatar_url,
        preferences: content.preferences.map(or_empty_object),
        role: role.flatten(),
        status: status.flatten(),
    };
    let user = users::update(&ctx, &caller, id, patch).await?;
    Ok(One::new(user.into()))
}

/// Deactivate a user
///
/// For admins. Ends the user's sessions; what they own stays theirs until somebody reassigns it.
#[utoipa::path(
    delete, path = "/users/{id}", tag = TAG,
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "Deactivated", body = Done),
        (status = 403, description = "For admins", body = RefusalReply),
        (status = 409, description = "Yourself, or the last active admin", body = RefusalReply))
)]
async fn deactivate(State(ctx): State<Ctx>, Signed { caller, .. }: Signed, id: PathId) -> Result<Done, Refusal> {
    users::deactivate(&ctx, &caller, id.of(NOUN)?).await?;
    Ok(Done::new("The user is deactivated"))
}
