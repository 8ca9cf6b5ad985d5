//! Which pages of other origins may call the APIs from a browser. They send a token; a cookie never
//! counts from there: no answer allows credentials, and whoever sends one all the same is refused
//! by the check of the origin (`origin::same_origin`).

use std::time::Duration;

use axum::http::{
    HeaderName, HeaderValue, Method, Uri,
    header::{
        ACCEPT, ACCEPT_RANGES, ALLOW, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE,
        LOCATION, RANGE, RETRY_AFTER, WWW_AUTHENTICATE,
    },
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::request_id;
use crate::base::{Error, Result};

/// How long a browser may keep the answer to a preflight.
const KEEP: Duration = Duration::from_secs(3600);

/// The layer that answers preflights and marks answers; `None` where no origin is allowed. An
/// origin is `https://app.example.com`, with a port where it is not the usual one; `*` alone is any.
pub fn layer(origins: &[String]) -> Result<Option<CorsLayer>> {
    let allowed = match origins {
        [] => return Ok(None),
        [any] if any == "*" => AllowOrigin::any(),
        origins => AllowOrigin::list(origins.iter().map(|origin| parse(origin)).collect::<Result<Vec<_>>>()?),
    };
    let name = HeaderName::from_static;
    let sent = [
        AUTHORIZATION,
        ACCEPT,
        CONTENT_TYPE,
        CONTENT_RANGE,
        RANGE,
        IF_RANGE,
        name("idempotency-key"),
        name("last-event-id"),
        request_id::HEADER,
    ];
    let exposed = [
        request_id::HEADER,
        RETRY_AFTER,
        LOCATION,
        ALLOW,
        WWW_AUTHENTICATE,
        CONTENT_DISPOSITION,
        CONTENT_RANGE,
        ACCEPT_RANGES,
        RANGE,
        ETAG,
        name("upload-offset"),
        name("upload-length"),
        name("upload-complete"),
    ];
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
    let layer = CorsLayer::new().allow_origin(allowed).allow_methods(methods).allow_headers(sent);
    Ok(Some(layer.expose_headers(exposed).max_age(KEEP)))
}

fn parse(origin: &str) -> Result<HeaderValue> {
    let wrong = || {
        let right = "must be like https://app.example.com: scheme, host and perhaps port, nothing behind; or * alone";
        Error::invalid("cors_origins", format!("has {origin:?}; each {right}"))
    };
    let uri: Uri = origin.parse().map_err(|_| wrong())?;
    let (Some("http" | "https"), Some(host)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong()) };
    let whole = format!("{}://{host}", uri.scheme_str().unwrap_or_default());
    // browsers send it in lower case
    if whole != origin || host.as_str().contains(['@', '*']) || origin.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(wrong());
    }
    HeaderValue::from_str(origin).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for right in ["https://app.example.com", "http://localhost:5173", "http://[::1]:3000"] {
            assert!(parse(right).is_ok(), "{right}");
        }
        let wrong = [
            "",
            "*",
            "null",
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com/x",
            "https://App.example.com",
            "https://u@app.example.com",
            "https://*.example.com",
            "ftp://app.example.com",
            "https://a.example.com,https://b.example.com",
        ];
        for wrong in wrong {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(layer(&[]).expect("nothing wrong").is_none());
        assert!(layer(&["*".to_owned(), "https://a.example.com".to_owned()]).is_err());
    }
}
