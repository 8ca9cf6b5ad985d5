//! The demo: an invented trading house with a few thousand invented records of all kinds, made by the
//! same operations that people use, each as long ago as it would have been. The same every time but for
//! the dates, which lie around the day of its making; so one that was stopped half-way goes on with what
//! is missing. Once there it goes on by itself for some hours, see `lively`.

mod fields;
mod lists;
pub mod lively;
mod past;
mod records;
mod sales;

use std::{
    collections::{HashMap, HashSet},
    process::ExitCode,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use self::{
    lively::Cast,
    past::ago,
    records::{ACCOUNTS, CONTACTS, DEALS, LEADS, PRODUCTS, TASKS, pick, spread},
};
use super::{database::Database, tools::tools};
use crate::{
    auth::{Caller, Origin, Role, Via, password::Password},
    base::{
        Error, Result,
        ids::UserId,
        page::{self, PageArgs},
    },
    config::{Config, DEMO_EMAIL, DEMO_PASSWORD},
    crm::{
        Account, Contact, Deal, Lead, Product, Task,
        notes::{self, NewNote},
        record::{
            Raw, Record, ops,
            select::{self, Order},
        },
    },
    ctx::Ctx,
    team::{
        installation::{self, Filled},
        registration, users,
    },
};

/// Contacts that stand in the books twice.
const DOUBLES: usize = 24;
/// Contacts that come and go while the demo is lively.
const VISITORS: usize = 12;
/// Contacts with whom something happens while the demo is lively, and twice as many as deals.
const PLAYERS: usize = 24;
/// Accounts, and as many deals, with a note.
const NOTED: usize = 60;
/// Records made at once.
const AT_ONCE: usize = 8;
/// Records read at once.
const PAGE: i32 = 500;

const COLLEAGUES: &[(&str, &str, Role)] = &[
    ("Marit Solberg", "marit", Role::Manager),
    ("Jonas Petersen", "jonas", Role::SalesRep),
    ("Ewa Zielińska", "ewa", Role::SalesRep),
    ("Tomás Ferreira", "tomas", Role::Support),
];
const REMARKS: &[&str] = &[
    "Prefers to be called in the morning.",
    "Wants **samples** before each order; pays within 14 days.",
    "Met at the autumn fair. Looking for:\n\n- a second supplier\n- shorter delivery times",
    "Asked for our price list for next year.",
    "Their warehouse is being rebuilt: deliver to the back gate.",
];

/// `kontor demo`.
#[expect(clippy::print_stdout, reason = "the output of the command")]
pub async fn run(config: Config) -> Result<ExitCode> {
    let database = Database::share(&config).await?;
    database.prepare().await?;
    let ctx = tools(&config, &database)?;
    let filled = Box::pin(fill(&ctx)).await;
    ctx.db.close();
    database.stop(Duration::from_secs(30)).await;
    filled?;
    println!("sign in as {DEMO_EMAIL} with the password {DEMO_PASSWORD}");
    Ok(ExitCode::SUCCESS)
}

/// Fills an empty database, or goes on where an earlier run was stopped; leaves one that it filled
/// as it is; refuses any other.
pub async fn fill(ctx: &Ctx) -> Result<()> {
    match installation::filled(ctx, DEMO_EMAIL).await? {
        Filled::ByDemo => return Ok(()),
        Filled::ByPeople => return Err(not_empty()),
        Filled::No | Filled::InPart => {}
    }
    tracing::info!("inventing a trading house");
    let caller = first_person(ctx).await?;
    let owners = colleagues(ctx, &caller).await?;
    fields::define(ctx, &caller).await?;
    sales::make_pipeline(ctx, &caller).await?;
    let accounts = (0..ACCOUNTS).map(|number| (spread(number, ACCOUNTS, 720), records::account(number, &owners)));
    let accounts = make::<Account>(ctx, &caller, "accountNumber", accounts.collect()).await?;
    let now = ctx.clock.now();
    let contacts = make::<Contact>(ctx, &caller, "email", people(&owners, &accounts, now)).await?;
    let products = (0..PRODUCTS).map(|number| (spread(number, PRODUCTS, 700), records::product(number, &owners)));
    let products = make::<Product>(ctx, &caller, "sku", products.collect()).await?;
    let leads = (0..LEADS).map(|number| (records::age_of_lead(number), records::lead(number, &owners, now)));
    let leads = make::<Lead>(ctx, &caller, "email", leads.collect()).await?;
    let pipelines = sales::Pipelines::read(ctx, &caller).await?;
    let of_house = |number: usize| (accounts[pick(number, 7, accounts.len())], contacts[number % contacts.len()]);
    let deals = (0..DEALS)
        .map(|number| Ok((sales::age(number), sales::begun(number, &owners, of_house(number), &pipelines, now)?)))
        .collect::<Result<_>>()?;
    let deals = make::<Deal>(ctx, &caller, "name", deals).await?;
    sales::carry_on(ctx, &caller, &pipelines, &deals, &products).await?;
    sales::convert(ctx, &caller, &leads, records::age_of_lead).await?;
    let tasks =
        (0..TASKS).map(|number| (records::age_of_task(number), records::task(number, &owners, &contacts, &deals, now)));
    make::<Task>(ctx, &caller, "title", tasks.collect()).await?;
    write_notes::<Account>(ctx, &caller, accounts.get(..NOTED).unwrap_or(&accounts)).await?;
    write_notes::<Deal>(ctx, &caller, deals.get(..NOTED).unwrap_or(&deals)).await?;
    let colleagues = owners.get(1..).unwrap_or_default();
    lists::make(ctx, &caller, contacts.get(..CONTACTS).unwrap_or(&contacts), colleagues).await?;
    let cast = Cast {
        workspace: caller.workspace,
        // the one who may do anything to records
        colleague: colleagues.first().copied().unwrap_or(caller.user),
        contacts: contacts.iter().step_by(CONTACTS / PLAYERS).take(PLAYERS).copied().collect(),
        visitors: contacts.iter().rev().take(VISITORS).copied().collect(),
        deals: sales::last_open(ctx, &caller, &deals, PLAYERS / 2).await?,
    };
    installation::mark_demo(ctx, json!(cast)).await
}

/// All contacts with their ages, the oldest first: those of the houses, then those that are there twice,
/// then those who come and go.
fn people(owners: &[UserId], accounts: &[Uuid], now: DateTime<Utc>) -> Vec<(TimeDelta, Value)> {
    let contact = |number: usize| records::contact(number, owners, accounts[pick(number, 7, accounts.len())], now);
    let minutes = |number: usize| TimeDelta::minutes(i64::try_from(number).unwrap_or_default());
    let contacts = (0..CONTACTS).map(|number| (records::age_of_contact(number), contact(number)));
    let doubles = (0..DOUBLES).map(|number| (minutes(200 - 5 * number), records::double(number, owners)));
    let visitors = (0..VISITORS).map(|number| (minutes(60 - 5 * number), records::visitor(number)));
    contacts.chain(doubles).chain(visitors).collect()
}

fn not_empty() -> Error {
    Error::conflict("This database has data of its own; the demo fills empty databases only")
}

async fn first_person(ctx: &Ctx) -> Result<Caller> {
    let first = registration::Registration {
        email: DEMO_EMAIL.to_owned(),
        password: Password::new(DEMO_PASSWORD),
        full_name: "Demo Person".to_owned(),
        workspace_name: Some("Holm & Daughters, Trading House".to_owned()),
        set_up_key: None,
    };
    let (workspace, admin) = match registration::first_admin(ctx, first).await? {
        Some((admin, workspace)) => (workspace, admin),
        None if installation::filled(ctx, DEMO_EMAIL).await? == Filled::ByPeople => return Err(not_empty()),
        None => registration::any_admin(ctx).await?,
    };
    Ok(Caller::new(workspace, admin, Role::Admin, Origin::System, Via::System))
}

/// The people, the first one first.
async fn colleagues(ctx: &Ctx, caller: &Caller) -> Result<Vec<UserId>> {
    let args = PageArgs { first: Some(PAGE), ..PageArgs::default() };
    let there = users::page(ctx, caller, args).await?.rows;
    let mut ids = vec![caller.user];
    for (name, address, role) in COLLEAGUES {
        let email = format!("{address}@kontor.example");
        if let Some(known) = there.iter().find(|user| user.email == email) {
            ids.push(known.id);
            continue;
        }
        let new = users::NewUser {
            email,
            full_name: (*name).to_owned(),
            password: Password::new(DEMO_PASSWORD),
            role: *role,
            phone: None,
            department: None,
        };
        ids.push(users::create(ctx, caller, new).await?.id);
    }
    Ok(ids)
}

/// Makes those of the records that are not there, by their key, in order of their numbers and a few
/// at a time, each with its age. The ids of all of them, in that order.
async fn make<R: Record>(ctx: &Ctx, caller: &Caller, key: &str, records: Vec<(TimeDelta, Value)>) -> Result<Vec<Uuid>> {
    let there = &present::<R>(ctx, caller, key).await?;
    stream::iter(records)
        .map(|(age, record)| async move {
            if let Some(id) = record[key].as_str().and_then(|key| there.get(key)) {
                return Ok(*id);
            }
            Ok(ops::create::<R>(&ago(ctx, age), caller, input::<R>(&record)).await?.meta().id)
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// Input from values by the fields' names.
fn input<R: Record>(values: &Value) -> ops::Input<'_> {
    R::FIELDS.iter().filter_map(|field| values.get(field.name).map(|value| (field, Raw::Json(value)))).collect()
}

/// The records of a kind by their key.
async fn present<R: Record>(ctx: &Ctx, caller: &Caller, key: &str) -> Result<HashMap<String, Uuid>> {
    let (mut found, mut after) = (HashMap::new(), None);
    let Some(key) = R::FIELDS.iter().find(|field| field.name == key) else { return Ok(found) };
    loop {
        let args = PageArgs { first: Some(PAGE), after, ..PageArgs::default() };
        let slice = select::page::<R>(ctx, caller, None, Order::NEWEST_FIRST, args).await?;
        after = slice.rows.last().map(|(at, _)| page::encode(at));
        found.extend(slice.rows.iter().filter_map(|(_, record)| Some((record.get(key).to_text()?, record.meta().id))));
        if !slice.has_next {
            return Ok(found);
        }
    }
}

/// A note about each of these that has none, every fifth of them pinned.
async fn write_notes<R: Record>(ctx: &Ctx, caller: &Caller, records: &[Uuid]) -> Result<()> {
    let counts = notes::counts::<R>(ctx, caller, records).await?;
    let noted: HashSet<_> = counts.into_iter().filter(|(_, count)| *count > 0).map(|(record, _)| record).collect();
    for (number, record) in records.iter().enumerate().filter(|(_, record)| !noted.contains(record)) {
        let body = REMARKS[pick(number, 1, REMARKS.len())].to_owned();
        let note = NewNote { kind: R::KIND, record: *record, body, is_pinned: number.is_multiple_of(5) };
        notes::create(&ago(ctx, spread(number, NOTED, 60)), caller, note).await?;
    }
    Ok(())
}
