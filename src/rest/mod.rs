//! The REST face. Version 1 keeps the promises of an earlier server, so that the clients written
//! for it work unchanged: its paths, field names, envelopes and status codes are fixed.

pub mod v1;

pub use v1::refuse;

use axum::Router;
use utoipa::openapi::OpenApi;

use crate::ctx::Ctx;

/// All REST routes, by their full paths, and the document that describes them.
pub fn routes(ctx: Ctx) -> (Router, OpenApi) {
    v1::routes(ctx)
}
