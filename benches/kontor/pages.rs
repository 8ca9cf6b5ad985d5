//! Reading and writing contacts through both APIs, beside the floor, in turns.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use crate::{
    Result, Scale,
    data::COUNTRIES,
    load::{self, Measured, Requests, Watched, get, post},
    report::{Report, median, median_time, millis, thousands},
    server::{Database, Server},
};

const CONNECTIONS: usize = 32;

const FIELDS: &str = "id firstName lastName email phone title city country status createdAt";

/// One way to do a piece of work.
struct Way {
    name: &'static str,
    address: String,
    watched: Watched,
    requests: Requests,
}

/// What requests are made of.
struct Known {
    /// Of contacts: cursor and id.
    places: Vec<(String, String)>,
    token: String,
    /// In every address that is made, apart from those of other runs on this database.
    run: String,
    made: AtomicUsize,
}

impl Known {
    fn cursor(&self, n: usize) -> &str {
        &self.places[n % self.places.len()].0
    }

    fn id(&self, n: usize) -> &str {
        &self.places[n * 7 % self.places.len()].1
    }

    fn new_email(&self) -> String {
        format!("{}{}@example.com", self.run, self.made.fetch_add(1, Ordering::Relaxed))
    }

    fn graphql(&self, query: &str, variables: &Value) -> Vec<u8> {
        post("/graphql", &self.token, &json!({ "query": query, "variables": variables }).to_string())
    }
}

pub async fn measure(
    report: &mut Report,
    scale: Scale,
    database: &Database,
    server: &Server,
    floor: &Server,
) -> Result<()> {
    let known = Arc::new(Known {
        places: places(server).await?,
        token: server.token.clone(),
        run: uuid::Uuid::now_v7().simple().to_string(),
        made: AtomicUsize::new(0),
    });
    let way = |name, server: &Server, request: fn(&Known, usize) -> Vec<u8>| {
        let known = Arc::clone(&known);
        let requests: Requests = Arc::new(move |n| request(&known, n));
        Way { name, address: server.address.clone(), watched: server.watched_with(database), requests }
    };

    let page = [
        way("floor", floor, |known, n| get(&format!("/contacts?id={}", known.places[n % known.places.len()].1), "")),
        way("GraphQL", server, |known, n| {
            let query = format!(
                "query Page($after: String) {{ contacts(first: 50, after: $after) \
                 {{ nodes {{ {FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}"
            );
            known.graphql(&query, &json!({ "after": known.cursor(n) }))
        }),
    ];
    compare(report, scale, "50 contacts from anywhere in the order by age", &page).await?;

    let by_country = [
        way("floor", floor, |_, n| get(&format!("/contacts?country={}", COUNTRIES[n % COUNTRIES.len()]), "")),
        way("REST", server, |known, n| {
            get(&format!("/api/v1/contacts?limit=50&country={}", COUNTRIES[n % COUNTRIES.len()]), &known.token)
        }),
    ];
    let title = "50 contacts of a country, newest first (REST also counts them: its `total` is exact)";
    compare(report, scale, title, &by_country).await?;

    let one = [
        way("floor", floor, |known, n| get(&format!("/contact?id={}", known.id(n)), "")),
        way("GraphQL", server, |known, n| {
            let query = format!("query One($id: ID!) {{ contact(id: $id) {{ {FIELDS} account {{ id name }} }} }}");
            known.graphql(&query, &json!({ "id": known.id(n) }))
        }),
        way("REST", server, |known, n| get(&format!("/api/v1/contacts/{}", known.id(n)), &known.token)),
    ];
    compare(report, scale, "One contact by its id", &one).await?;

    let create = [
        way("floor", floor, |known, _| post("/contacts", "", &rest_contact(known))),
        way("GraphQL", server, |known, _| {
            let query = "mutation New($contact: ContactInput!) \
                         { createContact(input: { contact: $contact }) { contact { id } } }";
            let contact = json!({ "firstName": "Ada", "lastName": "Bench", "email": known.new_email() });
            known.graphql(query, &json!({ "contact": contact }))
        }),
        way("REST", server, |known, _| post("/api/v1/contacts", &known.token, &rest_contact(known))),
    ];
    compare(report, scale, "Create a contact, on disk when answered (ours with its event in the log)", &create).await
}

fn rest_contact(known: &Known) -> String {
    json!({ "first_name": "Ada", "last_name": "Bench", "email": known.new_email() }).to_string()
}

/// Rounds of all ways in turn, so that whatever else the machine does meets all alike.
async fn compare(report: &mut Report, scale: Scale, title: &str, ways: &[Way]) -> Result<()> {
    let mut rounds: Vec<Vec<Measured>> = ways.iter().map(|_| Vec::new()).collect();
    for round in 0..=scale.rounds {
        for (way, measured) in ways.iter().zip(&mut rounds) {
            let result =
                load::run(&way.address, CONNECTIONS, scale.seconds, way.watched, Arc::clone(&way.requests)).await;
            let result = result.map_err(|error| format!("{title}, {}: {error}", way.name))?;
            // the first round warms caches, pools and plans
            if round > 0 {
                measured.push(result);
            }
        }
    }
    report.table(title, &["", "requests/s", "server CPU per request", "PostgreSQL CPU per request", "p50", "p99"]);
    for (way, measured) in ways.iter().zip(&rounds) {
        report.row([
            way.name.to_owned(),
            thousands(median(measured.iter().map(|one| one.per_second).collect())),
            millis(median_time(measured.iter().map(|one| one.server))),
            millis(median_time(measured.iter().map(|one| one.database))),
            millis(median_time(measured.iter().map(|one| one.latency.median))),
            millis(median_time(measured.iter().map(|one| one.latency.p99))),
        ]);
    }
    Ok(())
}

/// Cursors of the newest contacts, and their ids.
async fn places(server: &Server) -> Result<Vec<(String, String)>> {
    let query = "query ($after: String) { contacts(first: 500, after: $after) { edges { cursor node { id } } } }";
    let mut found: Vec<(String, String)> = Vec::new();
    for _ in 0..8 {
        let after = found.last().map(|(cursor, _)| cursor.clone());
        let page = server.graphql(query, json!({ "after": after })).await?;
        let edges = page["contacts"]["edges"].as_array().ok_or("no page")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        found.extend(edges.iter().map(|edge| (text(&edge["cursor"]), text(&edge["node"]["id"]))));
    }
    Ok(found)
}
