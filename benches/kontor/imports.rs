//! Imports beside the same rows by PostgreSQL's own `COPY` into a table of the same columns,
//! indexes, checks and keys, in turns.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio_util::io::ReaderStream;

use crate::{
    Result, Scale,
    data::{self, COLUMNS, Contacts},
    load::{Connection, post},
    report::{Report, Spread, mebibytes, median, median_time, thousands},
    server::{Database, Server, connect},
};

const REFERENCE: &str = "bench_reference";

/// Fills both tables with the scale's contacts, the first and largest import, and then lets the
/// two take turns at smaller files.
pub async fn measure(
    report: &mut Report,
    scale: Scale,
    folder: &Path,
    database: &Database,
    server: &Server,
) -> Result<()> {
    make_reference(database, server).await?;
    report.table(
        "Import of contacts by CSV (12 columns, 2 % repeated addresses, 0.5 % bad rows)",
        &["", "rows/s, import", "rows/s, `\\copy` of the good rows", "ratio", "memory above idle"],
    );
    let idle = settled_memory(server).await?;
    let big = data::write(folder, "base", scale.contacts)?;
    let copied = copy(database, &big).await?;
    let imported = import(database, server, &big).await?;
    report_import(
        report,
        &format!("{} rows into empty tables, once", thousands(big.rows as f64)),
        &big,
        &[imported],
        &[copied],
        idle,
    );

    let mut imported = Vec::new();
    let mut copied = Vec::new();
    let mut small = None;
    for round in 0..scale.rounds {
        let file = data::write(folder, &format!("round{round}"), scale.contacts / 10)?;
        copied.push(copy(database, &file).await?);
        imported.push(import(database, server, &file).await?);
        small = Some(file);
    }
    let small = small.ok_or("no rounds")?;
    let title = format!("{} rows into the tables so filled, median of {}", thousands(small.rows as f64), scale.rounds);
    report_import(report, &title, &small, &imported, &copied, idle);
    while_importing(report, scale, folder, server).await
}

pub struct Imported {
    pub took: Duration,
    peak_memory: u64,
}

fn report_import(
    report: &mut Report,
    title: &str,
    file: &Contacts,
    imported: &[Imported],
    copied: &[Duration],
    idle: u64,
) {
    let import_rate = file.rows as f64 / median_time(imported.iter().map(|one| one.took)).as_secs_f64();
    let copy_rate = file.good as f64 / median_time(copied.iter().copied()).as_secs_f64();
    let ratios = imported
        .iter()
        .zip(copied)
        .map(|(import, copy)| (file.rows as f64 / import.took.as_secs_f64()) / (file.good as f64 / copy.as_secs_f64()));
    let memory = imported.iter().map(|one| one.peak_memory.saturating_sub(idle)).max().unwrap_or_default();
    report.row([
        title.to_owned(),
        thousands(import_rate),
        thousands(copy_rate),
        format!("{:.2}", median(ratios.collect())),
        mebibytes(memory),
    ]);
}

/// The memory of a server that has nothing to do.
async fn settled_memory(server: &Server) -> Result<u64> {
    // its pools and caches are there after the first requests
    for _ in 0..20 {
        server.get("/api/v1/contacts?limit=10").await?;
    }
    server.process.memory()
}

/// The same table without row-level security, which a superuser would pass by anyway.
async fn make_reference(database: &Database, server: &Server) -> Result<()> {
    let client = connect(&database.url).await?;
    let workspace = &server.workspace;
    let user: uuid::Uuid = client
        .query_one("SELECT user_id FROM members WHERE workspace_id = $1", &[&workspace.parse::<uuid::Uuid>()?])
        .await?
        .get(0);
    client
        .batch_execute(&format!(
            "DROP TABLE IF EXISTS {REFERENCE};
             CREATE TABLE {REFERENCE} (LIKE contacts INCLUDING ALL,
                 FOREIGN KEY (workspace_id) REFERENCES workspaces,
                 FOREIGN KEY (workspace_id, account_id) REFERENCES accounts,
                 FOREIGN KEY (workspace_id, owner_id) REFERENCES members);
             ALTER TABLE {REFERENCE} ALTER workspace_id SET DEFAULT '{workspace}',
                 ALTER created_by SET DEFAULT '{user}', ALTER created_at SET DEFAULT now(),
                 ALTER updated_at SET DEFAULT now();"
        ))
        .await?;
    Ok(())
}

