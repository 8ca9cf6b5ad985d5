//! The demo's records, one by one: a record's number says all of it but its dates, which lie around the
//! day of its making.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::base::ids::UserId;

pub const ACCOUNTS: usize = 300;
pub const CONTACTS: usize = 3_000;
pub const LEADS: usize = 500;
pub const DEALS: usize = 400;
pub const PRODUCTS: usize = 48;
pub const TASKS: usize = 500;
/// Tasks of which the first person is reminded soon after the start.
const REMINDED_SOON: usize = 10;

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
const CHANNELS: &[&str] = &["E-mail", "Phone", "Letter"];
const LANGUAGES: &[&str] = &["English", "German", "Norwegian", "Polish"];
const TERMS: &[&str] = &["EXW", "FOB", "CIF", "DAP"];
const GRADES: &[&str] = &["Plain", "Fine", "Choice", "Market", "Harbour", "Guild"];
const ERRANDS: &[&str] =
    &["Call", "Send an offer to", "Visit", "Send samples to", "Follow up with", "Write the contract with"];

pub fn account(number: usize, owners: &[UserId]) -> Value {
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

fn address_of_contact(number: usize) -> String {
    format!("contact{number}@house-{}.example", pick(number, 7, ACCOUNTS))
}

/// When the first contacts were made, in days.
const CONTACTS_SINCE: i64 = 500;

/// How long ago a contact was made: one every four hours.
pub fn age_of_contact(number: usize) -> TimeDelta {
    spread(number, CONTACTS, CONTACTS_SINCE)
}

pub fn contact(number: usize, owners: &[UserId], account: Uuid, now: DateTime<Utc>) -> Value {
    let spoken = TimeDelta::days(number_of_days(number, 43, 75)).min(age_of_contact(number));
    let (city, country) = CITIES[pick(number, 1, CITIES.len())];
    json!({
        "firstName": FIRST[pick(number, 2, FIRST.len())],
        "lastName": LAST[pick(number, 3, LAST.len())],
        "email": address_of_contact(number),
        "phone": format!("+49 451 {:07}", 1_000_000 + pick(number, 4, 8_999_999)),
        "title": TITLES[pick(number, 5, TITLES.len())],
        "city": city,
        "country": country,
        "accountId": account,
        "source": (["website", "referral", "event", "email_campaign", "cold_call"][pick(number, 9, 5)]),
        "status": (["active", "customer", "customer", "lead", "inactive"][pick(number, 10, 5)]),
        // with some of them nobody has spoken yet
        "lastContactDate": (pick(number, 44, 6) > 0).then(|| now - spoken),
        "ownerId": owners[pick(number, 6, owners.len())],
        "tags": if pick(number, 8, 5) == 0 { json!(["newsletter"]) } else { json!([]) },
        "customFields": {
            "birthday": day(1955 + pick(number, 45, 45), 1 + pick(number, 46, 12), 1 + pick(number, 47, 28)),
            "channel": CHANNELS[pick(number, 48, CHANNELS.len())],
            "languages": [LANGUAGES[pick(number, 49, 2)], LANGUAGES[2 + pick(number, 50, 2)]],
            "credit_limit": format!("{}000.00", 1 + pick(number, 51, 80)),
            "gets_samples": pick(number, 52, 3) == 0,
        },
    })
}

fn day(year: usize, month: usize, day: usize) -> String {
    format!("{year:04}-{month:02}-{day:02}")
}

/// Somebody who stands in the books already, written down once more from a card.
pub fn double(number: usize, owners: &[UserId]) -> Value {
    let of = pick(number, 53, CONTACTS);
    let (first, last) = (FIRST[pick(of, 2, FIRST.len())], LAST[pick(of, 3, LAST.len())]);
    json!({
        "firstName": first,
        "lastName": last,
        "email": format!("card{number}@mail.example"),
        // the same number, without its country
        "phone": format!("0451 {}", 1_000_000 + pick(of, 4, 8_999_999)),
        "source": "event",
        "status": "lead",
        "ownerId": owners[pick(number, 54, owners.len())],
    })
}

/// Somebody who asked a question at the fair, and may not stay in the books.
pub fn visitor(number: usize) -> Value {
    json!({
        "firstName": FIRST[pick(number, 55, FIRST.len())],
        "lastName": LAST[pick(number, 56, LAST.len())],
        "email": format!("visitor{number}@fair.example"),
        "source": "event",
        "status": "lead",
        "tags": ["autumn fair"],
    })
}

pub fn product(number: usize, owners: &[UserId]) -> Value {
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

/// How long ago a lead came in.
pub fn age_of_lead(number: usize) -> TimeDelta {
    spread(number, LEADS, 90)
}

pub fn lead(number: usize, owners: &[UserId], now: DateTime<Utc>) -> Value {
    let spoken = TimeDelta::days(number_of_days(number, 23, 90)).min(age_of_lead(number));
    let (city, country) = CITIES[pick(number, 11, CITIES.len())];
    let (ware, industry) = TRADES[pick(number, 12, TRADES.len())];
    let owner = pick(number, 13, owners.len() + 1);
    json!({
        "firstName": FIRST[pick(number, 14, FIRST.len())],
        "lastName": LAST[pick(number, 15, LAST.len())],
        "email": match number % 50 {
            // whom we know as a contact already
            7 => address_of_contact(number),
            _ => format!("lead{number}@prospect-{}.example", pick(number, 16, LEADS)),
        },
        "phone": format!("+49 40 {:07}", 1_000_000 + pick(number, 17, 8_999_999)),
        "company": format!("{city} {ware} {}", HOUSES[pick(number, 18, HOUSES.len())]),
        "industry": industry,
        "title": TITLES[pick(number, 19, TITLES.len())],
        "city": city,
        "country": country,
        "source": (["website", "website", "event", "referral", "social_media"][pick(number, 20, 5)]),
        "status": (["new", "new", "contacted", "qualified", "unqualified"][pick(number, 21, 5)]),
        "leadScore": pick(number, 22, 101),
        "lastContactDate": now - spoken,
        // nobody works on some of them yet
        "ownerId": owners.get(owner),
    })
}

/// A deal on the first stage of its pipeline, whose contact decides on it.
pub fn deal(number: usize, owners: &[UserId], (account, contact): (Uuid, Uuid), now: DateTime<Utc>) -> Value {
    let (ware, _) = TRADES[pick(number, 24, TRADES.len())];
    let (city, _) = CITIES[pick(number, 25, CITIES.len())];
    json!({
        "name": format!("{ware} for {city}, contract {}", 1_000 + number),
        "amount": format!("{}00.00", 5 + pick(number, 27, 2_000)),
        "currency": "EUR",
        "accountId": account,
        "contactId": contact,
        "leadSource": (["website", "referral", "event", "cold_call"][pick(number, 28, 4)]),
        "expectedCloseDate": days(now, number_of_days(number, 29, 120) - 20),
        "nextStep": (["Send the offer", "Agree on a date", "Wait for the sample"][pick(number, 30, 3)]),
        "ownerId": owners[pick(number, 6, owners.len())],
        "customFields": {
            "terms": TERMS[pick(number, 57, TERMS.len())],
            "crates": 10 + pick(number, 58, 500),
            "is_insured": pick(number, 59, 2) == 0,
            "first_delivery": days(now, 20 + number_of_days(number, 60, 90)).date_naive().to_string(),
            "decided_by": contact,
        },
    })
}

/// How long ago a task was written down.
pub fn age_of_task(number: usize) -> TimeDelta {
    spread(number, TASKS, 60)
}

/// Half of them about a contact, half about a deal; some are done, some are late. The last ones are the
/// first person's, who is reminded of them one after the other within the hour.
pub fn task(number: usize, owners: &[UserId], contacts: &[Uuid], deals: &[Uuid], now: DateTime<Utc>) -> Value {
    let soon = (TASKS - number <= REMINDED_SOON).then(|| TASKS - number);
    let due = now - age_of_task(number) + TimeDelta::days(2 + number_of_days(number, 33, 25));
    let due = if soon.is_some() { now + TimeDelta::hours(2) } else { due };
    let is_late = due < now;
    let status = match pick(number, 34, 5) {
        0..4 if is_late => "completed",
        0 => "in_progress",
        _ => "pending",
    };
    let mut task = json!({
        "title": format!("{} {} ({})", ERRANDS[number % ERRANDS.len()], LAST[pick(number, 35, LAST.len())], number + 1),
        "status": status,
        "priority": (["low", "medium", "medium", "high", "urgent"][pick(number, 36, 5)]),
        "dueDate": due,
        "ownerId": if soon.is_some() { owners.first() } else { owners.get(pick(number, 37, owners.len())) },
    });
    match number % 2 {
        0 => task["contactId"] = json!(contacts[pick(number, 38, contacts.len())]),
        _ => task["dealId"] = json!(deals[pick(number, 39, deals.len())]),
    }
    if status == "completed" {
        task["completedDate"] = json!(due - TimeDelta::hours(number_of_days(number, 61, 30)));
    } else if let Some(place) = soon {
        task["reminder"] = json!(now + TimeDelta::minutes(6 * place as i64));
    } else if due - now > TimeDelta::days(1) {
        task["reminder"] = json!(due - TimeDelta::days(1));
    }
    task
}

/// How long ago the thing of this number was made, where all of them were made evenly within these days.
pub fn spread(number: usize, of: usize, within: i64) -> TimeDelta {
    let left = i64::try_from(of.saturating_sub(number)).unwrap_or_default();
    let of = i64::try_from(of.max(1)).unwrap_or(i64::MAX);
    TimeDelta::minutes(within * 24 * 60 * left / of)
}

/// So many days from now.
pub fn days(now: DateTime<Utc>, number: i64) -> DateTime<Utc> {
    now + TimeDelta::days(number)
}

pub fn number_of_days(number: usize, salt: usize, of: usize) -> i64 {
    i64::try_from(pick(number, salt, of)).unwrap_or_default()
}

/// A number below `of` that looks random but is always the same.
pub fn pick(number: usize, salt: usize, of: usize) -> usize {
    let mixed = (number as u64 + 1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add((salt as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed >> 33) % of.max(1) as u64).unwrap_or_default()
}
