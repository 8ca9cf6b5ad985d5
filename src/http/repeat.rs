//! `Idempotency-Key`: a request that carries one may be sent again, and is done once. Here the key
//! is read and the request taken down; the operations keep it (`team::repeat`).

use axum::{body::Body, extract::Request, http::HeaderMap};

use super::body::read_whole;
use crate::{
    auth::RepeatKey,
    base::{Error, Result},
};

/// For the document.
pub const HEADER: &str = "Idempotency-Key";
const FIELD: &str = "idempotency-key";

pub fn has_key(headers: &HeaderMap) -> bool {
    headers.contains_key(FIELD)
}

/// Leaves the key of a request in its extensions, where the caller's extractor finds it. What the
/// request asks for is in its body, so that is read; one without a key comes back as it is.
pub async fn take_down(request: Request, most: usize) -> Result<Request> {
    if !has_key(request.headers()) {
        return Ok(request);
    }
    let (mut parts, body) = request.into_parts();
    let bytes = read_whole(body, most).await?;
    let mut asked = format!("{} {}\n", parts.method, parts.uri).into_bytes();
    asked.extend_from_slice(&bytes);
    if let Some(key) = key(&parts.headers, asked)? {
        parts.extensions.insert(key);
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// The request's key, if it carries one. `asked` is the whole of what it asks for.
pub fn key(headers: &HeaderMap, asked: impl AsRef<[u8]>) -> Result<Option<RepeatKey>> {
    let mut given = headers.get_all(FIELD).iter();
    let Some(value) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Error::invalid(FIELD, "is given more than once"));
    }
    let text = value.to_str().map_err(|_| Error::invalid(FIELD, "must be plain text"))?;
    RepeatKey::new(FIELD, text.trim(), asked).map(Some)
}
