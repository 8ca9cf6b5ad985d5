//! Uploads and imports.

use async_graphql::{Context, ID, InputObject, Json, Object, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use futures_util::Stream;
use serde_json::Value;

use super::{
    context::{Repeatable, both, once},
    errors::{Nullable, found, nullable, parse_id},
    jobs::{JobProgress, JobStatus, follow},
    loaders::{ErrorsOf, Loaders},
    objects::{scalars::ByteCount, user::UserObject},
};
use crate::{
    base::{
        Error,
        ids::{FileId, ImportId},
        page::{self as cursors, PageArgs},
    },
    connection,
    crm::RecordKind,
    events::Bus,
    files::upload::NewUpload,
    id_input,
    team::uploads,
    transfer::import::{self as imports, Import, ImportFilter, ImportOptions, ImportStatus, NewImport, RowError},
};

/// The words of both are the same.
macro_rules! same_words {
    ($($word:ident)+) => {
        impl From<ImportStatus> for JobStatus {
            fn from(status: ImportStatus) -> Self {
                match status {
                    $(ImportStatus::$word => Self::$word,)+
                }
            }
        }

        impl From<JobStatus> for ImportStatus {
            fn from(status: JobStatus) -> Self {
                match status {
                    $(JobStatus::$word => Self::$word,)+
                }
            }
        }
    };
}

same_words! {
    Pending Checking Ready Processing Paused Completed Failed Cancelled Expired Undoing Undone
}

#[derive(Clone)]
pub struct ImportJobObject(pub Import);

/// An import of a file.
#[Object(name = "ImportJob")]
impl ImportJobObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The job that does it: `jobProgress` follows it.
    async fn job_id(&self) -> ID {
        self.0.job.into()
    }

    async fn kind(&self) -> RecordKind {
        self.0.kind
    }

    async fn status(&self) -> JobStatus {
        self.0.status.into()
    }

    async fn file_name(&self) -> &str {
        &self.0.file_name
    }

    async fn file_size(&self) -> ByteCount {
        ByteCount(self.0.file_size.try_into().unwrap_or_default())
    }

    /// Column of the file to field; empty until the columns were matched.
    async fn mapping(&self) -> Json<Value> {
        Json(serde_json::to_value(&self.0.mapping).unwrap_or_default())
    }

    /// Null until the rows were counted.
    async fn total_rows(&self) -> Option<i64> {
        self.0.total_rows
    }

    async fn processed_rows(&self) -> i64 {
        self.0.counts.processed()
    }

    async fn created_rows(&self) -> i64 {
        self.0.counts.created
    }

    async fn updated_rows(&self) -> i64 {
        self.0.counts.updated
    }

    /// Rows whose record had all their values already.
    async fn unchanged_rows(&self) -> i64 {
        self.0.counts.unchanged
    }

    /// Duplicates that were to be skipped, and empty rows.
    async fn skipped_rows(&self) -> i64 {
        self.0.counts.skipped
    }

    async fn failed_rows(&self) -> i64 {
        self.0.counts.failed
    }

    /// Why it failed as a whole.
    async fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// The rows that failed, in the order of the file.
    async fn errors(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<ImportErrorConnection> {
        let asked = ErrorsOf { import: self.0.id, first, after };
        let slice = context.data::<Loaders>()?.import_errors.load_one(asked).await?;
        let slice = slice.ok_or_else(|| Error::internal("an import has no page of errors, not even an empty one"))?;
        let edge = |error: RowError| (cursors::encode(&error.row), ImportErrorObject::from(error));
        Ok(ImportErrorConnection::new(slice, self.0.counts.failed, edge))
    }

    async fn created_by(&self, context: &Context<'_>) -> Nullable<UserObject> {
        nullable(async {
            Ok(context.data::<Loaders>()?.users.load_one(self.0.created_by).await?.map(UserObject::beside))
        })
        .await
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }

    /// When it completed, failed or was cancelled.
    async fn completed_at(&self) -> Option<DateTime<Utc>> {
        self.0.completed_at
    }
}

/// Why a row was not imported.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "ImportError")]
pub struct ImportErrorObject {
    /// Data rows count from 1; the header is not one.
    row: i64,
    /// The line of the file on which the row begins.
    line: i64,
    /// The first column that is wrong, as the header calls it.
    column: Option<String>,
    value: Option<String>,
    /// Stable, for programs.
    code: String,
    /// One sentence about everything that is wrong with the row.
    message: String,
    /// The row as it stands in the file.
    cells: Vec<String>,
}

impl From<RowError> for ImportErrorObject {
    fn from(error: RowError) -> Self {
        Self {
            row: error.row,
            line: error.line,
            column: error.column,
            value: error.value,
            code: error.code.as_str().to_owned(),
            message: error.message,
            cells: error.cells,
        }
    }
}

impl crate::graphql::leaves::Leaves for ImportErrorObject {}

connection!(ImportErrorConnection ImportErrorEdge of ImportErrorObject, "ImportErrorConnection" "ImportErrorEdge", count(failed: i64, _context) {
    *failed
});

impl crate::graphql::leaves::Leaves for ImportJobObject {}

connection!(ImportJobConnection ImportJobEdge of ImportJobObject, "ImportJobConnection" "ImportJobEdge", count(filter: ImportFilter, context) {
    let (ctx, caller) = both(context)?;
    imports::count(ctx, caller, filter).await?
});

/// Queries about imports.
#[derive(Default)]
pub struct ImportQuery;

#[Object(name = "ImportQuery")]
impl ImportQuery {
    /// One import of yours, or anybody's where your role sees all; null where there is none.
    async fn import_job(&self, context: &Context<'_>, id: ID) -> Nullable<ImportJobObject> {
        nullable(async {
            let (ctx, caller) = both(context)?;
            let Ok(id) = id.parse::<ImportId>() else { return Ok(None) };
            Ok(found(imports::get(ctx, caller, id).await)?.map(ImportJobObject))
        })
        .await
    }

    /// Your imports, or everybody's where your role sees all, the newest first.
    async fn import_jobs(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        status: Option<JobStatus>,
        kind: Option<RecordKind>,
        #[graphql(desc = "That which this job does, such as an actor's `throughId`.")] job: Option<ID>,
    ) -> async_graphql::Result<ImportJobConnection> {
        let (ctx, caller) = both(context)?;
        let statuses = status.map(ImportStatus::from).into_iter().collect();
        let job = job.map(|id| parse_id("job", &id)).transpose()?;
        let filter = ImportFilter { statuses, kind, job, ..ImportFilter::default() };
        let slice = imports::page(ctx, caller, &filter, PageArgs { first, after, last, before }).await?;
        Ok(ImportJobConnection::new(slice, filter, |job| (cursors::encode(&job.id), ImportJobObject(job))))
    }
}

#[derive(InputObject)]
#[graphql(name = "CreateUploadInput")]
pub struct CreateUploadInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    /// The file's name, as a person knows it.
    name: String,
    /// `application/octet-stream` unless given.
    #[graphql(default)]
    media_type: String,
    /// Where it is known beforehand.
    size: Option<ByteCount>,
}

