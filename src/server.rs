//! Joins the faces into one router, and serves it until told to stop.

use std::{net::SocketAddr, sync::LazyLock, time::Duration};

use axum::{Extension, Router, middleware};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, predicate::SizeAbove},
};

use crate::{
    base::{Error, Result},
    config::{self, Config},
    ctx::Ctx,
    events::Events,
    graphql::{self, Application, Transport},
    http::{
        bounds::{self, Rates},
        client::TrustedProxies,
        health::{self, Health},
        problem::Problem,
        request_id,
    },
    rest, team, web,
};

/// How long requests under way may take after the stop.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// All routes, ready to serve.
pub struct Server {
    router: Router,
    rates: Rates,
    transport: Transport<Application>,
}

impl Server {
    pub fn new(config: &Config, ctx: Ctx, events: Events) -> Result<Self> {
        let rates = Rates::new(config.limits.requests_per_minute);
        let transport = Transport::new(Application::new(ctx.clone(), events.bus().clone()));
        let (rest, _) = rest::routes(ctx.clone());
        let router = graphql::router(transport.clone())
            .merge(rest)
            .layer(middleware::from_fn_with_state(rates.clone(), bounds::rate))
            .merge(health::routes(Health { ctx, events, metrics: recorder()? }))
            .merge(web::routes(
                config.demo.then_some(web::SignIn { email: config::DEMO_EMAIL, password: config::DEMO_PASSWORD }),
            ))
            .fallback(|| async { Problem(Error::NotFound("Page")) })
            .layer(CompressionLayer::new().compress_when(SizeAbove::new(1024)))
            .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
                axum::response::IntoResponse::into_response(Problem(Error::internal("a handler panicked")))
            }))
            .layer(middleware::from_fn(request_id::layer))
            .layer(Extension(TrustedProxies(config.trusted_proxies)));
        Ok(Self { router, rates, transport })
    }

    /// Serves until the token is cancelled, then lets the requests under way finish.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) -> Result<()> {
        let service = self.router.into_make_service_with_connect_info::<SocketAddr>();
        let rates = self.rates;
        let tidy = stop.clone().run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(TIDY_EVERY).await;
                rates.tidy();
            }
        });
        tokio::spawn(tidy);
        let stopping = stop.clone();
        let serve = axum::serve(listener, service).with_graceful_shutdown(async move { stopping.cancelled().await });
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
            (served, ()) = async { tokio::join!(serve, sockets) } => served.map_err(Error::internal),
            () = deadline => Ok(()),
        }
    }
}

/// Forgets resolved callers at each event of the team, whichever node it happened on.
pub fn forget_rights_on_events(ctx: &Ctx, events: &Events) {
    let resolver = ctx.resolver.clone();
    events.bus().tell_each(move |event| {
        if event.name.starts_with(team::events::PREFIX) {
            resolver.forget();
        }
    });
}

/// The process's one recorder of figures; several servers of one process share it.
fn recorder() -> Result<PrometheusHandle> {
    static RECORDER: LazyLock<Result<PrometheusHandle, String>> =
        LazyLock::new(|| PrometheusBuilder::new().install_recorder().map_err(|error| error.to_string()));
    RECORDER.clone().map_err(Error::internal)
}
