//! `/import`: a file comes in one request with what is to become of it; the job is asked about
//! until it has ended. The answers are bare.

mod form;

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State},
    http::StatusCode,
};
use chrono::TimeDelta;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::form::{Form, form_name};
use super::{
    describe::words,
    envelope::{BareRefusal, RefusalReply, millis, renamed},
    request::{Parameters, PathId, Signed},
};
use crate::{
    auth::Caller,
    base::{Error, Result, ids::ImportId, page::PageArgs},
    crm::RecordKind,
    ctx::Ctx,
    files,
    http::{body::read_within, repeat},
    text_enum,
    transfer::import::{self, Import, ImportFilter, ImportStatus},
};

const TAG: &str = "Import";
const NOUN: &str = "Import";

/// Imports in a list, and errors of an import.
const LISTED: i32 = 50;
const ERRORS: i64 = 1_000;
/// Errors of each import in a list, which would grow to many megabytes.
const LISTED_ERRORS: i64 = 20;

/// The link to the file leads somewhere for so long.
const LINKED: TimeDelta = TimeDelta::days(1);

/// A sender may be quiet for so long.
const SILENCE: Duration = Duration::from_secs(30);

/// The routes that answer at once.
pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one))
}

/// The route that takes a file. It has no limit of time, and its own of size.
pub fn upload_routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(create)).layer(DefaultBodyLimit::disable())
}

text_enum! {
    /// The earlier server's words for kinds of records.
    enum EntityType {
        Leads = "leads",
        Contacts = "contacts",
        Accounts = "accounts",
        Deals = "deals",
        Products = "products",
        Tasks = "tasks",
    }
}

impl EntityType {
    fn kind(self) -> RecordKind {
        match self {
            Self::Leads => RecordKind::Lead,
            Self::Contacts => RecordKind::Contact,
            Self::Accounts => RecordKind::Account,
            Self::Deals => RecordKind::Deal,
            Self::Products => RecordKind::Product,
            Self::Tasks => RecordKind::Task,
        }
    }
}

impl From<RecordKind> for EntityType {
    fn from(kind: RecordKind) -> Self {
        match kind {
            RecordKind::Lead => Self::Leads,
            RecordKind::Contact => Self::Contacts,
            RecordKind::Account => Self::Accounts,
            RecordKind::Deal => Self::Deals,
            RecordKind::Product => Self::Products,
            RecordKind::Task => Self::Tasks,
        }
    }
}

text_enum! {
    /// The earlier server's words for where a job stands; it knew fewer states than we have.
    enum JobWord {
        Pending = "pending",
        Processing = "processing",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

impl From<ImportStatus> for JobWord {
    fn from(status: ImportStatus) -> Self {
        match status {
            ImportStatus::Pending | ImportStatus::Checking | ImportStatus::Ready => Self::Pending,
            ImportStatus::Processing | ImportStatus::Paused => Self::Processing,
            ImportStatus::Completed | ImportStatus::Undoing | ImportStatus::Undone | ImportStatus::Expired => {
                Self::Completed
            }
            ImportStatus::Failed => Self::Failed,
            ImportStatus::Cancelled => Self::Cancelled,
        }
    }
}

words!(EntityTypeWord "EntityType" of EntityType);
words!(JobStatusWord "JobStatus" of JobWord);

/// An import, as far as it has come.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportJob)]
struct JobReply {
    #[schema(value_type = uuid::Uuid)]
    id: ImportId,
    #[schema(value_type = EntityTypeWord)]
    entity_type: &'static str,
    file_name: String,
    /// Null when the file has expired, or is another's and you are no admin.
    #[schema(required)]
    file_url: Option<String>,
    /// Bytes.
    file_size: i64,
    #[schema(value_type = JobStatusWord)]
    status: &'static str,
    /// Column to field; once the file was looked at, also where none was given.
    field_mapping: BTreeMap<String, &'static str>,
    import_options: ImportOptionsReply,
    /// 0 until the rows were counted; exact at the end.
    total_rows: i64,
    processed_rows: i64,
    successful_rows: i64,
    failed_rows: i64,
    skipped_rows: i64,
    /// The first 1,000, in a list of imports the first 20. Row 0 tells why the import as a whole
    /// failed.
    errors: Vec<RowErrorReply>,
    #[schema(required, format = DateTime)]
    started_at: Option<String>,
    #[schema(required, format = DateTime)]
    completed_at: Option<String>,
    #[schema(value_type = uuid::Uuid)]
    created_by: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ImportOptions)]
struct ImportOptionsReply {
    skip_duplicates: bool,
    update_existing: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ImportRowError)]
struct RowErrorReply {
    /// Counts data rows from 1.
    row: i64,
    error: String,
}

/// What is sent, for the document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the derive alone")]
struct ImportForm {
    /// A CSV file with a header, in UTF-8; the delimiter is found.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    #[schema(value_type = EntityTypeWord)]
    entity_type: String,
    /// A JSON object: `{"CSV column": "field"}`. Absent or `{}`: columns are matched by name.
    field_mapping: Option<String>,
    /// A JSON object with `skip_duplicates` and `update_existing`. With neither, a row whose e-mail
    /// address exists is an error; with both, it updates.
    import_options: Option<String>,
}

