//! Five hundred dynamic lists over the imported contacts: how soon a change is in the members and counts,
//! what lists cost an import, reading them, building them; and what is asked of all contacts without a
//! list: searches and criteria. Beside each its floor where there is one: the SQL alone.

mod criteria;
mod world;

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt, future::try_join_all};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    time::{sleep, sleep_until, timeout},
};
use tokio_postgres::{
    Client, Statement,
    types::{ToSql, Type},
};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use self::{
    criteria::{FIRST_PROBE, LARGE, LISTS, OVER_PROBES, PROBES, Planned, probe_word, with_ids},
    world::{TAGS, World},
};
use crate::{
    Result, Scale,
    data::{self, COUNTRIES, pick},
    imports,
    live::{self, Socket},
    load::{Connection, post},
    report::{Report, Spread, median, median_time, millis, thousands},
    server::{Database, Server},
};

const SEED: u64 = 500;
/// Of a contact on a page, as in the other parts, by GraphQL and by SQL.
const FIELDS: &str = "id firstName lastName email phone title city country status createdAt";
const COLUMNS: &str =
    "c.id, c.first_name, c.last_name, c.email, c.phone, c.title, c.city, c.country, c.status, c.created_at";
/// The one that imports fill first.
const BASE: &str = "base";

const CHANGES_A_SECOND: usize = 20;
/// Each asks for its changes in its own time, so that a slow answer holds up no other change.
const WRITERS: usize = 10;
/// The page that must be as quick as the first one.
const DEEP_PAGE: usize = 5_000;

pub async fn measure(
    report: &mut Report,
    scale: Scale,
    folder: &Path,
    database: &Database,
    server: &Server,
) -> Result<()> {
    let world = World::prepare(report, database, server, BASE).await?;
    let without = import_all(report, scale, folder, database, server, &world, "without").await?;
    world.client.execute("DELETE FROM contacts WHERE email LIKE 'without%'", &[]).await?;
    world.client.batch_execute("VACUUM ANALYZE").await?;

    report.table(
        &format!("Finding contacts among {}, one request after the other", thousands(world.contacts as f64)),
        &["", "p50", "p99", "SQL alone, p50", "SQL alone, p99", "asked"],
    );
    search(report, scale, server, &world).await?;
    ask_segments(report, scale, server, &world).await?;
    ask_criteria(report, server, &world).await?;

    let began = Instant::now();
    let lists = make_lists(report, server, &world).await?;
    world.settle(report).await?;
    let built = began.elapsed();
    world.refuse_broken().await?;
    world.client.batch_execute("VACUUM ANALYZE").await?;
    let members: i64 = world.client.query_one("SELECT count(*) FROM list_members", &[]).await?.get(0);
    report.line(format!(
        "\nBuilding {LISTS} dynamic lists with {} members in all: {:.0} s.",
        thousands(members as f64),
        built.as_secs_f64()
    ));

    report.table(
        &format!("Reading a list, one request after the other, with {LISTS} dynamic lists"),
        &["", "p50", "p99", "SQL alone, p50", "SQL alone, p99", "asked"],
    );
    read_counts(report, scale, server, &world, &lists).await?;
    read_pages(report, scale, server, &world, &lists).await?;
    build_large(report, scale, server, &world).await?;
    follow_changes(report, scale, database, server, &world, &lists).await?;
    check_counts(report, server, &lists, 1).await?;

    let with = import_all(report, scale, folder, database, server, &world, "with").await?;
    report_imports(report, scale, &without, &with);
    check_counts(report, server, &lists, 5).await
}

/// The whole preparation on a few contacts: whether the server takes all criteria, and its lists are right.
pub async fn rehearse(report: &mut Report, folder: &Path, database: &Database, server: &Server) -> Result<()> {
    let file = data::write(folder, BASE, 2_000)?;
    imports::import(database, server, &file).await?;
    let world = World::prepare(report, database, server, BASE).await?;
    let lists = make_lists(report, server, &world).await?;
    world.settle(report).await?;
    world.refuse_broken().await?;
    let scale = Scale { contacts: 2_000, ..crate::QUICK };
    follow_changes(report, scale, database, server, &world, &lists).await?;
    check_counts(report, server, &lists, 1).await?;
    let sizes = "SELECT count(*) FILTER (WHERE member_count = 0), max(member_count) FROM contact_lists";
    let row = world.client.query_one(sizes, &[]).await?;
    report.line(format!(
        "\n{LISTS} lists were taken and are right; {} of them are empty, the largest has {} of {} contacts.",
        row.get::<_, i64>(0),
        row.get::<_, i64>(1),
        world.contacts
    ));
    Ok(())
}

/// A list that was made.
struct Made {
    id: String,
    /// As the server has them.
    criteria: Value,
    is_relative: bool,
}

