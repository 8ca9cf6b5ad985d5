//! What the lists are about: the imported contacts, with what a company comes to know of its own over
//! the years. Companies, deals, owners, tags, scores and ages are written by SQL, before there is any
//! list; people and custom fields are made as anybody would.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    Result,
    report::Report,
    server::{Database, PASSWORD, Server, connect},
};

pub const PLANS: [&str; 4] = ["free", "starter", "pro", "enterprise"];
pub const INDUSTRIES: [&str; 12] = [
    "Automotive",
    "Banking",
    "Chemicals",
    "Construction",
    "Education",
    "Energy",
    "Health",
    "Insurance",
    "Logistics",
    "Media",
    "Retail",
    "Software",
];
/// Tags of which each is on a sixtieth of the contacts, and such as are on few.
pub const TAGS: usize = 40;
pub const TOPICS: usize = 199;
const OWNERS: usize = 8;
/// For each of these many contacts there is a company.
const PER_ACCOUNT: i64 = 50;

pub struct World {
    /// The bench's own connection.
    pub client: Client,
    pub workspace: Uuid,
    pub owners: Vec<String>,
    /// Somebody else, signed in.
    pub other_token: String,
    pub contacts: i64,
}

impl World {
    /// Keeps the contacts whose addresses begin so, and makes of them what the lists ask about.
    pub async fn prepare(report: &Report, database: &Database, server: &Server, name: &str) -> Result<Self> {
        let client = connect(&database.url).await?;
        let workspace: Uuid = server.workspace.parse()?;
        let by = "SELECT user_id FROM members WHERE workspace_id = $1 AND role = 'admin' LIMIT 1";
        let user: Uuid = client.query_one(by, &[&workspace]).await?.get(0);
        report.note("leaving the contacts of the first import only");
        let others = "DELETE FROM contacts WHERE workspace_id = $1 AND (email IS NULL OR email NOT LIKE $2)";
        client.execute(others, &[&workspace, &format!("{name}%")]).await?;
        client.batch_execute("VACUUM contacts").await?;
        let mut owners = Vec::new();
        for number in 0..OWNERS {
            owners.push(make_user(server, number).await?);
        }
        let contacts: i64 =
            client.query_one("SELECT count(*) FROM contacts WHERE workspace_id = $1", &[&workspace]).await?.get(0);
        report.note("giving them companies, owners, tags, scores and deals");
        client.batch_execute(&enrichment(workspace, user, &owners, contacts / PER_ACCOUNT + 1)).await?;
        let score = json!({ "kind": "CONTACT", "label": "Score", "key": "score", "type": "NUMBER", "isIndexed": true });
        let plan = json!({ "kind": "CONTACT", "label": "Plan", "key": "plan", "type": "CHOICE", "choices": PLANS,
                           "isIndexed": true });
        for field in [score, plan] {
            make_field(&client, server, field).await?;
        }
        client.batch_execute("VACUUM ANALYZE").await?;
        let other_token = server.token_of(&email(0)).await?;
        Ok(Self { client, workspace, owners, other_token, contacts })
    }

