//! `/files/:token`: a file by a signed link, which is all the proof there is. Somebody made the
//! file, and perhaps not with good intent: the browser is told to keep it, never to show it.

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::range::{self, Asked, first_of};
use crate::{
    base::{Error, Result},
    ctx::Ctx,
    files::{FileInfo, content_disposition, read},
    http::problem::Problem,
};

const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(download))
}

/// Downloads a file by its signed link, whole or one range of it.
#[utoipa::path(
    get, path = "/files/{token}", tag = "files",
    params(("token" = String, Path), ("range" = Option<String>, Header, description = "One range: `bytes=0-99`, `bytes=100-`, `bytes=-100`")),
    responses(
        (status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 206, description = "The range that was asked for"),
        (status = 404), (status = 410, description = "The link has expired"), (status = 416, description = "The range begins behind the end"),
    ),
    security(())
)]
async fn download(State(ctx): State<Ctx>, Path(token): Path<String>, request: HeaderMap) -> Result<Response, Problem> {
    let (workspace, file) = ctx.files.signer().verify(&token, ctx.clock.now())?;
    let opened = read::open(&ctx.files, workspace, file, 0).await?;
    let (headers, size) = (headers(&opened.info)?, opened.info.size);
    Ok(match asked(&request, &headers, size) {
        Asked::Whole => answer(StatusCode::OK, headers, opened.bytes, size),
        Asked::Part(slice) => {
            // what was opened first has read nothing yet
            let opened = read::open(&ctx.files, workspace, file, slice.first).await?;
            let mut response =
                answer(StatusCode::PARTIAL_CONTENT, headers, first_of(opened.bytes, slice.length), slice.length);
            let last = slice.first + slice.length - 1;
            set(&mut response, header::CONTENT_RANGE, format!("bytes {}-{last}/{size}", slice.first));
            response
        }
        Asked::Nothing => {
            let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            set(&mut response, header::CONTENT_RANGE, format!("bytes */{size}"));
            response
        }
    })
}

/// The range counts only for the file that its asker began with.
fn asked(request: &HeaderMap, ours: &HeaderMap, size: u64) -> Asked {
    let same = request.get(header::IF_RANGE).is_none_or(|tag| Some(tag) == ours.get(header::ETAG));
    let range = request.get(header::RANGE).filter(|_| same).and_then(|range| range.to_str().ok());
    range::asked(range, size)
}

fn headers(info: &FileInfo) -> Result<HeaderMap> {
    let value = |text: String| HeaderValue::try_from(text).map_err(Error::internal);
    let fixed = HeaderValue::from_static;
    Ok([
        (header::CONTENT_TYPE, value(info.media_type.clone())?),
        (header::CONTENT_DISPOSITION, value(content_disposition(&info.name))?),
        // a complete file never changes
        (header::ETAG, value(format!("\"{}\"", info.id))?),
        (header::ACCEPT_RANGES, fixed("bytes")),
        (header::CACHE_CONTROL, fixed("private, no-store")),
        (header::CONTENT_SECURITY_POLICY, fixed(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        (header::REFERRER_POLICY, fixed("no-referrer")),
        (RESOURCE_POLICY, fixed("same-origin")),
    ]
    .into_iter()
    .collect())
}

fn answer<S>(status: StatusCode, headers: HeaderMap, bytes: S, length: u64) -> Response
where
    S: Stream<Item = Result<Bytes>> + Send + 'static,
{
    // an error in the middle breaks the connection off, which the length makes visible
    let body =
        Body::from_stream(bytes.map(|read| read.inspect_err(|error| tracing::error!(%error, "a download broke off"))));
    let mut response = (status, headers, body).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

fn set(response: &mut Response, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}