async fn make_lists(report: &Report, server: &Server, world: &World) -> Result<Vec<Made>> {
    report.note("making the lists");
    let (mut made, mut ids): (Vec<Made>, Vec<String>) = (Vec::new(), Vec::new());
    for Planned { name, criteria, is_relative } in criteria::planned(SEED, &world.owners) {
        let criteria = with_ids(&criteria, &ids);
        let id = make_list(server, &name, &criteria).await?;
        ids.push(id.clone());
        made.push(Made { id, criteria, is_relative });
    }
    Ok(made)
}

async fn make_list(server: &Server, name: &str, criteria: &Value) -> Result<String> {
    let query = "mutation ($input: CreateContactListInput!) \
                 { createContactList(input: $input) { contactList { id } } }";
    let input = json!({ "name": name, "listType": "DYNAMIC", "criteria": criteria });
    let made = server.graphql(query, json!({ "input": input })).await;
    let made = made.map_err(|error| format!("{name}: {criteria}: {error}"))?;
    Ok(made["createContactList"]["contactList"]["id"].as_str().ok_or("no list")?.to_owned())
}

impl World {
    /// What lists have still to do: events on their way, changes to be looked at, jobs.
    async fn to_do(&self) -> Result<i64> {
        let to_do = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM list_changes)
                          + (SELECT count(*) FROM jobs WHERE workspace_id = $1 AND kind LIKE 'lists.%'
                                AND (state = 'running' OR state = 'queued' AND (due OR failures > 0)))
                          + (SELECT coalesce(max(position), 0) FROM events)
                          - (SELECT min(position) FROM reactors WHERE name LIKE 'lists.%')";
        let left: Option<i64> = self.client.query_one(to_do, &[&self.workspace]).await?.get(0);
        Ok(left.ok_or("no reactor follows lists")?)
    }

    /// How long it takes until all lists have followed what has happened.
    async fn settle(&self, report: &Report) -> Result<Duration> {
        let began = Instant::now();
        let mut told = began;
        loop {
            let left = self.to_do().await?;
            if left <= 0 {
                return Ok(began.elapsed());
            }
            if told.elapsed() > Duration::from_secs(30) {
                told = Instant::now();
                report.note(&format!("waiting for the lists for {:.0} s", began.elapsed().as_secs_f64()));
            }
            if began.elapsed() > Duration::from_secs(3 * 3600) {
                return Err(format!("the lists do not come to rest, {left} to do").into());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn refuse_broken(&self) -> Result<()> {
        let wrong = "SELECT name, coalesce(broken, 'is not built') FROM contact_lists
                      WHERE deleted_at IS NULL AND (broken IS NOT NULL OR build_job_id IS NOT NULL) LIMIT 1";
        match self.client.query_opt(wrong, &[]).await? {
            Some(row) => Err(format!("{}: {}", row.get::<_, String>(0), row.get::<_, String>(1)).into()),
            None => Ok(()),
        }
    }
}

/// Holds counts of lists against counts of what their criteria mean; of those that the clock moves it
/// would be chance.
async fn check_counts(report: &mut Report, server: &Server, lists: &[Made], step: usize) -> Result<()> {
    report.note("counting anew what the lists hold");
    let query = "query ($id: ID!, $where: RecordCriteria!) \
                 { contactList(id: $id) { contactCount } contacts(where: $where) { totalCount } }";
    let (mut looked_at, mut wrong) = (0, Vec::new());
    for (number, list) in lists.iter().enumerate().filter(|(_, list)| !list.is_relative) {
        if !number.is_multiple_of(step) && number < FIRST_PROBE {
            continue;
        }
        looked_at += 1;
        let found = server.graphql(query, json!({ "id": list.id, "where": list.criteria })).await?;
        let (kept, anew) = (&found["contactList"]["contactCount"], &found["contacts"]["totalCount"]);
        if kept != anew || !kept.is_u64() {
            wrong.push(format!("{kept} instead of {anew} in list {number}, {}", list.criteria));
        }
    }
    match wrong.as_slice() {
        [] => {
            report.line(format!(
                "\nThe counts of {looked_at} lists, held against fresh counts by their criteria: all right."
            ));
            Ok(())
        }
        [first, ..] => Err(format!("{} of {looked_at} lists are wrong: {first}", wrong.len()).into()),
    }
}

/// One request after the other; the first few are not counted, they warm plans and pools.
async fn timed(server: &Server, token: &str, requests: &[Value]) -> Result<Spread> {
    let mut connection = Connection::open(&server.address).await?;
    let mut times = Vec::with_capacity(requests.len());
    let first = requests.iter().take(10).map(|request| (request, false));
    for (request, counts) in first.chain(requests.iter().map(|request| (request, true))) {
        let bytes = post("/graphql", token, &request.to_string());
        let began = Instant::now();
        connection.ask(&bytes).await.map_err(|error| format!("{request}: {error}"))?;
        if counts {
            times.push(began.elapsed());
        }
    }
    Ok(Spread::of(times))
}

/// The values of one statement, with their types.
type Typed<'a> = Vec<(&'a (dyn ToSql + Sync), Type)>;

/// The same of statements, each planned for its values.
async fn timed_sql(client: &Client, sql: &str, values: &[Typed<'_>]) -> Result<Spread> {
    let mut times = Vec::with_capacity(values.len());
    for values in values {
        let began = Instant::now();
        client.query_typed(sql, values).await?;
        times.push(began.elapsed());
    }
    Ok(Spread::of(times))
}

/// The same of one that is planned once.
async fn timed_prepared(client: &Client, statement: &Statement, values: &[&[&(dyn ToSql + Sync)]]) -> Result<Spread> {
    let mut times = Vec::with_capacity(values.len());
    for values in values {
        let began = Instant::now();
        client.query(statement, values).await?;
        times.push(began.elapsed());
    }
    Ok(Spread::of(times))
}

fn report_reads(report: &mut Report, what: &str, ours: Spread, floor: Option<Spread>, asked: &str) {
    let floor = |time: fn(Spread) -> Duration| floor.map_or_else(String::new, |floor| millis(time(floor)));
    report.row([
        what.to_owned(),
        millis(ours.median),
        millis(ours.p99),
        floor(|spread| spread.median),
        floor(|spread| spread.p99),
        asked.to_owned(),
    ]);
}

async fn search(report: &mut Report, scale: Scale, server: &Server, world: &World) -> Result<()> {
    let fragments = criteria::fragments(SEED, 200, scale.contacts);
    let query =
        format!("query ($search: String!) {{ contacts(first: 50, search: $search) {{ nodes {{ {FIELDS} }} }} }}");
    let requests: Vec<_> =
        fragments.iter().map(|fragment| json!({ "query": query, "variables": { "search": fragment } })).collect();
    let ours = timed(server, &server.token, &requests).await?;
    let patterns: Vec<_> = fragments.iter().map(|fragment| format!("%{}%", fragment.to_lowercase())).collect();
    let values: Vec<Typed<'_>> = patterns
        .iter()
        .map(|pattern| vec![(&world.workspace as &(dyn ToSql + Sync), Type::UUID), (pattern, Type::TEXT)])
        .collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM contacts c WHERE c.workspace_id = $1 AND c.deleted_at IS NULL AND c.search_text LIKE $2 \
          ORDER BY c.workspace_id DESC, c.id DESC LIMIT 50"
    );
    let floor = timed_sql(&world.client, &sql, &values).await?;
    let what = "50 contacts by a fragment of their names or addresses, 200 different ones";
    report_reads(report, what, ours, Some(floor), "p99 < 100 ms");
    Ok(())
}

/// Four conditions, each combination once.
async fn ask_segments(report: &mut Report, scale: Scale, server: &Server, world: &World) -> Result<()> {
    let count = if scale.contacts < 1_000_000 { 20 } else { 100 };
    let asking = |query: &str| -> Vec<Value> {
        (0..count)
            .map(|number| json!({ "query": query, "variables": { "where": criteria::segment_criteria(number) } }))
            .collect()
    };
    let segments: Vec<_> = (0..count).map(criteria::segment).collect();
    let values: Vec<Typed<'_>> = segments
        .iter()
        .map(|segment| {
            let workspace = (&world.workspace as &(dyn ToSql + Sync), Type::UUID);
            let words = segment.iter().map(|(_, word)| (word as &(dyn ToSql + Sync), Type::TEXT));
            std::iter::once(workspace).chain(words).collect()
        })
        .collect();
    let condition = segments.first().map_or_else(String::new, |segment| {
        let parts: Vec<_> =
            segment.iter().zip(2..).map(|((field, _), value)| format!(" AND c.{field} = ${value}")).collect();
        format!("FROM contacts c WHERE c.workspace_id = $1 AND c.deleted_at IS NULL{}", parts.concat())
    });
    let page = format!(
        "query ($where: RecordCriteria!) {{ contacts(first: 50, where: $where) \
         {{ edges {{ cursor node {{ {FIELDS} }} }} }} }}"
    );
    let ours = timed(server, &server.token, &asking(&page)).await?;
    let sql = format!("SELECT {COLUMNS} {condition} ORDER BY c.workspace_id DESC, c.id DESC LIMIT 50");
    let floor = timed_sql(&world.client, &sql, &values).await?;
    report_reads(report, "50 contacts by criteria of 4 conditions", ours, Some(floor), "");
    let preview = "query ($where: RecordCriteria!) { criteriaPreview(kind: CONTACT, where: $where) { count } }";
    let ours = timed(server, &server.token, &asking(preview)).await?;
    let floor = timed_sql(&world.client, &format!("SELECT count(*) {condition}"), &values).await?;
    report_reads(report, "the count of a preview of such criteria", ours, Some(floor), "");
    Ok(())
}

/// The criteria of the lists that will be made, but for those over lists.
async fn ask_criteria(report: &mut Report, server: &Server, world: &World) -> Result<()> {
    let planned = criteria::planned(SEED, &world.owners);
    let asked: Vec<_> = planned
        .iter()
        .take(FIRST_PROBE)
        .filter(|list| !criteria::names_list(&list.criteria))
        .step_by(5)
        .map(|list| &list.criteria)
        .collect();
    let page =
        format!("query ($where: RecordCriteria!) {{ contacts(first: 50, where: $where) {{ nodes {{ {FIELDS} }} }} }}");
    let preview = "query ($where: RecordCriteria!) { criteriaPreview(kind: CONTACT, where: $where) { count } }";
    for (what, query) in [("50 contacts by criteria as the lists have them", page.as_str()), ("their counts", preview)]
    {
        let requests: Vec<_> =
            asked.iter().map(|criteria| json!({ "query": query, "variables": { "where": criteria } })).collect();
        report_reads(report, what, timed(server, &server.token, &requests).await?, None, "");
    }
    Ok(())
}

async fn read_counts(report: &mut Report, scale: Scale, server: &Server, world: &World, lists: &[Made]) -> Result<()> {
    let query = "query ($id: ID!) { contactList(id: $id) { contactCount } }";
    let times = if scale.contacts < 1_000_000 { 1 } else { 4 };
    let ids: Vec<&String> = std::iter::repeat_n(lists, times).flatten().map(|list| &list.id).collect();
    let requests: Vec<_> = ids.iter().map(|id| json!({ "query": query, "variables": { "id": id } })).collect();
    let ours = timed(server, &server.token, &requests).await?;
    let ids = ids.iter().map(|id| id.parse()).collect::<std::result::Result<Vec<Uuid>, _>>()?;
    let count = "SELECT member_count FROM contact_lists WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL";
    let count = world.client.prepare(count).await?;
    let values: Vec<[&(dyn ToSql + Sync); 2]> =
        ids.iter().map(|id| [&world.workspace as &(dyn ToSql + Sync), id]).collect();
    let values: Vec<&[&(dyn ToSql + Sync)]> = values.iter().map(|values| values.as_slice()).collect();
    let floor = timed_prepared(&world.client, &count, &values).await?;
    report_reads(report, "the count of a list", ours, Some(floor), "p99 < 10 ms");
    Ok(())
}

/// How the members of a list are ordered.
struct ListOrder {
    name: &'static str,
    field: &'static str,
    /// By SQL, and what a page behind `$3` (and the id `$4`) has to hold.
    columns: &'static str,
    behind: &'static str,
}

const ORDERS: [ListOrder; 2] = [
    ListOrder {
        name: "by when they entered",
        field: "ENTERED_AT",
        columns: "m.entered_at DESC, m.record_id DESC",
        behind: "(m.entered_at, m.record_id) <",
    },
    ListOrder { name: "by age", field: "CREATED_AT", columns: "m.record_id DESC", behind: "m.record_id <" },
];

async fn read_pages(report: &mut Report, scale: Scale, server: &Server, world: &World, lists: &[Made]) -> Result<()> {
    const TIMES: usize = 200;
    let list = &lists[LARGE].id;
    let id: Uuid = list.parse()?;
    let query = format!(
        "query ($id: ID!, $after: String, $orderBy: [ListMemberOrder!]) {{ contactList(id: $id) \
         {{ contacts(first: 50, after: $after, orderBy: $orderBy) \
         {{ nodes {{ {FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
    );
    let deep = DEEP_PAGE * scale.contacts / 1_000_000;
    for order in &ORDERS {
        let order_by = json!([{ "field": order.field, "direction": "DESC" }]);
        let cursors = cursors_at(server, list, &order_by, deep).await?;
        let asking = |cursors: &[Option<String>]| -> Vec<Value> {
            (0..TIMES)
                .map(|n| {
                    let after = &cursors[n % cursors.len()];
                    json!({ "query": query, "variables": { "id": list, "after": after, "orderBy": order_by } })
                })
                .collect()
        };
        let first = timed(server, &server.token, &asking(&[None])).await?;
        let far = timed(server, &server.token, &asking(&cursors)).await?;
        let [first_floor, far_floor] = page_floors(world, id, order, deep, TIMES).await?;
        let what = format!("the first 50 of a list of three contacts in ten, {}", order.name);
        report_reads(report, &what, first, Some(first_floor), "p99 < 30 ms");
        let what = format!("page {} of it, by cursor", thousands(deep as f64));
        report_reads(report, &what, far, Some(far_floor), "as page 1");
    }
    Ok(())
}

/// Cursors of a few pages around the deep one: walked to by the largest pages there are, whose cursors
/// are the same.
async fn cursors_at(server: &Server, list: &str, order_by: &Value, page: usize) -> Result<Vec<Option<String>>> {
    let query = "query ($id: ID!, $after: String, $orderBy: [ListMemberOrder!]) { contactList(id: $id) \
                 { contacts(first: 500, after: $after, orderBy: $orderBy) { pageInfo { hasNextPage endCursor } } } }";
    let mut cursors: Vec<Option<String>> = vec![None];
    for _ in 0..page * 50 / 500 {
        let variables = json!({ "id": list, "after": cursors.last(), "orderBy": order_by });
        let found = server.graphql(query, variables).await?;
        let info = &found["contactList"]["contacts"]["pageInfo"];
        if info["hasNextPage"] != true {
            break;
        }
        cursors.push(info["endCursor"].as_str().map(str::to_owned));
    }
    Ok(cursors.split_off(cursors.len().saturating_sub(20)))
}

/// Both pages by hand.
async fn page_floors(world: &World, list: Uuid, order: &ListOrder, page: usize, times: usize) -> Result<[Spread; 2]> {
    let sql = |behind: &str, more: &str| {
        format!(
            "SELECT {COLUMNS}{more} FROM list_members m \
               JOIN contacts c ON c.workspace_id = m.workspace_id AND c.id = m.record_id AND c.deleted_at IS NULL \
              WHERE m.workspace_id = $1 AND m.list_id = $2 AND NOT m.is_suspended{behind} ORDER BY {}",
            order.columns
        )
    };
    let first = world.client.prepare(&format!("{} LIMIT 51", sql("", ""))).await?;
    let to = format!("{} OFFSET {} LIMIT 1", sql("", ", m.entered_at"), page * 50);
    let place = world.client.query_opt(&to, &[&world.workspace, &list]).await?.ok_or("the large list is too small")?;
    let (id, entered): (Uuid, chrono::DateTime<chrono::Utc>) = (place.get(0), place.get(10));
    let by_time = order.field == "ENTERED_AT";
    let behind = format!(" AND {} {}", order.behind, if by_time { "($3, $4)" } else { "$3" });
    let far = world.client.prepare(&format!("{} LIMIT 51", sql(&behind, ""))).await?;
    let from_the_first: &[&(dyn ToSql + Sync)] = &[&world.workspace, &list];
    let from_there: &[&(dyn ToSql + Sync)] =
        if by_time { &[&world.workspace, &list, &entered, &id] } else { &[&world.workspace, &list, &id] };
    Ok([
        timed_prepared(&world.client, &first, &vec![from_the_first; times]).await?,
        timed_prepared(&world.client, &far, &vec![from_there; times]).await?,
    ])
}

/// A list of three contacts in ten is made, while somebody else reads pages of contacts.
async fn build_large(report: &mut Report, scale: Scale, server: &Server, world: &World) -> Result<()> {
    let (mut took, mut floors, mut seen, mut pages, mut members) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), 0);
    let quiet = meanwhile(server, world, sleep(Duration::from_secs(5))).await?.1;
    for round in 0..scale.rounds.min(3) {
        let built = build_one(server, round);
        let (built, times) = meanwhile(server, world, built).await?;
        let built = built?;
        took.push(built.took);
        seen.push(built.states);
        members = built.members;
        pages.extend(times);
        world.settle(report).await?;
        floors.push(insert_members(world).await?);
    }
    report.table(&format!("A dynamic list of {} members is made", thousands(members as f64)), &["", "", "asked"]);
    let seconds = |times: Vec<Duration>| format!("{:.1} s", median_time(times.into_iter()).as_secs_f64());
    report.row(["from sending the mutation until it is built".to_owned(), seconds(took), "< 15 s".to_owned()]);
    report.row(["one `INSERT ... SELECT` of such members".to_owned(), seconds(floors), String::new()]);
    let states = seen.iter().min().copied().unwrap_or_default();
    report.row([
        "states of progress that were seen on the way, asking every 100 ms".to_owned(),
        states.to_string(),
        "some".to_owned(),
    ]);
    let page = "50 contacts read by somebody else";
    report.row([format!("{page} before"), Spread::of(quiet).to_string(), String::new()]);
    report.row([format!("{page} meanwhile"), Spread::of(pages).to_string(), String::new()]);
    Ok(())
}