/// Dirty pages of what came before must not be written in this one's time.
async fn checkpoint(database: &Database) -> Result<()> {
    Ok(connect(&database.url).await?.batch_execute("CHECKPOINT").await?)
}

async fn copy(database: &Database, file: &Contacts) -> Result<Duration> {
    checkpoint(database).await?;
    let columns = COLUMNS.join(", ");
    let command = format!("\\copy {REFERENCE} (id, {columns}) FROM '{}' WITH (FORMAT csv)", file.clean.display());
    let began = Instant::now();
    let output = Command::new("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", &command, &database.url])
        .output()
        .await?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(began.elapsed())
}

/// From the first byte of the upload until the job is completed, as a client sees it.
pub async fn import(database: &Database, server: &Server, file: &Contacts) -> Result<Imported> {
    checkpoint(database).await?;
    server.process.forget_peak()?;
    let began = Instant::now();
    let id = upload(server, file).await?;
    let job = ended(server, &id).await?;
    let took = began.elapsed();
    if job["status"] != "completed" || job["successful_rows"].as_u64() != Some(file.good as u64) {
        return Err(format!("of {} good rows: {job}", file.good).into());
    }
    Ok(Imported { took, peak_memory: server.process.peak_memory()? })
}

/// The form by hand: a library's would hold the file in memory or cost the build a feature.
async fn upload(server: &Server, file: &Contacts) -> Result<String> {
    const BOUNDARY: &str = "bench-boundary";
    let field = |name: &str, value: &str| {
        format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let head = field("entity_type", "contacts")
        + &field("import_options", &json!({ "skip_duplicates": true }).to_string())
        + &format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"contacts.csv\"\r\n\r\n");
    let text = |text: String| stream::once(std::future::ready(Ok(Bytes::from(text))));
    let bytes = ReaderStream::with_capacity(tokio::fs::File::open(&file.file).await?, 256 * 1024);
    let body = text(head).chain(bytes).chain(text(format!("\r\n--{BOUNDARY}--\r\n")));
    let request = reqwest::Client::builder()
        .no_proxy()
        .build()?
        .post(format!("http://{}/api/v1/import", server.address))
        .bearer_auth(&server.token)
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(reqwest::Body::wrap_stream(body));
    let job: Value = serde_json::from_slice(&request.send().await?.bytes().await?)?;
    Ok(job["id"].as_str().ok_or_else(|| job.to_string())?.to_owned())
}

async fn ended(server: &Server, id: &str) -> Result<Value> {
    loop {
        let job = server.get(&format!("/api/v1/import/{id}")).await?;
        if !matches!(job["status"].as_str(), Some("pending" | "processing")) {
            return Ok(job);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What somebody else's page of contacts costs meanwhile.
async fn while_importing(report: &mut Report, scale: Scale, folder: &Path, server: &Server) -> Result<()> {
    let file = data::write(folder, "meanwhile", scale.contacts / 10)?;
    let query = json!({ "query": "{ contacts(first: 50) { nodes { id firstName lastName email } } }" }).to_string();
    let request = post("/graphql", &server.token, &query);
    let mut connection = Connection::open(&server.address).await?;
    let id = upload(server, &file).await?;
    let mut import = Box::pin(ended(server, &id));
    let mut times = Vec::new();
    loop {
        let asked = Instant::now();
        connection.ask(&request).await?;
        times.push(asked.elapsed());
        tokio::select! {
            job = &mut import => break drop(job?),
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
    report.line(format!("\nA page of 50 contacts while an import runs: {}.", Spread::of(times)));
    Ok(())
}
