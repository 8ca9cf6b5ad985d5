//! `kontor doctor`: looks at the parts of an installation one by one and says, for each that is
//! not well, how to mend it. Changes nothing.

use std::{net::TcpListener, path::Path, process::ExitCode, time::Duration};

use super::database::{Database, embedded_config};
use crate::{
    base::Result,
    config::Config,
    db::{Connector, Db, connect_plain, embedded, migrate},
    jobs,
};

/// What was found about one part.
struct Finding {
    part: &'static str,
    /// `Err` says how to mend it.
    state: Result<String, String>,
}

#[expect(clippy::print_stdout, reason = "the output of the command")]
pub async fn run(config: Config) -> Result<ExitCode> {
    let mut findings = vec![data_folder(&config), address(&config)];
    findings.extend(database(&config).await);
    let mut ill = 0;
    for Finding { part, state } in &findings {
        match state {
            Ok(text) => println!("ok    {part}: {text}"),
            Err(text) => {
                ill += 1;
                println!("ILL   {part}: {text}");
            }
        }
    }
    println!("{}", if ill == 0 { "all is well".to_owned() } else { format!("{ill} to mend") });
    Ok(if ill == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn data_folder(config: &Config) -> Finding {
    let folder = &config.data_dir;
    // what would be made is not made here: the nearest folder above it that there is must do
    let there = folder
        .ancestors()
        .find(|path| path.exists())
        .map_or(Path::new("."), |path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let probe = there.join(format!(".kontor-doctor-{}", std::process::id()));
    let state = std::fs::write(&probe, b"ok")
        .and_then(|()| std::fs::remove_file(&probe))
        .map(|()| format!("{} can be written", folder.display()))
        .map_err(|error| {
            format!("{} cannot be written ({error}); change its owner or set --data-dir", folder.display())
        });
    Finding { part: "data folder", state }
}

fn address(config: &Config) -> Finding {
    let state = match TcpListener::bind(config.listen) {
        Ok(_) => Ok(format!("{} is free", config.listen)),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Ok(format!("{} is in use, by a running kontor or by something else", config.listen))
        }
        Err(error) => Err(format!("{} cannot be listened at ({error}); set --listen", config.listen)),
    };
    Finding { part: "address", state }
}

async fn database(config: &Config) -> Vec<Finding> {
    if config.database_url.is_none() {
        match embedded::is_made(&embedded_config(config)) {
            Ok(true) => {}
            Ok(false) => {
                let state = Ok("there is none yet; kontor serve makes it".to_owned());
                return vec![Finding { part: "database", state }];
            }
            Err(error) => return vec![Finding { part: "database", state: Err(error.to_string()) }],
        }
    }
    let database = match Database::share(config).await {
        Ok(database) => database,
        Err(error) => return vec![Finding { part: "database", state: Err(error.to_string()) }],
    };
    let findings = look_at(config, &database).await;
    let findings = findings.unwrap_or_else(|error| vec![Finding { part: "database", state: Err(error.to_string()) }]);
    database.stop(Duration::from_secs(30)).await;
    findings
}

async fn look_at(config: &Config, database: &Database) -> Result<Vec<Finding>> {
    let connector = Connector::new(&database.config)?;
    let client = connect_plain(&connector).await?;
    let place = if config.database_url.is_none() { "our own PostgreSQL answers" } else { "DATABASE_URL answers" };
    let mut findings = vec![Finding { part: "database", state: Ok(place.to_owned()) }];
    findings.push(Finding {
        part: "letters",
        state: match migrate::folds_all_letters(&client).await {
            Ok(true) => Ok("upper and lower case of all languages are known".to_owned()),
            Ok(false) => Err(migrate::ENGLISH_ONLY.to_owned()),
            Err(error) => Err(error.to_string()),
        },
    });
    let pending = migrate::pending(&connector).await;
    findings.push(Finding {
        part: "schema",
        state: match pending {
            Ok(names) if names.is_empty() => Ok("is this version's".to_owned()),
            Ok(names) => Err(format!("lacks {} migrations; run kontor migrate", names.len())),
            Err(_) => Err("the database was never prepared; run kontor migrate".to_owned()),
        },
    });
    let db = Db::open(&database.config)?;
    let state = match db.ping().await {
        Ok(()) => Ok("can be acted as".to_owned()),
        Err(error) => Err(format!("{error}; docs/deployment.md has the SQL for an administrator")),
    };
    let well = state.is_ok();
    findings.push(Finding { part: "roles", state });
    if well {
        findings.push(jobs(&db).await);
    }
    db.close();
    Ok(findings)
}

/// Jobs that were given up are no fault of the installation as such, but nobody else tells of them.
async fn jobs(db: &Db) -> Finding {
    let dead = async {
        let mut tx = db.system().await?;
        jobs::dead_letters(&mut tx).await
    };
    let state = match dead.await {
        Ok(dead) if dead.is_empty() => Ok("none was given up".to_owned()),
        Ok(dead) => {
            let kinds: Vec<_> = dead.iter().map(|(kind, jobs)| format!("{jobs} {kind}")).collect();
            Ok(format!(
                "given up in the last 90 days: {}; the log tells why, and an admin sees those of a workspace with \
                 jobs(status: FAILED) and tries one again with rerunJob",
                kinds.join(", ")
            ))
        }
        // the finding on the schema says what to do
        Err(_) => Ok("cannot be counted before the schema is this version's".to_owned()),
    };
    Finding { part: "jobs", state }
}