struct Built {
    took: Duration,
    states: usize,
    members: u64,
}

/// Makes the list, watches it being built, holds its count against the criteria, and deletes it.
async fn build_one(server: &Server, round: usize) -> Result<Built> {
    let criteria = criteria::large_one();
    let watch = "query ($id: ID!) { contactList(id: $id) { contactCount building { status processed total } } }";
    let began = Instant::now();
    let id = make_list(server, &format!("Built while others read {round}"), &criteria).await?;
    let mut states: Vec<Value> = Vec::new();
    loop {
        let list = server.graphql(watch, json!({ "id": id })).await?["contactList"].take();
        if list["building"].is_null() {
            break;
        }
        if states.last() != Some(&list["building"]) {
            states.push(list["building"].clone());
        }
        if began.elapsed() > Duration::from_secs(600) {
            return Err(format!("the list is not built: {list}").into());
        }
        sleep(Duration::from_millis(100)).await;
    }
    let took = began.elapsed();
    let made = Made { id, criteria, is_relative: false };
    let query = "query ($id: ID!, $where: RecordCriteria!) \
                 { contactList(id: $id) { contactCount } contacts(where: $where) { totalCount } }";
    let found = server.graphql(query, json!({ "id": made.id, "where": made.criteria })).await?;
    let members = found["contactList"]["contactCount"].as_u64().ok_or("no count")?;
    if found["contacts"]["totalCount"].as_u64() != Some(members) {
        return Err(format!("the list that was built has {members} members instead of {}", found["contacts"]).into());
    }
    let query = "mutation ($id: ID!) { deleteContactList(input: { id: $id }) { deletedId } }";
    server.graphql(query, json!({ "id": made.id })).await?;
    // the states before it was claimed say nothing of how far it has come
    states.retain(|state| state["processed"].as_u64().is_some_and(|processed| processed > 0));
    Ok(Built { took, states: states.len(), members })
}

