//! `/auth`: getting in and out, and the signed-in person's own profile.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    envelope::{Done, One, Refusal},
    request::{Body, PathId, Signed, client, nullable, or_empty_object},
    users::UserReply,
};
use crate::{
    auth::{
        password::Password,
        session::{SessionKind, Started},
    },
    base::{Error, FieldErrors, Result},
    ctx::Ctx,
    http::client::ClientInfo,
    team::{
        access::{self, SignedIn},
        registration::{self, Registration},
        users::{self, UserPatch},
    },
};

const TAG: &str = "Auth";

pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(logout))
        .routes(routes!(refresh_token))
        .routes(routes!(forgot_password))
        .routes(routes!(reset_password))
        .routes(routes!(me))
        .routes(routes!(update_password))
        .routes(routes!(update_profile))
}

#[derive(Deserialize, ToSchema)]
struct RegisterBody {
    #[schema(value_type = String, format = Email)]
    email: Option<String>,
    /// At least 8 characters.
    #[schema(value_type = String, format = Password)]
    password: Option<String>,
    #[schema(value_type = String)]
    full_name: Option<String>,
    /// The new workspace's name; the person's own unless given.
    workspace_name: Option<String>,
    /// From the link that a new installation prints. Needed only there, and not on the machine
    /// itself.
    set_up_key: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct LoginBody {
    #[schema(value_type = String, format = Email)]
    email: Option<String>,
    #[schema(value_type = String, format = Password)]
    password: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct RefreshBody {
    #[serde(rename = "refreshToken")]
    #[schema(value_type = String)]
    refresh_token: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct ForgotBody {
    #[schema(value_type = String, format = Email)]
    email: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct ResetBody {
    /// At least 8 characters.
    #[schema(value_type = String, format = Password)]
    password: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct PasswordBody {
    #[serde(rename = "currentPassword")]
    #[schema(value_type = String, format = Password)]
    current: Option<String>,
    /// At least 8 characters.
    #[serde(rename = "newPassword")]
    #[schema(value_type = String, format = Password)]
    new: Option<String>,
}

/// What is absent stays as it is; null clears.
#[derive(Deserialize, ToSchema)]
struct ProfileBody {
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    full_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    phone: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    department: Option<Option<String>>,
    /// Any JSON object of at most 64 KiB; yours to use.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    preferences: Option<Option<Value>>,
}

/// A person who has signed in, with their tokens.
#[derive(Serialize, ToSchema)]
struct SessionReply {
    user: UserReply,
    #[serde(flatten)]
    tokens: TokensReply,
}

#[derive(Serialize, ToSchema)]
struct TokensReply {
    /// For `Authorization: Bearer ...`.
    token: String,
    /// Works once, for the next pair.
    #[serde(rename = "refreshToken")]
    refresh_token: String,
}

/// The person in `data`, and the same fields once more beside it.
#[derive(Serialize, ToSchema)]
struct MeReply {
    #[serde(flatten)]
    one: One<UserReply>,
    #[serde(flatten)]
    again: UserReply,
}

/// Make a workspace of your own
///
/// Only while the installation has no user, or where open registration is switched on. You
/// become the workspace's admin, whatever `role` says.
#[utoipa::path(
    post, path = "/auth/register", tag = TAG, request_body = RegisterBody, security(()),
    responses((status = 201, description = "Registered and signed in", body = One<SessionReply>),
        (status = 403, description = "Registration is closed", body = super::envelope::RefusalReply))
)]
async fn register(
    State(ctx): State<Ctx>,
    info: ClientInfo,
    Body { content, .. }: Body<RegisterBody>,
) -> Result<(StatusCode, One<SessionReply>), Refusal> {
    let mut fields = FieldErrors::new();
    let registration = Registration {
        email: needed(&mut fields, "email", content.email),
        password: Password::new(needed(&mut fields, "password", content.password)),
        full_name: needed(&mut fields, "fullName", content.full_name),
        workspace_name: content.workspace_name,
        set_up_key: content.set_up_key,
    };
    fields.into_result()?;
    let made = registration::register(&ctx, registration, &client(info), SessionKind::Tokens).await;
    Ok(One::created(session(&ctx, made.map_err(taken_is_bad_input)?).await?))
}

/// Sign in
#[utoipa::path(
    post, path = "/auth/login", tag = TAG, request_body = LoginBody, security(()),
    responses((status = 200, description = "Signed in", body = One<SessionReply>),
        (status = 401, description = "Invalid credentials", body = super::envelope::RefusalReply))
)]
async fn login(
    State(ctx): State<Ctx>,
    info: ClientInfo,
    Body { content, .. }: Body<LoginBody>,
) -> Result<One<SessionReply>, Refusal> {
    let mut fields = FieldErrors::new();
    let email = needed(&mut fields, "email", content.email);
    let password = Password::new(needed(&mut fields, "password", content.password));
    fields.into_result()?;
    let done = access::sign_in(&ctx, &email, &password, SessionKind::Tokens, &client(info)).await?;
    Ok(One::new(session(&ctx, done).await?))
}

/// Sign out
///
/// Ends this session: both its tokens stop working.
#[utoipa::path(
    post, path = "/auth/logout", tag = TAG,
    responses((status = 200, description = "Signed out", body = Done))
)]
async fn logout(State(ctx): State<Ctx>, Signed { caller, .. }: Signed) -> Result<Done, Refusal> {
    access::sign_out(&ctx, &caller).await?;
    Ok(Done::new("Signed out"))
}

