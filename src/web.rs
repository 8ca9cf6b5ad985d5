//! The pages for browsers: the start page at `/` and the GraphQL explorer at `/graphiql`.
//!
//! They are embedded files under a strict content policy, and speak to the same API as everybody
//! else. The two pages are asked for anew each time (an unchanged one costs a 304); what they load
//! has its content or its version in the URL and is kept for good. What is not there is a 404,
//! never a page: a browser would take that for a script.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{base::Error, http::problem::Problem};

#[derive(rust_embed::Embed)]
#[folder = "web/start/"]
struct Files;

const START: &str = "index.html";
const EXPLORER: &str = "graphiql.html";

/// Below it the vendored packages, each in a folder named after its version.
const VENDOR: &str = "vendor/";

/// For the start page: nothing but our own files, and no text that becomes markup.
const START_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// For the explorer, whose parts write style elements and carry fonts as data.
const EXPLORER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; \
    frame-ancestors 'none'";

/// For what pages load, in case somebody opens it by itself.
const ASSET_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

const AT_EACH_USE: &str = "no-cache";
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// A sign-in that the start page shows filled in.
#[derive(Debug, Clone, Copy)]
pub struct SignIn {
    pub email: &'static str,
    pub password: &'static str,
}

/// The pages and what they load. `demo` is the sign-in of an installation whose data is invented.
pub fn routes(demo: Option<SignIn>) -> Router {
    let site = Arc::new(Site::read(demo));
    Router::new()
        .route("/", get(start))
        .route("/graphiql", get(explorer))
        .route("/assets/{*path}", get(asset))
        .with_state(site)
}

struct Site {
    start: Content,
    explorer: Content,
    /// By what follows `/assets/`.
    assets: HashMap<String, Content>,
}

struct Content {
    bytes: Bytes,
    media: &'static str,
    policy: &'static str,
    cache: &'static str,
    tag: HeaderValue,
}

impl Site {
    fn read(demo: Option<SignIn>) -> Self {
        let version = version();
        let page = |name, policy| {
            let text = read(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            let email = demo.map_or("", |demo| demo.email);
            let password = demo.map_or("", |demo| demo.password);
            let text = text
                .replace("{{assets}}", &format!("/assets/{version}"))
                .replace("{{demo-email}}", &escape(email))
                .replace("{{demo-password}}", &escape(password));
            Content::new(text.into(), "text/html; charset=utf-8", policy, AT_EACH_USE)
        };
        let mut assets = HashMap::new();
        for name in Files::iter() {
            let (Some(media), Some(bytes)) = (media(&name), read(&name)) else { continue };
            let path = if name.starts_with(VENDOR) { name.to_string() } else { format!("{version}/{name}") };
            assets.insert(path, Content::new(bytes, media, ASSET_POLICY, FOR_GOOD));
        }
        Self { start: page(START, START_POLICY), explorer: page(EXPLORER, EXPLORER_POLICY), assets }
    }
}

fn read(name: &str) -> Option<Bytes> {
    Some(match Files::get(name)?.data {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => bytes.into(),
    })
}

/// One for all our own files, so that modules can import one another by relative paths.
fn version() -> String {
    let mut names: Vec<_> = Files::iter().filter(|name| !name.starts_with(VENDOR)).collect();
    names.sort_unstable();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_bytes());
        hash.update(read(&name).unwrap_or_default());
    }
    hex(&hash.finalize())
}

/// Twelve digits of it.
fn hex(hash: &[u8]) -> String {
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// `None` for what is not served by itself: the pages, licences, notes, scripts of ours.
fn media(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "woff2" => Some("font/woff2"),
        _ => None,
    }
}

/// As an attribute's value.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

impl Content {
    fn new(bytes: Bytes, media: &'static str, policy: &'static str, cache: &'static str) -> Self {
        // weak: what is sent may be compressed
        let tag = format!("W/\"{}\"", hex(&Sha256::digest(&bytes)));
        let tag = HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("W/\"\""));
        Self { bytes, media, policy, cache, tag }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let headers = [
            (header::CACHE_CONTROL, HeaderValue::from_static(self.cache)),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(self.policy)),
            (header::ETAG, self.tag.clone()),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            // the links in mails carry secrets
            (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
            (OPENER_POLICY, HeaderValue::from_static("same-origin")),
            (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
        ];
        if self.is_known(asked) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, [(header::CONTENT_TYPE, self.media)], self.bytes.clone()).into_response()
    }

    /// Whether the browser has just this.
    fn is_known(&self, asked: &HeaderMap) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let ours = self.tag.to_str().map(opaque).unwrap_or_default();
        let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        known.flat_map(|value| value.split(',')).any(|tag| tag.trim() == "*" || opaque(tag) == ours)
    }
}

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

async fn start(State(site): State<Arc<Site>>, asked: HeaderMap) -> Response {
    site.start.answer(&asked)
}

async fn explorer(State(site): State<Arc<Site>>, asked: HeaderMap) -> Response {
    site.explorer.answer(&asked)
}

async fn asset(State(site): State<Arc<Site>>, Path(path): Path<String>, asked: HeaderMap) -> Response {
    match site.assets.get(&path) {
        Some(content) => content.answer(&asked),
        None => Problem(Error::NotFound("File")).into_response(),
    }
}