/// What a page of contacts costs somebody else while something goes on.
async fn meanwhile<T>(server: &Server, world: &World, work: impl Future<Output = T>) -> Result<(T, Vec<Duration>)> {
    let query = json!({ "query": format!("{{ contacts(first: 50) {{ nodes {{ {FIELDS} }} }} }}") }).to_string();
    let request = post("/graphql", &world.other_token, &query);
    let mut connection = Connection::open(&server.address).await?;
    let mut times = Vec::new();
    let reading = async {
        loop {
            let began = Instant::now();
            connection.ask(&request).await?;
            times.push(began.elapsed());
            sleep(Duration::from_millis(5)).await;
        }
    };
    let done = tokio::select! {
        done = work => Ok(done),
        ended = reading => ended,
    };
    done.map(|done| (done, times))
}

/// As many members, into a table of the same columns and indexes, by one statement.
async fn insert_members(world: &World) -> Result<Duration> {
    let empty = "DROP TABLE IF EXISTS bench_list_members;
                 CREATE TABLE bench_list_members (LIKE list_members INCLUDING ALL)";
    world.client.batch_execute(empty).await?;
    let began = Instant::now();
    let insert = "INSERT INTO bench_list_members (workspace_id, list_id, record_id, entered_at, source)
                  SELECT workspace_id, $2, id, now(), 'criteria_match' FROM contacts
                   WHERE workspace_id = $1 AND deleted_at IS NULL AND country = 'US'";
    world.client.execute(insert, &[&world.workspace, &Uuid::now_v7()]).await?;
    let took = began.elapsed();
    world.client.batch_execute("DROP TABLE bench_list_members").await?;
    Ok(took)
}