/// Trade a refresh token for fresh tokens
///
/// The old refresh token is spent. One that comes back later ends the session, for then two
/// parties hold it.
#[utoipa::path(
    post, path = "/auth/refresh-token", tag = TAG, request_body = RefreshBody, security(()),
    responses((status = 200, description = "Fresh tokens", body = One<TokensReply>),
        (status = 401, description = "The refresh token is spent or wrong", body = super::envelope::RefusalReply))
)]
async fn refresh_token(
    State(ctx): State<Ctx>,
    Body { content, .. }: Body<RefreshBody>,
) -> Result<One<TokensReply>, Refusal> {
    let mut fields = FieldErrors::new();
    let token = needed(&mut fields, "refreshToken", content.refresh_token);
    fields.into_result()?;
    let started = access::refresh(&ctx, &token).await?;
    Ok(One::new(tokens(started)?))
}

/// Ask for a link to set a new password
///
/// The answer is the same whether or not somebody has this address. The link works for an hour.
#[utoipa::path(
    post, path = "/auth/forgot-password", tag = TAG, request_body = ForgotBody, security(()),
    responses((status = 200, description = "A mail is on its way, if the address is known", body = Done))
)]
async fn forgot_password(
    State(ctx): State<Ctx>,
    info: ClientInfo,
    Body { content, .. }: Body<ForgotBody>,
) -> Result<Done, Refusal> {
    let mut fields = FieldErrors::new();
    let email = needed(&mut fields, "email", content.email);
    fields.into_result()?;
    access::forgot_password(&ctx, &email, &client(info)).await?;
    Ok(Done::new("If somebody has this address, a link to set a new password is on its way"))
}

/// Set a new password by a link
///
/// Ends every session of the person.
#[utoipa::path(
    post, path = "/auth/reset-password/{token}", tag = TAG, request_body = ResetBody, security(()),
    params(("token" = String, Path, description = "From the link in the mail")),
    responses((status = 200, description = "The password is set", body = Done))
)]
async fn reset_password(
    State(ctx): State<Ctx>,
    info: ClientInfo,
    token: PathId,
    Body { content, .. }: Body<ResetBody>,
) -> Result<Done, Refusal> {
    let mut fields = FieldErrors::new();
    let password = Password::new(needed(&mut fields, "password", content.password));
    fields.into_result()?;
    access::reset_password(&ctx, token.text(), &password, &client(info)).await?;
    Ok(Done::new("The password is set; sign in with it"))
}

/// Who am I
#[utoipa::path(
    get, path = "/auth/me", tag = TAG,
    responses((status = 200, description = "The signed-in person", body = MeReply))
)]
async fn me(State(ctx): State<Ctx>, Signed { caller, .. }: Signed) -> Result<Json<MeReply>, Refusal> {
    let user = UserReply::from(users::me(&ctx, &caller).await?);
    Ok(Json(MeReply { one: One::new(user.clone()), again: user }))
}

/// Change your password
///
/// Ends your other sessions.
#[utoipa::path(
    put, path = "/auth/update-password", tag = TAG, request_body = PasswordBody,
    responses((status = 200, description = "The password is changed", body = Done))
)]
async fn update_password(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    Body { content, .. }: Body<PasswordBody>,
) -> Result<Done, Refusal> {
    let mut fields = FieldErrors::new();
    let current = Password::new(needed(&mut fields, "currentPassword", content.current));
    let new = Password::new(needed(&mut fields, "newPassword", content.new));
    fields.into_result()?;
    access::change_password(&ctx, &caller, &current, &new).await?;
    Ok(Done::new("The password is changed"))
}

/// Change your profile
#[utoipa::path(
    put, path = "/auth/update-profile", tag = TAG, request_body = ProfileBody,
    responses((status = 200, description = "Your changed profile", body = One<UserReply>))
)]
async fn update_profile(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    Body { content, .. }: Body<ProfileBody>,
) -> Result<One<UserReply>, Refusal> {
    let patch = UserPatch {
        // a name that is cleared is one that the operation finds missing
        full_name: content.full_name.map(Option::unwrap_or_default),
        phone: content.phone,
        department: content.department,
        preferences: content.preferences.map(or_empty_object),
        ..UserPatch::default()
    };
    let user = users::update(&ctx, &caller, caller.user, patch).await?;
    Ok(One::new(user.into()))
}

/// The given text, or an empty one and a note that it is missing.
fn needed(fields: &mut FieldErrors, field: &'static str, given: Option<String>) -> String {
    let given = given.unwrap_or_default();
    if given.trim().is_empty() {
        fields.add(field, "is needed");
    }
    given
}

async fn session(ctx: &Ctx, signed_in: SignedIn) -> Result<SessionReply> {
    let user = users::me(ctx, &signed_in.caller()).await?.into();
    Ok(SessionReply { user, tokens: tokens(signed_in.started)? })
}

fn tokens(started: Started) -> Result<TokensReply> {
    let refresh =
        started.refresh.ok_or_else(|| Error::internal("a token session was started without refresh token"))?;
    Ok(TokensReply { token: started.access.text, refresh_token: refresh.text })
}

/// Clients of `register` expect 400 for a used address.
fn taken_is_bad_input(error: Error) -> Error {
    match error {
        Error::Conflict(conflict) => Error::Invalid(conflict.fields),
        other => other,
    }
}
