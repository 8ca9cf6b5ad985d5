//! The doors: where bytes go in and out, beside the two APIs. Uploads in pieces, signed downloads.

mod downloads;
mod range;
mod uploads;

use utoipa_axum::router::OpenApiRouter;

use crate::ctx::Ctx;

/// All doors, by their full paths. No time limit may stand around them, and nothing that reads or
/// compresses bodies.
pub fn routes(ctx: Ctx) -> OpenApiRouter {
    OpenApiRouter::new().merge(uploads::routes()).merge(downloads::routes()).with_state(ctx)
}