/// One change of a contact: it enters a probe, or leaves it.
#[derive(Debug, Clone, Copy)]
struct Change {
    contact: Uuid,
    probe: usize,
    enters: bool,
}

/// Every second one of the second half takes out what one of the first half has put in.
fn changes(contacts: &[Uuid], random: &mut StdRng) -> Vec<Change> {
    let back = (contacts.len() / 2) | 1;
    let mut changes: Vec<Change> = Vec::with_capacity(contacts.len());
    for (number, contact) in contacts.iter().enumerate() {
        let change = match number.checked_sub(back) {
            Some(earlier) if number % 2 == 1 => Change { enters: false, ..changes[earlier] },
            _ => Change { contact: *contact, probe: random.random_range(0..PROBES), enters: true },
        };
        changes.push(change);
    }
    changes
}

/// The mutation, which moves besides what many other lists ask.
fn change_request(server: &Server, change: Change, random: &mut StdRng) -> Vec<u8> {
    let query = "mutation ($input: UpdateContactInput!) { updateContact(input: $input) { contact { id } } }";
    let patch = json!({
        "state": change.enters.then(|| probe_word(change.probe)),
        "country": pick(random, &COUNTRIES),
        "status": pick(random, &["ACTIVE", "INACTIVE", "LEAD", "CUSTOMER"]),
        "source": pick(random, &["WEBSITE", "REFERRAL", "EVENT", "OTHER"]),
        "tags": [format!("tag {}", random.random_range(0..TAGS))],
        "customFields": { "score": random.random_range(0..101) },
    });
    let variables = json!({ "input": { "id": change.contact, "patch": patch } });
    post("/graphql", &server.token, &json!({ "query": query, "variables": variables }).to_string())
}

