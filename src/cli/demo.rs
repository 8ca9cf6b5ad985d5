//! The demo: an invented trading house with a few thousand invented records of all kinds, made by the
//! same operations that people use. The same every time but for the dates, which lie around the day of
//! its making; so one that was stopped half-way goes on with what is missing.

mod lists;

use std::{
    collections::{HashMap, HashSet},
    process::ExitCode,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
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

const ACCOUNTS: usize = 300;
const CONTACTS: usize = 3_000;
const LEADS: usize = 500;
const DEALS: usize = 400;
const PRODUCTS: usize = 48;
const TASKS: usize = 500;
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
const STAGES: &[&str] = &[
    "Qualification",
    "Qualification",
    "Needs Analysis",
    "Value Proposition",
    "Identify Decision Makers",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "On Hold",
    "Closed Won",
    "Closed Won",
    "Closed Lost",
];
const LOSSES: &[&str] = &["Price", "Another house was quicker", "No budget this year", "Quality of the sample"];
const GRADES: &[&str] = &["Plain", "Fine", "Choice", "Market", "Harbour", "Guild"];
const ERRANDS: &[&str] =
    &["Call", "Send an offer to", "Visit", "Send samples to", "Follow up with", "Write the contract with"];
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
    let contacts = make::<Contact>(ctx, &caller, "email", contacts.collect()).await?;
    let now = ctx.clock.now();
    make::<Product>(ctx, &caller, "sku", (0..PRODUCTS).map(|number| product(number, &owners)).collect()).await?;
    make::<Lead>(ctx, &caller, "email", (0..LEADS).map(|number| lead(number, &owners, now)).collect()).await?;
    let of_house = |number: usize| (accounts[pick(number, 7, accounts.len())], contacts[number % contacts.len()]);
    let deals = (0..DEALS).map(|number| deal(number, &owners, of_house(number), now));
    let deals = make::<Deal>(ctx, &caller, "name", deals.collect()).await?;
    let tasks = (0..TASKS).map(|number| task(number, &owners, &contacts, &deals, now));
    make::<Task>(ctx, &caller, "title", tasks.collect()).await?;
    write_notes::<Account>(ctx, &caller, accounts.get(..NOTED).unwrap_or(&accounts)).await?;
    write_notes::<Deal>(ctx, &caller, deals.get(..NOTED).unwrap_or(&deals)).await?;
    lists::make(ctx, &caller, &contacts).await?;
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

/// A note about each of these that has none, every fifth of them pinned.
async fn write_notes<R: Record>(ctx: &Ctx, caller: &Caller, records: &[Uuid]) -> Result<()> {
    let counts = notes::counts::<R>(ctx, caller, records).await?;
    let noted: HashSet<_> = counts.into_iter().filter(|(_, count)| *count > 0).map(|(record, _)| record).collect();
    for (number, record) in records.iter().enumerate().filter(|(_, record)| !noted.contains(record)) {
        let body = REMARKS[pick(number, 1, REMARKS.len())].to_owned();
        notes::create(
            ctx,
            caller,
            NewNote { kind: R::KIND, record: *record, body, is_pinned: number.is_multiple_of(5) },
        )
        .await?;
    }
    Ok(())
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

fn product(number: usize, owners: &[UserId]) -> Value {
    let (ware, category) = TRADES[number % TRADES.len()];
    let price = 5 + pick(number, 1, 400);
    json!({
        "name": format!("{} {ware}", GRADES[number / TRADES.len() % GRADES.len()]),
        "sku": format!("P-{:04}", 1_000 + number),
        "category": category,
        "price": format!("{price}.50"),
        "cost": format!("{}.00", price / 2 + 1),
        "currency": "EUR",
        "stockQuantity": pick(number, 2, 2_000),
        "unit": (["kg", "crate", "bale"][pick(number, 3, 3)]),
        "status": (["active", "active", "active", "out_of_stock", "discontinued"][pick(number, 4, 5)]),
        "ownerId": owners[pick(number, 6, owners.len())],
    })
}

fn lead(number: usize, owners: &[UserId], now: DateTime<Utc>) -> Value {
    let (city, country) = CITIES[pick(number, 11, CITIES.len())];
    let (ware, industry) = TRADES[pick(number, 12, TRADES.len())];
    let owner = pick(number, 13, owners.len() + 1);
    json!({
        "firstName": FIRST[pick(number, 14, FIRST.len())],
        "lastName": LAST[pick(number, 15, LAST.len())],
        "email": format!("lead{number}@prospect-{}.example", pick(number, 16, LEADS)),
        "phone": format!("+49 40 {:07}", 1_000_000 + pick(number, 17, 8_999_999)),
        "company": format!("{city} {ware} {}", HOUSES[pick(number, 18, HOUSES.len())]),
        "industry": industry,
        "title": TITLES[pick(number, 19, TITLES.len())],
        "city": city,
        "country": country,
        "source": (["website", "website", "event", "referral", "social_media"][pick(number, 20, 5)]),
        "status": (["new", "new", "contacted", "qualified", "unqualified"][pick(number, 21, 5)]),
        "leadScore": pick(number, 22, 101),
        "lastContactDate": days(now, -number_of_days(number, 23, 90)),
        // nobody works on some of them yet
        "ownerId": owners.get(owner),
    })
}

fn deal(number: usize, owners: &[UserId], (account, contact): (Uuid, Uuid), now: DateTime<Utc>) -> Value {
    let (ware, _) = TRADES[pick(number, 24, TRADES.len())];
    let (city, _) = CITIES[pick(number, 25, CITIES.len())];
    let stage = STAGES[pick(number, 26, STAGES.len())];
    let mut deal = json!({
        "name": format!("{ware} for {city}, contract {}", 1_000 + number),
        "amount": format!("{}00.00", 5 + pick(number, 27, 2_000)),
        "currency": "EUR",
        "stageId": stage,
        "accountId": account,
        "contactId": contact,
        "leadSource": (["website", "referral", "event", "cold_call"][pick(number, 28, 4)]),
        "expectedCloseDate": days(now, number_of_days(number, 29, 120) - 20),
        "nextStep": (["Send the offer", "Agree on a date", "Wait for the sample"][pick(number, 30, 3)]),
        "ownerId": owners[pick(number, 6, owners.len())],
    });
    if stage.starts_with("Closed") {
        deal["closeDate"] = json!(days(now, -number_of_days(number, 31, 180)));
        deal["nextStep"] = Value::Null;
    }
    if stage == "Closed Lost" {
        deal["lossReason"] = json!(LOSSES[pick(number, 32, LOSSES.len())]);
    }
    deal
}

/// Half of them about a contact, half about a deal.
fn task(number: usize, owners: &[UserId], contacts: &[Uuid], deals: &[Uuid], now: DateTime<Utc>) -> Value {
    let due = number_of_days(number, 33, 60) - 25;
    let status = match (due, pick(number, 34, 4)) {
        (..0, 0..3) => "completed",
        (_, 0) => "in_progress",
        _ => "pending",
    };
    let mut task = json!({
        "title": format!("{} {} ({})", ERRANDS[number % ERRANDS.len()], LAST[pick(number, 35, LAST.len())], number + 1),
        "status": status,
        "priority": (["low", "medium", "medium", "high", "urgent"][pick(number, 36, 5)]),
        "dueDate": days(now, due),
        "ownerId": owners[pick(number, 37, owners.len())],
    });
    match number % 2 {
        0 => task["contactId"] = json!(contacts[pick(number, 38, contacts.len())]),
        _ => task["dealId"] = json!(deals[pick(number, 39, deals.len())]),
    }
    if status == "completed" {
        task["completedDate"] = json!(days(now, due));
    } else if due > 1 {
        task["reminder"] = json!(days(now, due - 1));
    }
    task
}

/// So many days from now.
fn days(now: DateTime<Utc>, number: i64) -> DateTime<Utc> {
    now + TimeDelta::days(number)
}

fn number_of_days(number: usize, salt: usize, of: usize) -> i64 {
    i64::try_from(pick(number, salt, of)).unwrap_or_default()
}

/// A number below `of` that looks random but is always the same.
fn pick(number: usize, salt: usize, of: usize) -> usize {
    let mixed = (number as u64 + 1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add((salt as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed >> 33) % of.max(1) as u64).unwrap_or_default()
}
