//! The line in which an import works: bytes, rows, checked batches, staged batches, applied
//! batches. Every stage runs beside the others and waits where the next one is not ready, so that
//! memory stays the same however long the file is.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    mpsc::{Receiver, Sender, channel},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    apply::Applier,
    batch::{Batch, Cut},
    check::Checker,
    count::Counter,
    head::{Head, Place},
    maintenance::Maintenance,
    model::Counts,
    read::{Feed, Rows},
    stage,
    statements::Statements,
};
use crate::{
    base::{
        Error, Result,
        ids::{FileId, ImportId, WorkspaceId},
    },
    ctx::Ctx,
    files,
    jobs::JobError,
};

/// Chunks of bytes between the file store and the reader.
const CHUNKS: usize = 16;

/// What the stages hand on. A channel that closes without an end is a stage that died.
enum Handed<T> {
    Batch(T),
    End,
    Broken(Error),
}

/// A batch in its staging table. Holds the slot until it is dropped.
struct Ready {
    batch: Batch,
    slot: usize,
    _slot: OwnedSemaphorePermit,
}

/// What is imported, from where.
pub struct Source {
    pub workspace: WorkspaceId,
    pub file: FileId,
    pub head: Head,
    pub from: Place,
    /// How many rows the whole file has, where that is known already.
    pub total: Option<i64>,
}

/// Imports the rows from the place on; returns the counts of the whole file.
pub async fn run(applier: &Applier<'_>, source: Source, before: Counts) -> Result<Counts, JobError> {
    let Applier { ctx, run, import, .. } = *applier;
    let checker = applier.checker;
    stage::prepare(ctx, import, run.attempt, &checker.mapped).await?;
    let total = Total::new(source.total);
    let opened = files::read::open(&ctx.files, source.workspace, source.file, source.from.byte).await?;
    let _counting = source.total.is_none().then(|| spawn(count(ctx.clone(), total.clone(), &source)));

    let (feed, bytes) = channel(CHUNKS);
    let _feeding = spawn(feed_all(opened.bytes, feed));
    let cut = Cut { rows: ctx.limits.import_batch_rows.max(1), in_waves: applier.options.update_existing };
    let rows = Rows::new(bytes, &source.head, source.from, &ctx.limits);
    let batches = read_on_thread(rows, checker.clone(), cut)?;
    let (ready, mut staged) = channel(1);
    let _staging = spawn(stage_all(ctx.clone(), import, run.attempt, batches, ready));

    let statements: Vec<_> = (0..stage::SLOTS)
        .map(|slot| Statements::new(&checker.target, &checker.mapped, &stage::table(import, run.attempt, slot)))
        .collect();
    let mut maintenance = Maintenance::begin(ctx, &checker.target, before).await?;
    let mut counts = before;
    loop {
        run.check_stop()?;
        match staged.recv().await {
            Some(Handed::Batch(Ready { batch, slot, _slot })) => {
                counts = applier.apply(batch, &statements[slot], counts, total.get()).await?;
                maintenance.follow(counts);
            }
            Some(Handed::End) => return Ok(counts),
            Some(Handed::Broken(error)) => return Err(error.into()),
            None => return Err(Error::internal("the import's line broke off").into()),
        }
    }
}

fn spawn<F: Future<Output = ()> + Send + 'static>(work: F) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(work))
}

/// The number of rows, once it is known.
#[derive(Clone)]
struct Total(Arc<AtomicI64>);

const UNKNOWN: i64 = -1;

impl Total {
    fn new(total: Option<i64>) -> Self {
        Self(Arc::new(AtomicI64::new(total.unwrap_or(UNKNOWN))))
    }

    fn get(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|total| *total != UNKNOWN)
    }
}

/// Counts the rows of the whole file. Only for show, so that a failure is none of the import.
fn count(ctx: Ctx, total: Total, source: &Source) -> impl Future<Output = ()> + Send + use<> {
    let (workspace, file, from) = (source.workspace, source.file, source.head.rows_at.byte);
    async move {
        let counted = async {
            let mut bytes = files::read::open(&ctx.files, workspace, file, from).await?.bytes;
            let mut counter = Counter::default();
            while let Some(chunk) = bytes.next().await {
                counter.take(&chunk?);
            }
            Ok::<_, Error>(counter.finish())
        };
        match counted.await {
            Ok(rows) => total.0.store(rows, Ordering::Relaxed),
            Err(error) => tracing::info!(%error, "the rows of an import could not be counted"),
        }
    }
}

async fn feed_all(mut bytes: BoxStream<'static, Result<Bytes>>, feed: Sender<Feed>) {
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_or_else(Feed::Broken, Feed::Bytes);
        let is_broken = matches!(chunk, Feed::Broken(_));
        if feed.send(chunk).await.is_err() || is_broken {
            return;
        }
    }
    // where nobody listens any more, nobody misses the end
    let _ = feed.send(Feed::End).await;
}

/// Reads and checks on a thread of its own: it is busy all the time, and blocks.
fn read_on_thread(mut rows: Rows, checker: Checker, cut: Cut) -> Result<Receiver<Handed<Batch>>> {
    let (batches, read) = channel(1);
    let work = move || loop {
        let handed = match Batch::read(&mut rows, &checker, cut) {
            Ok(Some(batch)) => Handed::Batch(batch),
            Ok(None) => Handed::End,
            Err(error) => Handed::Broken(error),
        };
        let is_last = !matches!(handed, Handed::Batch(_));
        if batches.blocking_send(handed).is_err() || is_last {
            return;
        }
    };
    std::thread::Builder::new().name("import".to_owned()).spawn(work).map_err(Error::internal)?;
    Ok(read)
}

/// Copies batch after batch into the slots, in turn; a slot is free again when its batch was
/// committed.
async fn stage_all(
    ctx: Ctx,
    import: ImportId,
    attempt: i32,
    mut batches: Receiver<Handed<Batch>>,
    ready: Sender<Handed<Ready>>,
) {
    let slots = Arc::new(Semaphore::new(stage::SLOTS));
    let mut slot = 0;
    while let Some(handed) = batches.recv().await {
        let handed = match handed {
            Handed::End => Handed::End,
            Handed::Broken(error) => Handed::Broken(error),
            Handed::Batch(mut batch) => {
                let Ok(permit) = slots.clone().acquire_owned().await else { return };
                slot = (slot + 1) % stage::SLOTS;
                let copy = std::mem::take(&mut batch.copy);
                let filled = match batch.staged.is_empty() {
                    true => Ok(()),
                    false => stage::fill(&ctx, &stage::table(import, attempt, slot), copy).await,
                };
                match filled {
                    Ok(()) => Handed::Batch(Ready { batch, slot, _slot: permit }),
                    Err(error) => Handed::Broken(error),
                }
            }
        };
        let is_last = !matches!(handed, Handed::Batch(_));
        if ready.send(handed).await.is_err() || is_last {
            return;
        }
    }
}
