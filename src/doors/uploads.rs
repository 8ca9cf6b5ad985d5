//! `/api/uploads`: a file comes in as many requests as the network needs.
//!
//! 1. `POST /api/uploads` announces it: 201 with its `id` and `url`. With `Idempotency-Key` it may be
//!    sent again, and announces one upload all the same.
//! 2. `PUT` to the `url` sends bytes: all of them, or with `Content-Range` one piece after the
//!    other. 200 says that the file is complete; 308 that more is to come, with `Upload-Offset` and
//!    `Range` telling what is there. A request that breaks off loses nothing that arrived.
//! 3. After a failure `HEAD` on the `url` says in `Upload-Offset` where to go on.
//!
//! Bytes that begin elsewhere are refused with 409, and `Upload-Offset` again says where to go on.

use std::time::Duration;

use axum::{
    Json,
    extract::{FromRequest, Path, Request, State, rejection::JsonRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::range::{ContentRange, first_of};
use crate::{
    auth::{Caller, RepeatKey},
    base::{Error, Result, ids::FileId},
    ctx::Ctx,
    files::upload::{self, NewUpload, Piece, Progress},
    http::{Signed, problem::Problem, repeat, time_limit},
    team::uploads,
};

const PATH: &str = "/api/uploads";
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const COMPLETE: HeaderName = HeaderName::from_static("upload-complete");

pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(announce)).routes(routes!(receive, status))
}

/// An upload about to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UploadBody {
    /// As the sender calls it; folders are cut off.
    name: String,
    /// In bytes. May be left out where it is not known yet.
    size: Option<u64>,
    /// `application/octet-stream` unless given.
    media_type: Option<String>,
}

/// How far an upload is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UploadReply {
    id: String,
    /// Where the bytes are to be sent.
    url: String,
    /// Bytes that have arrived: where the next piece begins.
    received: u64,
    /// Bytes that there will be; null until it is known.
    size: Option<u64>,
    /// Whether all is there.
    complete: bool,
}

impl UploadReply {
    fn new(id: FileId, progress: Progress) -> Self {
        let Progress { received, announced, ready } = progress;
        Self { id: id.to_string(), url: format!("{PATH}/{id}"), received, size: announced, complete: ready }
    }
}

/// Announces an upload; its bytes are sent to the answered `url`.
#[utoipa::path(
    post, path = "/api/uploads", tag = "uploads", request_body = UploadBody,
    params(("idempotency-key" = Option<String>, Header, description = "New for each upload; sent again with the same body, the answer is the upload of the first request as it is now")),
    responses((status = 201, body = UploadReply), (status = 400), (status = 401), (status = 403),
        (status = 409, description = "The `Idempotency-Key` was used before with another request, or too many of your uploads are not complete"),
        (status = 413, description = "Larger than an upload, or all of your files together, may be"))
)]
async fn announce(State(ctx): State<Ctx>, Signed(caller): Signed, request: Request) -> Result<Response, Problem> {
    let limit = Duration::from_secs(ctx.limits.request_seconds);
    let read = async {
        let request = repeat::take_down(request, ctx.limits.body_bytes).await?;
        let key = request.extensions().get::<RepeatKey>().cloned();
        let body = Json::<UploadBody>::from_request(request, &()).await;
        let Json(body) = body.map_err(|wrong| Error::invalid("body", describe(&wrong)))?;
        Ok::<_, Error>((key, body))
    };
    let (key, body) = time_limit::in_time(limit, read).await??;
    let caller = caller.repeating(key);
    let new = NewUpload { name: body.name, media_type: body.media_type.unwrap_or_default(), announced_size: body.size };
    let id = uploads::announce(&ctx, &caller, new).await?;
    // of one that was announced before, some may have arrived
    let reply = UploadReply::new(id, progress_of(&ctx, &caller, id).await?);
    let location = [(header::LOCATION, reply.url.clone())];
    Ok((StatusCode::CREATED, location, Json(reply)).into_response())
}

