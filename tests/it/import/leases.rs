//! Two workers believe that a job is theirs: the one that was too slow writes nothing. (What becomes
//! of an import whose process dies is in `process/crash.rs`.)

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::lab::{Lab, UPDATE};
use crate::support::{
    import::{file, outcome},
    sql,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_lost_its_lease_disturbs_nobody() {
    let mut rng = StdRng::seed_from_u64(5);
    let text = file(&mut rng, 600);
    let undisturbed = Lab::in_batches(10).await;
    undisturbed.import(&text, UPDATE).await;

    let lab = Lab::in_batches(10).await;
    let import = lab.create(&text, UPDATE).await;
    let workers = [lab.worker(), lab.worker(), lab.worker()];
    let ended = lab.ended(import.id);
    let stolen = async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(rng.random_range(10..80))).await;
            let steal = "UPDATE jobs SET lease_until = now() - interval '1 s', crashes = 0 WHERE state = 'running'";
            sql::run(&lab.ctx.db, steal).await;
        }
    };
    tokio::join!(ended, stolen);
    drop(workers);
    assert_eq!(outcome(&lab.ctx.db).await, outcome(&undisturbed.ctx.db).await);
}