/// Where to send the bytes.
#[derive(SimpleObject)]
#[graphql(name = "UploadPayload")]
pub struct UploadPayload {
    upload_id: ID,
    /// `PUT` the bytes here, whole or in pieces by `Content-Range`; `HEAD` tells how far it is.
    url: String,
}

/// What becomes of a row whose e-mail address a contact has already. With neither option it is an
/// error; with both, the update wins.
#[derive(InputObject, Default)]
#[graphql(name = "ImportOptionsInput")]
pub struct ImportOptionsInput {
    #[graphql(default)]
    skip_duplicates: bool,
    #[graphql(default)]
    update_existing: bool,
}

#[derive(InputObject)]
#[graphql(name = "CreateImportInput")]
pub struct CreateImportInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    /// A complete upload of yours.
    upload_id: ID,
    kind: RecordKind,
    /// `{"Column": "field"}`; a null ignores the column. Matched by the columns' names when absent.
    mapping: Option<Json<std::collections::BTreeMap<String, Option<String>>>>,
    #[graphql(default)]
    options: ImportOptionsInput,
}

id_input!(ImportJobInput "ImportJobInput");

#[derive(SimpleObject)]
#[graphql(name = "ImportJobPayload")]
pub struct ImportJobPayload {
    import_job: ImportJobObject,
}

/// Mutations of uploads and imports.
#[derive(Default)]
pub struct ImportMutation;

#[Object(name = "ImportMutation")]
impl ImportMutation {
    /// Announces a file; its bytes then go to the url in the answer.
    async fn create_upload(
        &self,
        context: &Context<'_>,
        input: CreateUploadInput,
    ) -> async_graphql::Result<UploadPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let new =
            NewUpload { name: input.name, media_type: input.media_type, announced_size: input.size.map(|size| size.0) };
        let id = uploads::announce(ctx, &caller, new).await?;
        Ok(UploadPayload { upload_id: id.into(), url: format!("{}/api/uploads/{id}", ctx.public_url) })
    }

    /// Starts to import an uploaded file.
    async fn create_import(
        &self,
        context: &Context<'_>,
        input: CreateImportInput,
    ) -> async_graphql::Result<ImportJobPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let new = NewImport {
            kind: input.kind,
            file: parse_id::<FileId>("uploadId", &input.upload_id)?,
            mapping: input.mapping.map(|mapping| mapping.0).unwrap_or_default(),
            options: ImportOptions {
                skip_duplicates: input.options.skip_duplicates,
                update_existing: input.options.update_existing,
            },
        };
        let import_job = imports::create(ctx, &caller, new).await.map(ImportJobObject)?;
        Ok(ImportJobPayload { import_job })
    }

    /// Ends an import where it stands; what was imported stays.
    async fn cancel_import(
        &self,
        context: &Context<'_>,
        input: ImportJobInput,
    ) -> async_graphql::Result<ImportJobPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id = parse_id::<ImportId>("id", &input.id)?;
        let import_job = imports::cancel(ctx, &caller, id).await.map(ImportJobObject)?;
        Ok(ImportJobPayload { import_job })
    }
}

/// Live progress of imports.
#[derive(Default)]
pub struct ImportSubscription;

#[Subscription(name = "ImportSubscription")]
impl ImportSubscription {
    /// An import's progress: first the state now, then each change; ends when the import does.
    async fn import_progress(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<JobProgress>> + use<>> {
        let (ctx, caller) = both(context)?;
        let import = imports::get(ctx, caller, parse_id::<ImportId>("id", &id)?).await?;
        Ok(follow(ctx.clone(), caller.clone(), context.data::<Bus>()?, import.job))
    }
}