    /// So many contacts, anywhere.
    pub async fn some_contacts(&self, count: usize) -> Result<Vec<Uuid>> {
        let some =
            "SELECT id FROM contacts WHERE workspace_id = $1 AND deleted_at IS NULL ORDER BY md5(id::text) LIMIT $2";
        let rows = self.client.query(some, &[&self.workspace, &i64::try_from(count)?]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

fn email(number: usize) -> String {
    format!("owner{number}@kontor.example")
}

async fn make_user(server: &Server, number: usize) -> Result<String> {
    let query = "mutation ($input: CreateUserInput!) { createUser(input: $input) { user { id } } }";
    let input = json!({ "email": email(number), "fullName": format!("Owner {number}"), "password": PASSWORD,
                        "role": "SALES_REP" });
    let made = server.graphql(query, json!({ "input": input })).await?;
    Ok(made["createUser"]["user"]["id"].as_str().ok_or("no user")?.to_owned())
}

/// Makes a custom field, and waits until records are found by it.
async fn make_field(client: &Client, server: &Server, field: Value) -> Result<()> {
    let query = "mutation ($input: CreateCustomFieldInput!) { createCustomField(input: $input) { jobId } }";
    let made = server.graphql(query, json!({ "input": field })).await?;
    let Some(job) = made["createCustomField"]["jobId"].as_str() else { return Ok(()) };
    let job: Uuid = job.parse()?;
    loop {
        let state: String = client.query_one("SELECT state FROM jobs WHERE id = $1", &[&job]).await?.get(0);
        match state.as_str() {
            "completed" => return Ok(()),
            "queued" | "running" => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => return Err(format!("the index of a custom field: {state}").into()),
        }
    }
}

/// All from each row's place in the order of age, by numbers that have no divisor in common.
fn enrichment(workspace: Uuid, user: Uuid, owners: &[String], accounts: i64) -> String {
    let owners = owners.join(",");
    let industries = INDUSTRIES.join(",");
    let plans = PLANS.join(",");
    format!(
        "INSERT INTO accounts (workspace_id, id, name, industry, employees, annual_revenue, account_type, created_by,
                               created_at, updated_at)
         SELECT '{workspace}', md5('bench account ' || n)::uuid, 'Company ' || n,
                ('{{{industries}}}'::text[])[n % 12 + 1], n * 37 % 2000, n * 1009 % 1000003,
                ('{{prospect,customer,partner,vendor}}'::text[])[n % 4 + 1], '{user}', now(), now()
           FROM generate_series(0, {accounts} - 1) AS n;

         WITH numbered AS (
             SELECT id, row_number() OVER (ORDER BY id) AS n, count(*) OVER () AS of_all
               FROM contacts WHERE workspace_id = '{workspace}')
         UPDATE contacts c
            SET created_at = now() - interval '1000 days' * (1 - n::float8 / of_all),
                account_id = CASE WHEN n % 5 < 3 THEN md5('bench account ' || n * 7 % {accounts})::uuid END,
                owner_id = CASE WHEN n % 10 < 7 THEN ('{{{owners}}}'::uuid[])[(n * 3 % 8 + 1)::int] END,
                tags = CASE n % 3 WHEN 0 THEN '{{}}'::text[]
                                  WHEN 1 THEN ARRAY['tag ' || n / 3 * 17 % {TAGS}]
                                  ELSE ARRAY['tag ' || n / 3 * 17 % {TAGS}, 'topic ' || n / 3 * 29 % {TOPICS}] END,
                custom_fields = jsonb_build_object(
                    'score', n * 7919 % 101,
                    'plan', ('{{{plans}}}'::text[])[CASE WHEN n * 31 % 23 < 12 THEN 1 WHEN n * 31 % 23 < 18 THEN 2
                                                         WHEN n * 31 % 23 < 21 THEN 3 ELSE 4 END])
           FROM numbered WHERE c.workspace_id = '{workspace}' AND c.id = numbered.id;

         INSERT INTO deals (workspace_id, id, name, amount, pipeline_id, stage_id, stage_entered_at, probability,
                            contact_id, account_id, created_by, created_at, updated_at)
         SELECT c.workspace_id, md5('bench deal ' || c.id)::uuid, 'Deal ' || c.n, c.n / 11 * 37 % 1000 * 100,
                s.pipeline_id, s.id, now(), s.probability, c.id, c.account_id, '{user}', now(), now()
           FROM (SELECT workspace_id, id, account_id, row_number() OVER (ORDER BY id) AS n
                   FROM contacts WHERE workspace_id = '{workspace}') AS c
           JOIN (SELECT id, pipeline_id, probability, row_number() OVER (ORDER BY position) - 1 AS place,
                        count(*) OVER () AS of_all
                   FROM pipeline_stages WHERE workspace_id = '{workspace}') AS s ON s.place = c.n / 11 % s.of_all
          WHERE c.n % 11 = 0;"
    )
}
