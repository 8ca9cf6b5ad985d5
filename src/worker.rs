//! Every job, schedule and reactor of the application, in one list.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    base::Error,
    config::Config,
    crm::{
        bulk::jobs::{PurgeBulk, RunBulk},
        fields::jobs::{FillCustomField, RemoveCustomField},
        merge::jobs::PurgeMerges,
        pipelines::jobs::DeleteStage,
        purge::{self, jobs::PurgeRecords},
        record::jobs::FoldCounts,
        tasks::{jobs::Remind, letter::SendReminder},
    },
    ctx::Ctx,
    events::{Bus, Events},
    jobs::{self, JobNews, Registry, Runner, RunnerHandle, Told},
    lists::{
        self,
        build::{BuildList, NoteUnbuilt},
        jobs::{FollowContacts, FollowList, FreezeLists, PurgeList},
        live::{
            audit::{AuditLists, CompareLists, MendLists},
            changes::FollowLists,
            clock::{TellSlowly, TellTime},
            follow::{FollowBulk, FollowChanges},
        },
        react::FollowRecords,
    },
    team::jobs::{SendInvitation, SendPasswordReset, TellProfile},
    transfer::import::{RunImport, SettleImports},
    upkeep::{PurgeFiles, PurgeJobs, PurgeSecrets},
};

/// This process's worker.
pub struct Worker {
    runner: RunnerHandle,
}

impl Worker {
    /// Starts to run jobs, until the token is cancelled.
    pub fn start(config: &Config, ctx: &Ctx, events: &Events, shutdown: &CancellationToken) -> Self {
        Self::start_with(registry(), config, ctx, events, shutdown)
    }

    /// The same with more kinds of jobs than the application's own.
    pub fn start_with(
        registry: Registry<Ctx>,
        config: &Config,
        ctx: &Ctx,
        events: &Events,
        shutdown: &CancellationToken,
    ) -> Self {
        let settings = jobs::Config { concurrency: config.job_concurrency, node: node(), ..jobs::Config::default() };
        let bus = events.bus().clone();
        let runner = Runner::new(ctx.db.clone(), ctx.clock.clone(), ctx.clone(), registry, settings)
            .on_news(move |news| tell(&bus, &news))
            .start(shutdown);
        // what follows from events is done where jobs are
        events.react(FollowRecords { clock: ctx.clock.clone() });
        events.react(FollowLists { clock: ctx.clock.clone() });
        Self { runner }
    }

    /// Stops taking jobs and waits for those that run; what is not done by then is handed back.
    pub async fn stop(self, within: Duration) {
        let cut_off = self.runner.stop(within).await;
        if cut_off > 0 {
            tracing::info!(cut_off, "jobs were handed back to the queue");
        }
    }
}

/// Where a job runs, for a person who looks at the rows: in a container the process alone is 1
/// everywhere.
fn node() -> String {
    let system = rustix::system::uname();
    format!("kontor {} {}", system.nodename().to_string_lossy(), std::process::id())
}

/// All kinds of jobs, and when the chores run.
pub fn registry() -> Registry<Ctx> {
    purge::steps::register(lists::purge::STEPS);
    let utc = chrono_tz::UTC;
    Registry::new()
        .register::<SendPasswordReset>()
        .register::<SendInvitation>()
        .register::<TellProfile>()
        .register::<PurgeJobs>()
        .register::<PurgeSecrets>()
        .register::<PurgeFiles>()
        .register::<FoldCounts>()
        .register::<Remind>()
        .register::<SendReminder>()
        .register::<FillCustomField>()
        .register::<RemoveCustomField>()
        .register::<PurgeMerges>()
        .register::<PurgeRecords>()
        .register::<BuildList>()
        .register::<FollowContacts>()
        .register::<FollowList>()
        .register::<FollowChanges>()
        .register::<FollowBulk>()
        .register::<TellTime>()
        .register::<TellSlowly>()
        .register::<AuditLists>()
        .register::<CompareLists>()
        .register::<MendLists>()
        .register::<FreezeLists>()
        .register::<NoteUnbuilt>()
        .register::<PurgeList>()
        .register::<DeleteStage>()
        .register::<RunBulk>()
        .register::<PurgeBulk>()
        .register::<RunImport>()
        .register::<SettleImports>()
        .schedule("upkeep.purge_jobs", "17 3 * * *", utc, || PurgeJobs {})
        .schedule("upkeep.purge_secrets", "37 * * * *", utc, || PurgeSecrets {})
        .schedule("crm.purge_bulk", "27 3 * * *", utc, || PurgeBulk {})
        .schedule("upkeep.purge_files", "47 4 * * *", utc, || PurgeFiles {})
        .schedule("crm.purge_merges", "27 4 * * *", utc, || PurgeMerges {})
        .schedule("crm.purge_records", "57 1 * * *", utc, || PurgeRecords {})
        .schedule("crm.fold_counts", "* * * * *", utc, || FoldCounts {})
        // the first of six fields are the seconds
        .schedule("crm.remind", "*/10 * * * * *", utc, || Remind {})
        .schedule("lists.tell_time", "*/5 * * * * *", utc, || TellTime {})
        .schedule("lists.audit", "7 2 * * *", utc, || AuditLists {})
        .schedule("lists.note_unbuilt", "*/10 * * * * *", utc, || NoteUnbuilt {})
        .schedule("lists.freeze", "* * * * *", utc, || FreezeLists {})
        .schedule("transfer.settle_imports", "* * * * *", utc, || SettleImports {})
}

/// Progress is a state, not an event: it goes to whoever watches, and nowhere else.
fn tell(bus: &Bus, news: &JobNews) {
    let told = Told { state: news.state, progress: news.progress.clone() };
    let published = serde_json::to_value(told).map_err(Error::internal);
    let published = published.and_then(|told| bus.publish_transient(jobs::topic(news.job), &told));
    if let Err(error) = published {
        tracing::debug!(?error, "progress could not be told");
    }
}
