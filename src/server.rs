//! Joins the faces into one router, and serves it until told to stop.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Extension, Router, middleware};
use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::{
    CompressionLayer,
    predicate::{NotForContentType, Predicate, SizeAbove},
};

use crate::{
    base::{Error, Result},
    config::{self, Config},
    crm::merge::relink,
    ctx::Ctx,
    doors,
    events::Events,
    graphql::{self, Application, Transport},
    http::{
        body,
        bounds::Rates,
        client::{AtHome, TrustedProxies},
        cors,
        guard::{self, Guard, Refuse},
        health::{self, Health},
        listen::{self, Allowance},
        problem::Problem,
        request_id,
    },
    lists, rest, team, web,
};

/// How long requests under way may take after the stop.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
const TIDY_EVERY: Duration = Duration::from_secs(10);

/// All routes, ready to serve.
pub struct Server {
    router: Router,
    rates: Rates,
    metrics: PrometheusHandle,
    transport: Transport<Application>,
    allowance: Allowance,
}

impl Server {
    pub fn new(config: &Config, ctx: Ctx, events: Events) -> Result<Self> {
        // what points right: see the registry of the steps
        relink::register(lists::merge::STEPS);
        let rates = Rates::new(config.limits.requests_per_minute, ctx.resolver.clone());
        let transport = Transport::new(Application::new(ctx.clone(), events.bus().clone(), rates.clone()));
        let metrics = recorder()?;
        let cors = cors::layer(&config.cors_origins)?;
        let face = |router: Router, face, within, refuse: Refuse| {
            let guard = Guard { face, rates: rates.clone(), within, refuse };
            let router = router.layer(middleware::from_fn_with_state(guard, guard::layer));
            // around the guard: a browser must be able to read its refusals, too
            match &cors {
                Some(cors) => router.layer(cors.clone()),
                None => router,
            }
        };
        // event streams and sockets have begun to answer by then
        let limit = Duration::from_secs(config.limits.request_seconds);
        let sample = Arc::new(figures(&ctx, &transport));
        let health = Health { ctx: ctx.clone(), events, metrics: metrics.clone(), migrated: Arc::default(), sample };
        let demo = config.demo.then_some(web::SignIn { email: config::DEMO_EMAIL, password: config::DEMO_PASSWORD });
        let open = Guard { face: "web", rates: Rates::unlimited(), within: None, refuse: guard::refuse };
        let open = web::routes(demo).layer(middleware::from_fn_with_state(open, guard::layer));
        // their bodies go through as they are
        let (doors, _) = doors::routes(ctx.clone()).split_for_parts();
        let (rest, _) = rest::routes(ctx);
        let router = face(graphql::router(transport.clone()), "graphql", Some(limit), graphql::refuse)
            .merge(face(rest, "rest", None, rest::refuse))
            .merge(health::routes(health))
            .merge(open)
            .fallback(|| async { Problem(Error::NotFound("Page")) })
            .layer(CompressionLayer::new().compress_when(SizeAbove::new(1024).and(NotForContentType::SSE)))
            .merge(face(doors, "doors", None, guard::refuse))
            .layer(middleware::from_fn(request_id::layer))
            .layer(middleware::from_fn(body::layer))
            .layer(Extension(TrustedProxies(config.trusted_proxies)))
            .layer(Extension(AtHome::of(config.public_url.as_deref())));
        let idle = Duration::from_secs(config.limits.idle_seconds);
        // behind proxies all connections are theirs
        let per_address = if config.trusted_proxies == 0 { config.limits.connections_per_address } else { 0 };
        let allowance = Allowance { connections: config.limits.connections, per_address, idle };
        Ok(Self { router, rates, metrics, transport, allowance })
    }

    /// Serves until the token is cancelled, then lets the requests under way finish.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) -> Result<()> {
        let (rates, metrics) = (self.rates, self.metrics);
        let tidy = stop.clone().run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(TIDY_EVERY).await;
                rates.tidy();
                // where nobody asks for the figures, what they are made from would pile up
                metrics.run_upkeep();
            }
        });
        tokio::spawn(tidy);
        let serve = listen::serve(listener, self.router, self.allowance, stop.clone());
        let transport = self.transport;
        // the HTTP server forgets a connection once it is upgraded
        let sockets = async {
            stop.cancelled().await;
            transport.stop().await;
        };
        let deadline = async {
            stop.cancelled().await;
            tokio::time::sleep(FINISH_WITHIN).await;
        };
        tokio::select! {
            ((), ()) = async { tokio::join!(serve, sockets) } => {}
            () = deadline => {}
        }
        Ok(())
    }
}

/// Forgets a resolved caller at each event that changes their rights, whichever node it happened
/// on.
pub fn forget_rights_on_events(ctx: &Ctx, events: &Events) {
    let resolver = ctx.resolver.clone();
    events.bus().tell_each(move |event| {
        if let Some(user) = team::events::changes_rights_of(event) {
            resolver.forget(user);
        }
    });
}

/// Looks up what is not counted along: connections, sockets, running subscriptions.
#[expect(clippy::cast_precision_loss, reason = "gauges of some thousands at most")]
fn figures(ctx: &Ctx, transport: &Transport<Application>) -> impl Fn() + Send + Sync + 'static {
    let (db, transport) = (ctx.db.clone(), transport.clone());
    move || {
        for (pool, usage) in db.usage() {
            for (state, connections) in [("used", usage.used), ("idle", usage.idle), ("waiting", usage.waiting)] {
                gauge!("kontor_db_connections", "pool" => pool, "state" => state).set(connections as f64);
            }
        }
        gauge!("kontor_sockets").set(transport.open_sockets() as f64);
        gauge!("kontor_shared_subscriptions").set(transport.shared_executions() as f64);
        gauge!("kontor_shared_bytes").set(transport.shared_bytes() as f64);
    }
}

/// Upper bounds of what is measured in seconds: from a page out of memory to an import.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0];

/// The process's one recorder of figures, however many servers it has.
fn recorder() -> Result<PrometheusHandle> {
    static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*recorder {
        return Ok(handle.clone());
    }
    let of_seconds = Matcher::Suffix("_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(of_seconds, &SECONDS).map_err(Error::internal)?;
    let handle = builder.install_recorder().map_err(Error::internal)?;
    guard::describe_metrics();
    describe_gauge!("kontor_db_connections", "Connections of a pool by what they do, and callers who wait for one.");
    describe_gauge!("kontor_sockets", "Open websockets.");
    describe_gauge!("kontor_shared_subscriptions", "Executions that subscribers of the same thing share.");
    describe_gauge!("kontor_shared_bytes", "Answers that are held for slow and returning subscribers, in bytes.");
    Ok(recorder.insert(handle).clone())
}