/// When a change was sent, and when it was answered.
struct Answered {
    number: usize,
    sent: Instant,
    at: Instant,
}

/// That a contact entered a list or left it: its number, and when that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Move {
    list: usize,
    contact: Uuid,
    entered: bool,
}

async fn follow_changes(
    report: &mut Report,
    scale: Scale,
    database: &Database,
    server: &Server,
    world: &World,
    lists: &[Made],
) -> Result<()> {
    let count = if scale.contacts < 1_000_000 { 6 } else { 60 } * CHANGES_A_SECOND;
    let mut random = StdRng::seed_from_u64(SEED);
    let changes = changes(&world.some_contacts(count).await?, &mut random);
    let requests: Arc<Vec<_>> =
        Arc::new(changes.iter().map(|change| change_request(server, *change, &mut random)).collect());
    let mut moves = watch_lists(server, lists).await?;
    report.note("changing contacts");

    let watched = server.watched_with(database);
    let (server_time, database_time) = (watched.server.processor_time()?, watched.database.family_time()?);
    let (backlog, sampling) = sample_backlog(database, world.workspace).await?;
    let answered = change_all(server, &requests).await?;
    let (seen, missed) = hear(&mut moves, &changes).await;
    sampling.abort();
    let settled = world.settle(report).await?;
    let changed = u32::try_from(changes.len())?;
    let server_time = (watched.server.processor_time()? - server_time) / changed;
    let database_time = (watched.database.family_time()? - database_time) / changed;

    let took = answered.iter().map(|one| one.at).max().zip(answered.iter().map(|one| one.sent).min());
    let seconds = took.map_or(1.0, |(last, first)| (last - first).as_secs_f64());
    let (mut direct, mut over) = (Vec::new(), Vec::new());
    for one in &answered {
        let change = changes[one.number];
        let age = |list| seen.get(&expected(change, list)).map(|at| at.saturating_duration_since(one.at));
        direct.extend(age(FIRST_PROBE + change.probe));
        if change.probe < OVER_PROBES {
            over.extend(age(FIRST_PROBE + PROBES + change.probe));
        }
    }
    report.table(
        &format!(
            "{:.1} changes of contacts a second with {} dynamic lists, for {seconds:.0} s",
            answered.len() as f64 / seconds,
            lists.len()
        ),
        &["", "p50", "p95", "p99", "at most", "asked"],
    );
    let mut row = |what: &str, times: Vec<Duration>, asked: &str| {
        let Spread { median, p95, p99, most } = Spread::of(times);
        report.row([what.to_owned(), millis(median), millis(p95), millis(p99), millis(most), asked.to_owned()]);
    };
    row("from the answer until the members have moved", direct, "p99 < 1 s");
    row("the same of members of a list over that list", over, "");
    row("the mutation itself", answered.iter().map(|one| one.at - one.sent).collect(), "");
    report.line(format!(
        "\n{missed} moves were not told; at most {} changes were waiting, and {:.1} s after the last move nothing was \
         left to do. In all {} of server CPU and {} of PostgreSQL CPU for each change.",
        backlog.load(Ordering::Relaxed),
        settled.as_secs_f64(),
        millis(server_time),
        millis(database_time)
    ));
    if missed > 0 {
        return Err(format!("{missed} moves were not told").into());
    }
    Ok(())
}

