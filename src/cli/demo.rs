//! The demo: an invented trading house with a few thousand invented contacts, made by the same
//! operations that people use. The same every time, so that one that was stopped half-way goes on
//! with what is missing.

use std::{collections::HashMap, process::ExitCode, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;

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
        Account, Contact,
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

const ACCOUNTS: usize = 300;
const CONTACTS: usize = 3_000;
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
const FIRST: &[&str] = &[
    "Anna",
    "Björn",
    "Chloé",
    "Dmitri",
    "Elif",
    "Fatima",
    "George",
    "Håkon",
    "Iñigo",
    "Jana",
    "Katarzyna",
    "Liam",
    "María",
    "Noah",
    "Olga",
    "Péter",
    "Renée",
    "Søren",
    "Tomáš",
    "Vera",
    "Wei",
    "Yuki",
    "Zoë",
    "Łukasz",
];
const LAST: &[&str] = &[
    "Smith",
    "Müller",
    "García",
    "Nowak",
    "Ivanova",
    "O'Brien",
    "Sørensen",
    "Dvořák",
    "Rossi",
    "Silva",
    "Öztürk",
    "Nguyễn",
    "Tanaka",
    "Lefèvre",
    "van den Berg",
    "Ångström",
    "Jones",
    "Kim",
    "Chen",
    "Papadopoulos",
    "Szabó",
];
const TRADES: &[(&str, &str)] = &[
    ("Tea", "Food and drink"),
    ("Timber", "Wood"),
    ("Wool", "Textiles"),
    ("Salt", "Food and drink"),
    ("Copper", "Metals"),
    ("Paper", "Print"),
    ("Spice", "Food and drink"),
    ("Glass", "Building"),
];
const HOUSES: &[&str] = &["Trading", "& Sons", "Works", "Imports", "Company", "Partners", "Brothers", "Guild"];
const CITIES: &[(&str, &str)] = &[
    ("Lübeck", "DE"),
    ("Hamburg", "DE"),
    ("Bergen", "NO"),
    ("Gdańsk", "PL"),
    ("Riga", "LV"),
    ("Tallinn", "EE"),
    ("Stockholm", "SE"),
    ("Brugge", "BE"),
    ("London", "GB"),
    ("Porto", "PT"),
];
const TITLES: &[&str] =
    &["Buyer", "Head of Purchasing", "Managing Director", "Office Manager", "Logistics", "Accountant"];

/// `kontor demo`.
#[expect(clippy::print_stdout, reason = "the output of the command")]
pub async fn run(config: Config) -> Result<ExitCode> {
    let database = Database::share(&config).await?;
    database.prepare().await?;
    let ctx = tools(&config, &database)?;
    let filled = fill(&ctx).await;
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
    let accounts = (0..ACCOUNTS).map(|number| account(number, &owners));
    let accounts = make::<Account>(ctx, &caller, "accountNumber", accounts.collect()).await?;
    let contacts = (0..CONTACTS).map(|number| contact(number, &owners, accounts[pick(number, 7, accounts.len())]));
    make::<Contact>(ctx, &caller, "email", contacts.collect()).await?;
    installation::mark_demo(ctx).await
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
/// at a time. The ids of all of them, in that order.
async fn make<R: Record>(ctx: &Ctx, caller: &Caller, key: &str, records: Vec<Value>) -> Result<Vec<Uuid>> {
    let there = &present::<R>(ctx, caller, key).await?;
    stream::iter(records)
        .map(|record| async move {
            if let Some(id) = record[key].as_str().and_then(|key| there.get(key)) {
                return Ok(*id);
            }
            let input = R::FIELDS
                .iter()
                .filter_map(|field| record.get(field.name).map(|value| (field, Raw::Json(value))))
                .collect();
            Ok(ops::create::<R>(ctx, caller, input).await?.meta().id)
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
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

fn account(number: usize, owners: &[UserId]) -> Value {
    let (ware, industry) = TRADES[number % TRADES.len()];
    let (city, country) = CITIES[pick(number, 1, CITIES.len())];
    let name = format!("{city} {ware} {}", HOUSES[pick(number, 2, HOUSES.len())]);
    json!({
        "name": if number < 80 { name } else { format!("{name} {}", number / 80 + 1) },
        "accountNumber": format!("A-{:05}", 10_000 + number),
        "industry": industry,
        "type": (["prospect", "customer", "customer", "partner", "vendor"][pick(number, 3, 5)]),
        "employees": 3 + pick(number, 4, 400),
        "annualRevenue": format!("{}000.00", 50 + pick(number, 5, 9_000)),
        "website": format!("https://house-{number}.example"),
        "billingCity": city,
        "billingCountry": country,
        "ownerId": owners[pick(number, 6, owners.len())],
        "tags": if pick(number, 8, 4) == 0 { json!(["autumn fair"]) } else { json!([]) },
    })
}

fn contact(number: usize, owners: &[UserId], account: Uuid) -> Value {
    let (city, country) = CITIES[pick(number, 1, CITIES.len())];
    json!({
        "firstName": FIRST[pick(number, 2, FIRST.len())],
        "lastName": LAST[pick(number, 3, LAST.len())],
        "email": format!("contact{number}@house-{}.example", pick(number, 7, ACCOUNTS)),
        "phone": format!("+49 451 {:07}", 1_000_000 + pick(number, 4, 8_999_999)),
        "title": TITLES[pick(number, 5, TITLES.len())],
        "city": city,
        "country": country,
        "accountId": account,
        "source": (["website", "referral", "event", "email_campaign", "cold_call"][pick(number, 9, 5)]),
        "status": (["active", "customer", "customer", "lead", "inactive"][pick(number, 10, 5)]),
        "ownerId": owners[pick(number, 6, owners.len())],
        "tags": if pick(number, 8, 5) == 0 { json!(["newsletter"]) } else { json!([]) },
    })
}

/// A number below `of` that looks random but is always the same.
fn pick(number: usize, salt: usize, of: usize) -> usize {
    let mixed = (number as u64 + 1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add((salt as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed >> 33) % of.max(1) as u64).unwrap_or_default()
}
