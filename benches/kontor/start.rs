//! From starting the program to its ready line, and the memory that it then has.

use std::{path::Path, time::Duration};

use crate::{
    Result, Scale,
    report::{Report, mebibytes, median_time, millis},
    server::{Database, Server},
};

pub async fn measure(report: &mut Report, scale: Scale, folder: &Path, database: &Database) -> Result<()> {
    // the first one makes the schema and the admin
    Server::start(&folder.join("server"), Some(&database.url)).await?.stop().await?;
    let (mut ready, mut memory, mut signed_in) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        let mut server = Server::launch(&folder.join("server"), Some(&database.url)).await?;
        ready.push(server.ready_after);
        // whatever starts beside the ready line is there by then
        tokio::time::sleep(Duration::from_secs(1)).await;
        memory.push(server.process.memory()?);
        server.sign_in().await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        signed_in.push(server.process.memory()?);
        server.stop().await?;
    }
    let mut embedded = Vec::new();
    let own = folder.join("embedded");
    // the first one makes the cluster
    Server::start(&own, None).await?.stop().await?;
    for _ in 0..scale.rounds {
        let server = Server::start(&own, None).await?;
        embedded.push(server.ready_after);
        server.stop().await?;
    }
    let middle = |mut bytes: Vec<u64>| {
        bytes.sort_unstable();
        mebibytes(bytes[bytes.len() / 2])
    };
    report.table("Start on an existing database", &["", ""]);
    report.row(["ready, PostgreSQL running already".to_owned(), millis(median_time(ready.into_iter()))]);
    report.row([
        "ready, with the start of the embedded PostgreSQL".to_owned(),
        millis(median_time(embedded.into_iter())),
    ]);
    report.row(["memory when ready".to_owned(), middle(memory)]);
    report.row(["memory after a sign-in, whose hash takes 19 MiB for a moment".to_owned(), middle(signed_in)]);
    Ok(())
}