fn expected(change: Change, list: usize) -> Move {
    Move { list, contact: change.contact, entered: change.enters }
}

/// Sends each at its time.
async fn change_all(server: &Server, requests: &Arc<Vec<Vec<u8>>>) -> Result<Vec<Answered>> {
    let begin = tokio::time::Instant::now() + Duration::from_millis(200);
    let writers = (0..WRITERS).map(|writer| {
        let (address, requests) = (server.address.clone(), Arc::clone(requests));
        tokio::spawn(async move {
            let mut connection = Connection::open(&address).await?;
            let mut answered = Vec::new();
            for (number, request) in requests.iter().enumerate().skip(writer).step_by(WRITERS) {
                sleep_until(begin + Duration::from_secs(1) * u32::try_from(number)? / u32::try_from(CHANGES_A_SECOND)?)
                    .await;
                let sent = Instant::now();
                connection.ask(request).await?;
                answered.push(Answered { number, sent, at: Instant::now() });
            }
            Ok::<_, crate::Failure>(answered)
        })
    });
    let mut answered = Vec::new();
    for of_one in try_join_all(writers).await? {
        answered.extend(of_one?);
    }
    Ok(answered)
}

/// The most changes that were seen waiting.
async fn sample_backlog(database: &Database, workspace: Uuid) -> Result<(Arc<AtomicI64>, tokio::task::JoinHandle<()>)> {
    let client = crate::server::connect(&database.url).await?;
    let most = Arc::new(AtomicI64::new(0));
    let found = Arc::clone(&most);
    let sampling = tokio::spawn(async move {
        let waiting = "SELECT count(*) FROM list_changes WHERE workspace_id = $1";
        while let Ok(row) = client.query_one(waiting, &[&workspace]).await {
            found.fetch_max(row.get(0), Ordering::Relaxed);
            sleep(Duration::from_millis(250)).await;
        }
    });
    Ok((most, sampling))
}

