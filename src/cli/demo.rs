//! The demo: an invented trading house with a few thousand invented contacts, made by the same
//! operations that people use. The same every time.

use std::{process::ExitCode, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::{database::Database, tools::tools};
use crate::{
    auth::{Caller, Origin, Role, Via, password::Password},
    base::{Error, Result, ids::UserId},
    config::{Config, DEMO_EMAIL, DEMO_PASSWORD},
    crm::{
        Account, Contact,
        record::{Raw, Record, ops},
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
    let database = Database::find(&config).await?;
    database.prepare().await?;
    let ctx = tools(&config, &database)?;
    let filled = fill(&ctx).await;
    ctx.db.close();
    database.stop(Duration::from_secs(30)).await;
    filled?;
    println!("sign in as {DEMO_EMAIL} with the password {DEMO_PASSWORD}");
    Ok(ExitCode::SUCCESS)
}

/// Fills an empty database; leaves one that it filled as it is; refuses any other.
pub async fn fill(ctx: &Ctx) -> Result<()> {
    match installation::filled(ctx).await? {
        Filled::ByDemo => return Ok(()),
        Filled::ByPeople => {
            return Err(Error::conflict("This database has data of its own; the demo fills empty databases only"));
        }
        Filled::No => {}
    }
    tracing::info!("inventing a trading house");
    installation::mark_demo(ctx).await?;
    let first = registration::Registration {
        email: DEMO_EMAIL.to_owned(),
        password: Password::new(DEMO_PASSWORD),
        full_name: "Demo Person".to_owned(),
        workspace_name: Some("Holm & Daughters, Trading House".to_owned()),
        set_up_key: None,
    };
    let made = registration::first_admin(ctx, first).await?;
    let (admin, workspace) = made.ok_or_else(|| Error::conflict("Somebody else is setting this database up"))?;
    let caller = Caller::new(workspace, admin, Role::Admin, Origin::System, Via::System);
    let owners = colleagues(ctx, &caller).await?;
    let accounts =
        make::<Account>(ctx, &caller, (0..ACCOUNTS).map(|number| account(number, &owners)).collect()).await?;
    let accounts: Vec<_> = accounts.iter().map(|account| account.id).collect();
    let contacts = (0..CONTACTS).map(|number| contact(number, &owners, accounts[pick(number, 7, accounts.len())].0));
    make::<Contact>(ctx, &caller, contacts.collect()).await?;
    Ok(())
}

async fn colleagues(ctx: &Ctx, caller: &Caller) -> Result<Vec<UserId>> {
    let mut ids = vec![caller.user];
    for (name, address, role) in COLLEAGUES {
        let new = users::NewUser {
            email: format!("{address}@kontor.example"),
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

/// Makes the records in order of their numbers, a few at a time.
async fn make<R: Record>(ctx: &Ctx, caller: &Caller, records: Vec<Value>) -> Result<Vec<R>> {
    stream::iter(records)
        .map(|record| async move {
            let input = R::FIELDS
                .iter()
                .filter_map(|field| record.get(field.name).map(|value| (field, Raw::Json(value))))
                .collect();
            ops::create::<R>(ctx, caller, input).await
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
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

fn contact(number: usize, owners: &[UserId], account: uuid::Uuid) -> Value {
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