/// Sends bytes: the whole file, or a piece of it by `Content-Range`.
#[utoipa::path(
    put, path = "/api/uploads/{id}", tag = "uploads", params(("id" = String, Path),
        ("content-range" = Option<String>, Header, description = "`bytes 0-99/1000`, or `bytes 0-99/*` while the size is not known; absent: the whole file")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, body = UploadReply, description = "The file is complete"),
        (status = 308, body = UploadReply, description = "More is to come, from `Upload-Offset` on"),
        (status = 400), (status = 401), (status = 403), (status = 404),
        (status = 409, description = "The bytes begin elsewhere than at `Upload-Offset`, or the file is complete"),
        (status = 413, description = "Larger than an upload, or all of your files together, may be; it is deleted"),
        (status = 429, description = "Too many uploads are being received; go on in a moment"),
    )
)]
async fn receive(
    State(ctx): State<Ctx>,
    Signed(caller): Signed,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let taken = take(&ctx, &caller, &id, &parts.headers, body.into_data_stream()).await;
    Ok(taken.map_or_else(refused, |(file, progress)| told(file, progress)))
}

/// Says in headers how far an upload is.
#[utoipa::path(
    head, path = "/api/uploads/{id}", tag = "uploads", params(("id" = String, Path)),
    responses(
        (status = 200, description = "In headers: `Upload-Offset`, `Upload-Complete` (`?1` or `?0`) and, where it is known, `Upload-Length`"),
        (status = 401), (status = 404),
    )
)]
async fn status(State(ctx): State<Ctx>, Signed(caller): Signed, Path(id): Path<String>) -> Result<Response, Problem> {
    let progress = progress_of(&ctx, &caller, parse(&id)?).await?;
    Ok((headers(progress), [(header::CACHE_CONTROL, "no-store")]).into_response())
}

async fn take(
    ctx: &Ctx,
    caller: &Caller,
    id: &str,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<Bytes, axum::Error>> + Send + 'static,
) -> Result<(FileId, Progress)> {
    let file = parse(id)?;
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    let range = text(header::CONTENT_RANGE).map(ContentRange::parse).transpose()?;
    let (piece, most) = match range {
        Some(range) if length.is_some_and(|length| length != range.length) => {
            return Err(Error::invalid("Content-Length", "is not what Content-Range says"));
        }
        Some(range) => (Piece { file, offset: range.first, total: range.total }, range.length),
        None => {
            if length.is_none() && progress_of(ctx, caller, file).await?.announced.is_none() {
                return Err(Error::invalid("Content-Length", "is needed, for the size was not announced"));
            }
            (Piece { file, offset: 0, total: length }, u64::MAX)
        }
    };
    Ok((file, upload::receive(&ctx.files, caller, piece, first_of(body, most)).await?))
}

async fn progress_of(ctx: &Ctx, caller: &Caller, file: FileId) -> Result<Progress> {
    let mut tx = ctx.db.read(caller).await?;
    upload::status(&mut tx, caller, file).await
}

/// What is no id names nothing that exists.
fn parse(id: &str) -> Result<FileId> {
    id.parse().map_err(|_| Error::NotFound("file"))
}

fn told(id: FileId, progress: Progress) -> Response {
    let status = if progress.ready { StatusCode::OK } else { StatusCode::PERMANENT_REDIRECT };
    (status, headers(progress), Json(UploadReply::new(id, progress))).into_response()
}

/// A conflict says in a header, too, where to go on.
fn refused(error: Error) -> Response {
    let received = match &error {
        Error::Conflict(conflict) => conflict.details.as_ref().and_then(|details| details["received"].as_u64()),
        _ => None,
    };
    let mut response = Problem(error).into_response();
    if let Some(received) = received {
        response.headers_mut().insert(OFFSET, received.into());
    }
    response
}

fn headers(progress: Progress) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(OFFSET, progress.received.into());
    headers.insert(COMPLETE, HeaderValue::from_static(if progress.ready { "?1" } else { "?0" }));
    if let Some(length) = progress.announced {
        headers.insert(LENGTH, length.into());
    }
    // what clients know that follow Google's protocol
    if let Some(last) = progress.received.checked_sub(1).filter(|_| !progress.ready)
        && let Ok(range) = HeaderValue::try_from(format!("bytes=0-{last}"))
    {
        headers.insert(header::RANGE, range);
    }
    headers
}

fn describe(wrong: &JsonRejection) -> &'static str {
    match wrong {
        JsonRejection::MissingJsonContentType(_) => "must be JSON: send Content-Type: application/json",
        _ => "must be a JSON object with a name and, where they are known, size and mediaType",
    }
}