/// Follows the probes, and the lists over them, on one socket.
async fn watch_lists(server: &Server, lists: &[Made]) -> Result<mpsc::UnboundedReceiver<(Move, Instant)>> {
    let mut socket = live::open(server, false).await?;
    let query = "subscription ($id: ID!) { contactListChanged(id: $id) { entered left } }";
    for (number, list) in lists.iter().enumerate().skip(FIRST_PROBE) {
        let payload = json!({ "query": query, "variables": { "id": list.id } });
        let subscribe = json!({ "id": number.to_string(), "type": "subscribe", "payload": payload });
        socket.send(Message::text(subscribe.to_string())).await?;
    }
    let (tell, moves) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        // an end is noticed by the moves that are missed
        let _ = listen(socket, &tell).await;
    });
    // they are taken up beside one another, and say nothing when they are
    sleep(Duration::from_secs(2)).await;
    Ok(moves)
}

async fn listen(mut socket: Socket, tell: &mpsc::UnboundedSender<(Move, Instant)>) -> Result<()> {
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        let at = Instant::now();
        let message: Value = serde_json::from_str(&text)?;
        let Some(list) = message["id"].as_str().and_then(|id| id.parse().ok()) else { continue };
        let change = &message["payload"]["data"]["contactListChanged"];
        for (contacts, entered) in [(&change["entered"], true), (&change["left"], false)] {
            for contact in contacts.as_array().into_iter().flatten().filter_map(Value::as_str) {
                tell.send((Move { list, contact: contact.parse()?, entered }, at))?;
            }
        }
    }
    Ok(())
}

/// Waits until all moves that the changes bring about are told, or none is for a while: when each was
/// told first, and how many were not.
async fn hear(
    moves: &mut mpsc::UnboundedReceiver<(Move, Instant)>,
    changes: &[Change],
) -> (HashMap<Move, Instant>, usize) {
    let mut awaited: std::collections::HashSet<Move> = std::collections::HashSet::new();
    for change in changes {
        awaited.insert(expected(*change, FIRST_PROBE + change.probe));
        if change.probe < OVER_PROBES {
            awaited.insert(expected(*change, FIRST_PROBE + PROBES + change.probe));
        }
    }
    let mut seen = HashMap::new();
    while !awaited.is_empty() {
        let Ok(Some((which, at))) = timeout(Duration::from_secs(60), moves.recv()).await else { break };
        if awaited.remove(&which) {
            seen.insert(which, at);
        }
    }
    (seen, awaited.len())
}

/// An import, and how long after its end the lists were right.
struct Import {
    rows: usize,
    took: Duration,
    settled: Duration,
}

async fn import_all(
    report: &Report,
    scale: Scale,
    folder: &Path,
    database: &Database,
    server: &Server,
    world: &World,
    name: &str,
) -> Result<Vec<Import>> {
    let mut imports = Vec::new();
    for round in 0..scale.rounds.min(3) {
        report.note(&format!("importing {name} lists, round {round}"));
        let file = data::write(folder, &format!("{name}{round}x"), scale.contacts / 10)?;
        let took = imports::import(database, server, &file).await?.took;
        imports.push(Import { rows: file.rows, took, settled: world.settle(report).await? });
    }
    Ok(imports)
}

fn report_imports(report: &mut Report, scale: Scale, without: &[Import], with: &[Import]) {
    let rate =
        |imports: &[Import]| median(imports.iter().map(|one| one.rows as f64 / one.took.as_secs_f64()).collect());
    let (without_rate, with_rate) = (rate(without), rate(with));
    report.table(
        &format!(
            "Import of {} contacts beside dynamic lists, median of {}",
            thousands((scale.contacts / 10) as f64),
            with.len()
        ),
        &["", "rows/s", "", "asked"],
    );
    report.row(["without any list".to_owned(), thousands(without_rate), String::new(), String::new()]);
    report.row([
        format!("with {LISTS}"),
        thousands(with_rate),
        format!("{:.0} % slower", (1.0 - with_rate / without_rate) * 100.0),
        "less than 30 %".to_owned(),
    ]);
    let settled = median_time(with.iter().map(|one| one.settled));
    report.row([
        "until all lists are right behind it".to_owned(),
        String::new(),
        format!("{:.1} s", settled.as_secs_f64()),
        String::new(),
    ]);
}
