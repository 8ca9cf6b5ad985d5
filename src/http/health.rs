//! Whether the server is alive, whether it can serve, and its figures.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{FromRef, State},
    http::{HeaderName, StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

use crate::{ctx::Ctx, events::Events};

/// What the health routes need.
#[derive(Clone)]
pub struct Health {
    pub ctx: Ctx,
    pub events: Events,
    pub metrics: PrometheusHandle,
    /// Called before the figures are shown, for those that are looked up and not counted along.
    pub sample: Arc<dyn Fn() + Send + Sync>,
    /// Whether the database was seen to have this version's schema; it does not lose it again.
    pub migrated: Arc<AtomicBool>,
}

impl Health {
    async fn is_migrated(&self) -> bool {
        if !self.migrated.load(Ordering::Relaxed) {
            match self.ctx.db.lacking_migrations().await {
                Ok(lacking) if lacking.is_empty() => self.migrated.store(true, Ordering::Relaxed),
                Ok(lacking) => tracing::warn!(?lacking, "the database has not this version's schema"),
                Err(error) => tracing::warn!(%error, "whether the database has this version's schema is not known"),
            }
        }
        self.migrated.load(Ordering::Relaxed)
    }
}

impl FromRef<Health> for Ctx {
    fn from_ref(health: &Health) -> Self {
        health.ctx.clone()
    }
}

/// `/health`, `/ready`, `/metrics`.
pub fn routes(health: Health) -> Router {
    Router::new()
        .route("/health", get(alive))
        .route("/ready", get(ready))
        .route("/metrics", get(figures))
        .with_state(health)
}

async fn alive() -> Json<Value> {
    Json(json!({ "status": "healthy", "version": env!("CARGO_PKG_VERSION") }))
}

/// 200 only when a request would be served now; the parts say which is not well.
async fn ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let patience = Duration::from_secs(2);
    let database = matches!(tokio::time::timeout(patience, health.ctx.db.ping()).await, Ok(Ok(())));
    let schema = database && matches!(tokio::time::timeout(patience, health.is_migrated()).await, Ok(true));
    let events = health.events.healthy().is_ok();
    let ready = database && schema && events;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |well| if well { "ok" } else { "unavailable" };
    (
        status,
        Json(json!({
            "status": if ready { "ready" } else { "unavailable" },
            "database": word(database),
            "schema": word(schema),
            "events": word(events),
        })),
    )
}

async fn figures(State(health): State<Health>) -> ([(HeaderName, &'static str); 1], String) {
    (health.sample)();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], health.metrics.render())
}
