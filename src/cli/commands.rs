//! The small commands: `schema` and `migrate`.

use std::{process::ExitCode, time::Duration};

use super::database::Database;
use crate::{
    base::Result,
    config::Config,
    db::{Connector, migrate},
    graphql::schema,
};

#[expect(clippy::print_stdout, reason = "the output of the command")]
pub fn schema() {
    print!("{}", schema::sdl());
}

#[expect(clippy::print_stdout, reason = "the output of the command")]
pub async fn migrate(config: Config, dry_run: bool, down: bool) -> Result<ExitCode> {
    let database = Database::share(&config).await?;
    let connector = Connector::new(&database.config)?;
    let (names, verb) = if dry_run {
        (migrate::pending(&connector).await?, "would run")
    } else if down {
        (migrate::revert_last(&connector).await?, "reverted")
    } else {
        (database.prepare().await?, "ran")
    };
    for name in &names {
        println!("{verb} {name}");
    }
    if names.is_empty() {
        println!("nothing to do: the database has this version's schema");
    }
    database.stop(Duration::from_secs(30)).await;
    Ok(ExitCode::SUCCESS)
}
