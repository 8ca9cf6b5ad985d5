//! `kontor serve` and `kontor work`: start the parts in order, say when ready, stop in order.

use std::time::Duration;

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use super::{database::Database, demo, tools::tools};
use crate::{
    auth::password::Password,
    base::{Error, Result},
    config::{self, Config},
    ctx::Ctx,
    db::embedded::State,
    events::Events,
    server::{self, Server},
    team::{installation, registration},
    worker,
};

/// A stop takes ten seconds at most. Jobs have this time while requests are finished, and may then
/// need some more to be handed back; PostgreSQL gets the last part.
const JOBS_END_WITHIN: Duration = Duration::from_secs(3);
const DATABASE_ENDS_WITHIN: Duration = Duration::from_millis(2_500);

/// Serves until SIGTERM or Ctrl-C.
#[expect(clippy::print_stdout, reason = "the line that tells people and scripts that we are ready")]
pub async fn serve(mut config: Config) -> Result<()> {
    let stop = stop_signal()?;
    // First: nothing else matters where the address is taken.
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        Error::Unavailable(
            format!("Cannot listen at {}: {error}. Set --listen to another address.", config.listen).into(),
        )
    })?;
    // links lead to where we listen, not to "any free port"
    config.listen = listener.local_addr().map_err(Error::internal)?;
    let Some(started) = until_stopped(&stop, Box::pin(Parts::start(&config))).await else { return Ok(()) };
    let mut parts = started?;
    let server = async {
        greet(&config, &parts.ctx).await?;
        Server::new(&config, parts.ctx.clone(), parts.events.clone())
    };
    let server = match until_stopped(&stop, Box::pin(server)).await {
        Some(Ok(server)) => server,
        refused_or_stopped => {
            parts.end().await;
            return refused_or_stopped.map_or(Ok(()), |refused| refused.map(drop));
        }
    };
    parts.start_worker(&config);
    println!("kontor: ready on http://{}", config.listen);
    let stop = parts.stop_with(stop);
    let serving = async {
        let served = server.run(listener, stop.clone()).await;
        stop.cancel();
        served
    };
    let (served, ()) = tokio::join!(serving, hand_back_jobs(parts.worker.take(), &stop));
    parts.end().await;
    served
}

/// Runs jobs until SIGTERM or Ctrl-C.
#[expect(clippy::print_stdout, reason = "the line that tells people and scripts that we are ready")]
pub async fn work(mut config: Config) -> Result<()> {
    config.work = true;
    let stop = stop_signal()?;
    let Some(started) = until_stopped(&stop, Box::pin(Parts::start(&config))).await else { return Ok(()) };
    let mut parts = started?;
    parts.start_worker(&config);
    println!("kontor: working");
    hand_back_jobs(parts.worker.take(), &parts.stop_with(stop)).await;
    parts.end().await;
    Ok(())
}

/// What runs besides the server.
struct Parts {
    database: Database,
    ctx: Ctx,
    events: Events,
    worker: Option<worker::Worker>,
    shutdown: CancellationToken,
}

impl Parts {
    async fn start(config: &Config) -> Result<Self> {
        let database = Database::find(config).await?;
        if config.migrate {
            for name in database.prepare().await? {
                tracing::info!(migration = %name, "ran");
            }
        } else {
            database.prepared().await?;
        }
        let ctx = tools(config, &database)?;
        installation::check_secret(&ctx).await?;
        let shutdown = CancellationToken::new();
        let events = Events::start(&ctx.db, &ctx.clock, shutdown.clone());
        server::forget_rights_on_events(&ctx, &events);
        Ok(Self { database, ctx, events, worker: None, shutdown })
    }

    /// Once nothing can be refused any more: jobs that are begun and dropped count as crashed.
    fn start_worker(&mut self, config: &Config) {
        let worker = config.work.then(|| {
            let registry = demo::lively::added(worker::registry(), config, &self.ctx);
            worker::Worker::start_with(registry, config, &self.ctx, &self.events, &self.shutdown)
        });
        self.worker = worker;
    }

    /// Cancelled when somebody stops us, or when our own PostgreSQL is gone for good.
    fn stop_with(&self, stop: CancellationToken) -> CancellationToken {
        if let Some(embedded) = &self.database.embedded {
            let (mut states, stop) = (embedded.watch(), stop.clone());
            tokio::spawn(async move {
                while states.changed().await.is_ok() {
                    // when we stop ourselves, so does it
                    if let State::Stopped(reason) = states.borrow_and_update().clone()
                        && !stop.is_cancelled()
                    {
                        tracing::error!(%reason, "the embedded PostgreSQL is gone; ending");
                        stop.cancel();
                    }
                }
            });
        }
        stop
    }

    async fn end(self) {
        self.shutdown.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.events.stopped()).await;
        self.ctx.db.close();
        self.database.stop(DATABASE_ENDS_WITHIN).await;
    }
}

/// Waits for the stop, then until no job runs here any more.
async fn hand_back_jobs(worker: Option<worker::Worker>, stop: &CancellationToken) {
    stop.cancelled().await;
    if let Some(worker) = worker {
        worker.stop(JOBS_END_WITHIN).await;
    }
}

/// Makes the first admin, or tells how to become it.
#[expect(clippy::print_stdout, reason = "the person who starts the server has to see it")]
async fn greet(config: &Config, ctx: &Ctx) -> Result<()> {
    if config.demo {
        Box::pin(demo::fill(ctx)).await?;
        println!("kontor: demo: sign in as {} with the password {}", config::DEMO_EMAIL, config::DEMO_PASSWORD);
        return Ok(());
    }
    if let (Some(email), Some(password)) = (&config.admin_email, &config.admin_password) {
        let first = registration::Registration {
            email: email.clone(),
            password: Password::new(password.expose()),
            full_name: config.admin_name.clone(),
            workspace_name: config.workspace_name.clone(),
            set_up_key: None,
        };
        if registration::first_admin(ctx, first).await?.is_some() {
            tracing::info!("made the first workspace and its admin");
        }
        return Ok(());
    }
    if let Some(key) = registration::set_up_key(ctx).await? {
        println!("kontor: nobody can sign in yet; set up the first admin at {}/#set-up={key}", ctx.public_url);
    }
    Ok(())
}

/// A token that SIGTERM or Ctrl-C cancels; a second one ends the process at once.
fn stop_signal() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    let token = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if token.is_cancelled() {
                std::process::exit(130);
            }
            tracing::info!("stopping");
            token.cancel();
        }
    });
    Ok(stop)
}

async fn until_stopped<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    stop.run_until_cancelled(work).await
}
