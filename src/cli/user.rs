//! `kontor user add`: makes the first admin, or one more user, from the command line.

use std::{io::BufRead, process::ExitCode, time::Duration};

use clap::Subcommand;

use super::{database::Database, tools::tools};
use crate::{
    auth::{Caller, Origin, Role, Via, password::Password},
    base::{Error, Result},
    config::Config,
    team::{registration, users},
};

#[derive(Subcommand)]
pub enum UserCommand {
    /// Add a user; on an empty installation, the first workspace and its admin
    Add {
        /// The address to sign in with
        email: String,
        /// The full name
        #[arg(long)]
        name: String,
        /// admin, manager, sales_rep or support
        #[arg(long, default_value = "admin", value_parser = Role::parse)]
        role: Role,
        /// The name of the first workspace [default: the person's name]
        #[arg(long)]
        workspace: Option<String>,
        /// Read the password from standard input (otherwise KONTOR_USER_PASSWORD)
        #[arg(long)]
        password_stdin: bool,
    },
}

#[expect(clippy::print_stdout, reason = "the output of the command")]
pub async fn run(config: Config, command: UserCommand) -> Result<ExitCode> {
    let UserCommand::Add { email, name, role, workspace, password_stdin } = command;
    let password = read_password(password_stdin)?;
    let database = Database::share(&config).await?;
    database.prepare().await?;
    let ctx = tools(&config, &database)?;
    let first = registration::Registration {
        email: email.clone(),
        password: password.clone(),
        full_name: name.clone(),
        workspace_name: workspace,
        set_up_key: None,
    };
    match registration::first_admin(&ctx, first).await? {
        Some(_) => println!("made the first workspace, with {email} as its admin"),
        None => {
            let (workspace, admin) = registration::any_admin(&ctx).await?;
            let caller = Caller::new(workspace, admin, Role::Admin, Origin::System, Via::System);
            let new =
                users::NewUser { email: email.clone(), full_name: name, password, role, phone: None, department: None };
            users::create(&ctx, &caller, new).await?;
            println!("added {email} as {role}");
        }
    }
    ctx.db.close();
    database.stop(Duration::from_secs(30)).await;
    Ok(ExitCode::SUCCESS)
}

fn read_password(from_stdin: bool) -> Result<Password> {
    if !from_stdin {
        let password = std::env::var("KONTOR_USER_PASSWORD");
        return password
            .map(Password::new)
            .map_err(|_| Error::invalid("KONTOR_USER_PASSWORD", "is not set; set it, or use --password-stdin"));
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(Error::internal)?;
    Ok(Password::new(line.trim_end_matches(['\r', '\n'])))
}