/// Import a file
///
/// Answers as soon as the file is here; the rows are imported afterwards. Ask for the job until
/// its status is `completed`, `failed` or `cancelled`.
#[utoipa::path(
    post, path = "/import", tag = TAG, operation_id = "create_import",
    request_body(content = ImportForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "The job", body = JobReply),
        (status = 403, description = "Your role does not allow it", body = RefusalReply),
        (status = 413, description = "The file is larger than an upload may be", body = RefusalReply))
)]
async fn create(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    request: Request,
) -> Result<(StatusCode, Json<JobReply>), BareRefusal> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.clone();
    let request = Request::from_parts(parts, Body::from_stream(read_within(body, SILENCE)));
    let mut form = Form::default();
    let created = async {
        import::require_may_import(&caller)?;
        let multipart = Multipart::from_request(request, &ctx).await;
        let mut multipart =
            multipart.map_err(|_| Error::invalid("file", "is needed; send a form as multipart/form-data"))?;
        form.read(&ctx, &caller, &mut multipart).await?;
        let caller = caller.clone().repeating(repeat::key(&headers, form.asked())?);
        import::create(&ctx, &caller, form.to_import()?).await
    };
    match created.await {
        Ok(import) => {
            if import.file == form.file {
                return Ok((StatusCode::CREATED, Json(job(&ctx, &caller, Vec::new(), import)?)));
            }
            // sent again: the file is here twice, and the first one may have errors by now
            form.drop_file(&ctx, &caller).await;
            Ok((StatusCode::CREATED, Json(reply(&ctx, &caller, vec![import], ERRORS).await?.remove(0))))
        }
        Err(error) => {
            form.drop_file(&ctx, &caller).await;
            Err(renamed(error, form_name).into())
        }
    }
}

/// Your newest imports
#[utoipa::path(
    get, path = "/import", tag = TAG, operation_id = "list_imports",
    params(
        ("status" = Option<JobStatusWord>, Query, description = "Only those that stand there"),
        ("entity_type" = Option<EntityTypeWord>, Query, description = "Only those of this kind"),
    ),
    responses((status = 200, description = "At most 50, the newest first", body = Vec<JobReply>))
)]
async fn list(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    query: Parameters<BareRefusal>,
) -> Result<Json<Vec<JobReply>>, BareRefusal> {
    let status = query.get("status")?.filter(|word| !word.is_empty()).map(JobWord::parse);
    let status = status.transpose().map_err(|message| Error::invalid("status", message))?;
    let kind = query.get("entity_type")?.filter(|word| !word.is_empty()).map(EntityType::parse);
    let kind = kind.transpose().map_err(|message| Error::invalid("entityType", message))?;
    let statuses = ImportStatus::ALL.iter().copied().filter(|known| status == Some(JobWord::from(*known)));
    let (statuses, kind) = (statuses.collect(), kind.map(EntityType::kind));
    let filter = ImportFilter { statuses, kind, created_by: Some(caller.user), ..ImportFilter::default() };
    let args = PageArgs { first: Some(LISTED), ..PageArgs::default() };
    let page = import::page(&ctx, &caller, &filter, args).await?;
    Ok(Json(reply(&ctx, &caller, page.rows, LISTED_ERRORS).await?))
}

/// One import
#[utoipa::path(
    get, path = "/import/{id}", tag = TAG, operation_id = "get_import",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The job", body = JobReply))
)]
async fn one(State(ctx): State<Ctx>, Signed { caller, .. }: Signed, id: PathId) -> Result<Json<JobReply>, BareRefusal> {
    let import = import::get(&ctx, &caller, id.of(NOUN)?).await?;
    Ok(Json(reply(&ctx, &caller, vec![import], ERRORS).await?.remove(0)))
}

/// The imports as these routes print them, with their first errors.
async fn reply(ctx: &Ctx, caller: &Caller, imports: Vec<Import>, errors: i64) -> Result<Vec<JobReply>> {
    let ids: Vec<_> = imports.iter().map(|import| import.id).collect();
    let mut errors = import::errors_of(ctx, caller, &ids, errors).await?;
    imports.into_iter().map(|import| job(ctx, caller, errors.remove(&import.id).unwrap_or_default(), import)).collect()
}

fn job(ctx: &Ctx, caller: &Caller, errors: Vec<(i64, String)>, import: Import) -> Result<JobReply> {
    let fields = import::fields(import.kind)?;
    let rest_name = |api: &str| fields.iter().find(|field| field.name == api).map(|field| field.rest);
    let mapping = import.mapping.iter().filter_map(|(column, name)| Some((column.clone(), rest_name(name)?)));
    let link = |file| {
        let path = ctx.files.signer().sign(caller.workspace, file, ctx.clock.now() + LINKED);
        format!("{}{path}", ctx.public_url)
    };
    let whole = import.message.iter().map(|message| RowErrorReply { row: 0, error: message.clone() });
    let errors = errors.into_iter().map(|(row, error)| RowErrorReply { row, error });
    Ok(JobReply {
        id: import.id,
        entity_type: EntityType::from(import.kind).as_str(),
        file_url: import.file.filter(|_| files::may_read(caller, import.created_by)).map(link),
        file_name: import.file_name,
        file_size: import.file_size,
        status: JobWord::from(import.status).as_str(),
        field_mapping: mapping.collect(),
        import_options: ImportOptionsReply {
            skip_duplicates: import.options.skip_duplicates,
            update_existing: import.options.update_existing,
        },
        total_rows: import.total_rows.unwrap_or_default(),
        processed_rows: import.counts.processed(),
        successful_rows: import.counts.succeeded(),
        failed_rows: import.counts.failed,
        skipped_rows: import.counts.skipped,
        errors: whole.chain(errors).collect(),
        started_at: import.started_at.map(millis),
        completed_at: import.completed_at.map(millis),
        created_by: import.created_by.to_string(),
        created_at: millis(import.created_at),
        updated_at: millis(import.updated_at),
    })
}
